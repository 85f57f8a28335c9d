package main

import (
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"
)

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Tell which kith this is",
		Example: "  kith version",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			v := thisBuild()
			return a.show(v, func(w io.Writer) error {
				text := "kith " + v.Version + "\n" + v.Go + " " + v.OS + "/" + v.Arch + "\n"
				if v.Revision != "" {
					text += "revision " + v.Revision + "\n"
				}
				_, err := io.WriteString(w, text)
				return err
			})
		},
	}
}

type buildView struct {
	Version  string `json:"version"`
	Revision string `json:"revision"`
	Go       string `json:"go"`
	OS       string `json:"os"`
	Arch     string `json:"arch"`
}

// thisBuild is what the toolchain noted when it built this program.
func thisBuild() buildView {
	v := buildView{Version: "devel", Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	if m := strings.Trim(info.Main.Version, "()"); m != "" {
		v.Version = m
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			v.Revision = s.Value
		case "vcs.modified":
			if s.Value == "true" {
				v.Revision += "+changed"
			}
		}
	}
	return v
}

func (a *app) completionCommand() *cobra.Command {
	scripts := map[string]func(io.Writer) error{
		"bash":       func(w io.Writer) error { return a.root.GenBashCompletionV2(w, true) },
		"zsh":        func(w io.Writer) error { return a.root.GenZshCompletion(w) },
		"fish":       func(w io.Writer) error { return a.root.GenFishCompletion(w, true) },
		"powershell": func(w io.Writer) error { return a.root.GenPowerShellCompletionWithDesc(w) },
	}
	return &cobra.Command{
		Use:   "completion SHELL",
		Short: "Print what makes a shell complete kith's commands",
		Long: "Print a script for bash, zsh, fish or powershell that completes commands, flags, and\n" +
			"the names of folders and devices.",
		Example: "  source <(kith completion bash)\n" +
			"  kith completion fish > ~/.config/fish/completions/kith.fish",
		Args:      cobra.ExactArgs(1),
		ValidArgs: []string{"bash", "zsh", "fish", "powershell"},
		RunE: func(cmd *cobra.Command, args []string) error {
			write, ok := scripts[args[0]]
			if !ok {
				return usagef(cmd, "%q is not a shell that kith knows: bash, zsh, fish or powershell", args[0])
			}
			if err := write(a.out); err != nil {
				return fmt.Errorf("print the completion for %s: %w", args[0], err)
			}
			return nil
		},
	}
}

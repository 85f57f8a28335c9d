package main

import (
	"context"
	"encoding/json"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"github.com/kithmesh/kith/node/control"
)

// app is one run of the command: its streams, its global flags, and what
// every subcommand needs.
type app struct {
	in          io.Reader
	out, err    io.Writer
	inTerminal  bool
	outTerminal terminal
	errTerminal terminal
	getenv      func(string) string
	secret      *secretLine // nil without a terminal to read from
	run         func(context.Context, upOptions) error
	decrypt     decrypter

	home string // --home
	json bool   // --json
	root *cobra.Command
	// working is set when flags and arguments were understood: an error
	// before that is wrong usage.
	working bool
}

// main runs the command line and returns the exit code.
func (a *app) main(ctx context.Context, args []string) int {
	a.root = a.newRoot()
	a.root.SetArgs(args)
	a.root.SetIn(a.in)
	a.root.SetOut(a.out)
	a.root.SetErr(a.err)
	// Whether errors are to be JSON must be known even if the flags are wrong.
	a.json = slices.Contains(untilDashes(args), "--json")
	used, err := a.root.ExecuteContextC(ctx)
	if err != nil && !a.working {
		err = usageError(used, err)
	}
	if ctx.Err() != nil && err != nil {
		err = errInterrupted
	}
	a.report(err)
	return exitCode(err)
}

func untilDashes(args []string) []string {
	if i := slices.Index(args, "--"); i >= 0 {
		return args[:i]
	}
	return args
}

func (a *app) newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "kith",
		Short: "Keep folders the same on your devices",
		Long: "kith keeps folders the same on your devices. There is no account and no server:\n" +
			"devices pair by a code and speak to each other.",
		Example: "  kith up                            run this device\n" +
			"  kith add ~/Documents               make a tree a folder\n" +
			"  kith pair --share Documents        show a code for the other device",
		Version:       thisBuild().Version,
		SilenceErrors: true, SilenceUsage: true,
		PersistentPreRun:  func(*cobra.Command, []string) { a.working = true },
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
	}
	root.SetVersionTemplate("kith {{.Version}}\n")
	flags := root.PersistentFlags()
	flags.StringVar(&a.home, "home", "", "keep all of this device under `DIR` (KITH_HOME)")
	flags.BoolVar(&a.json, "json", a.json, "print JSON: one object, or one per line for a stream")
	root.AddGroup(
		&cobra.Group{ID: "device", Title: "This device"},
		&cobra.Group{ID: "others", Title: "Other devices"},
		&cobra.Group{ID: "folders", Title: "Folders"},
		&cobra.Group{ID: "files", Title: "Files"},
		&cobra.Group{ID: "past", Title: "The past, and backups"},
		&cobra.Group{ID: "care", Title: "What needs you"},
		&cobra.Group{ID: "about", Title: "About kith"},
	)
	add := func(group string, commands ...*cobra.Command) {
		for _, c := range commands {
			c.GroupID = group
			root.AddCommand(c)
		}
	}
	add("device", a.upCommand(), a.downCommand(), a.statusCommand(), a.waitCommand(), a.pauseCommand(), a.resumeCommand(), a.limitsCommand())
	add("others", a.pairCommand(), a.devicesCommand())
	add("folders", a.addCommand(), a.foldersCommand(), a.scanCommand(), a.shareCommand(), a.unshareCommand(),
		a.offersCommand(), a.acceptCommand(), a.roleCommand(), a.leaveCommand())
	add("files", a.lsCommand(), a.getCommand(), a.pinCommand(), a.freeCommand(), a.revertCommand(), a.whyCommand())
	add("past", a.logCommand(), a.diffCommand(), a.restoreCommand(), a.undoCommand(), a.snapshotCommand(), a.snapshotsCommand(),
		a.retentionCommand(), a.scheduleCommand(), a.storeCommand(), a.pruneCommand(), a.verifyCommand(), a.drillCommand(), a.recoveryCommand(), a.decryptCommand())
	add("care", a.conflictsCommand(), a.resolveCommand(), a.heldCommand(), a.approveCommand(), a.rejectCommand(), a.doctorCommand())
	add("about", a.pathsCommand(), a.configCommand(), a.completionCommand(), a.versionCommand(), a.demoCommand())
	return root
}

// ask is the RunE of a command that asks the running device.
func (a *app) ask(do func(ctx context.Context, c *control.Client, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		c, err := a.dial(cmd.Context())
		if err != nil {
			return err
		}
		defer c.Close()
		return do(cmd.Context(), c, args)
	}
}

// show prints an answer: v as one line of JSON, or what human writes.
func (a *app) show(v any, human func(w io.Writer) error) error {
	if a.json {
		return a.emit(v)
	}
	return human(a.out)
}

// emit prints one line of JSON at once.
func (a *app) emit(v any) error {
	e := json.NewEncoder(a.out)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

package main

import (
	"context"
	"errors"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/kithmesh/kith/node/config"
	"github.com/kithmesh/kith/node/control"
)

func (a *app) doctorCommand() *cobra.Command {
	goOn := ""
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Look for what may be wrong, and say what to do",
		Long: "Look at everything that may be wrong with this device, its folders and its peers, and\n" +
			"say what to do. The exit code is 3 if something is wrong, and 5 if the device is not\n" +
			"running: then only what can be seen from outside is looked at.\n\n" +
			"A folder is fenced when this device was restored from a backup or cloned, and so has\n" +
			"forgotten what it told others. With --go-on it takes part again, as if new: nothing is\n" +
			"lost here or elsewhere, and files that differ are kept in both versions. Do that on one\n" +
			"of two clones only; give the other one a new home (kith up --home).",
		Example: "  kith doctor\n  kith doctor --go-on Documents",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if cmd.Flags().Changed("go-on") {
				return a.ask(func(ctx context.Context, c *control.Client, _ []string) error { return a.goOn(ctx, c, goOn) })(cmd, nil)
			}
			return a.examine(cmd.Context())
		},
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	cmd.Flags().StringVar(&goOn, "go-on", "", "let a fenced `FOLDER` go on")
	_ = cmd.RegisterFlagCompletionFunc("go-on", a.completeFolder)
	return cmd
}

func (a *app) goOn(ctx context.Context, c *control.Client, folder string) error {
	f, err := c.GoOn(ctx, folder)
	if err != nil {
		return err
	}
	return a.show(viewFolder(f), func(w io.Writer) error {
		return say(w, "%s goes on here. kith status tells how far it is.\n", f.Label)
	})
}

type findingView struct {
	Subject string `json:"subject"`
	OK      bool   `json:"ok"`
	Code    string `json:"code"`
	Message string `json:"message"`
	Hint    string `json:"hint"`
}

func (a *app) examine(ctx context.Context) error {
	c, err := a.dial(ctx)
	if err != nil {
		found := append([]control.Finding{unreachable(err)}, a.fromOutside()...)
		return errors.Join(a.showFindings(found), err)
	}
	defer c.Close()
	found, err := c.Examine(ctx)
	if err != nil {
		return err
	}
	if err := a.showFindings(found); err != nil {
		return err
	}
	for _, f := range found {
		if !f.OK {
			return errAttention
		}
	}
	return nil
}

func unreachable(err error) control.Finding {
	f := control.Describe(err)
	return control.Finding{Subject: "device", Code: string(f.Code), Message: f.Message, Hint: f.Hint}
}

// fromOutside looks at what needs no device that runs: whether its home can be
// read, and whether its settings are valid.
func (a *app) fromOutside() []control.Finding {
	home := control.Finding{Subject: "home", OK: true, Code: "readable"}
	settings := control.Finding{Subject: "settings", OK: true, Code: "valid"}
	p, err := config.Find(a.home)
	if err == nil {
		_, err = os.ReadDir(p.State)
	}
	switch {
	case errors.Is(err, os.ErrNotExist):
		home.Code, home.Message = "new", p.State+" does not exist: there was no device here yet"
	case err != nil:
		home.OK, home.Code, home.Message = false, "unreadable", err.Error()
		home.Hint = "run kith as the user who started the device"
	default:
		home.Message = p.State + " is readable"
	}
	if _, _, err := a.settings(nil); err != nil {
		settings.OK, settings.Code, settings.Message = false, "invalid", describe(err).Message
		settings.Hint = "mend " + p.Config + ", or set it anew with kith config set"
	} else {
		settings.Message = p.Config + " is valid"
	}
	return []control.Finding{home, settings}
}

func (a *app) showFindings(found []control.Finding) error {
	v := map[string][]findingView{"findings": views(found, func(f control.Finding) findingView { return findingView(f) })}
	return a.show(v, func(w io.Writer) error {
		var t table
		for _, f := range found {
			mark := cell{text: "ok", style: good}
			if !f.OK {
				mark = cell{text: "wrong", style: bad}
			}
			t.row(mark, f.Subject, f.Message)
			if !f.OK && f.Hint != "" {
				t.row("", "", f.Hint)
			}
		}
		return t.write(w, terminal{colour: a.outTerminal.colour})
	})
}

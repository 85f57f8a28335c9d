package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/kithmesh/kith/node/config"
	"github.com/kithmesh/kith/node/control"
)

func (a *app) doctorCommand() *cobra.Command {
	goOn := ""
	cmd := &cobra.Command{
		Use:   "doctor [DEVICE]",
		Short: "Look for what may be wrong, and say what to do",
		Long: "Look at everything that may be wrong with this device, its folders, its network and its\n" +
			"peers, and say what to do. Each peer that is not connected is sought in every way: on the\n" +
			"local network, at each address, where devices meet beyond it, through each relay; that\n" +
			"takes some 20 seconds at most. With DEVICE only that one is looked at.\n\n" +
			"Nothing is sent beyond the local network while discovery is off. The exit code is 3 if\n" +
			"something is wrong, and 5 if the device is not running: then only what can be seen from\n" +
			"outside is looked at. With --json each finding has a code; docs/doctor.md lists them.\n\n" +
			"A folder is fenced when this device was restored from a backup or cloned, and so has\n" +
			"forgotten what it told others. With --go-on it takes part again, as if new: nothing is\n" +
			"lost here or elsewhere, and files that differ are kept in both versions. Do that on one\n" +
			"of two clones only; give the other one a new home (kith up --home).",
		Example: "  kith doctor\n  kith doctor phone\n  kith doctor --go-on Documents",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if cmd.Flags().Changed("go-on") {
				if len(args) > 0 {
					return usagef(cmd, "--go-on is about a folder, and %q is one thing too many", args[0])
				}
				return a.ask(func(ctx context.Context, c *control.Client, _ []string) error { return a.goOn(ctx, c, goOn) })(cmd, nil)
			}
			return a.examine(cmd.Context(), strings.Join(args, ""))
		},
		ValidArgsFunction: a.completeDevice,
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

type trialView struct {
	Subject string `json:"subject"`
	What    string `json:"what"`
	Result  string `json:"result"`
	OK      bool   `json:"ok"`
}

type examinedView struct {
	Findings []findingView `json:"findings"`
	Trials   []trialView   `json:"trials"`
}

// examined is what an examination has brought to light so far.
type examined struct {
	findings []control.Finding
	trials   []control.Trial
}

// examine looks at one device, or at everything for "".
func (a *app) examine(ctx context.Context, device string) error {
	var e examined
	c, err := a.dial(ctx)
	if err != nil {
		e.findings = append([]control.Finding{unreachable(err)}, a.fromOutside()...)
		return errors.Join(a.showExamined(e), err)
	}
	defer c.Close()
	if device == "" {
		if e.findings, err = c.Examine(ctx); err != nil {
			return err
		}
	}
	err = c.ExamineReach(ctx, device, func(r control.Reached) error {
		switch {
		case r.Trial != nil:
			e.trials = append(e.trials, *r.Trial)
			return a.showTrial(*r.Trial)
		case r.Finding != nil:
			e.findings = append(e.findings, *r.Finding)
		}
		return nil
	})
	if err != nil && len(e.findings) == 0 {
		return err
	}
	if err := errors.Join(a.showExamined(e), err); err != nil {
		return err
	}
	if slices.ContainsFunc(e.findings, func(f control.Finding) bool { return !f.OK }) {
		return errAttention
	}
	return nil
}

// showTrial tells somebody who watches what has just been tried.
func (a *app) showTrial(t control.Trial) error {
	if a.json || !a.errTerminal.is() {
		return nil
	}
	text := fmt.Sprintf("  %s: %s: %s", strings.TrimPrefix(t.Subject, "device "), t.What, t.Result)
	_, err := fmt.Fprintln(a.err, a.errTerminal.paint(faint, clip(printable(text), a.errTerminal.width-1)))
	return err
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

func (a *app) showExamined(e examined) error {
	v := examinedView{
		Findings: views(e.findings, func(f control.Finding) findingView { return findingView(f) }),
		Trials:   views(e.trials, func(t control.Trial) trialView { return trialView(t) }),
	}
	return a.show(v, func(w io.Writer) error {
		if len(e.trials) > 0 && a.errTerminal.is() {
			if _, err := fmt.Fprintln(a.err); err != nil {
				return err
			}
		}
		return a.findingTable(w, e.findings)
	})
}

// findingTable lists findings, each with what to do below it; long ones go on
// in the next line on a terminal.
func (a *app) findingTable(w io.Writer, found []control.Finding) error {
	indent := columns("wrong") + 4
	for _, f := range found {
		indent = max(indent, columns("wrong")+4+columns(printable(f.Subject)))
	}
	room := 0
	if a.outTerminal.is() {
		room = max(a.outTerminal.width-1-indent, narrowest)
	}
	var t table
	for _, f := range found {
		mark := cell{text: "ok", style: good}
		if !f.OK {
			mark = cell{text: "wrong", style: bad}
		}
		lines := wrap(f.Message, room)
		if !f.OK && f.Hint != "" {
			for i, l := range wrap(f.Hint, max(room-len(toDo), 0)) {
				if i == 0 {
					l = toDo + l
				} else {
					l = strings.Repeat(" ", len(toDo)) + l
				}
				lines = append(lines, l)
			}
		}
		t.row(mark, f.Subject, lines[0])
		for _, l := range lines[1:] {
			t.row("", "", l)
		}
	}
	return t.write(w, terminal{colour: a.outTerminal.colour})
}

const (
	narrowest = 30    // columns: the least room for a text beside other columns
	toDo      = "-> " // before what a person can do
)

// wrap breaks a text into lines of at most so many columns, between words; 0 is
// no bound. There is one line at least.
func wrap(text string, room int) []string {
	words := strings.Fields(text)
	if room <= 0 || len(words) == 0 {
		return []string{text}
	}
	lines := []string{words[0]}
	for _, word := range words[1:] {
		last := &lines[len(lines)-1]
		if columns(*last)+1+columns(word) > room {
			lines = append(lines, word)
			continue
		}
		*last += " " + word
	}
	return lines
}

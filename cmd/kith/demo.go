package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
)

func (a *app) demoCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "demo [DIR]",
		Short: "Show three devices at work on this machine",
		Long: "Start devices on this machine, a laptop and a phone, pair them by a code, and let them\n" +
			"keep a folder the same: edits on both sides, a rename, a conflict. Then a nas joins as a\n" +
			"backup that can read nothing: a mistake is taken back with it, and when laptop and phone\n" +
			"are lost, a new laptop is made of 24 words and the nas. Everything lies in a temporary\n" +
			"directory and is removed in the end. DIR is never changed: what is shown is a copy of\n" +
			"it, of at most " + size(maxCopyBytes) + " and " + plural(maxCopyFiles, "file") + ".",
		Example: "  kith demo\n  kith demo ~/Documents",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			source := ""
			if len(args) > 0 {
				source = args[0]
			}
			return a.demo(cmd.Context(), source)
		},
	}
}

// demo sets the stage, tells the story and clears up, whatever happens.
func (a *app) demo(ctx context.Context, source string) (err error) {
	dir, err := os.MkdirTemp("", "kith-demo-")
	if err != nil {
		return fmt.Errorf("make a place for the demo: %w", err)
	}
	s := &story{app: a, dir: dir, source: source}
	s.laptop = &demoDevice{name: "laptop", home: filepath.Join(dir, "home-laptop"), files: filepath.Join(dir, "laptop")}
	s.phone = &demoDevice{name: "phone", home: filepath.Join(dir, "home-phone"), files: filepath.Join(dir, "phone")}
	s.nas = &demoDevice{name: "nas", home: filepath.Join(dir, "home-nas")}
	s.fresh = &demoDevice{name: "laptop-2", home: filepath.Join(dir, "home-laptop-2"), files: filepath.Join(dir, "laptop-2", demoLabel)}
	defer func() {
		for _, d := range s.devices() {
			err = errors.Join(err, d.leave())
		}
		err = errors.Join(err, os.RemoveAll(dir))
	}()
	if err := a.demoSays("", 0, fmt.Sprintf("Devices on this machine: a laptop, a phone, and later a nas. All of it lies in %s and goes in the end.", dir)); err != nil {
		return err
	}
	start := now()
	if err := s.tell(ctx); err != nil {
		return err
	}
	return a.demoSays("done", now().Sub(start), "Nothing was lost, and nothing is left behind.")
}

type demoView struct {
	Event   string  `json:"event"`
	Step    string  `json:"step"`
	Seconds float64 `json:"seconds"`
	Text    string  `json:"text"`
}

// demoSays tells of one step that has ended, and how long it took.
func (a *app) demoSays(step string, took time.Duration, text string) error {
	return a.show(demoView{"step", step, took.Seconds(), text}, func(w io.Writer) error {
		if step == "" {
			return say(w, "%s\n\n", text)
		}
		return say(w, "%s%s  %s\n", a.outTerminal.paint(bold, fmt.Sprintf("%-9s", step)), fmt.Sprintf("%8s", elapsed(took)), text)
	})
}

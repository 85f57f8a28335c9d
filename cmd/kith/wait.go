package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/kithmesh/kith/node/control"
)

// goal is a flag that takes what to wait for.
type goal control.Goal

// String is the goal as it was given.
func (g *goal) String() string { return string(*g) }

// Type names the value in help texts.
func (g *goal) Type() string { return "GOAL" }

// Set reads what was given.
func (g *goal) Set(s string) error {
	switch control.Goal(s) {
	case control.Synced, control.Protected, control.Connected:
		*g = goal(s)
		return nil
	}
	return errors.New("not a goal (synced, protected or connected)")
}

func (a *app) waitCommand() *cobra.Command {
	what := goal(control.Synced)
	var timeout period
	cmd := &cobra.Command{
		Use:   "wait [FOLDER]...",
		Short: "Wait until folders are synced, protected or connected",
		Long: "Wait until all folders, or those named, are\n\n" +
			"  synced      this device and every connected member hold the same, after a scan\n" +
			"  protected   a backup holds everything that is here now\n" +
			"  connected   another member is connected\n\n" +
			"The exit code is 4 if the time was not enough.",
		Example: "  kith wait Documents --timeout 5m\n  kith wait --for protected",
		RunE: a.ask(func(ctx context.Context, c *control.Client, args []string) error {
			r := control.WaitRequest{Folders: args, For: control.Goal(what), Timeout: time.Duration(timeout)}
			return a.wait(ctx, c, r)
		}),
		ValidArgsFunction: a.completeFolders,
	}
	cmd.Flags().Var(&what, "for", "what to wait for: synced, protected or connected")
	cmd.Flags().Var(&timeout, "timeout", "give up after so long, like 30s or 10m")
	return cmd
}

type reachedView struct {
	Event   string       `json:"event"`
	For     control.Goal `json:"for"`
	Folders []folderView `json:"folders"`
	Seconds float64      `json:"seconds"`
}

func (a *app) wait(ctx context.Context, c *control.Client, r control.WaitRequest) error {
	start := now()
	show := a.progressLine(r.For)
	var last control.Progress
	err := c.Wait(ctx, r, func(p control.Progress) error {
		last = p
		return show.update(p, now())
	})
	if cerr := show.clear(); err == nil {
		err = cerr
	}
	if errors.Is(err, control.ErrTimeout) {
		return timeoutError(r, last)
	}
	if err != nil {
		return err
	}
	took := now().Sub(start)
	v := reachedView{"reached", r.For, views(last.Folders, func(f control.FolderProgress) folderView { return viewFolder(f.Folder) }), took.Seconds()}
	return a.show(v, func(w io.Writer) error {
		return say(w, "%s %s, after %s.\n", strings.Join(labels(last), ", "), r.For, elapsed(took))
	})
}

func labels(p control.Progress) []string {
	if len(p.Folders) == 0 {
		return []string{"Everything"}
	}
	return views(p.Folders, func(f control.FolderProgress) string { return f.Label })
}

// timeoutError tells what was still missing when the time was up.
func timeoutError(r control.WaitRequest, last control.Progress) error {
	var missing []string
	for _, f := range last.Folders {
		if f.Reached {
			continue
		}
		text := f.Label + " is " + strings.ReplaceAll(string(f.State), "-", " ")
		switch {
		case r.For == control.Connected:
			text = "no other member of " + f.Label + " is connected"
		case f.NeedFiles > 0 || f.NeedBytes > 0:
			text += " with " + plural(f.NeedFiles, "file") + ", " + size(f.NeedBytes) + " to go"
		case r.For == control.Protected && f.State == control.StateInSync:
			text = "no backup that is connected holds all of " + f.Label
		}
		missing = append(missing, text)
	}
	what := ""
	if len(missing) > 0 {
		what = ": " + strings.Join(missing, "; ")
	}
	return control.WithHint(fmt.Errorf("wait until %s: %w after %s%s", r.For, control.ErrTimeout, elapsed(r.Timeout), what),
		"kith status tells more; it goes on behind")
}

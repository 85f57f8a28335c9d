package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/kithmesh/kith/node/control"
)

// getting is what a get was asked to do, beside its places.
type getting struct {
	pin, remove, noWait bool
	timeout             period
}

func (a *app) getCommand() *cobra.Command {
	var g getting
	cmd := &cobra.Command{
		Use:   "get PATH...",
		Short: "Have the content of paths here",
		Long: "Have the content of files and directories lie here, and wait until it does. A path is\n" +
			"said by FOLDER/PATH, or as it is on this machine; kith ls --all tells what exists.\n\n" +
			"What is chosen stays chosen. The exit code is 3 if something is missing that nobody\n" +
			"who is connected holds: it comes as soon as it can.",
		Example: "  kith get Photos/2026\n  kith get ~/Photos/2026/12.jpg --timeout 5m",
		Args:    cobra.MinimumNArgs(1),
		RunE: a.ask(func(ctx context.Context, c *control.Client, args []string) error {
			return a.get(ctx, c, args, g)
		}),
		ValidArgsFunction: a.completePath,
	}
	g.flags(cmd)
	return cmd
}

func (a *app) pinCommand() *cobra.Command {
	g := getting{pin: true}
	cmd := &cobra.Command{
		Use:   "pin PATH...",
		Short: "Keep the content of paths here",
		Long: "Have the content of files and directories lie here, as kith get does, and refuse to\n" +
			"free it from then on. With --remove that ends; what is here stays until it is freed.",
		Example: "  kith pin Documents/contracts\n  kith pin Documents/contracts --remove",
		Args:    cobra.MinimumNArgs(1),
		RunE: a.ask(func(ctx context.Context, c *control.Client, args []string) error {
			return a.get(ctx, c, args, g)
		}),
		ValidArgsFunction: a.completePath,
	}
	g.flags(cmd)
	cmd.Flags().BoolVar(&g.remove, "remove", false, "pin no longer")
	return cmd
}

func (g *getting) flags(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&g.noWait, "no-wait", false, "return as soon as the choice is kept")
	cmd.Flags().Var(&g.timeout, "timeout", "wait no longer than so long, like 30s or 10m")
}

type getView struct {
	Files     int64         `json:"files"`
	Bytes     int64         `json:"bytes"`
	NeedFiles int64         `json:"need_files"`
	NeedBytes int64         `json:"need_bytes"`
	Problems  []problemView `json:"problems"`
}

// errEnough ends a call whose beginning was all that was wanted.
var errEnough = errors.New("enough")

func (a *app) get(ctx context.Context, c *control.Client, args []string, g getting) error {
	places, err := placesOf(args)
	if err != nil {
		return err
	}
	if g.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Duration(g.timeout))
		defer cancel()
	}
	line := a.progressLine(control.Synced)
	var last control.GetProgress
	r := control.GetRequest{Places: places, Pin: g.pin && !g.remove, Unpin: g.remove}
	err = c.Get(ctx, r, func(p control.GetProgress) error {
		last = p
		if g.noWait {
			return errEnough
		}
		return line.update(progressOf(p), now())
	})
	if cerr := line.clear(); err == nil {
		err = cerr
	}
	switch {
	case errors.Is(err, control.ErrTimeout):
		err = fmt.Errorf("get: %w after %s: %s, %s to go", control.ErrTimeout, elapsed(time.Duration(g.timeout)),
			plural(last.NeedFiles, "file"), size(last.NeedBytes))
		return control.WithHint(err, "it stays chosen and goes on behind; kith status tells more")
	case err == nil, errors.Is(err, errEnough):
		return a.showGot(last, g)
	case errors.Is(err, control.ErrWaiting):
		if serr := a.showGot(last, g); serr != nil {
			return serr
		}
	}
	return err
}

// progressOf shows a get as if it were a wait for one folder.
func progressOf(p control.GetProgress) control.Progress {
	return control.Progress{Folders: []control.FolderProgress{{
		Folder: control.Folder{Label: "get"}, State: control.StateSyncing, NeedFiles: p.NeedFiles, NeedBytes: p.NeedBytes,
	}}}
}

func (a *app) showGot(p control.GetProgress, g getting) error {
	v := getView{p.Files, p.Bytes, p.NeedFiles, p.NeedBytes, views(p.Problems, viewProblem)}
	return a.show(v, func(w io.Writer) error {
		switch {
		case g.remove:
			return say(w, "No longer pinned: kith free may drop it.\n")
		case p.NeedFiles == 0 && p.NeedBytes == 0 && g.pin:
			return say(w, "Pinned, and all of it is here: %s, %s.\n", plural(p.Files, "file"), size(p.Bytes))
		case p.NeedFiles == 0 && p.NeedBytes == 0:
			return say(w, "All of it is here: %s, %s.\n", plural(p.Files, "file"), size(p.Bytes))
		}
		if err := say(w, "Chosen: %s of %s to come, %s. kith status tells how far it is.\n",
			count(p.NeedFiles), plural(p.Files, "file"), size(p.NeedBytes)); err != nil {
			return err
		}
		return problemLines(w, p.Problems)
	})
}

// problemLines tells of problems, each with what to do on a line of its own.
func problemLines(w io.Writer, problems []control.Problem) error {
	for _, p := range problems {
		text := p.Message
		if p.Path != "" {
			text = shown(p.Path) + ": " + text
		}
		if err := say(w, "  %s\n", text); err != nil {
			return err
		}
		if p.Hint == "" {
			continue
		}
		if err := say(w, "      %s\n", p.Hint); err != nil {
			return err
		}
	}
	return nil
}

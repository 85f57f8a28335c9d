package main

import (
	"context"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/kithmesh/kith/node/control"
)

func (a *app) freeCommand() *cobra.Command {
	r := control.FreeRequest{Copies: 1}
	cmd := &cobra.Command{
		Use:   "free PATH...",
		Short: "Drop content here that others prove to hold",
		Long: "Drop the content of files and directories here. They stay known, other devices keep\n" +
			"them, and kith get brings them back. A file is dropped only when as many other devices\n" +
			"as --copies says have proven just now that they hold it.\n\n" +
			"The exit code is 3 if files were kept; what is said tells why, and who said what.",
		Example: "  kith free Photos/2019\n  kith free ~/Photos/2019 --copies 2 --dry-run",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if r.Copies < 1 {
				return usagef(cmd, "--copies %d: at least one other device must hold what is dropped here", r.Copies)
			}
			return a.ask(func(ctx context.Context, c *control.Client, args []string) error { return a.free(ctx, c, args, r) })(cmd, args)
		},
		ValidArgsFunction: a.completePath,
	}
	cmd.Flags().IntVar(&r.Copies, "copies", 1, "how many other devices must prove that they hold a file")
	cmd.Flags().BoolVar(&r.DryRun, "dry-run", false, "only tell what would be dropped")
	return cmd
}

type freedView struct {
	DryRun  bool        `json:"dry_run"`
	Files   int64       `json:"files"`
	Bytes   int64       `json:"bytes"`
	Kept    int64       `json:"kept"`
	Reasons []keptView  `json:"reasons"`
	Copies  []proofView `json:"copies"`
}

type keptView struct {
	Code    string   `json:"code"`
	Message string   `json:"message"`
	Paths   []string `json:"paths"`
	Files   int64    `json:"files"`
}

type proofView struct {
	deviceView
	Files  int64  `json:"files"`
	Answer string `json:"answer"`
}

func viewFreed(f control.Freed, dry bool) freedView {
	return freedView{
		DryRun: dry, Files: f.Files, Bytes: f.Bytes, Kept: f.Kept,
		Reasons: views(f.Reasons, func(k control.Kept) keptView {
			return keptView{k.Code, k.Message, append([]string{}, k.Paths...), k.Files}
		}),
		Copies: views(f.Copies, func(p control.Proof) proofView { return proofView{viewDevice(p.Identity), p.Files, p.Answer} }),
	}
}

func (a *app) free(ctx context.Context, c *control.Client, args []string, r control.FreeRequest) error {
	var err error
	if r.Places, err = placesOf(args); err != nil {
		return err
	}
	f, err := c.Free(ctx, r)
	if err != nil {
		return err
	}
	if err := a.show(viewFreed(f, r.DryRun), func(w io.Writer) error { return freedLines(w, f, r.DryRun) }); err != nil {
		return err
	}
	if f.Kept > 0 {
		return errAttention
	}
	return nil
}

func freedLines(w io.Writer, f control.Freed, dry bool) error {
	freed, kept := "Freed", "Kept"
	if dry {
		freed, kept = "Would free", "Would keep"
	}
	if f.Files == 0 && f.Kept == 0 {
		return say(w, "Nothing lies here to be freed.\n")
	}
	left := ""
	if by := proofs(f.Copies); f.Files > 0 && by != "" {
		left = " Copies are with " + by + "."
	}
	if err := say(w, "%s %s, %s.%s\n", freed, plural(f.Files, "file"), size(f.Bytes), left); err != nil {
		return err
	}
	if f.Kept == 0 {
		return nil
	}
	if err := say(w, "%s %s:\n", kept, plural(f.Kept, "file")); err != nil {
		return err
	}
	for _, k := range f.Reasons {
		if err := say(w, "  %s: %s\n      %s\n", plural(k.Files, "file"), k.Message, someOf(k.Paths, k.Files)); err != nil {
			return err
		}
	}
	return answers(w, f.Copies)
}

// answers says who said what, where not all could be freed.
func answers(w io.Writer, copies []control.Proof) error {
	for _, p := range copies {
		text := "proved " + plural(p.Files, "file")
		switch {
		case p.Answer != "" && p.Files == 0:
			text = p.Answer
		case p.Answer != "":
			text += "; " + p.Answer
		}
		if err := say(w, "  %s: %s\n", p.Name, text); err != nil {
			return err
		}
	}
	return nil
}

// proofs is "nas (12 files), phone (10 files: 2 it does not hold)".
func proofs(copies []control.Proof) string {
	var out []string
	for _, p := range copies {
		if p.Files == 0 {
			continue
		}
		text := p.Name + " (" + plural(p.Files, "file")
		if p.Answer != "" {
			text += ": " + p.Answer
		}
		out = append(out, text+")")
	}
	return strings.Join(out, ", ")
}

// someOf lists the first paths of so many.
func someOf(paths []string, of int64) string {
	text := strings.Join(views(paths, shown), ", ")
	if more := of - int64(len(paths)); more > 0 && len(paths) > 0 {
		text += " and " + count(more) + " more"
	}
	return text
}

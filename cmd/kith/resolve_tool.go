package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/control"
)

// resolveByTool has a program merge the copies of each conflict that one of
// the places means, one after the other. A copy goes only when the program
// has seen it.
func (a *app) resolveByTool(ctx context.Context, c *control.Client, places []control.Place, tool []string) ([]control.Resolved, error) {
	program, err := exec.LookPath(tool[0])
	if err != nil {
		return nil, control.WithHint(fmt.Errorf("run %q: %w", tool[0], errors.Unwrap(err)), "--tool takes a program and its first arguments")
	}
	found, err := c.Conflicts(ctx, "")
	if err != nil {
		return nil, err
	}
	meant := slices.DeleteFunc(found, func(f control.Conflict) bool {
		return !slices.ContainsFunc(places, func(p control.Place) bool { return means(p, f) })
	})
	if len(meant) == 0 {
		return nil, control.WithHint(fmt.Errorf("resolve %q: no conflict there: %w", places[0].Text, control.ErrNoPath), "kith conflicts lists them")
	}
	var out []control.Resolved
	for _, f := range meant {
		ended, err := a.mergeByTool(ctx, c, f, append([]string{program}, tool[1:]...))
		if err != nil {
			return nil, err
		}
		out = append(out, ended...)
	}
	return out, nil
}

// mergeByTool ends one conflict, or says why it has not.
func (a *app) mergeByTool(ctx context.Context, c *control.Client, f control.Conflict, tool []string) ([]control.Resolved, error) {
	left := func(format string, operands ...any) ([]control.Resolved, error) {
		return []control.Resolved{{Path: within(f.Folder, f.Path), Problem: fmt.Sprintf(format, operands...)}}, nil
	}
	if f.Main.Path == "" || f.Main.Kind != entry.File {
		return left("no file is at the path; use --keep")
	}
	for _, v := range f.Copies {
		if v.Kind != entry.File {
			return left("%s is a %s; use --keep", shown(v.Path), v.Kind)
		}
		if err := a.runTool(ctx, tool, onDisk(f.Folder, f.Path), onDisk(f.Folder, v.Path)); err != nil {
			if ctx.Err() != nil {
				return nil, context.Cause(ctx)
			}
			return left("%s ended with: %v", filepath.Base(tool[0]), err)
		}
	}
	now, err := c.Conflicts(ctx, f.Folder.ID.String())
	if err != nil {
		return nil, err
	}
	for _, n := range now {
		if n.Path == f.Path && !slices.Equal(copyPaths(n), copyPaths(f)) {
			return left("another copy has come meanwhile: run it again")
		}
	}
	place := control.Place{Text: within(f.Folder, f.Path), Absolute: onDisk(f.Folder, f.Path)}
	return c.Resolve(ctx, control.ResolveRequest{Places: []control.Place{place}, Keep: control.KeepMain, Copies: copyPaths(f)})
}

func copyPaths(c control.Conflict) []string {
	out := views(c.Copies, func(v control.ConflictVersion) string { return v.Path })
	slices.Sort(out)
	return out
}

// runTool lets the program have the terminal; with --json its output must not
// mix with the answer.
func (a *app) runTool(ctx context.Context, tool []string, main, other string) error {
	cmd := exec.CommandContext(ctx, tool[0], slices.Concat(tool[1:], []string{main, other})...) //nolint:gosec // it is what the person asked for
	cmd.Env = append(os.Environ(), "KITH_MAIN="+main, "KITH_COPY="+other)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = a.in, io.Writer(a.out), a.err
	if a.json {
		cmd.Stdout = a.err
	}
	return cmd.Run()
}

// means tells whether a place names a conflict: its path, one of its copies,
// a directory above them, or a pattern that fits one of these. As for the
// device, where the place is counts before how it was typed.
func means(p control.Place, c control.Conflict) bool {
	if rel, err := filepath.Rel(c.Folder.Path, p.Absolute); p.Absolute != "" && err == nil && filepath.IsLocal(rel) {
		return fits(filepath.ToSlash(rel), c)
	}
	folder, rest, below := strings.Cut(filepath.ToSlash(p.Text), "/")
	if folder != c.Folder.Label && (folder == "" || !strings.HasPrefix(c.Folder.ID.String(), folder)) {
		return false
	}
	return !below || fits(path.Clean(rest), c)
}

func fits(pattern string, c control.Conflict) bool {
	if pattern == "." {
		return true
	}
	return slices.ContainsFunc(append(copyPaths(c), c.Path), func(p string) bool { return pathFits(pattern, p) })
}

// pathFits matches name by name; a pattern that fits a directory fits all
// that is below it.
func pathFits(pattern, p string) bool {
	patterns, have := strings.Split(pattern, "/"), strings.Split(p, "/")
	if len(patterns) > len(have) {
		return false
	}
	for i, want := range patterns {
		if want == have[i] {
			continue
		}
		// Only * and ? mean more than themselves.
		ok, err := path.Match(strings.NewReplacer(`\`, `\\`, `[`, `\[`).Replace(want), have[i])
		if err != nil || !ok {
			return false
		}
	}
	return true
}

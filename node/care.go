package node

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/control"
	"github.com/kithmesh/kith/node/folder"
)

// Conflicts implements [control.Care].
func (d *Device) Conflicts(ctx context.Context, text string) ([]control.Conflict, error) {
	shares, err := d.someShares(text)
	if err != nil {
		return nil, fmt.Errorf("conflicts: %w", err)
	}
	out := []control.Conflict{}
	for _, s := range withTrees(shares) {
		all, err := s.tree.Conflicts(ctx, "")
		if err != nil {
			return nil, fmt.Errorf("conflicts of %q: %w", s.controlled().Label, err)
		}
		for _, c := range all {
			shown := control.Conflict{Folder: s.controlled(), Path: string(c.Path)}
			if c.Main != nil {
				shown.Main = s.version(c.Main)
			}
			for _, e := range c.Copies {
				shown.Copies = append(shown.Copies, s.version(e))
			}
			out = append(out, shown)
		}
	}
	return out, nil
}

func (s *share) version(e *entry.Entry) control.ConflictVersion {
	return control.ConflictVersion{
		Path: string(e.Path), Device: folder.MaderOf(e), Mine: s.tree.MadeHere(e), Kind: e.Kind, Size: e.Size, ModTime: time.Unix(0, e.ModTime),
	}
}

var keeps = map[control.Keep]folder.Keep{
	control.KeepMain: folder.KeepMain, control.KeepMine: folder.KeepMine, control.KeepTheirs: folder.KeepTheirs,
	control.KeepNewest: folder.KeepNewest, control.KeepBoth: folder.KeepBoth,
}

// Resolve implements [control.Care].
func (d *Device) Resolve(ctx context.Context, r control.ResolveRequest) ([]control.Resolved, error) {
	keep, ok := keeps[r.Keep]
	if !ok {
		return nil, fmt.Errorf("resolve: %w: keep %q", control.ErrInvalid, r.Keep)
	}
	var out []control.Resolved
	touched := map[*share]bool{}
	for _, p := range r.Places {
		spots, err := d.conflicting(ctx, p)
		if err != nil {
			return out, fmt.Errorf("resolve %w", err)
		}
		for _, at := range spots {
			done, err := at.share.tree.Resolve(ctx, at.path, keep, knownCopies(r.Copies)...)
			if err != nil {
				return out, fmt.Errorf("resolve %q: %w", at.share.shownPath(at.path), err)
			}
			touched[at.share] = true
			for _, one := range done {
				out = append(out, at.share.resolved(one))
			}
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("resolve: nothing there is in conflict: %w", control.ErrNoPath)
	}
	for s := range touched {
		if err := s.scan(ctx); err != nil {
			return out, err
		}
	}
	return out, nil
}

func knownCopies(paths []string) (out []entry.Path) {
	for _, p := range paths {
		out = append(out, entry.Path(p))
	}
	return out
}

func (s *share) resolved(r folder.Resolution) control.Resolved {
	out := control.Resolved{Path: s.shownPath(r.Path)}
	if r.Kept != "" {
		out.Kept = s.shownPath(r.Kept)
	}
	for _, p := range r.Removed {
		out.Removed = append(out.Removed, s.shownPath(p))
	}
	for _, p := range r.Renamed {
		out.Renamed = append(out.Renamed, s.shownPath(p))
	}
	if r.Err != nil {
		out.Problem = r.Err.Error()
	}
	return out
}

// onlyStars leaves * and ? their meaning in a pattern, and nothing else.
var onlyStars = strings.NewReplacer(`\`, `\\`, `[`, `\[`)

// conflicting are the spots that a person names: one, or all whose path fits
// a pattern.
func (d *Device) conflicting(ctx context.Context, p control.Place) ([]spot, error) {
	s, at, err := d.findPlace(p)
	if err != nil {
		return nil, err
	}
	tree, err := s.withTree()
	if err != nil {
		return nil, err
	}
	all, err := tree.Conflicts(ctx, at)
	if err != nil {
		return nil, err
	}
	if len(all) > 0 || !strings.ContainsAny(string(at), "*?") {
		return []spot{{s, at}}, nil
	}
	if all, err = tree.Conflicts(ctx, ""); err != nil {
		return nil, err
	}
	var out []spot
	for _, c := range all {
		fits, err := path.Match(onlyStars.Replace(string(at)), string(c.Path))
		if err != nil {
			return nil, fmt.Errorf("%q: %w: %w", p.Text, control.ErrInvalid, err)
		}
		if fits {
			out = append(out, spot{s, c.Path})
		}
	}
	return out, nil
}

// Held implements [control.Care].
func (d *Device) Held(ctx context.Context, text string) ([]control.HeldBatch, error) {
	shares, err := d.someShares(text)
	if err != nil {
		return nil, fmt.Errorf("held: %w", err)
	}
	out := []control.HeldBatch{}
	for _, s := range withTrees(shares) {
		all, err := s.tree.Held(ctx)
		if err != nil {
			return nil, fmt.Errorf("held of %q: %w", s.controlled().Label, err)
		}
		for _, h := range all {
			out = append(out, s.held(h))
		}
	}
	return out, nil
}

func (s *share) held(h folder.Held) control.HeldBatch {
	out := control.HeldBatch{
		ID: h.ID, Folder: s.controlled(), From: control.Identity{Name: h.Author}, Deletes: h.Deletes, Rewrites: h.Rewrites,
		Files: h.Files, Bytes: h.Bytes, Since: h.Since,
	}
	for _, m := range s.members() {
		if m.Name == h.Author {
			out.From.ID = m.Device
		}
	}
	for _, f := range h.Batch.Files[:min(len(h.Batch.Files), maxShown)] {
		out.Paths = append(out.Paths, string(f.Path))
	}
	return out
}

// Approve implements [control.Care].
func (d *Device) Approve(ctx context.Context, batch string) (control.HeldBatch, error) {
	for _, s := range withTrees(d.allShares()) {
		all, err := s.tree.Held(ctx)
		if err != nil {
			return control.HeldBatch{}, fmt.Errorf("approve %q: %w", batch, err)
		}
		for i := range all {
			if all[i].ID == batch {
				d.noteApproval(s, all[i], time.Now())
			}
		}
	}
	return d.settleBatch(ctx, "approve", batch, (*folder.Folder).Approve)
}

// Reject implements [control.Care].
func (d *Device) Reject(ctx context.Context, batch string) (control.HeldBatch, error) {
	return d.settleBatch(ctx, "reject", batch, (*folder.Folder).Reject)
}

func (d *Device) settleBatch(
	ctx context.Context, verb, batch string, settle func(*folder.Folder, context.Context, string) (folder.Held, error),
) (control.HeldBatch, error) {
	for _, s := range withTrees(d.allShares()) {
		h, err := settle(s.tree, ctx, batch)
		if errors.Is(err, folder.ErrNoBatch) {
			continue
		}
		if err != nil {
			return control.HeldBatch{}, fmt.Errorf("%s %q: %w", verb, batch, err)
		}
		d.news()
		return s.held(h), nil
	}
	return control.HeldBatch{}, fmt.Errorf("%s %q: %w", verb, batch, control.ErrNoBatch)
}

package node

import (
	"context"
	"fmt"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/control"
	"github.com/kithmesh/kith/node/folder"
	"github.com/kithmesh/kith/node/folder/choice"
	"github.com/kithmesh/kith/node/membership"
)

var whereNames = map[folder.Where]control.Whereabouts{
	folder.Here: control.Here, folder.Elsewhere: control.Elsewhere, folder.Coming: control.Coming, folder.LocalEdit: control.LocalEdit,
}

// List implements [control.Paths].
func (d *Device) List(ctx context.Context, r control.ListRequest, each func(control.PathEntry) error) error {
	s, at, err := d.existing(r.Place)
	if err != nil {
		return fmt.Errorf("list %w", err)
	}
	in := s.controlled()
	return s.tree.List(ctx, at, func(l folder.Listed) error {
		if !r.All && l.Where != folder.Here && l.Where != folder.LocalEdit {
			return nil
		}
		e := control.PathEntry{
			Folder: in, Path: string(l.Entry.Path), Kind: l.Entry.Kind, Size: l.Entry.Size, ModTime: time.Unix(0, l.Entry.ModTime),
			Where: whereNames[l.Where], Pinned: l.Pinned,
		}
		for _, h := range l.Holders {
			e.Holders = append(e.Holders, d.identity(h))
		}
		return each(e)
	})
}

// choose makes a choice for a path of a folder, durably.
func (s *share) choose(ctx context.Context, rule choice.Rule) error {
	s.mu.Lock()
	next := rulesOf(s.record.Choices).With(rule)
	rec := s.record
	rec.Choices = nil
	for _, r := range next.List() {
		rec.Choices = append(rec.Choices, membership.Choice(r))
	}
	err := s.device.store.PutFolder(rec)
	if err == nil {
		s.record = rec
	}
	s.mu.Unlock()
	if err != nil {
		return fmt.Errorf("choose %q: %w", s.shownPath(rule.Path), err)
	}
	return s.tree.SetChoices(ctx, next)
}

func rulesOf(choices []membership.Choice) choice.Rules {
	list := make([]choice.Rule, 0, len(choices))
	for _, c := range choices {
		list = append(list, choice.Rule(c))
	}
	return choice.New(list)
}

func (s *share) rules() choice.Rules {
	s.mu.Lock()
	defer s.mu.Unlock()
	return rulesOf(s.record.Choices)
}

// spot is a path of a folder.
type spot struct {
	share *share
	path  entry.Path
}

func (d *Device) spots(places []control.Place) (out []spot, err error) {
	for _, p := range places {
		s, at, err := d.existing(p)
		if err != nil {
			return nil, err
		}
		out = append(out, spot{s, at})
	}
	return out, nil
}

// getPatience is how long a get waits for a device that could give what is
// missing: one may just be connecting.
const getPatience = 3 * time.Second

// Get implements [control.Paths].
func (d *Device) Get(ctx context.Context, r control.GetRequest, progress func(control.GetProgress) error) error {
	spots, err := d.spots(r.Places)
	if err != nil {
		return fmt.Errorf("get %w", err)
	}
	for _, at := range spots {
		if err := at.share.choose(ctx, choice.Rule{Path: at.path, Here: true, Pinned: r.Pin}); err != nil {
			return err
		}
		if r.Unpin {
			continue
		}
		if err := at.share.tree.Get(ctx, at.path); err != nil {
			return fmt.Errorf("get %q: %w", at.share.shownPath(at.path), err)
		}
	}
	if r.Unpin {
		return nil
	}
	return d.awaitHere(ctx, spots, progress)
}

// awaitHere waits until nothing is missing, or nothing more can come.
func (d *Device) awaitHere(ctx context.Context, spots []spot, progress func(control.GetProgress) error) error {
	moved := time.Now()
	var last control.GetProgress
	for {
		changed := d.changed.next()
		p, idle, err := missing(ctx, spots)
		if err != nil {
			return err
		}
		if p.NeedFiles != last.NeedFiles || p.NeedBytes != last.NeedBytes || !idle {
			moved = time.Now()
		}
		last = p
		if err := progress(p); err != nil {
			return err
		}
		if p.NeedFiles == 0 {
			return nil
		}
		if idle && time.Since(moved) > getPatience {
			return fmt.Errorf("%d files: %w", p.NeedFiles, control.ErrWaiting)
		}
		timer := time.NewTimer(waitEvery)
		select {
		case <-changed:
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err := pause(ctx, statusEvery); err != nil {
			return err
		}
	}
}

func missing(ctx context.Context, spots []spot) (p control.GetProgress, idle bool, err error) {
	idle = true
	for _, at := range spots {
		m, err := at.share.tree.Missing(ctx, at.path)
		if err != nil {
			return p, false, err
		}
		p.Files, p.Bytes = p.Files+m.Files, p.Bytes+m.Bytes
		p.NeedFiles, p.NeedBytes = p.NeedFiles+m.NeedFiles, p.NeedBytes+m.NeedBytes
		p.Problems = append(p.Problems, controlledProblems(m.Problems)...)
		idle = idle && m.Idle
	}
	return p, idle, nil
}

func controlledProblems(in []folder.Problem) (out []control.Problem) {
	for _, p := range in {
		out = append(out, control.Problem{Path: string(p.Path), Code: p.Code, Message: p.Text, Hint: p.Hint})
	}
	return out
}

// Revert implements [control.Paths].
func (d *Device) Revert(ctx context.Context, r control.RevertRequest) (out control.Reverted, err error) {
	spots, err := d.spots(r.Places)
	if err != nil {
		return out, fmt.Errorf("revert %w", err)
	}
	for _, at := range spots {
		if role := at.share.controlled().Role; role != entry.RoleReceive {
			return out, fmt.Errorf("revert %q: %w: only a folder of role receive has edits that stay here, and this one is %s",
				at.share.shownPath(at.path), control.ErrInvalid, role)
		}
	}
	for _, at := range spots {
		paths, err := at.share.tree.Revert(ctx, at.path, r.DryRun)
		for _, p := range paths {
			out.Paths = append(out.Paths, at.share.shownPath(p))
		}
		if err != nil {
			return out, fmt.Errorf("revert %q: %w", at.share.shownPath(at.path), err)
		}
	}
	return out, nil
}

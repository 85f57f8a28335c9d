package node

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/kithmesh/kith/node/control"
	"github.com/kithmesh/kith/node/folder/choice"
)

// firstPaths notes what is to come first: FOLDER/PATH.
func firstPaths(back []*regained, paths []string) error {
	for _, text := range paths {
		i := slices.IndexFunc(back, func(f *regained) bool { return text == f.Label || strings.HasPrefix(text, f.Label+"/") })
		if i < 0 {
			return fmt.Errorf("first %q: %w", text, control.ErrNoFolder)
		}
		p, err := placeIn(strings.Trim(strings.TrimPrefix(text, back[i].Label), "/"))
		if err != nil {
			return fmt.Errorf("first %q: %w", text, err)
		}
		back[i].put.first = append(back[i].put.first, p)
	}
	return nil
}

// awaitFirst tells how far it is with what comes first, until it is here.
func (d *Device) awaitFirst(ctx context.Context, done <-chan struct{}, progress func(string) error) error {
	last := ""
	for {
		left, _ := d.firstLeft(ctx)
		if left != last && left != "" {
			if err := progress(left); err != nil {
				return err
			}
			last = left
		}
		timer := time.NewTimer(time.Second)
		select {
		case <-done:
			timer.Stop()
			return progress("what comes first is here, and the rest follows")
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
	}
}

// stalled is how long what comes first is waited for while nothing moves: what
// nobody can give is not to hold up all the rest.
const stalled = time.Minute

// bringRest has everything of folders that were got back come, once what is to
// come first is here. It goes on after a restart.
func (d *Device) bringRest(ctx context.Context) error {
	moved, last := time.Now(), ""
	for {
		changed := d.changed.next()
		left, met := d.firstLeft(ctx)
		if left != last || !met {
			moved, last = time.Now(), left
		}
		if left == "" && met || met && time.Since(moved) > stalled {
			break
		}
		timer := time.NewTimer(waitEvery)
		select {
		case <-changed:
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
		if pause(ctx, statusEvery) != nil {
			return nil
		}
	}
	for id := range d.words.First() {
		if s := d.share(id); s != nil && s.tree != nil {
			err := s.choose(ctx, choice.Rule{Path: "", Here: true})
			if err == nil {
				err = s.tree.Get(ctx, "")
			}
			if err != nil {
				d.Log.Warn("have the rest of a folder come", "folder", id, "error", err)
				return nil
			}
		}
	}
	if err := d.words.FirstCame(); err != nil {
		d.Log.Warn("have the rest of folders come", "error", err)
	}
	return nil
}

// firstLeft says what of that which comes first is not here yet; empty if
// nothing is known to be missing. met tells whether it is known, as some member
// of each such folder has told all that it has.
func (d *Device) firstLeft(ctx context.Context) (left string, met bool) {
	met = true
	var files int64
	var where []string
	for id, paths := range d.words.First() {
		s := d.share(id)
		if s == nil || s.tree == nil || len(paths) == 0 {
			continue
		}
		told := false
		for m, st := range s.Status().Members {
			_, member := s.member(m)
			told = told || member && st.Connected && st.Same
		}
		met = met && told
		for _, p := range paths {
			m, err := s.tree.Missing(ctx, p)
			if err != nil {
				return "", false
			}
			if m.NeedFiles > 0 {
				files += m.NeedFiles
				where = append(where, s.shownPath(p))
			}
		}
	}
	if files == 0 {
		return "", met
	}
	slices.Sort(where)
	return fmt.Sprintf("%d files of %s are still to come", files, strings.Join(where, ", ")), met
}

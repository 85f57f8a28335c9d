package folder

import (
	"context"
	"errors"

	"github.com/kithmesh/kith/index"
	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/folder/merge"
)

// Missing is how much of what was asked for is not here yet.
type Missing struct {
	Files, Bytes         int64 // all that was asked for
	NeedFiles, NeedBytes int64
	Problems             []Problem
	// Idle: nothing that is missing is on its way.
	Idle bool
}

// Get wants the content of all that is absent at a path and below it. It does
// not wait; see [Folder.Missing].
func (f *Folder) Get(ctx context.Context, p entry.Path) error {
	var failed error
	err := f.do(ctx, func(a *actor) {
		var absent []*entry.Entry
		failed = a.view(func(x *index.Folder) error {
			return each(x, p, func(e *entry.Entry) error {
				if e.Absent && e.Lives() {
					absent = append(absent, e)
				}
				return nil
			})
		})
		for len(absent) > 0 && failed == nil {
			part := absent[:min(len(absent), settleSlice)]
			absent = absent[len(part):]
			failed = a.update(func(x *index.Folder) error {
				for _, e := range part {
					if err := a.getOne(x, e); err != nil {
						return err
					}
				}
				return nil
			})
		}
		a.stuck.retryAll()
		a.pass.again, a.fetching = true, true
	})
	return errors.Join(err, failed)
}

// getOne wants the content of an absent entry. An edit that lies there instead
// stays; a delete that stayed here does so no longer.
func (a *actor) getOne(x *index.Folder, e *entry.Entry) error {
	dev, err := x.Local(e.Path)
	if err != nil || dev != nil && dev.Lives() {
		return err
	}
	if dev != nil {
		if err := x.SetLocal(e.Path, nil); err != nil {
			return err
		}
	}
	return a.want(x, e)
}

// each calls fn for the entry at a path and those below it.
func each(x *index.Folder, p entry.Path, fn func(*entry.Entry) error) error {
	if p != "" {
		e, err := x.Get(p)
		if err == nil && e != nil {
			err = fn(e)
		}
		if err != nil {
			return err
		}
		for e, err := range x.Below(p) {
			if err == nil {
				err = fn(e)
			}
			if err != nil {
				return err
			}
		}
		return nil
	}
	for e, err := range x.Range("") {
		if err == nil {
			err = fn(e)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// want has the content of an absent entry be fetched, from whoever has it: all
// that were ever met are asked.
func (a *actor) want(x *index.Folder, e *entry.Entry) error {
	all := merge.Tellers{}
	for d := range x.Peers() {
		all[d] = 0
	}
	if len(all) == 0 {
		return nil
	}
	r := *e
	r.Absent = false
	return a.changeWanted(x, e.Path, func(w []merge.Want) []merge.Want {
		for _, had := range w {
			if r.Version.Vector.Within(had.Entry.Version.Vector) {
				return w
			}
		}
		return append(w, merge.Want{Entry: &r, Tellers: all})
	})
}

// Missing tells how much at a path and below it is not here.
func (f *Folder) Missing(ctx context.Context, p entry.Path) (m Missing, err error) {
	var failed error
	err = f.do(ctx, func(a *actor) {
		failed = a.view(func(x *index.Folder) error { return a.missing(x, p, &m) })
		m.Idle = a.inflight.batches == 0 && !a.planning()
	})
	return m, errors.Join(err, failed)
}

func (a *actor) missing(x *index.Folder, p entry.Path, m *Missing) error {
	err := each(x, p, func(e *entry.Entry) error {
		if e.Kind == entry.File {
			m.Files, m.Bytes = m.Files+1, m.Bytes+e.Size
		}
		return nil
	})
	if err != nil {
		return err
	}
	for w, err := range x.WantedRange(p) {
		if err != nil {
			return err
		}
		at := w[0].Entry.Path
		if p != "" && at != p && !at.Below(p) {
			break
		}
		top, ok := merge.Best(toWants(w), func(merge.Want) bool { return true })
		if !ok || !top.Entry.Lives() {
			continue
		}
		m.NeedFiles, m.NeedBytes = m.NeedFiles+1, m.NeedBytes+top.Entry.Size
		e, err := x.Get(at)
		if err != nil {
			return err
		}
		if !takes(a.role) && (e == nil || !e.Absent) && len(m.Problems) < maxProblems {
			m.Problems = append(m.Problems, Problem{
				Path: at, Code: "not_taken", Text: "the role " + a.role.String() + " takes no changes of others", Hint: "kith role FOLDER sync takes them.",
			})
		}
		if t, ok := a.stuck[at]; ok && len(m.Problems) < maxProblems {
			m.Problems = append(m.Problems, t.Problem)
		}
	}
	return nil
}

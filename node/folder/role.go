package folder

import (
	"context"

	"github.com/kithmesh/kith/index"
	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/folder/choice"
)

// takes tells whether changes of others are applied in a role.
func takes(r entry.Role) bool { return r == entry.RoleSync || r == entry.RoleReceive }

// SetRole changes what this device does for the folder, at once. Nothing that
// lies here is sent or fetched again for it: what a role leaves undone stays
// wanted, and is done by one that does it.
func (f *Folder) SetRole(ctx context.Context, r entry.Role) error {
	var failed error
	err := f.do(ctx, func(a *actor) {
		was := a.role
		if was == r {
			return
		}
		a.role = r
		if was == entry.RoleReceive {
			failed = a.tellLocals()
		}
		a.stale, a.pass.again = true, true
		a.stuck.retryAll()
		a.recheck("", true) // what was found and left is found again
	})
	if err != nil {
		return err
	}
	return failed
}

// tellLocals makes changes of the edits that stayed here until now.
func (a *actor) tellLocals() error {
	return a.update(func(x *index.Folder) error {
		var locals []*entry.Entry
		for l, err := range x.Locals("") {
			if err != nil {
				return err
			}
			locals = append(locals, l)
		}
		for _, l := range locals {
			if err := a.tellLocal(x, l); err != nil {
				return err
			}
		}
		if !a.settled {
			return nil
		}
		for {
			more, err := a.settleSome(x)
			if err != nil || !more {
				return err
			}
		}
	})
}

// tellLocal makes one a change. A delete stays one of this device alone: the
// path is known and not here, to be had by a get.
func (a *actor) tellLocal(x *index.Folder, l *entry.Entry) error {
	e, err := x.Get(l.Path)
	if err != nil {
		return err
	}
	if err := x.SetLocal(l.Path, nil); err != nil || !l.Lives() {
		return err
	}
	n := *l
	n.AuthorName, n.Unknown, n.Unseen = a.Name, false, unseen(e)
	if n.Version, err = a.event(x, versionOf(e)); err != nil {
		return err
	}
	_, err = x.Put(&n)
	return err
}

// SetChoices replaces the choices of what is to lie here. What lies here
// already stays, and what is away comes only by [Folder.Get].
func (f *Folder) SetChoices(ctx context.Context, rules choice.Rules) error {
	return f.do(ctx, func(a *actor) {
		a.choices = rules
		a.stuck.retryAll() // what is stuck may not be asked for any more
		a.stale, a.pass.again = true, true
	})
}

package tree

import (
	"fmt"

	"github.com/kithmesh/kith/index/entry"
)

// Place gives the staged file s the metadata m and moves it to p, whose parent
// must exist. It makes the content durable first, if no [Tree.Sync] has done
// so since the last write: under its final name a file is never seen empty or
// in part, not even after a loss of power. It returns what lies at p then;
// that p holds it is durable after the next Sync.
//
// With expect nil, p must be free: [ErrExists]. Otherwise p must hold what
// expect says, and goes: [ErrChanged], [ErrBusy] if someone is writing to it,
// [ErrNotEmpty] if it is a directory that holds something. p is never without
// a file meanwhile (unless the file system cannot exchange two names; then for
// microseconds), and content that comes out and is not what was expected goes
// back or, at worst, is kept beside: [KeptError].
//
// After success s is closed. After an error it can be placed again, unless p
// changed twice and took s along; then Place returns fs.ErrClosed.
//
// # Order
//
// The staged file moves to aside under a name that tells its inode and what
// is expected; there it is exchanged with p; what came out is looked at, and
// exchanged back or removed. A crash leaves in aside the staged file, or what
// was expected, or something else: the next [Open] drops the first two and
// brings back the third.
func (t *Tree) Place(p entry.Path, s *Staged, m Meta, expect *Stat) (Stat, error) {
	st, err := t.place(p, s, m, expect)
	if err != nil {
		return Stat{}, fmt.Errorf("place %q: %w", p, err)
	}
	return st, nil
}

func (t *Tree) place(p entry.Path, s *Staged, m Meta, expect *Stat) (Stat, error) {
	at, err := t.spot(p)
	if err != nil {
		return Stat{}, err
	}
	defer at.close()
	if expect != nil {
		if err := t.replaceable(at, *expect); err != nil {
			return Stat{}, err
		}
	}
	r, err := s.ready(m, expect != nil)
	if err != nil {
		return Stat{}, err
	}
	defer r.close()
	st, err := t.put(at, r, expect)
	if crossesDevices(err) {
		st, err = t.putAcross(at, r, m, expect)
	}
	if err != nil {
		err = r.missing(err)
		s.gone = r.lost
		return Stat{}, err
	}
	s.gone = true
	t.touched(at)
	return st, s.Close()
}

// replaceable looks, before anything is moved, whether p can be replaced: what
// is bound to be put back should not be displaced at all.
func (t *Tree) replaceable(at spot, want Stat) error {
	if err := t.expect(at, want); err != nil {
		return err
	}
	if want.Kind == entry.Directory {
		return empty(at.dir, at.name)
	}
	if want.Kind == entry.File && written(at.dir, at.name) {
		return ErrBusy
	}
	return nil
}

// put moves the file into place, on one file system.
func (t *Tree) put(at spot, r *ready, expect *Stat) (Stat, error) {
	t.at("put")
	var err error
	if expect == nil {
		err = t.permitted(func() error { return r.dir.renameNew(r.name, at.dir, at.name) }, at, r.spot)
	} else {
		err = t.exchange(at, r, *expect)
	}
	if err != nil {
		return Stat{}, err
	}
	t.at("placed")
	return r.found(at), nil
}

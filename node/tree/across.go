package tree

import (
	"encoding/hex"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"os"

	"github.com/kithmesh/kith/index/entry"
)

// A folder may span several file systems: a mount point inside it, a
// subvolume. No rename leads from one to another, so what is to go there is
// copied to a temporary beside its target, under a name that begins with
// tempPrefix, and displaced content gets such a name too. All else is as on
// one file system.

// newTemp begins the name of a copy that is not complete.
const newTemp = tempPrefix + "new-"

// putAcross is put to another file system.
func (t *Tree) putAcross(at spot, r *ready, m Meta, expect *Stat) (Stat, error) {
	c, err := t.copyAcross(at, r, m)
	if err != nil {
		return Stat{}, fmt.Errorf("copy to another file system: %w", err)
	}
	defer c.close()
	st, err := t.put(at, c, expect)
	if err != nil {
		if !c.lost {
			err = errors.Join(err, t.permitted(func() error { return c.dir.unlink(c.name) }, c.spot))
		}
		return Stat{}, err
	}
	t.touched(at)
	_ = r.dir.unlink(r.name) // else CleanTemporaries
	return st, nil
}

// copyAcross makes a durable copy of r in the directory of at, ready in turn.
func (t *Tree) copyAcross(at spot, r *ready, m Meta) (*ready, error) {
	if err := t.stray(at); err != nil {
		return nil, err
	}
	in, name := at.path.Parent(), newTemp+fresh()
	c := &ready{
		spot:  spot{dir: at.dir, name: name, path: in.Join(name), parent: at.parent},
		aside: at.dir, asides: in, prefix: tempPrefix,
		close: func() {},
	}
	if err := t.permitted(func() error { return c.create(r) }, c.spot); err != nil {
		return nil, err
	}
	if c.file != nil {
		c.close = func() { _ = c.file.Close() }
	}
	err := c.fill(r)
	if err == nil {
		err = c.set(m)
	}
	if err != nil {
		c.close()
		return nil, errors.Join(err, t.permitted(func() error { return c.dir.unlink(c.name) }, c.spot))
	}
	return c, nil
}

// create makes an empty file, or the symlink, that r is to be copied to.
func (c *ready) create(r *ready) (err error) {
	if r.file == nil {
		return c.dir.symlink(r.stat.Target, c.name)
	}
	c.file, err = c.dir.open(c.name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	return err
}

func (c *ready) fill(r *ready) error {
	if r.file == nil {
		return nil
	}
	if _, err := io.Copy(c.file, io.NewSectionReader(r.file, 0, r.stat.Size)); err != nil {
		return err
	}
	return c.file.Sync()
}

// stray notes that temporaries may be left in the directory of at.
func (t *Tree) stray(at spot) error {
	h := fnv.New128a()
	_, _ = io.WriteString(h, string(at.path.Parent())) // never fails
	return t.note(strayNote+hex.EncodeToString(h.Sum(nil)), at.path.Parent())
}

// asideFor opens where at can be moved aside: kith's own directory, or, if
// other is set, the directory that it is in.
func (t *Tree) asideFor(at spot, a asideName, other bool) (spot, func(), error) {
	if other {
		return asideSpot(at.dir, at.path.Parent(), tempPrefix, a), func() {}, t.stray(at)
	}
	d, err := t.inOwn(asideDir)
	if err != nil {
		return spot{}, nil, err
	}
	return asideSpot(d, entry.Path(asideDir), "", a), d.close, nil
}

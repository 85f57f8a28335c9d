package watch

import (
	"strings"

	"github.com/kithmesh/kith/index/entry"
)

// dirs are the directories that are watched. The zero value holds none.
type dirs struct {
	root  dir
	byID  map[identity]*dir
	count int
}

// identity tells directories apart whatever their names. The zero one is of no
// directory in particular.
type identity struct{ device, inode uint64 }

type dir struct {
	parent  *dir
	name    string
	below   map[string]*dir
	watched bool // if not, it only leads to others
	id      identity
}

// find returns the directory at p, nil if there is none.
func (t *dirs) find(p entry.Path) *dir {
	d := &t.root
	for name := range names(p) {
		if d = d.below[name]; d == nil {
			return nil
		}
	}
	return d
}

// has tells whether p is watched.
func (t *dirs) has(p entry.Path) bool {
	d := t.find(p)
	return d != nil && d.watched
}

// known is the path under which the directory with this identity is watched.
func (t *dirs) known(id identity) (entry.Path, bool) {
	d, ok := t.byID[id]
	if !ok {
		return "", false
	}
	return d.path(), true
}

// add notes that p is watched.
func (t *dirs) add(p entry.Path, id identity) {
	d := &t.root
	for name := range names(p) {
		next := d.below[name]
		if next == nil {
			if d.below == nil {
				d.below = make(map[string]*dir)
			}
			next = &dir{parent: d, name: strings.Clone(name)}
			d.below[name] = next
		}
		d = next
	}
	t.forget(d)
	d.watched, d.id = true, id
	t.count++
	if id != (identity{}) {
		if t.byID == nil {
			t.byID = make(map[identity]*dir)
		}
		t.byID[id] = d
	}
}

// cut takes out p and all below it, and calls gone for each that was watched.
// The root stays.
func (t *dirs) cut(p entry.Path, gone func(p entry.Path)) {
	d := t.find(p)
	if d == nil || d.parent == nil {
		return
	}
	delete(d.parent.below, d.name)
	t.each(d, p, gone)
}

func (t *dirs) each(d *dir, p entry.Path, gone func(p entry.Path)) {
	if t.forget(d) {
		gone(p)
	}
	for name, sub := range d.below {
		t.each(sub, p.Join(name), gone)
	}
}

// forget undoes add for one directory, and tells whether it was watched.
func (t *dirs) forget(d *dir) bool {
	was := d.watched
	if was {
		t.count--
		if t.byID[d.id] == d {
			delete(t.byID, d.id)
		}
	}
	d.watched = false
	return was
}

func (d *dir) path() entry.Path {
	if d.parent == nil {
		return ""
	}
	return d.parent.path().Join(d.name)
}

// names yields the names of a path, none for the root.
func names(p entry.Path) func(yield func(string) bool) {
	if p == "" {
		return func(func(string) bool) {}
	}
	return strings.SplitSeq(string(p), "/")
}

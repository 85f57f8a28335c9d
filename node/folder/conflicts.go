package folder

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/kithmesh/kith/index"
	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/folder/gather"
	"github.com/kithmesh/kith/node/folder/merge"
	"github.com/kithmesh/kith/node/tree"
)

// Conflict is a path with the conflict copies that lie beside it.
type Conflict struct {
	Path   entry.Path
	Main   *entry.Entry // what is at the path; nil if nothing is
	Copies []*entry.Entry
}

// maxCopies is how many conflict copies of one path may lie in a folder. Beyond,
// further versions of it wait until some are resolved: nothing is lost, and
// nobody's folder fills up.
const maxCopies = 50

// Conflicts are those at and below a path, in tree order.
func (f *Folder) Conflicts(ctx context.Context, p entry.Path) (out []Conflict, err error) {
	var failed error
	err = f.do(ctx, func(a *actor) { out, failed = a.conflicts(p) })
	return out, errors.Join(err, failed)
}

func (a *actor) conflicts(at entry.Path) ([]Conflict, error) {
	by := map[entry.Path]*Conflict{}
	err := a.view(func(x *index.Folder) error {
		for p := range a.copies {
			main, err := mainOf(x, p)
			if err != nil {
				return err
			}
			if at != "" && main != at && p != at && !main.Below(at) {
				continue
			}
			e, err := x.Get(p)
			if err != nil {
				return err
			}
			if e == nil || !e.Lives() {
				continue
			}
			c := by[main]
			if c == nil {
				c = &Conflict{Path: main}
				by[main] = c
				if c.Main, err = x.Get(main); err != nil {
					return err
				}
				if c.Main != nil && !c.Main.Lives() {
					c.Main = nil
				}
			}
			c.Copies = append(c.Copies, e)
		}
		return nil
	})
	var out []Conflict
	for _, p := range slices.SortedFunc(maps.Keys(by), entry.Path.Compare) {
		slices.SortFunc(by[p].Copies, func(x, y *entry.Entry) int {
			return cmp.Or(cmp.Compare(x.ModTime, y.ModTime), x.Path.Compare(y.Path))
		})
		out = append(out, *by[p])
	}
	return out, err
}

// Keep is which version of a conflict stays.
type Keep int

// What can be kept.
const (
	KeepMain   Keep = iota // what is at the path
	KeepMine               // what this device made
	KeepTheirs             // what another made
	KeepNewest
	KeepBoth // each under a name of its own
)

// Resolution is what resolving a conflict came to.
type Resolution struct {
	Path    entry.Path
	Kept    entry.Path // where the kept version lay
	Removed []entry.Path
	Renamed []entry.Path
	Err     error
}

// ErrNoVersion: none of the versions is by whom the choice asks for.
var ErrNoVersion = errors.New("no version of it is")

// Resolve ends the conflicts at and below a path. The files are changed as a
// person would change them; the next look makes that known. If known copies are
// given, a conflict that has others by now is left as it is.
func (f *Folder) Resolve(ctx context.Context, p entry.Path, keep Keep, known ...entry.Path) (out []Resolution, err error) {
	var failed error
	err = f.do(ctx, func(a *actor) {
		if !a.present() {
			failed = a.awayError()
			return
		}
		var all []Conflict
		if all, failed = a.conflicts(p); failed != nil {
			return
		}
		for _, c := range all {
			r := Resolution{Path: c.Path}
			if r.Err = unknownCopy(&c, known); r.Err == nil {
				r.Err = a.resolve(&c, keep, &r)
			}
			out = append(out, r)
		}
	})
	return out, errors.Join(err, failed)
}

func unknownCopy(c *Conflict, known []entry.Path) error {
	for _, e := range c.Copies {
		if len(known) > 0 && !slices.Contains(known, e.Path) {
			return fmt.Errorf("another copy has come meanwhile: %q", e.Path)
		}
	}
	return nil
}

func (a *actor) resolve(c *Conflict, keep Keep, r *Resolution) error {
	a.recheck(c.Path, false)
	for _, e := range c.Copies {
		a.recheck(e.Path, false)
		if e.Absent {
			return fmt.Errorf("the copy %q does not lie here: get it first", e.Path)
		}
	}
	if keep == KeepBoth {
		return a.keepBoth(c, r)
	}
	chosen, err := a.chosen(c, keep)
	if err != nil {
		return err
	}
	r.Kept = chosen.Path
	if err := a.keepNow(slices.DeleteFunc(append([]*entry.Entry{c.Main}, c.Copies...), func(e *entry.Entry) bool { return e == chosen })...); err != nil {
		return err
	}
	if chosen != c.Main {
		if c.Main != nil && c.Main.Absent {
			return fmt.Errorf("%q does not lie here: get it first", c.Path)
		}
		if err := a.replace(c, chosen); err != nil {
			return err
		}
		if err := a.disk.tree.Sync(); err != nil { // before what it is a copy of goes
			return err
		}
	}
	for _, e := range c.Copies {
		if err := a.disk.tree.Remove(e.Path, tree.StatOf(e)); err != nil {
			return err
		}
		r.Removed = append(r.Removed, e.Path)
	}
	return nil
}

// chosen is the version that stays. Of several by one side the newest counts.
func (a *actor) chosen(c *Conflict, keep Keep) (*entry.Entry, error) {
	var best *entry.Entry
	for _, e := range append([]*entry.Entry{c.Main}, c.Copies...) {
		if e == nil {
			continue
		}
		mine := a.MadeHere(e)
		if keep == KeepMain && e != c.Main || keep == KeepMine && !mine || keep == KeepTheirs && mine {
			continue
		}
		if best == nil || e.ModTime > best.ModTime {
			best = e
		}
	}
	if best == nil {
		who := map[Keep]string{KeepMain: "at the path", KeepMine: "by this device", KeepTheirs: "by another device"}[keep]
		return nil, fmt.Errorf("%w %s", ErrNoVersion, who)
	}
	return best, nil
}

// MadeHere tells whether this device made what a file of a conflict holds. A
// copy is named after who made it, whoever laid it there.
func (f *Folder) MadeHere(e *entry.Entry) bool { return MaderOf(e) == f.Name }

// MaderOf is the name of the device that made what a file of a conflict holds.
func MaderOf(e *entry.Entry) string {
	if by, ok := merge.CopyBy(e.Path); ok {
		return by
	}
	return e.AuthorName
}

// replace gives the path of a conflict the content of one of its copies.
func (a *actor) replace(c *Conflict, e *entry.Entry) error {
	var expect *tree.Stat
	if c.Main != nil && !c.Main.Absent {
		st := tree.StatOf(c.Main)
		expect = &st
	}
	a.littered = true // if what is staged cannot be placed
	s, err := a.copyOf(e)
	if err != nil {
		return err
	}
	_, err = a.disk.tree.Place(c.Path, s, metaOf(e), expect)
	return errors.Join(err, s.Close())
}

// copyOf stages what lies at the path of e.
func (a *actor) copyOf(e *entry.Entry) (gather.Staged, error) {
	name := jobFor(e, nil).Name
	if e.Kind == entry.Symlink {
		return a.disk.ground.gather.StageSymlink(name, e.Target)
	}
	from, err := a.disk.ground.gather.OpenFile(e.Path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = from.Close() }()
	s, err := a.disk.ground.gather.Stage(name)
	if err == nil {
		err = s.Truncate(0)
	}
	if err == nil {
		_, err = io.Copy(io.NewOffsetWriter(s, 0), io.NewSectionReader(from, 0, e.Size))
	}
	if err != nil && s != nil {
		err = errors.Join(err, s.Close())
	}
	return s, err
}

// keepBoth gives each copy a name that is not one of a conflict copy.
func (a *actor) keepBoth(c *Conflict, r *Resolution) error {
	r.Kept = c.Path
	for _, e := range c.Copies {
		for n := range maxSameFiles {
			to := merge.PlainCopyName(e.Path, n)
			_, err := a.disk.tree.Move(e.Path, to, tree.StatOf(e), metaOf(e))
			if errors.Is(err, tree.ErrExists) {
				continue
			}
			if err != nil {
				return err
			}
			a.recheck(to, false)
			r.Renamed = append(r.Renamed, to)
			break
		}
	}
	return nil
}

// crowded tells whether a path has as many conflict copies as it may have.
func (a *actor) crowded(p entry.Path) bool {
	if len(a.copies) < maxCopies {
		return false
	}
	n := 0
	for c := range a.copies {
		if isCopyOf(c, p) || merge.IsCopy(p) && merge.CopyOf(c) == merge.CopyOf(p) {
			n++
		}
	}
	return n >= maxCopies
}

// isCopyOf tells whether c has the name of a conflict copy of p. A long name is
// shortened in that of its copy.
func isCopyOf(c, p entry.Path) bool {
	plain := merge.CopyOf(c)
	if plain == p || plain.Parent() != p.Parent() {
		return plain == p
	}
	if len(c.Name()) <= entry.MaxName-utf8.UTFMax {
		return false // it was not shortened
	}
	short, name := plain.Name(), p.Name()
	n := 0
	for n < len(short) && n < len(name) && short[n] == name[n] {
		n++
	}
	return len(name) > len(short) && strings.HasSuffix(name, short[n:])
}

// mainOf is the path of what a conflict copy is a copy of: of those that live
// beside it, if its name is too short to tell.
func mainOf(x *index.Folder, c entry.Path) (entry.Path, error) {
	plain := merge.CopyOf(c)
	e, err := x.Get(plain)
	if err != nil || e != nil && e.Lives() || len(c.Name()) <= entry.MaxName-utf8.UTFMax {
		return plain, err
	}
	up, stem := plain.Parent(), strings.TrimSuffix(plain.Name(), path.Ext(plain.Name()))
	for row := range x.Light(up.Join(stem)) {
		if up != "" && !row.Path.Below(up) || row.Path.Parent() == up && !strings.HasPrefix(row.Path.Name(), stem) {
			break
		}
		if row.Kind != entry.Deleted && !merge.IsCopy(row.Path) && isCopyOf(c, row.Path) {
			return row.Path, nil
		}
	}
	return plain, nil
}

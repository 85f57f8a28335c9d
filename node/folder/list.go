package folder

import (
	"context"
	"slices"

	"github.com/kithmesh/kith/index"
	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/folder/choice"
	"github.com/kithmesh/kith/node/folder/merge"
)

// Where is where the content of a path is.
type Where int

// The places of content.
const (
	Here      Where = iota
	Elsewhere       // known, and not chosen to lie here, or not taken by the role
	Coming          // wanted
	LocalEdit       // something else lies here, and stays here
)

// Listed is one path of a folder.
type Listed struct {
	Entry   *entry.Entry
	Where   Where
	Pinned  bool
	Holders []entry.DeviceID // who announced it, if it is not here
}

// listSlice is how many paths are read in one transaction.
const listSlice = 2000

// List calls each for all that exists at a path and below it, in tree order.
// It returns early with the error of each.
func (f *Folder) List(ctx context.Context, p entry.Path, each func(Listed) error) error {
	l := listing{top: p}
	err := f.do(ctx, func(a *actor) { l.role, l.choices = a.role, a.choices })
	if err != nil {
		return err
	}
	for from := p; ; {
		part, next, err := f.listSome(&l, from)
		if err != nil {
			return err
		}
		for i := range part {
			part[i].Pinned = l.choices.Of(part[i].Entry.Path).Pinned
			if err := each(part[i]); err != nil {
				return err
			}
		}
		if next == "" {
			return nil
		}
		from = next
	}
}

// listing is what is listed, and how it is seen.
type listing struct {
	top     entry.Path
	role    entry.Role
	choices choice.Rules
}

func (l *listing) within(p entry.Path) bool { return l.top == "" || p == l.top || p.Below(l.top) }

// listSome lists from a path on, in tree order; next is where to go on, empty
// at the end.
func (f *Folder) listSome(l *listing, from entry.Path) (out []Listed, next entry.Path, err error) {
	err = f.DB.View(func(tx *index.Tx) error {
		x, err := tx.Folder(f.ID)
		if err != nil {
			return err
		}
		for e, err := range x.Range(from) {
			if err != nil {
				return err
			}
			if !l.within(e.Path) {
				break
			}
			if len(out) >= listSlice {
				next = e.Path
				break
			}
			one, exists, err := listed(x, e, l.role)
			if err != nil {
				return err
			}
			if exists {
				out = append(out, one)
			}
		}
		wanted, err := listWanted(x, l, from, next)
		out = append(out, wanted...)
		return err
	})
	slices.SortFunc(out, func(a, b Listed) int { return a.Entry.Path.Compare(b.Entry.Path) })
	return out, next, err
}

// listed is what there is to say of a row.
func listed(x *index.Folder, e *entry.Entry, role entry.Role) (Listed, bool, error) {
	dev, err := x.Local(e.Path)
	if err != nil {
		return Listed{}, false, err
	}
	w, err := x.Wanted(e.Path)
	if err != nil {
		return Listed{}, false, err
	}
	l := Listed{Entry: e, Where: Here, Holders: holders(w)}
	switch {
	case dev != nil && dev.Lives():
		l.Entry, l.Where = dev, LocalEdit
	case e.Unknown && role == entry.RoleReceive:
		l.Where = LocalEdit
	case e.Absent && len(w) > 0:
		l.Where = Coming
	case e.Absent:
		l.Where = Elsewhere
	case !e.Lives():
		return l, false, nil // a wanted version of it is listed as that
	default:
		l.Holders = nil
	}
	return l, true, nil
}

// listWanted adds the paths that are known by being wanted only.
func listWanted(x *index.Folder, what *listing, from, to entry.Path) (out []Listed, err error) {
	for w, err := range x.WantedRange(from) {
		if err != nil {
			return out, err
		}
		p := w[0].Entry.Path
		if !what.within(p) || to != "" && p.Compare(to) >= 0 {
			break
		}
		e, err := x.Get(p)
		if err != nil {
			return out, err
		}
		top, ok := merge.Best(toWants(w), func(merge.Want) bool { return true })
		if e != nil && e.Lives() || !ok || !top.Entry.Lives() {
			continue
		}
		l := Listed{Entry: top.Entry, Where: Coming, Holders: holders(w)}
		if !takes(what.role) {
			l.Where = Elsewhere
		}
		out = append(out, l)
	}
	return out, nil
}

func holders(w []index.Want) (out []entry.DeviceID) {
	for i := range w {
		for d := range w[i].Tellers {
			if !slices.Contains(out, d) {
				out = append(out, d)
			}
		}
	}
	slices.Sort(out)
	return out
}

// Known tells whether anything is known of a path: that it exists, existed,
// or holds something.
func (f *Folder) Known(p entry.Path) (known bool, err error) {
	if p == "" {
		return true, nil
	}
	err = f.DB.View(func(tx *index.Tx) error {
		x, err := tx.Folder(f.ID)
		if err != nil {
			return err
		}
		for row := range x.Light(p) {
			known = row.Path == p || row.Path.Below(p)
			break
		}
		for w, err := range x.WantedRange(p) {
			if err != nil {
				return err
			}
			known = known || w[0].Entry.Path == p || w[0].Entry.Path.Below(p)
			break
		}
		return nil
	})
	return known, err
}

package restore

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/past"
	"github.com/kithmesh/kith/node/tree"
)

// here is what a planner knows of the target.
type here interface {
	// Lstat says what lies at a path of the target.
	Lstat(p entry.Path) (tree.Stat, error)
	// Names are all names in a directory of the target, sorted.
	Names(p entry.Path) ([]string, error)
	// Holds tells whether the file at p has the content of a row of its size.
	Holds(p entry.Path, st tree.Stat, r past.Row) (bool, error)
	// Known tells whether what lies at p is what some version of the row's path
	// says.
	Known(p entry.Path, st tree.Stat, r past.Row) (bool, error)
}

// planner makes a plan, row by row in tree order.
type planner struct {
	*Plan
	here
	overwrite Overwrite
	// interrupted: a run that was ended may have left directories with more
	// permissions for their owner than they were to get.
	interrupted bool
	// fresh is a directory that is going to be made: nothing is below it.
	fresh entry.Path
	// moved are the directories around the current row that are made beside
	// their names.
	moved []move
	// taken are names that something is restored to, beside its own.
	taken map[entry.Path]struct{}
	// open are ops that wait to hear whether what they replace is known.
	open []int
}

type move struct{ from, to entry.Path }

// plan goes through the rows that are asked for.
func (p *planner) plan(below entry.Path) error {
	from, to := p.tree.Below(below)
	if below != "" && (from == to || p.tree.Path(from) != below) {
		return fmt.Errorf("%q: %w", below, ErrNotThere)
	}
	for i := 0; below != "" && i < len(below); i++ {
		if up := below[:i]; below[i] == '/' && up.Below(p.base) {
			if r, ok := p.tree.Find(up); ok {
				p.row(r, true)
			}
		}
	}
	if below != "" && below == p.base {
		from++ // it is the target itself
	}
	for r := from; r < to; r++ {
		p.row(r, false)
	}
	return nil
}

// place is where a path goes, by the moves around it.
func (p *planner) place(q entry.Path) entry.Path {
	for len(p.moved) > 0 && !q.Below(p.moved[len(p.moved)-1].from) {
		p.moved = p.moved[:len(p.moved)-1]
	}
	if len(p.moved) == 0 {
		return q
	}
	m := p.moved[len(p.moved)-1]
	return m.to + q[len(m.from):]
}

// row decides about one row. above: it is only made for what is below it.
func (p *planner) row(r past.Row, above bool) {
	e := p.tree.Entry(r)
	home := strip(e.Path, p.base)
	at := p.place(home)
	if p.fresh != "" && at.Below(p.fresh) {
		p.add(e, op{row: r, action: Make}, at)
		return
	}
	st, err := p.Lstat(at)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		p.add(e, op{row: r, action: Make}, at)
		if e.Kind == entry.Directory {
			p.fresh = at
		}
	case err != nil:
		p.skip(e.Path, err)
	default:
		p.meet(r, e, at, st, above)
	}
}

func (p *planner) skip(q entry.Path, err error) { p.Skipped = append(p.Skipped, Skipped{q, err}) }

// add notes an op, with where it goes if that is not where the row lies.
func (p *planner) add(e *entry.Entry, o op, at entry.Path) {
	if at != strip(e.Path, p.base) {
		o.at = at
		if o.action == Make {
			o.action = Beside // around it a directory is
		}
	}
	p.ops = append(p.ops, o)
	t := &p.Totals
	switch o.action {
	case SetMeta:
		t.Meta++
		return
	case Replace:
		t.Replaced++
		t.Removed += int64(len(o.below()))
	case Beside:
		t.Beside++
		if o.expect != nil { // it is there
			return
		}
	case Make, Remove:
	}
	switch e.Kind {
	case entry.File:
		t.Files++
		t.Bytes += e.Size
	case entry.Directory:
		t.Directories++
	case entry.Symlink:
		t.Symlinks++
	case entry.Deleted:
	}
}

// meet decides about a row of which something lies at its place.
func (p *planner) meet(r past.Row, e *entry.Entry, at entry.Path, st tree.Stat, above bool) {
	same, err := p.same(r, e, at, st)
	switch {
	case err != nil:
		p.skip(e.Path, err)
		return
	case same && above:
		return
	case same:
		p.right(r, e, at, st)
		return
	}
	lies := Lies{Stat: st}
	replaceable := false
	if p.overwrite != Never {
		if replaceable, err = p.gather(at, &lies); err != nil {
			p.skip(e.Path, err)
			return
		}
	}
	known := p.overwrite == Always
	if replaceable && !known {
		if e.Kind != entry.Directory {
			p.open = append(p.open, len(p.ops)) // see decided
			p.ops = append(p.ops, op{row: r, action: Replace, expect: &lying{Lies: lies}, at: at})
			return
		}
		if known, err = p.Known(at, st, r); err != nil {
			p.skip(e.Path, err)
			return
		}
	}
	if replaceable && known {
		p.replace(r, e, at, lies)
		return
	}
	p.beside(r, e, at)
}

// gather tells whether what lies at a path may go at all, and notes what would
// go with it. What kith does not sync stays, and so does a directory with such a
// thing in it, or with another folder.
func (p *planner) gather(at entry.Path, l *Lies) (bool, error) {
	if l.Kind == entry.File || l.Kind == entry.Symlink {
		return true, nil
	}
	if l.Kind != entry.Directory {
		return false, nil
	}
	return p.inside(at, &l.Below)
}

// inside notes all that is in a directory, in tree order.
func (p *planner) inside(dir entry.Path, out *[]Below) (bool, error) {
	names, err := p.Names(dir)
	if err != nil {
		return false, err
	}
	for _, name := range names {
		at := dir.Join(name)
		st, err := p.Lstat(at)
		if err != nil || st.Kind == 0 || name == entry.Reserved {
			return false, err
		}
		*out = append(*out, Below{Path: at, Stat: st})
		if st.Kind == entry.Directory {
			if ok, err := p.inside(at, out); !ok {
				return false, err
			}
		}
	}
	return true, nil
}

func (p *planner) replace(r past.Row, e *entry.Entry, at entry.Path, l Lies) {
	p.add(e, op{row: r, action: Replace, expect: &lying{Lies: l}}, at)
	if e.Kind == entry.Directory {
		p.fresh = at
	}
}

// same tells whether what lies at a place has the content of a row.
func (p *planner) same(r past.Row, e *entry.Entry, at entry.Path, st tree.Stat) (bool, error) {
	if st.Kind != e.Kind {
		return false, nil
	}
	switch e.Kind {
	case entry.Directory:
		return true, nil
	case entry.Symlink:
		return st.Target == e.Target, nil
	case entry.File, entry.Deleted:
	}
	if st.Size != e.Size {
		return false, nil
	}
	return p.Holds(at, st, r)
}

// right notes that the content is there. Beside its own name that is not what
// was asked for, and told each time.
func (p *planner) right(r past.Row, e *entry.Entry, at entry.Path, st tree.Stat) {
	has := hasMeta(e, st)
	stays := p.overwrite == Never && !(p.interrupted && leftOpen(e, st))
	switch {
	case at != strip(e.Path, p.base):
		p.add(e, op{row: r, action: Beside, expect: &lying{Lies: Lies{Stat: st}, right: has || stays}}, at)
	case has:
		if e.Kind == entry.File {
			p.Totals.Left++
		}
	case stays:
		p.skip(e.Path, ErrMeta)
	default:
		p.add(e, op{row: r, action: SetMeta, expect: &lying{Lies: Lies{Stat: st}}}, at)
	}
}

// leftOpen tells whether a directory is as a run has it that is not at its end.
func leftOpen(e *entry.Entry, st tree.Stat) bool {
	return e.Kind == entry.Directory && st.Mode == e.Mode|ownerMode
}

// hasMeta tells whether mode and modification time are as they should be, as far
// as the kind has them and they are known.
func hasMeta(e *entry.Entry, st tree.Stat) bool {
	if e.Kind == entry.Directory && e.Version.IsZero() {
		return true
	}
	return (e.Kind == entry.Symlink || st.Mode == e.Mode) && (e.Kind == entry.Directory || st.ModTime == e.ModTime)
}

// beside finds a name for what cannot have its own.
func (p *planner) beside(r past.Row, e *entry.Entry, at entry.Path) {
	home := strip(e.Path, p.base)
	for try := range maxTries {
		name := BesideName(e, at, try)
		_, taken := p.taken[name]
		if _, there := p.tree.Find(p.base.Join(string(name))); taken || there {
			continue
		}
		st, err := p.Lstat(name)
		missing := errors.Is(err, fs.ErrNotExist)
		same := false
		if err == nil {
			same, err = p.same(r, e, name, st)
		}
		switch {
		case err != nil && !missing:
			p.skip(e.Path, err)
			return
		case !missing && !same:
			continue
		}
		p.taken[name] = struct{}{}
		if same {
			p.right(r, e, name, st)
		} else {
			p.add(e, op{row: r, action: Beside}, name)
		}
		if e.Kind == entry.Directory {
			p.moved = append(p.moved, move{home, name})
			if missing {
				p.fresh = name
			}
		}
		return
	}
	p.skip(e.Path, ErrName)
}

// decided closes the ops that were left open: what is known is replaced, beside
// all else the row is restored.
func (p *planner) decided(known func(i int) (bool, error)) {
	open := p.open
	p.open = nil
	var drop map[int]bool
	for n, i := range open {
		o := p.ops[i]
		e := p.tree.Entry(o.row)
		ok, err := known(n)
		if err == nil && ok {
			p.settleOpen(i, e, op{row: o.row, action: Replace, expect: o.expect}, o.at)
			continue
		}
		if drop == nil {
			drop = map[int]bool{}
		}
		drop[i] = true
		if err != nil {
			p.skip(e.Path, err)
			continue
		}
		p.beside(o.row, e, o.at)
	}
	p.without(drop)
}

// settleOpen puts an op in the place that was kept for it.
func (p *planner) settleOpen(i int, e *entry.Entry, o op, at entry.Path) {
	p.add(e, o, at)
	last := len(p.ops) - 1
	p.ops[i] = p.ops[last]
	p.ops = p.ops[:last]
}

// without leaves out ops. Those that are added for them come last; the order
// of files does not matter.
func (p *planner) without(drop map[int]bool) {
	if len(drop) == 0 {
		return
	}
	kept := p.ops[:0]
	for i := range p.ops {
		if !drop[i] {
			kept = append(kept, p.ops[i])
		}
	}
	p.ops = kept
}

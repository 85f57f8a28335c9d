package restore

import (
	"iter"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/past"
	"github.com/kithmesh/kith/node/tree"
)

// Plan is what a restore would do.
type Plan struct {
	Totals Totals
	// Skipped are paths that are left as they are, though they were to change.
	Skipped []Skipped

	tree *past.Tree
	base entry.Path
	ops  []op      // in tree order
	gone []removal // in tree order
	own  bool      // the tree is the plan's
}

// Totals count what a plan comes to.
type Totals struct {
	Files, Directories, Symlinks int64 // that are made, in whatever way
	Bytes                        int64 // of these files
	Replaced, Beside             int64 // of all these
	Meta                         int64 // of which only metadata are set
	Left                         int64 // files whose content is there already
	Removed                      int64
}

// Skipped is a path that is left as it is, and why.
type Skipped struct {
	Path entry.Path
	Err  error
}

// op is what is done about a row.
type op struct {
	row    past.Row
	action Action
	at     entry.Path // at the target, where that is not the row's own path
	expect *lying     // what lies there, where something does
}

// lying is what lies at a place that something is to be done about.
type lying struct {
	Lies
	// right: it is what is restored, under another name than its own.
	right bool
	// stays: it was to go, and has not.
	stays bool
}

// removal is a path that is to go.
type removal struct {
	at     entry.Path
	expect tree.Stat
	// early: something else is to be made there.
	early bool
}

// Steps are what is done, in tree order, removals last. After a run what was in
// a directory that has not gone after all is not among the removals.
func (p *Plan) Steps() iter.Seq[Step] {
	return func(yield func(Step) bool) {
		for i := range p.ops {
			e := p.tree.Entry(p.ops[i].row)
			if !yield(Step{Action: p.ops[i].told(), Path: e.Path, At: p.at(&p.ops[i]), Kind: e.Kind, Size: e.Size}) {
				return
			}
		}
		for i := range p.ops {
			for _, b := range p.ops[i].below() {
				at := p.base.Join(string(b.Path))
				if !p.ops[i].expect.stays && !yield(Step{Action: Remove, Path: at, At: b.Path, Kind: b.Kind, Size: b.Size}) {
					return
				}
			}
		}
		for _, g := range p.gone {
			if !yield(Step{Action: Remove, Path: g.at, At: g.at, Kind: g.expect.Kind, Size: g.expect.Size}) {
				return
			}
		}
	}
}

// told is what a person is told that an op is: of what lies there already,
// metadata are all that can be replaced.
func (o *op) told() Action {
	if o.action == SetMeta {
		return Replace
	}
	return o.action
}

// below is what goes with a directory.
func (o *op) below() []Below {
	if o.action != Replace || o.expect == nil {
		return nil
	}
	return o.expect.Below
}

func (p *Plan) at(o *op) entry.Path {
	if o.at != "" {
		return o.at
	}
	return strip(p.tree.Path(o.row), p.base)
}

// losing are the paths of which something goes.
func (p *Plan) losing() []entry.Path {
	var out []entry.Path
	for i := range p.ops {
		if p.ops[i].action == Replace {
			out = append(out, p.at(&p.ops[i]))
			for _, b := range p.ops[i].below() {
				out = append(out, b.Path)
			}
		}
	}
	for _, g := range p.gone {
		out = append(out, g.at)
	}
	return out
}

// Close lets go of what the plan has opened. It comes after its run.
func (p *Plan) Close() error {
	if p.own {
		return p.tree.Close()
	}
	return nil
}

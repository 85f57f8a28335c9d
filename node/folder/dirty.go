package folder

import (
	"slices"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/folder/look"
)

// dirty is where a look is due.
type dirty struct {
	marks map[entry.Path]mark
	tries map[entry.Path]int // how often in a row a file was found unsteady
}

type mark struct {
	below bool
	due   time.Time
}

func newDirty() dirty {
	return dirty{marks: map[entry.Path]mark{}, tries: map[entry.Path]int{}}
}

// add marks a path, and all below it if below is set.
func (d *dirty) add(p entry.Path, below bool, due time.Time) {
	m, ok := d.marks[p]
	if !ok || due.Before(m.due) && d.tries[p] < patientTries {
		m.due = due
	}
	m.below = m.below || below
	d.marks[p] = m
}

const (
	firstRetry = 10 * time.Millisecond
	lastRetry  = time.Second
	// patientTries is from how many tries on a file that is still being
	// written is no longer looked at for each of its events.
	patientTries = 3
)

// unsteady marks a path that was being written, for later and later.
func (d *dirty) unsteady(p entry.Path, now time.Time) {
	n := d.tries[p]
	d.tries[p] = n + 1
	d.marks[p] = mark{due: now.Add(min(firstRetry<<min(n, 10), lastRetry)), below: d.marks[p].below}
}

func (d *dirty) steady(p entry.Path) { delete(d.tries, p) }

// take returns what is due, in tree order, and forgets it.
func (d *dirty) take(now time.Time) []look.Target {
	var out []look.Target
	for p, m := range d.marks {
		if !m.due.After(now) {
			out = append(out, look.Target{Path: p, Below: m.below || p == ""})
			delete(d.marks, p)
		}
	}
	slices.SortFunc(out, func(x, y look.Target) int { return x.Path.Compare(y.Path) })
	return out
}

// due is when the next look is due; zero for never.
func (d *dirty) due() time.Time {
	var due time.Time
	for _, m := range d.marks {
		if due.IsZero() || m.due.Before(due) {
			due = m.due
		}
	}
	return due
}

// fresh tells whether there is anything to look at, but for files that were
// found unsteady again and again.
func (d *dirty) fresh() bool {
	for p := range d.marks {
		if d.tries[p] < patientTries {
			return true
		}
	}
	return false
}

// has tells whether a look at just this path is due.
func (d *dirty) has(p entry.Path) bool { _, ok := d.marks[p]; return ok }

func (d *dirty) empty() bool { return len(d.marks) == 0 }

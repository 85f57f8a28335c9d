//go:build linux

package meshtest

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"sync"
)

// sweep is a directory that a user took out of the tree. What kith put into it
// before it noticed is gone by the user's hand.
type sweep struct {
	by       user
	held, as string
}

// sweep notes such a directory.
func (m *mesh) sweep(s sweep) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.swept = append(m.swept, s)
}

// judge looks at the tree on which all agree, and takes it for what they agree
// upon from now on.
func (m *mesh) judge(ctx context.Context, l listing) {
	for _, s := range m.swept {
		s.by.dropAll(s.by.within(s.held, s.as))
	}
	m.judgeTree(l)
	m.judgeUntouched(l)
	for _, d := range m.devices {
		m.judgeDevice(ctx, d, l)
	}
	m.agreed = l
	m.book.agree()
}

// judgeTree holds the tree on which all agree against the book.
func (m *mesh) judgeTree(l listing) {
	m.judgeLost(l)
	m.judgeCopies(l)
	m.judgeRevived(l)
	m.judgeOrder(l)
	m.judgeRelays()
}

// judgeLost looks for what is owed (I2).
func (m *mesh) judgeLost(l listing) {
	where := map[sum][]string{}
	for p, n := range l {
		if n.content() {
			where[n.sum] = append(where[n.sum], p)
		}
	}
	b := m.book
	b.mu.Lock()
	defer b.mu.Unlock()
	for s, debts := range b.debts {
		for _, d := range debts {
			if d.paid != "" || b.excused(s, d) {
				continue
			}
			at := where[s]
			found := false
			for _, p := range at {
				found = found || sameBase(p, d.path)
			}
			switch {
			case found:
			case len(at) > 0:
				m.fail("I2: %s, put at %q by %s in step %d, is only at %q", b.labels[s], d.path, d.by, d.step, at)
			default:
				m.fail("I2: lost: %s, put at %q by %s in step %d", b.labels[s], d.path, d.by, d.step)
			}
		}
	}
}

// judgeCopies looks for conflict copies that nobody can have needed (I3).
func (m *mesh) judgeCopies(l listing) {
	for p, n := range l {
		if isCopy(p) && n.content() && m.agreed[p].kind == 0 && !m.book.putAt(p) && !m.book.contended(p) {
			m.fail("I3: a conflict copy %q (%s) where only one device was busy", p, m.book.label(n.sum))
		}
	}
}

// putAt tells whether a user put something at just this path.
func (b *book) putAt(p string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, debts := range b.debts {
		for _, d := range debts {
			if d.path == p {
				return true
			}
		}
	}
	return false
}

// judgeRevived looks for what was superseded and is there (I3). What all had
// agreed upon may stay, if nobody has superseded it at just that path: so does
// a conflict copy when its content is dropped elsewhere.
func (m *mesh) judgeRevived(l listing) {
	for p, n := range l {
		if !n.content() || m.book.contended(p) {
			continue
		}
		stays := m.agreed[p].sum == n.sum && !m.book.isDropped(p, n.sum)
		if !stays && !m.book.owed(p, n.sum) {
			m.fail("I3: %q is %s, which was superseded there with only one device busy", p, m.book.label(n.sum))
		}
	}
}

// judgeUntouched looks for what has become different without anybody's doing,
// since all last agreed (I2, I3).
func (m *mesh) judgeUntouched(l listing) {
	if m.agreed == nil {
		return
	}
	all := maps.Clone(m.agreed)
	maps.Copy(all, l)
	for _, p := range slices.Sorted(maps.Keys(all)) {
		if was, is := m.agreed[p], l[p]; !was.same(is) && m.book.untouched(p) {
			m.fail("I3: %q is %s and was %s as all last agreed, and nobody has been busy there", p, m.book.describe(is), m.book.describe(was))
		}
	}
}

// owed tells whether a content should be at a path.
func (b *book) owed(p string, s sum) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, d := range b.debts[s] {
		if d.paid == "" && sameBase(p, d.path) {
			return true
		}
	}
	return false
}

// isDropped tells whether a content was superseded at just this path since all
// last agreed, and not put back.
func (b *book) isDropped(p string, s sum) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.dropped[spot{s, p}]
}

// judgeOrder looks for what lives in no directory.
func (m *mesh) judgeOrder(l listing) {
	for p := range l {
		if up := path.Dir(p); up != "." && l[up].kind != 'd' {
			m.fail("I1: %q lies in no directory", p)
		}
	}
}

// judgeDevice looks at what a device says of itself, and at what it may have
// left in its own directory.
func (m *mesh) judgeDevice(ctx context.Context, d *device, l listing) {
	s, err := d.status(ctx)
	switch {
	case err != nil:
		m.fail("status of %s: %v", d.name, err)
	case len(s.Folders) != 1:
		m.fail("%s has %d folders", d.name, len(s.Folders))
	case s.Folders[0].State != "in-sync":
		m.fail("I1: after kith wait, status of %s says %s", d.name, s.Folders[0].State)
	default:
		m.judgeProblems(d, l, s.Folders[0].Problems)
	}
	for _, dir := range []string{"tmp", "aside", "notes"} {
		left, err := os.ReadDir(filepath.Join(d.root, ".kith", dir))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			m.fail("look at .kith/%s of %s: %v", dir, d.name, err)
		}
		if len(left) > 0 {
			m.note("%s has left %d in .kith/%s, like %q", d.name, len(left), dir, left[0].Name())
		}
	}
}

// shownConflicts is from how many conflict copies on not each has to be named.
const shownConflicts = 100

// judgeProblems holds what a device complains of against the tree: the conflict
// copies there are, each of them, and nothing else.
func (m *mesh) judgeProblems(d *device, l listing, problems []problem) {
	named, there := map[string]bool{}, map[string]bool{}
	for p := range l {
		there[printed(p)] = true
	}
	for _, p := range problems {
		if p.Code != "conflict" || !there[p.Path] {
			m.fail("I1: after kith wait, status of %s complains: %+v", d.name, p)
		}
		named[p.Path] = true
	}
	for p, n := range l {
		if n.content() && isConflict(p) && !named[printed(p)] && len(named) < shownConflicts {
			m.fail("after kith wait, status of %s does not name the conflict copy %q", d.name, p)
		}
	}
}

// printed is a path as JSON can hold it.
func printed(p string) string { return string([]rune(p)) }

// pollAll has a poller at each device, until the context ends.
func (m *mesh) pollAll(ctx context.Context) {
	var pollers sync.WaitGroup
	for _, d := range m.devices {
		pollers.Go(func() { d.poll(ctx) })
	}
	pollers.Wait()
}

//go:build linux

package meshtest

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"sync"
)

// sweep is a directory that a user took out of the tree. What kith put into it
// before it noticed is gone by the user's hand.
type sweep struct {
	by       user
	held, as string
}

// judge looks at the tree on which all agree.
func (m *mesh) judge(ctx context.Context, l listing) {
	for _, s := range m.swept {
		s.by.dropAll(s.by.within(s.held, s.as))
	}
	m.judgeLost(l)
	m.judgeCopies(l)
	m.judgeRevived(l)
	m.judgeOrder(l)
	for _, d := range m.devices {
		m.judgeDevice(ctx, d)
	}
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
	now := map[string]bool{}
	for p, n := range l {
		if !isCopy(p) || !n.content() || m.book.putAt(p) {
			continue
		}
		now[p] = true
		if !m.copies[p] && !m.book.contended(p) {
			m.fail("I3: a conflict copy %q (%s) where only one device was busy", p, m.book.label(n.sum))
		}
	}
	m.copies = now
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
// agreed upon before, like a conflict copy that nobody has looked at, may stay.
func (m *mesh) judgeRevived(l listing) {
	for p, n := range l {
		if n.content() && !m.book.owed(p, n.sum) && !m.book.contended(p) && m.agreed[p].sum != n.sum {
			m.fail("I3: %q is %s, which was superseded there with only one device busy", p, m.book.label(n.sum))
		}
	}
	m.agreed = l
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
func (m *mesh) judgeDevice(ctx context.Context, d *device) {
	s, err := d.status(ctx)
	switch {
	case err != nil:
		m.fail("status of %s: %v", d.name, err)
	case len(s.Folders) != 1:
		m.fail("%s has %d folders", d.name, len(s.Folders))
	case s.Folders[0].State != "in-sync" || len(s.Folders[0].Problems) > 0:
		m.fail("I1: after kith wait, status of %s says %s with problems %+v", d.name, s.Folders[0].State, s.Folders[0].Problems)
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

// pollAll has a poller at each device, until the context ends.
func (m *mesh) pollAll(ctx context.Context) {
	var pollers sync.WaitGroup
	for _, d := range m.devices {
		pollers.Go(func() { d.poll(ctx) })
	}
	pollers.Wait()
}

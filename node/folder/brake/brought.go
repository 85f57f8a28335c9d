package brake

import (
	"hash/maphash"
	"time"

	"github.com/kithmesh/kith/index/entry"
)

// bringing is a file that lies here since its author brought it. Files are
// known by a hash of their paths, so that very many take little memory.
type bringing struct {
	at     int64 // in nanoseconds since 1970
	by     *toll
	hold   uint32 // the number of the hold under which it came, 0 for none
	copied bool
}

// maxBrought bounds what is remembered of files that were brought, to some
// megabytes for all authors together. Files beyond are only counted.
const maxBrought = 1 << 17

// Brought notes that a change of an author put a new file at a path where none
// lay. Copied: the folder had its content before, so that it counts as the
// folder's when it is taken away, and yet makes the folder no larger.
func (m *Meter) Brought(author string, p entry.Path, copied bool, now time.Time) {
	t := m.toll(author)
	m.Gone(p)
	if t.held {
		t.late++
	}
	if len(m.brought) >= maxBrought {
		t.more, t.last = t.more+1, now
		return
	}
	b := bringing{at: now.UnixNano(), by: t, copied: copied}
	if t.held {
		b.hold = t.holds
	}
	t.brought++
	m.brought[m.key(p)] = b
}

// Rewrote notes that a change of an author gave a file another content, which
// the folder had before if it is copied.
func (m *Meter) Rewrote(author string, p entry.Path, copied bool) {
	b, ok := m.find(p)
	switch {
	case !ok:
	case b.by != m.tolls[author]:
		m.Gone(p)
	case copied && !b.copied:
		b.copied = true
		m.brought[m.key(p)] = b
	}
}

// Moved notes that a file was moved by a change of anybody.
func (m *Meter) Moved(from, to entry.Path) {
	m.Gone(to)
	if b, ok := m.find(from); ok {
		delete(m.brought, m.key(from))
		m.brought[m.key(to)] = b
	}
}

// Gone notes that what an author may have brought does not lie at a path any
// more, or is somebody else's by now.
func (m *Meter) Gone(p entry.Path) {
	if _, ok := m.find(p); ok {
		m.gone(m.key(p))
	}
}

func (m *Meter) gone(key uint64) {
	b := m.brought[key]
	b.by.brought--
	if b.by.held && b.hold == b.by.holds {
		b.by.late--
	}
	delete(m.brought, key)
}

// Own tells whether a file has come lately by an author alone: it was brought
// by the author, and the folder did not have its content before.
func (m *Meter) Own(author string, p entry.Path) bool {
	b, ok := m.find(p)
	return ok && !b.copied && b.by == m.tolls[author]
}

// Brings tells whether an author has brought files lately.
func (m *Meter) Brings(author string) bool {
	t := m.tolls[author]
	return t != nil && t.brought > 0
}

func (m *Meter) find(p entry.Path) (b bringing, ok bool) {
	if len(m.brought) > 0 {
		b, ok = m.brought[m.key(p)]
	}
	return b, ok
}

func (m *Meter) key(p entry.Path) uint64 { return maphash.String(m.seed, string(p)) }

// forgetBrought lets go of what was brought and has become old: it is the
// folder's by now.
func (m *Meter) forgetBrought(now time.Time) {
	for key, b := range m.brought {
		if !b.by.held && time.Duration(now.UnixNano()-b.at).Abs() > window {
			m.gone(key)
		}
	}
	for _, t := range m.tolls {
		if !t.held && now.Sub(t.last).Abs() > window {
			t.more = 0
		}
	}
}

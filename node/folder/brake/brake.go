// Package brake decides whether changes that others made are to wait for a
// person: a batch that deletes or rewrites much of a folder may be a mistake,
// an unmounted disk or malware rather than a wish, and sync would carry it
// everywhere at once.
//
// What counts is how much of this device's content one author's changes would
// take away, together with what they took away lately: a program that
// encrypts file after file is noticed though each batch is small. Content that
// only moves is not taken away. What the author brought lately is no part of
// the folder: with however many new files, a share does not become small.
//
// The package is pure; a Meter belongs to one goroutine.
package brake

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash/maphash"
	"slices"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/version"
)

// Limits say how much is too much: both must be reached.
type Limits struct {
	Files int64 // number of files
	Share int64 // percent of the files that lie here
}

// Default is what holds unless a person says otherwise.
var Default = Limits{Files: 100, Share: 50}

// window is how long what was taken away counts, and what was brought does not.
const window = 10 * time.Minute

// Doomed is a file here whose content a wanted version would take away.
type Doomed struct {
	Path    entry.Path
	Version version.Version // that would
	Author  string          // name of the device that made it
	Deletes bool            // else it is rewritten
	Bytes   int64           // of the file here
}

// Batch is what one author would take away.
type Batch struct {
	ID       string // changes whenever what is in it does
	Author   string
	Files    []Doomed // by path
	Deletes  int64
	Rewrites int64
	Bytes    int64
}

// Meter remembers what was taken away and what was brought lately.
type Meter struct {
	Limits
	tolls   map[string]*toll // by author
	brought map[uint64]bringing
	seed    maphash.Seed
	checked time.Time
}

// toll is what one author took and brought. A file that is rewritten again and
// again is taken away once.
type toll struct {
	files map[entry.Path]loss
	apart []loss // those at whose paths the folder's content has come to lie since
	lost  tally  // the files
	own   tally  // of them, those that the author had brought

	brought int64     // files that are remembered
	more    int64     // files beyond what is remembered
	last    time.Time // when the last of those came
	late    int64     // of all of these, those that came while the author is held
	held    bool
	holds   uint32 // the number of the last hold
}

type loss struct {
	at           time.Time
	deleted, own bool
}

// tally counts files that were taken away, and those that are gone altogether.
type tally struct{ files, deleted int64 }

func (c *tally) count(deleted bool, n int64) {
	if c.files += n; deleted {
		c.deleted += n
	}
}

func (m *Meter) toll(author string) *toll {
	if m.tolls == nil {
		m.tolls, m.brought, m.seed = map[string]*toll{}, map[uint64]bringing{}, maphash.MakeSeed()
	}
	t := m.tolls[author]
	if t == nil {
		t = &toll{files: map[entry.Path]loss{}}
		m.tolls[author] = t
	}
	return t
}

// Took notes that a change of an author took away the content of a file, by
// deleting or rewriting it.
func (m *Meter) Took(author string, p entry.Path, deleted bool, now time.Time) {
	t := m.toll(author)
	was, again := t.files[p]
	l := loss{now, deleted, m.Own(author, p) && (!again || was.own)}
	t.drop(p)
	t.files[p] = l
	t.count(l, 1)
}

// Rests notes that content which is not its author's own has come to lie at a
// path, where it was before having gone: if that is taken away, it counts for
// itself, whatever was taken from there before.
func (m *Meter) Rests(p entry.Path) {
	for _, t := range m.tolls {
		if l, ok := t.files[p]; ok {
			delete(t.files, p)
			t.apart = append(t.apart, l)
		}
	}
}

func (t *toll) drop(p entry.Path) {
	if l, ok := t.files[p]; ok {
		t.count(l, -1)
		delete(t.files, p)
	}
}

func (t *toll) count(l loss, n int64) {
	t.lost.count(l.deleted, n)
	if l.own {
		t.own.count(l.deleted, n)
	}
}

// hold notes whether an author is held. Of one who is let go, what has become
// old is forgotten at the next occasion.
func (m *Meter) hold(t *toll, held bool) {
	switch {
	case held == t.held:
		return
	case held:
		t.holds++
	default:
		m.checked = time.Time{}
	}
	t.held, t.late = held, 0
}

// Excuse forgets what an author took: a person has judged it. What was brought
// is no part of the folder for that.
func (m *Meter) Excuse(author string) {
	if t := m.tolls[author]; t != nil {
		m.hold(t, false)
		clear(t.files)
		t.apart = nil
		t.lost, t.own = tally{}, tally{}
	}
}

// forgetEvery is how often what has become old is looked for.
const forgetEvery = 10 * time.Second

// Forget lets go of what has become old. Of one who is held nothing is
// forgotten: to wait is no way past the brake.
func (m *Meter) Forget(held func(author string) bool, now time.Time) {
	for author, t := range m.tolls {
		m.hold(t, held(author))
	}
	if now.Sub(m.checked).Abs() < forgetEvery {
		return
	}
	m.checked = now
	m.forgetBrought(now)
	for author, t := range m.tolls {
		if t.held {
			continue
		}
		for p, l := range t.files {
			if now.Sub(l.at).Abs() > window {
				t.drop(p)
			}
		}
		t.apart = slices.DeleteFunc(t.apart, func(l loss) bool {
			old := now.Sub(l.at).Abs() > window
			if old {
				t.count(l, -1)
			}
			return old
		})
		if len(t.files)+len(t.apart) == 0 && t.brought+t.more == 0 {
			delete(m.tolls, author)
		}
	}
}

// Count is how many files an author would take away.
type Count struct {
	All int64
	Own int64 // of them, those that [Meter.Own] tells of
}

// Reaches tells whether it may be too much what an author would take away, of
// the files that lie here now. Held tells who is held already.
func (m *Meter) Reaches(author string, doomed Count, files int64, held func(author string) bool, now time.Time) bool {
	m.Forget(held, now)
	return doomed.All > 0 && m.tooMuch(doomed.All, doomed.All-doomed.Own, files, m.tolls[author])
}

// tooMuch measures twice. First all that is taken, as a share of all but what
// its author brought since being held: that lets nothing go. Then what the
// author had not brought, rest, as a share of what the author has not brought.
func (m *Meter) tooMuch(doomed, rest, files int64, t *toll) bool {
	if t == nil {
		return m.exceeds(doomed, files)
	}
	return m.exceeds(doomed+t.lost.files, files+t.lost.deleted-t.late) ||
		m.exceeds(rest+t.lost.files-t.own.files, files+t.lost.deleted-t.own.deleted-t.brought-t.more)
}

func (m *Meter) exceeds(n, files int64) bool { return n >= m.Files && n*100 >= m.Share*files }

// Hold says which of the doomed are to wait, as a batch for each author.
// Files is how many lie here now, and held tells who is held already.
func (m *Meter) Hold(doomed []Doomed, files int64, held func(author string) bool, now time.Time) []Batch {
	by := map[string][]Doomed{}
	for _, d := range doomed {
		by[d.Author] = append(by[d.Author], d)
	}
	m.Forget(held, now)
	var out []Batch
	for author, list := range by {
		all, rest := m.more(author, list)
		much := m.tooMuch(all, rest, files, m.tolls[author])
		if much {
			out = append(out, batchOf(author, list))
		}
		if much || m.tolls[author] != nil {
			m.hold(m.toll(author), much)
		}
	}
	slices.SortFunc(out, func(a, b Batch) int { return cmpText(a.Author, b.Author) })
	return out
}

// more is how many of the doomed have not been taken away lately as it is:
// all, and the rest but what their author brought.
func (m *Meter) more(author string, list []Doomed) (all, rest int64) {
	t := m.tolls[author]
	if t == nil {
		return int64(len(list)), int64(len(list))
	}
	for i := range list {
		l, again := t.files[list[i].Path]
		if !again {
			all++
		}
		if (!again || l.own) && !m.Own(author, list[i].Path) {
			rest++
		}
	}
	return all, rest
}

func cmpText(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func batchOf(author string, list []Doomed) Batch {
	slices.SortFunc(list, func(a, b Doomed) int { return a.Path.Compare(b.Path) })
	b := Batch{Author: author, Files: list}
	h := sha256.New()
	put := func(s string) {
		_ = binary.Write(h, binary.BigEndian, uint32(len(s)))
		h.Write([]byte(s))
	}
	put(author)
	for i := range list {
		d := &list[i]
		put(string(d.Path))
		for _, c := range d.Version.Vector {
			_ = binary.Write(h, binary.BigEndian, uint64(c.Replica))
			_ = binary.Write(h, binary.BigEndian, c.Count)
		}
		if d.Deletes {
			b.Deletes++
		} else {
			b.Rewrites++
		}
		b.Bytes += d.Bytes
	}
	b.ID = hex.EncodeToString(h.Sum(nil)[:4])
	return b
}

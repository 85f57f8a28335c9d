// Package brake decides whether changes that others made are to wait for a
// person: a batch that deletes or rewrites much of a folder may be a mistake,
// an unmounted disk or malware rather than a wish, and sync would carry it
// everywhere at once.
//
// What counts is how much of this device's content one author's changes would
// take away, together with what they took away lately: a program that
// encrypts file after file is noticed though each batch is small. Content that
// only moves is not taken away.
//
// The package is pure; a Meter belongs to one goroutine.
package brake

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
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

// window is how long what was taken away counts.
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

// Meter remembers what was taken away lately.
type Meter struct {
	Limits
	taken map[string]*toll // by author
}

// toll is what one author took. A file that is rewritten again and again is
// taken away once.
type toll struct {
	files   map[entry.Path]loss
	deleted int64 // of them, those that are gone altogether
	checked time.Time
}

type loss struct {
	at      time.Time
	deleted bool
}

// Took notes that a change of an author took away the content of a file, by
// deleting or rewriting it.
func (m *Meter) Took(author string, p entry.Path, deleted bool, now time.Time) {
	if m.taken == nil {
		m.taken = map[string]*toll{}
	}
	t := m.taken[author]
	if t == nil {
		t = &toll{files: map[entry.Path]loss{}, checked: now}
		m.taken[author] = t
	}
	t.drop(p)
	t.files[p] = loss{now, deleted}
	if deleted {
		t.deleted++
	}
}

func (t *toll) drop(p entry.Path) {
	if t.files[p].deleted {
		t.deleted--
	}
	delete(t.files, p)
}

// Excuse forgets what an author took: a person approved of it.
func (m *Meter) Excuse(author string) { delete(m.taken, author) }

// forgetEvery is how often what has become old is looked for.
const forgetEvery = 10 * time.Second

// lately is what an author took within the window. Of one who is held nothing
// is forgotten: to wait is no way past the brake.
func (m *Meter) lately(author string, held bool, now time.Time) toll {
	t := m.taken[author]
	if t == nil {
		return toll{}
	}
	if !held && now.Sub(t.checked).Abs() >= forgetEvery {
		t.checked = now
		for p, l := range t.files {
			if now.Sub(l.at).Abs() > window {
				t.drop(p)
			}
		}
	}
	if len(t.files) == 0 {
		delete(m.taken, author)
	}
	return *t
}

// Reaches tells whether it may be too much what an author would take away, in
// files, of those that lie here now. Held: the author is held already.
func (m *Meter) Reaches(author string, doomed, files int64, held bool, now time.Time) bool {
	return doomed > 0 && m.tooMuch(doomed, files, m.lately(author, held, now))
}

func (m *Meter) tooMuch(doomed, files int64, lately toll) bool {
	n := doomed + int64(len(lately.files))
	return n >= m.Files && n*100 >= m.Share*(files+lately.deleted)
}

// Hold says which of the doomed are to wait, as a batch for each author.
// Files is how many lie here now, and held tells who is held already.
func (m *Meter) Hold(doomed []Doomed, files int64, held func(author string) bool, now time.Time) []Batch {
	by := map[string][]Doomed{}
	for _, d := range doomed {
		by[d.Author] = append(by[d.Author], d)
	}
	var out []Batch
	for author, list := range by {
		lately, more := m.lately(author, held(author), now), int64(0)
		for i := range list {
			if _, again := lately.files[list[i].Path]; !again {
				more++
			}
		}
		if m.tooMuch(more, files, lately) {
			out = append(out, batchOf(author, list))
		}
	}
	slices.SortFunc(out, func(a, b Batch) int { return cmpText(a.Author, b.Author) })
	return out
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

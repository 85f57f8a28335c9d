package index

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/version"
)

// model is what a folder of the index should hold, kept in maps.
type model struct {
	entries map[entry.Path]entry.Entry
	wanted  map[entry.Path][]Want
	local   map[entry.Path]entry.Entry
	peers   map[entry.DeviceID]Peer
	seen    map[version.ReplicaID]uint64
	head    entry.Sequence
	count   uint64
	joined  bool
}

func newModel() *model {
	return &model{
		entries: map[entry.Path]entry.Entry{}, wanted: map[entry.Path][]Want{}, local: map[entry.Path]entry.Entry{},
		peers: map[entry.DeviceID]Peer{}, seen: map[version.ReplicaID]uint64{},
	}
}

func (m *model) clone() *model {
	c := *m
	c.entries, c.wanted, c.local = maps.Clone(m.entries), maps.Clone(m.wanted), maps.Clone(m.local)
	c.peers, c.seen = maps.Clone(m.peers), maps.Clone(m.seen)
	return &c
}

// source draws numbers, from rapid or from a plain generator.
type source interface{ below(n int) int }

type rapidSource struct{ t *rapid.T }

func (s rapidSource) below(n int) int { return rapid.IntRange(0, n-1).Draw(s.t, "n") }

type plainSource struct{ r *rand.Rand }

func (s plainSource) below(n int) int { return s.r.IntN(n) }

// operator does the same to a folder and to a model.
type operator struct {
	source
	paths  int // how many there are
	blocks int
}

func (o operator) path() entry.Path {
	n := o.below(o.paths)
	return entry.Path([]string{
		fmt.Sprintf("%03d", n), fmt.Sprintf("d-%d/f%d", n%7, n), fmt.Sprintf("d/%d/%d", n%5, n),
		fmt.Sprintf("d/%d.%d", n%5, n), "d/\xff\x01" + fmt.Sprint(n), fmt.Sprintf("d %d", n),
	}[n%6])
}

func (o operator) device() entry.DeviceID { return entry.DeviceID(fmt.Sprintf("device%d", o.below(5))) }

// entry draws one that often descends from old.
func (o operator) entry(p entry.Path, old entry.Entry) *entry.Entry {
	v := old.Version
	if o.below(4) == 0 {
		v = version.Version{}
	}
	r := version.ReplicaID(1 + o.below(4))
	v = v.Next(r, v.Vector.Count(r)+uint64(o.below(3))+1, version.Clock(o.below(100)))
	var e *entry.Entry
	switch o.below(8) {
	case 0:
		e = directory(p, v)
	case 1:
		e = symlink(p, v, fmt.Sprint("to ", o.below(100)))
	case 2:
		e = gone(file(p, v, uint64(o.below(o.blocks))), v)
	case 3:
		return unknown(p, uint64(o.below(o.blocks)))
	default:
		e = file(p, v)
		for range o.below(4) {
			b := block(uint64(o.below(o.blocks)), uint32(1+o.below(1000)))
			e.Blocks = append(e.Blocks, b)
			e.Size += int64(b.Length)
		}
	}
	e.AuthorName = fmt.Sprint("author ", o.below(5))
	e.Absent = o.below(4) == 0
	if o.below(4) == 0 {
		e.Unseen = slices.Clone(v.Vector)[:1+o.below(len(v.Vector))]
		e.Unseen[0].Count -= uint64(o.below(int(e.Unseen[0].Count)))
	}
	e.Disk = entry.Disk{Inode: uint64(o.below(1000)), ChangeTime: int64(o.below(1000))}
	return e
}

// step does one random thing to both, and fails if they answer differently.
func (o operator) step(f *Folder, m *model) error {
	p := o.path()
	old, exists := m.entries[p]
	switch o.below(14) {
	case 0:
		return o.touch(f, m, p)
	case 1:
		err := f.Drop(p)
		if exists && !old.Unknown {
			return expect(err, ErrStale)
		}
		delete(m.entries, p)
		return err
	case 2:
		var w []Want
		for range o.below(3) {
			e := o.entry(p, old)
			if !e.Unknown {
				e.Disk = entry.Disk{}
				tellers := map[entry.DeviceID]entry.Sequence{o.device(): entry.Sequence(o.below(99))}
				w = append(w, Want{*e, tellers, o.below(2) == 0})
			}
		}
		if m.wanted[p] = w; len(w) == 0 {
			delete(m.wanted, p)
		}
		return f.SetWanted(p, w)
	case 3:
		d := o.device()
		m.peers[d] = Peer{Epoch: uint64(o.below(99)), TheyHold: entry.Sequence(o.below(99)), NeedBytes: int64(o.below(99))}
		return f.SetPeer(d, m.peers[d])
	case 4:
		d := o.device()
		delete(m.peers, d)
		return f.DropPeer(d)
	case 5:
		v := vec(2, uint64(1+o.below(50)), 3+uint64(o.below(20)), uint64(1+o.below(50)))
		for _, c := range v.Vector {
			m.seen[c.Replica] = max(m.seen[c.Replica], c.Count)
		}
		return f.Saw(v.Vector)
	case 6:
		n, err := f.NextCount()
		if m.count++; err == nil && n != m.count {
			return fmt.Errorf("NextCount is %d, not %d", n, m.count)
		}
		return err
	case 7:
		m.joined = o.below(2) == 0
		return f.SetJoined(m.joined)
	case 8:
		e := o.entry(p, old)
		l := *e
		l.Version, l.AuthorName, l.Unseen, l.Unknown, l.Absent = version.Version{}, "", nil, false, false
		m.local[p] = l
		return f.SetLocal(p, e)
	case 9:
		delete(m.local, p)
		return f.SetLocal(p, nil)
	}
	return o.put(f, m, p)
}

func (o operator) put(f *Folder, m *model, p entry.Path) error {
	old, exists := m.entries[p]
	e := o.entry(p, old)
	want := error(nil)
	if exists && !old.Unknown {
		switch {
		case old.Absent && !e.Unknown && old.Version.Compare(e.Version) == version.Concurrent:
		case e.Unknown || !old.Version.Vector.Within(e.Version.Vector):
			want = ErrStale
		case old.Version.Compare(e.Version) == version.Equal && !old.SamePayload(e):
			want = ErrForked
		}
	}
	seq, err := f.Put(e)
	if want != nil {
		return expect(err, want)
	}
	m.head++
	if err == nil && (seq != m.head || e.Sequence != seq) {
		return fmt.Errorf("Put gave sequence %d instead of %d", seq, m.head)
	}
	if e.Absent {
		e.Disk = entry.Disk{}
	}
	m.entries[p] = *e
	return err
}

func (o operator) touch(f *Folder, m *model, p entry.Path) error {
	old, exists := m.entries[p]
	e := old
	e.Path = p
	e.Disk.Inode = uint64(o.below(1000))
	e.Mode = 0o111 // must have no effect
	if o.below(3) == 0 {
		e.Version = e.Version.Next(9, 1, 1)
		return expect(f.Touch(&e), ErrStale)
	}
	if !exists || old.Absent {
		return expect(f.Touch(&e), ErrStale)
	}
	old.Disk = e.Disk
	m.entries[p] = old
	return f.Touch(&e)
}

func expect(err, want error) error {
	if !errors.Is(err, want) {
		return fmt.Errorf("got %v, want %v", err, want)
	}
	return nil
}

// compare tells how f differs from what it should be.
func (m *model) compare(f *Folder, blocks int) error {
	paths := slices.SortedFunc(maps.Keys(m.entries), entry.Path.Compare)
	if f.Head() != m.head || f.Count() != m.count || f.Joined() != m.joined {
		return fmt.Errorf("head %d, count %d, joined %t", f.Head(), f.Count(), f.Joined())
	}
	i := 0
	for e, err := range f.Range("") {
		if err != nil {
			return err
		}
		if i >= len(paths) || !reflect.DeepEqual(*e, m.entries[paths[i]]) {
			return fmt.Errorf("Range %d is %+v", i, e)
		}
		i++
	}
	if i != len(paths) {
		return fmt.Errorf("%d entries amiss", len(paths)-i)
	}
	return errors.Join(m.compareLight(f), m.compareDerived(f, blocks), m.compareRest(f))
}

// compareLight is about what lies on disk.
func (m *model) compareLight(f *Folder) error {
	lying := maps.Clone(m.entries)
	maps.Copy(lying, m.local)
	paths := slices.SortedFunc(maps.Keys(lying), entry.Path.Compare)
	// From the start, from a path in the middle, and from behind one.
	for _, from := range []int{0, len(paths) / 2, len(paths) / 3} {
		start := entry.Path("")
		if from > 0 {
			start = After(paths[from-1])
		}
		i := from
		for l := range f.Light(start) {
			if i >= len(paths) {
				return fmt.Errorf("Light gives %+v too", l)
			}
			e := lying[paths[i]]
			_, local := m.local[paths[i]]
			sequence := m.entries[paths[i]].Sequence
			if l != (Light{e.Path, e.Kind, e.Mode, e.Size, e.ModTime, e.Disk, sequence, e.Unknown, e.Absent, local}) {
				return fmt.Errorf("Light is %+v instead of %+v", l, e)
			}
			i++
		}
		if i != len(paths) {
			return fmt.Errorf("Light gives %d of %d", i-from, len(paths)-from)
		}
	}
	n := 0
	for e, err := range f.Locals("") {
		if err != nil || !reflect.DeepEqual(*e, m.local[e.Path]) {
			return fmt.Errorf("Locals give %+v, %v", e, err)
		}
		if got, err := f.Local(e.Path); err != nil || !reflect.DeepEqual(got, e) {
			return fmt.Errorf("Local gives %+v, %v", e, err)
		}
		n++
	}
	if n != len(m.local) || f.LocalCount() != int64(n) {
		return fmt.Errorf("%d local entries of %d, and it counts %d", n, len(m.local), f.LocalCount())
	}
	return nil
}

// compareDerived is about what follows from the entries.
func (m *model) compareDerived(f *Folder, blocks int) error {
	var bySequence []entry.Path
	var totals Totals
	unknownPaths := map[entry.Path]bool{}
	holders := map[entry.BlockID]map[entry.Path]bool{}
	for p, e := range m.entries {
		bySequence = append(bySequence, p)
		totals.count(&e, 1)
		if e.Unknown {
			unknownPaths[p] = true
		}
		for _, b := range e.Blocks {
			if e.Absent {
				continue
			}
			if holders[b.ID] == nil {
				holders[b.ID] = map[entry.Path]bool{}
			}
			holders[b.ID][p] = true
		}
	}
	slices.SortFunc(bySequence, func(a, b entry.Path) int { return int(m.entries[a].Sequence) - int(m.entries[b].Sequence) })
	after := len(bySequence) / 3
	first := entry.Sequence(0)
	if after > 0 {
		first = m.entries[bySequence[after-1]].Sequence
	}
	for e, err := range f.Since(first) {
		if err != nil {
			return err
		}
		if after >= len(bySequence) || e.Path != bySequence[after] {
			return fmt.Errorf("Since gives %q", e.Path)
		}
		after++
	}
	if after != len(bySequence) || f.Totals() != totals {
		return fmt.Errorf("Since gives %d of %d; totals %+v instead of %+v", after, len(bySequence), f.Totals(), totals)
	}
	for p := range f.UnknownPaths() {
		if !unknownPaths[p] {
			return fmt.Errorf("UnknownPaths gives %q", p)
		}
		delete(unknownPaths, p)
	}
	for n := range blocks {
		id := block(uint64(n), 0).ID
		for e, offset := range f.FindBlock(id) {
			at := int64(0)
			for i := 0; e.Blocks[i].ID != id; i++ {
				at += int64(e.Blocks[i].Length)
			}
			if !holders[id][e.Path] || at != offset {
				return fmt.Errorf("FindBlock gives %q at %d", e.Path, offset)
			}
			delete(holders[id], e.Path)
		}
		if len(holders[id]) != 0 {
			return fmt.Errorf("FindBlock misses %v", holders[id])
		}
	}
	if len(unknownPaths) != 0 {
		return fmt.Errorf("UnknownPaths misses %v", unknownPaths)
	}
	return nil
}

func (m *model) compareRest(f *Folder) error {
	var totals WantedTotals
	for p, w := range m.wanted {
		best := slices.MaxFunc(w, func(a, b Want) int {
			switch {
			case a.Entry.Version.Beats(b.Entry.Version):
				return 1
			case b.Entry.Version.Beats(a.Entry.Version):
				return -1
			}
			return 0
		})
		totals.Paths++
		totals.Bytes += best.Entry.Size
		if got, err := f.Wanted(p); err != nil || !reflect.DeepEqual(got, w) {
			return fmt.Errorf("wanted of %q: %+v, %v", p, got, err)
		}
	}
	if f.WantedTotals() != totals {
		return fmt.Errorf("WantedTotals are %+v instead of %+v", f.WantedTotals(), totals)
	}
	last := entry.Path("")
	n := 0
	for w, err := range f.WantedRange("") {
		if err != nil || w[0].Entry.Path.Compare(last) <= 0 {
			return fmt.Errorf("WantedRange gives %+v after %q: %v", w, last, err)
		}
		last = w[0].Entry.Path
		n++
	}
	peers := maps.Collect(f.Peers())
	if n != len(m.wanted) || !reflect.DeepEqual(peers, m.peers) {
		return fmt.Errorf("%d paths wanted instead of %d; peers %+v", n, len(m.wanted), peers)
	}
	for r, n := range m.seen {
		if f.Seen(r) != n {
			return fmt.Errorf("Seen(%s) is %d instead of %d", r, f.Seen(r), n)
		}
	}
	return nil
}

var errUndo = errors.New("undo")

// history runs random transactions on an index and a model of it.
func history(t failer, path string, o operator, transactions, steps int) {
	db, err := Open(path)
	must(t, err)
	defer func() { must(t, db.Close()) }()
	must(t, db.Update(func(tx *Tx) error {
		_, err := tx.CreateFolder(folderA, me, 7)
		return err
	}))
	m := newModel()
	for range transactions {
		next := m.clone()
		undo := o.below(5) == 0
		err := db.Update(func(tx *Tx) error {
			return onFolder(tx, func(f *Folder) error {
				for range 1 + o.below(steps) {
					if err := o.step(f, next); err != nil {
						return err
					}
				}
				if undo {
					return errUndo
				}
				return next.compare(f, o.blocks)
			})
		})
		if undo {
			err = expect(err, errUndo)
		} else {
			m = next
		}
		must(t, err)
		if o.below(4) == 0 {
			must(t, db.Close())
			db, err = Open(path)
			must(t, err)
		}
		must(t, db.View(func(tx *Tx) error {
			return onFolder(tx, func(f *Folder) error { return m.compare(f, o.blocks) })
		}))
	}
}

func TestIndexBehavesLikeMapsUnderRandomTransactions(t *testing.T) {
	dir := t.TempDir()
	n := 0
	rapid.Check(t, func(rt *rapid.T) {
		n++
		history(rt, filepath.Join(dir, fmt.Sprint(n)), operator{rapidSource{rt}, 12, 6}, 6, 10)
	})
}

func TestIndexBehavesLikeMapsWhenItHasManyPages(t *testing.T) {
	o := operator{plainSource{rand.New(rand.NewPCG(1, 2))}, 3000, 700}
	history(t, filepath.Join(t.TempDir(), "index.db"), o, 12, 4000)
}

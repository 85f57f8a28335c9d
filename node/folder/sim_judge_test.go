package folder

import (
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/kithmesh/kith/index"
	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/version"
	"github.com/kithmesh/kith/node/tree/treetest"
)

// simState is one version of one path, and simSign what it is a version of.
type simState struct{ path, vector string }

type simSign struct {
	kind    entry.Kind
	mode    uint32
	modTime int64
	digest  entry.Digest
	gone    entry.Digest
}

func simStateOf(e *entry.Entry) simState {
	b := make([]byte, 0, 16*len(e.Version.Vector))
	for _, c := range e.Version.Vector {
		b = binary.LittleEndian.AppendUint64(b, uint64(c.Replica))
		b = binary.LittleEndian.AppendUint64(b, c.Count)
	}
	return simState{string(e.Path), string(b)}
}

// committed checks what a device has just put into its index: one version of a
// path is one state of it, wherever and whenever it is met.
func (w *simWorld) committed(d *simDevice) {
	if d.strange && !d.fearless {
		return
	}
	d.view(func(x *index.Folder) error {
		for e, err := range x.Since(d.counted) {
			if err != nil {
				return err
			}
			if !e.Unknown {
				w.judgeState(d, e)
			}
		}
		d.counted = x.Head()
		return nil
	})
}

func (w *simWorld) judgeState(d *simDevice, e *entry.Entry) {
	at, sign := simStateOf(e), simSign{e.Kind, e.Mode, e.ModTime, e.Digest(), e.Gone}
	was, known := w.judged[at]
	if known && was != sign {
		w.fail("two states", "%s: %q has two states under one version %v: %+v, and elsewhere %+v", d.name, e.Path, e.Version, sign, was)
	}
	w.judged[at] = sign
	w.known[at] |= 1 << d.number
	if w.story != nil {
		w.note(d.name, "  has %q %v %v", e.Path, e.Kind, simVersion(e.Version))
	}
}

// forgets takes back what a device alone has known.
func (w *simWorld) forgets(d *simDevice) {
	for at, who := range w.known {
		if who == 1<<d.number {
			delete(w.known, at)
			delete(w.judged, at)
		}
	}
}

func simVersion(v version.Version) string {
	var b strings.Builder
	for _, c := range v.Vector {
		fmt.Fprintf(&b, "%04x:%d ", uint64(c.Replica)>>48, c.Count)
	}
	return fmt.Sprintf("%sby %04x at %d", b.String(), uint64(v.Author)>>48, v.Clock)
}

// judge checks all that must hold when all devices are at rest.
func (w *simWorld) judge() {
	if w.failed != nil {
		return
	}
	first := w.devices[0]
	all := first.disk.Items()
	for _, d := range w.devices[1:] {
		if diff := simDiff(all, d.disk.Items()); diff != "" {
			w.fail("diverged", "%s and %s differ: %s", first.name, d.name, diff)
			return
		}
	}
	w.judgeContents(all)
	versions := map[entry.Path]version.Version{}
	for _, d := range w.devices {
		w.judgeIndex(d, versions)
	}
}

// simDiff is the first difference of two trees.
func simDiff(a, b []treetest.Item) string {
	for i := 0; i < len(a) || i < len(b); i++ {
		switch {
		case i >= len(a):
			return "only the other has " + simItem(b[i])
		case i >= len(b):
			return "only one has " + simItem(a[i])
		case simItem(a[i]) != simItem(b[i]):
			return simItem(a[i]) + ", and " + simItem(b[i])
		}
	}
	return ""
}

func simItem(it treetest.Item) string {
	s := it.Stat
	s.Disk = entry.Disk{}
	return fmt.Sprintf("%q %v mode %o of %d: %.40q %s", it.Path, s.Kind, s.Mode, s.ModTime, it.Body, s.Target)
}

// judgeContents checks that nothing is lost, and nothing has come back.
func (w *simWorld) judgeContents(all []treetest.Item) {
	u := &w.users
	have := map[string]bool{}
	for _, it := range all {
		for _, m := range simMark.FindAllString(it.Body+it.Stat.Target, -1) {
			have[m] = true
			if u.past[m] {
				w.fail("revived", "%s was gone everywhere, and is back as %q", m, it.Path)
			}
		}
		if it.Stat.Kind == entry.File && !u.bodies[it.Body] {
			w.fail("foreign bytes", "%q holds what nobody wrote: %.60q", it.Path, it.Body)
		}
	}
	var taken map[string]bool
	for i := range u.written {
		m := fmt.Sprintf("<c%05d>", i+1)
		if have[m] {
			continue
		}
		if u.owed[m] {
			if taken == nil {
				taken = u.taken()
			}
			if !taken[m] {
				w.fail("lost", "%s is lost", m)
			}
		}
		u.past[m] = true
	}
}

// judgeIndex checks that an index says what is on its disk, and that all have
// the same versions.
func (w *simWorld) judgeIndex(d *simDevice, versions map[entry.Path]version.Version) {
	items := map[entry.Path]treetest.Item{}
	for _, it := range d.disk.Items() {
		items[it.Path] = it
	}
	d.view(func(x *index.Folder) error {
		for e, err := range x.Range("") {
			if err != nil {
				return err
			}
			w.judgeEntry(d, e, items, versions)
			delete(items, e.Path)
		}
		for v := range x.WantedRange("") {
			w.fail("wanted", "%s still wants %q", d.name, v[0].Entry.Path)
		}
		for p := range x.UnknownPaths() {
			w.fail("unknown", "%s: the history of %q is unknown", d.name, p)
		}
		return nil
	})
	for p := range items {
		w.fail("index", "%s: %q lies on the disk and not in the index", d.name, p)
	}
	if staged, aside := d.disk.Left(); staged+aside > 0 {
		w.fail("left", "%s: %d staged and %d displaced files are left", d.name, staged, aside)
	}
	if n := len(d.a.stuck); n > 0 {
		w.fail("stuck", "%s: %d problems are left: %v", d.name, n, d.a.problems())
	}
}

func (w *simWorld) judgeEntry(d *simDevice, e *entry.Entry, items map[entry.Path]treetest.Item, versions map[entry.Path]version.Version) {
	it, there := items[e.Path]
	st := it.Stat
	switch {
	case !e.Lives() && there:
		w.fail("index", "%s: %q lies on the disk and is deleted in the index", d.name, e.Path)
	case e.Lives() && !there:
		w.fail("index", "%s: %q is not on the disk: %+v", d.name, e.Path, e)
	case e.Kind == entry.File && (st.Kind != e.Kind || st.Mode != e.Mode || st.Size != e.Size || st.ModTime != e.ModTime || st.Disk != e.Disk),
		e.Kind == entry.Symlink && (st.Kind != e.Kind || st.Target != e.Target || st.ModTime != e.ModTime || st.Disk != e.Disk),
		e.Kind == entry.Directory && (st.Kind != e.Kind || st.Mode != e.Mode):
		w.fail("index", "%s: %q is %+v on the disk, and in the index %+v", d.name, e.Path, st, e)
	}
	if e.Kind == entry.File && there && !d.holds(e, it.Body) {
		w.fail("index", "%s: %q holds other bytes than the index says", d.name, e.Path)
	}
	if v, ok := versions[e.Path]; ok && e.Lives() && v.Compare(e.Version) != version.Equal {
		w.fail("versions", "%s: %q has version %v, and elsewhere %v", d.name, e.Path, e.Version, v)
	}
	if e.Lives() {
		versions[e.Path] = e.Version
	}
}

// holds tells whether a body is the content of an entry.
func (d *simDevice) holds(e *entry.Entry, body string) bool {
	k := d.folder.key(e.Epoch)
	at := 0
	for _, b := range e.Blocks {
		if k == nil || at+int(b.Length) > len(body) || k.BlockID([]byte(body[at:at+int(b.Length)])) != b.ID {
			return false
		}
		at += int(b.Length)
	}
	return at == len(body)
}

// restless says what keeps the devices from rest.
func (w *simWorld) restless(but *simDevice) string {
	var b strings.Builder
	for _, d := range w.devices {
		if d == but {
			continue
		}
		if !d.up() {
			fmt.Fprintf(&b, "\n  %s is down", d.name)
			continue
		}
		fmt.Fprintf(&b, "\n  %s: %+v, looking %v, in flight %d, settled %v, scanned %v, dirty %v, interrupted %v", d.name, d.a.published,
			d.a.looking, d.a.inflight.batches, d.a.settled, d.a.scanned, d.a.dirty.marks, d.a.interrupted)
		d.view(func(x *index.Folder) error {
			for v := range x.WantedRange("") {
				for _, want := range v {
					fmt.Fprintf(&b, "\n    wants %q %v %s from %v", want.Entry.Path, want.Entry.Kind, simVersion(want.Entry.Version), want.Tellers)
				}
			}
			return nil
		})
	}
	return b.String()
}

package seal

import (
	"encoding/binary"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/version"
)

// Bits of an entry's form, above its kind.
const (
	formKind        = 0b00111
	formSeconds     = 0b01000
	formNanoseconds = 0b10000
	formKnown       = formKind | formSeconds | formNanoseconds
)

// What stands in the column of what deletes removed, where it is no reference.
const (
	goneUnknown = 0
	goneLiteral = 1
	goneRef     = 2 // and above
)

const second = 1_000_000_000 // nanoseconds

// batchWriter lays out entries by column, in two parts: what is alike from one
// entry to the next, and what no compression makes shorter. Kept apart, the
// second does not spoil the statistics of the first.
type batchWriter struct {
	entries        []*entry.Entry
	columns, noise []byte
}

// batchInside is the layout that record.proto specifies. It is a function of
// the entries, which the golden vectors hold.
func batchInside(entries []*entry.Entry) (columns, noise []byte) {
	w := &batchWriter{entries: entries, columns: make([]byte, 0, 64+24*len(entries)), noise: make([]byte, 0, 40*len(entries))}
	w.uvarint(uint64(len(entries)))
	w.forms()
	w.paths()
	w.versions()
	w.times()
	w.files()
	w.targets()
	w.gone()
	if formatOf(entries) == unseenFormat {
		w.unseen()
	}
	w.blockIDs()
	return w.columns, w.noise
}

func (w *batchWriter) uvarint(n uint64) { w.columns = binary.AppendUvarint(w.columns, n) }

func (w *batchWriter) varint(n int64) { w.columns = binary.AppendVarint(w.columns, n) }

func (w *batchWriter) forms() {
	for _, e := range w.entries {
		form := byte(e.Kind)
		seconds, nanoseconds := splitTime(e.ModTime)
		if seconds != 0 {
			form |= formSeconds
		}
		if nanoseconds != 0 {
			form |= formNanoseconds
		}
		w.columns = append(w.columns, form)
	}
	var last [formKind + 1]uint32
	for _, e := range w.entries {
		w.uvarint(uint64(e.Mode ^ last[e.Kind]))
		last[e.Kind] = e.Mode
	}
}

// splitTime rounds down, so that nanoseconds are never negative.
func splitTime(t int64) (seconds int64, nanoseconds uint32) {
	seconds, rest := t/second, t%second
	if rest < 0 {
		seconds, rest = seconds-1, rest+second
	}
	return seconds, uint32(rest)
}

// paths are written as what differs from the path before.
func (w *batchWriter) paths() {
	type share struct{ head, tail int }
	shares := make([]share, len(w.entries))
	var last entry.Path
	for i, e := range w.entries {
		s := &shares[i]
		n := min(len(last), len(e.Path))
		for s.head < n && last[s.head] == e.Path[s.head] {
			s.head++
		}
		for s.tail < n-s.head && last[len(last)-1-s.tail] == e.Path[len(e.Path)-1-s.tail] {
			s.tail++
		}
		last = e.Path
	}
	for _, s := range shares {
		w.uvarint(uint64(s.head))
	}
	for _, s := range shares {
		w.uvarint(uint64(s.tail))
	}
	for i, s := range shares {
		w.uvarint(uint64(len(w.entries[i].Path) - s.head - s.tail))
	}
	for i, s := range shares {
		p := w.entries[i].Path
		w.columns = append(w.columns, p[s.head:len(p)-s.tail]...)
	}
}

// numbering gives out numbers from 0 in the order of first use.
type numbering[T comparable] struct {
	numbers map[T]int
	order   []T
}

func (n *numbering[T]) of(v T) int {
	// Mostly there is just one.
	if len(n.order) > 0 && n.order[0] == v {
		return 0
	}
	i, ok := n.numbers[v]
	if !ok {
		i = len(n.order)
		if n.numbers == nil {
			n.numbers = map[T]int{}
		}
		n.numbers[v] = i
		n.order = append(n.order, v)
	}
	return i
}

func (w *batchWriter) versions() {
	var replicas numbering[version.ReplicaID]
	var names numbering[string]
	for _, e := range w.entries {
		names.of(e.AuthorName)
		for _, c := range e.Version.Vector {
			replicas.of(c.Replica)
		}
	}
	w.uvarint(uint64(len(replicas.order)))
	for _, id := range replicas.order {
		w.columns = binary.BigEndian.AppendUint64(w.columns, uint64(id))
	}
	w.uvarint(uint64(len(names.order)))
	for _, name := range names.order {
		w.uvarint(uint64(len(name)))
		w.columns = append(w.columns, name...)
	}
	for _, e := range w.entries {
		w.uvarint(uint64(names.of(e.AuthorName)))
	}
	for _, e := range w.entries {
		w.uvarint(uint64(replicas.of(e.Version.Author)))
	}
	for _, e := range w.entries {
		w.uvarint(uint64(len(e.Version.Vector)))
	}
	for _, e := range w.entries {
		for _, c := range e.Version.Vector {
			w.uvarint(uint64(replicas.of(c.Replica)))
		}
	}
	counts := make([]uint64, len(replicas.order))
	for _, e := range w.entries {
		for _, c := range e.Version.Vector {
			last := &counts[replicas.of(c.Replica)]
			w.varint(int64(c.Count - *last))
			*last = c.Count
		}
	}
	var clock version.Clock
	for _, e := range w.entries {
		w.varint(int64(e.Version.Clock - clock))
		clock = e.Version.Clock
	}
}

func (w *batchWriter) times() {
	var last int64
	for _, e := range w.entries {
		seconds, nanoseconds := splitTime(e.ModTime)
		if seconds != 0 {
			w.varint(seconds - last)
			last = seconds
		}
		if nanoseconds != 0 {
			w.noise = binary.BigEndian.AppendUint32(w.noise, nanoseconds)
		}
	}
}

// files writes sizes and lengths; blockIDs comes last, and apart.
func (w *batchWriter) files() {
	for _, e := range w.entries {
		if e.Kind == entry.File {
			w.uvarint(uint64(e.Size))
		}
	}
	for _, e := range w.entries {
		if e.Kind == entry.File {
			w.uvarint(uint64(len(e.Blocks)))
		}
	}
	for _, e := range w.entries {
		for i := range len(e.Blocks) - 1 { // the last one's follows from the size
			w.uvarint(uint64(e.Blocks[i].Length))
		}
	}
}

func (w *batchWriter) targets() {
	for _, e := range w.entries {
		if e.Kind == entry.Symlink {
			w.uvarint(uint64(len(e.Target)))
		}
	}
	for _, e := range w.entries {
		w.columns = append(w.columns, e.Target...)
	}
}

// gone says what deletes removed, by another entry of the batch where there is
// one: a rename is a new path with the content that an old one lost.
func (w *batchWriter) gone() {
	var known knownDigests
	for i, e := range w.entries {
		switch {
		case e.Kind != entry.Deleted:
		case e.Gone == (entry.Digest{}):
			w.uvarint(goneUnknown)
		default:
			known.read(w.entries)
			expected := known.next
			if at, ok := known.find(e.Gone); ok {
				w.uvarint(goneRef + zigzag(int64(at-expected)))
			} else {
				w.uvarint(goneLiteral)
				w.noise = append(w.noise, e.Gone[:]...)
			}
			known.add(e.Gone, i)
		}
	}
}

// unseen is only written if there is any.
func (w *batchWriter) unseen() {
	counts := make([][]uint64, len(w.entries))
	for i, e := range w.entries {
		counts[i] = unseenCounts(e)
		w.uvarint(uint64(len(counts[i])))
	}
	for _, of := range counts {
		for _, n := range of {
			w.uvarint(n)
		}
	}
}

// knownDigests tells which entry a digest can be had from.
type knownDigests struct {
	digests []entry.Digest // by entry; zero where not known
	first   map[entry.Digest]int
	next    int // the entry after the last one found
}

// read takes in the living entries, once.
func (d *knownDigests) read(entries []*entry.Entry) {
	if d.digests != nil {
		return
	}
	d.digests = make([]entry.Digest, len(entries))
	d.first = make(map[entry.Digest]int, len(entries))
	for i, e := range entries {
		if e.Lives() {
			d.add(e.Digest(), i)
		}
	}
}

func (d *knownDigests) add(digest entry.Digest, at int) {
	d.digests[at] = digest
	if _, ok := d.first[digest]; !ok {
		d.first[digest] = at
	}
}

// find prefers the entry that is expected, so that the references of files with
// equal content run on.
func (d *knownDigests) find(digest entry.Digest) (at int, ok bool) {
	at = d.next
	if at >= len(d.digests) || d.digests[at] != digest {
		if at, ok = d.first[digest]; !ok {
			return 0, false
		}
	}
	d.next = at + 1
	return at, true
}

func zigzag(n int64) uint64 { return uint64(n<<1) ^ uint64(n>>63) }

func unzigzag(n uint64) int64 { return int64(n>>1) ^ -int64(n&1) }

func (w *batchWriter) blockIDs() {
	for _, e := range w.entries {
		for i := range e.Blocks {
			w.noise = append(w.noise, e.Blocks[i].ID[:]...)
		}
	}
}

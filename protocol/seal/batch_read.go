package seal

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/version"
)

// batchReader reads what batchWriter wrote, or a liar with the key. Nothing is
// allocated before it is known that there are bytes to fill it, and what one
// byte can stand for is bounded. Once broken it reads zeros, to an early end.
type batchReader struct {
	format         byte
	columns, noise []byte
	entries        []entry.Entry
	broken         string // what was wrong first; empty while nothing is
}

// fromBatchInside reads what batchInside wrote in this format. Its errors wrap
// ErrSealed and ErrBatch. Entries are not checked, and have no epoch.
func fromBatchInside(format byte, columns, noise []byte) ([]entry.Entry, error) {
	r := &batchReader{format: format, columns: columns, noise: noise}
	n := r.bounded("number of entries", MaxBatch)
	if n == 0 {
		r.fail("number of entries")
	}
	if r.broken == "" {
		r.entries = make([]entry.Entry, n)
		r.read()
	}
	if r.broken == "" && len(r.columns)+len(r.noise) > 0 {
		r.fail("end")
	}
	if r.broken != "" {
		return nil, fmt.Errorf("%w: %w: %s", ErrSealed, ErrBatch, r.broken)
	}
	return r.entries, nil
}

func (r *batchReader) read() {
	forms := r.take(&r.columns, "forms", len(r.entries))
	if r.broken != "" {
		return
	}
	r.forms(forms)
	r.paths()
	r.versions()
	r.times(forms)
	counts := r.files()
	r.targets()
	gone := r.gone()
	if r.format == unseenFormat {
		r.unseen()
	}
	r.blocks(counts)
	r.resolve(gone)
}

func (r *batchReader) fail(what string) {
	if r.broken == "" {
		r.broken = what
	}
	r.columns, r.noise = nil, nil
}

// uvarint reads a number.
func (r *batchReader) uvarint(what string) uint64 {
	if len(r.columns) > 0 && r.columns[0] < 0x80 {
		n := r.columns[0]
		r.columns = r.columns[1:]
		return uint64(n)
	}
	n, size := binary.Uvarint(r.columns)
	if size <= 0 {
		r.fail(what)
		return 0
	}
	r.columns = r.columns[size:]
	return n
}

func (r *batchReader) varint(what string) int64 { return unzigzag(r.uvarint(what)) }

// bounded reads a number that must not exceed most.
func (r *batchReader) bounded(what string, most int) int {
	n := r.uvarint(what)
	if n > uint64(most) {
		r.fail(what)
		return 0
	}
	return int(n)
}

// column reads one bounded number for each entry, and adds them up.
func (r *batchReader) column(what string, most int) (numbers []int, sum int) {
	numbers = make([]int, len(r.entries))
	for i := range numbers {
		numbers[i] = r.bounded(what, most)
		sum += numbers[i]
	}
	return numbers, sum
}

// take cuts n bytes from columns or noise; it returns nil if there are fewer.
func (r *batchReader) take(from *[]byte, what string, n int) []byte {
	if n > len(*from) {
		r.fail(what)
		return nil
	}
	out := (*from)[:n:n]
	*from = (*from)[n:]
	return out
}

func (r *batchReader) forms(forms []byte) {
	for i, form := range forms {
		if form&^formKnown != 0 {
			r.fail("forms")
		}
		r.entries[i].Kind = entry.Kind(form & formKind)
	}
	var last [formKind + 1]uint32
	for i := range r.entries {
		e := &r.entries[i]
		mode := r.uvarint("modes")
		if mode > math.MaxUint32 {
			r.fail("modes")
		}
		e.Mode = uint32(mode) ^ last[e.Kind]
		last[e.Kind] = e.Mode
	}
}

func (r *batchReader) paths() {
	heads, _ := r.column("paths", entry.MaxPath)
	tails, _ := r.column("paths", entry.MaxPath)
	lengths, sum := r.column("paths", entry.MaxPath)
	text := r.take(&r.columns, "paths", sum)
	if r.broken != "" {
		return
	}
	var last, buf []byte // each other's room in turn
	for i := range r.entries {
		if heads[i]+tails[i] > len(last) || heads[i]+tails[i]+lengths[i] > entry.MaxPath {
			r.fail("paths")
			return
		}
		buf = append(buf[:0], last[:heads[i]]...)
		buf = append(buf, text[:lengths[i]]...)
		buf = append(buf, last[len(last)-tails[i]:]...)
		text = text[lengths[i]:]
		r.entries[i].Path = entry.Path(buf)
		last, buf = buf, last
	}
}

func (r *batchReader) versions() {
	replicas := make([]version.ReplicaID, r.bounded("replicas", len(r.columns)/8))
	ids := r.take(&r.columns, "replicas", 8*len(replicas))
	for i := range len(ids) / 8 {
		replicas[i] = version.ReplicaID(binary.BigEndian.Uint64(ids[8*i:]))
	}
	r.authors(replicas)
	lengths, sum := r.column("vectors", version.MaxReplicas)
	if sum > maxCounters || sum > len(r.columns)/2 {
		r.fail("vectors")
	}
	if r.broken != "" {
		return
	}
	numbers := make([]int, 0, sum)
	for range sum {
		numbers = append(numbers, r.bounded("vectors", len(replicas)-1))
	}
	counts := make([]uint64, len(replicas))
	for i := range r.entries {
		if r.broken != "" {
			return
		}
		v := make(version.Vector, lengths[i])
		for j := range v {
			last := &counts[numbers[j]]
			*last += uint64(r.varint("counters"))
			v[j] = version.Counter{Replica: replicas[numbers[j]], Count: *last}
		}
		numbers = numbers[len(v):]
		r.entries[i].Version.Vector = v
	}
	var clock version.Clock
	for i := range r.entries {
		clock += version.Clock(r.varint("clocks"))
		r.entries[i].Version.Clock = clock
	}
}

func (r *batchReader) authors(replicas []version.ReplicaID) {
	names := make([]string, r.bounded("author names", min(MaxBatch, len(r.columns))))
	for i := range names {
		n := r.bounded("author names", entry.MaxAuthorName)
		names[i] = string(r.take(&r.columns, "author names", n))
	}
	if len(names) == 0 || len(replicas) == 0 {
		r.fail("authors")
		return
	}
	for i := range r.entries {
		r.entries[i].AuthorName = names[r.bounded("authors", len(names)-1)]
	}
	for i := range r.entries {
		r.entries[i].Version.Author = replicas[r.bounded("authors", len(replicas)-1)]
	}
}

func (r *batchReader) times(forms []byte) {
	var last int64
	for i, form := range forms {
		if form&formSeconds != 0 {
			last += r.varint("times")
			r.entries[i].ModTime = last * second
		}
		if form&formNanoseconds != 0 {
			if b := r.take(&r.noise, "times", 4); b != nil {
				r.entries[i].ModTime += int64(binary.BigEndian.Uint32(b))
			}
		}
	}
}

// each calls fn for the entries of a kind, until something is broken.
func (r *batchReader) each(kind entry.Kind, fn func(i int, e *entry.Entry)) {
	for i := range r.entries {
		if r.broken != "" {
			return
		}
		if r.entries[i].Kind == kind {
			fn(i, &r.entries[i])
		}
	}
}

// files reads sizes, and makes blocks that have lengths but no ID yet. It
// returns how many there are.
func (r *batchReader) files() (blocks int) {
	r.each(entry.File, func(_ int, e *entry.Entry) {
		e.Size = int64(min(r.uvarint("sizes"), math.MaxInt64)) // too large by far, and refused for it
	})
	counts := make([]int, len(r.entries))
	most := len(r.noise) / idBytes
	r.each(entry.File, func(i int, _ *entry.Entry) {
		counts[i] = r.bounded("numbers of blocks", most-blocks)
		blocks += counts[i]
	})
	r.each(entry.File, func(i int, e *entry.Entry) {
		if counts[i] > 0 {
			e.Blocks = make([]entry.Block, counts[i])
			r.lengths(e)
		}
	})
	return blocks
}

// lengths reads the length of each block but the last. One that no block can
// have becomes zero, for which the entry is refused.
func (r *batchReader) lengths(e *entry.Entry) {
	last := len(e.Blocks) - 1
	rest := e.Size
	for j := range last {
		if n := r.uvarint("lengths of blocks"); n <= entry.MaxBlock {
			e.Blocks[j].Length = uint32(n)
			rest -= int64(n)
		}
	}
	if rest > 0 && rest <= entry.MaxBlock {
		e.Blocks[last].Length = uint32(rest)
	}
}

func (r *batchReader) targets() {
	lengths := make([]int, len(r.entries))
	r.each(entry.Symlink, func(i int, _ *entry.Entry) { lengths[i] = r.bounded("targets", entry.MaxTarget) })
	r.each(entry.Symlink, func(i int, e *entry.Entry) { e.Target = string(r.take(&r.columns, "targets", lengths[i])) })
}

// gone reads what deletes removed where it is told, and returns the entry that
// it is to be had from where it is not; or -1.
func (r *batchReader) gone() []int {
	refs := make([]int, len(r.entries))
	next := 0
	for i := range refs {
		refs[i] = -1
		if r.entries[i].Kind != entry.Deleted || r.broken != "" {
			continue
		}
		switch n := r.uvarint("digests"); n {
		case goneUnknown:
		case goneLiteral:
			if b := r.take(&r.noise, "digests", len(entry.Digest{})); b != nil {
				r.entries[i].Gone = entry.Digest(b)
			}
		default:
			ref := int64(next) + unzigzag(n-goneRef)
			if ref < 0 || ref >= int64(len(refs)) {
				r.fail("digests")
				break
			}
			refs[i], next = int(ref), int(ref)+1
		}
	}
	return refs
}

// unseen reads a column that is only there if some entry has any.
func (r *batchReader) unseen() {
	lengths := make([]int, len(r.entries))
	sum := 0
	for i := range lengths {
		lengths[i] = r.bounded("unseen", len(r.entries[i].Version.Vector))
		sum += lengths[i]
	}
	if sum == 0 || sum > len(r.columns) {
		r.fail("unseen")
	}
	var counts []uint64
	for i := range r.entries {
		counts = counts[:0]
		for range lengths[i] {
			counts = append(counts, r.uvarint("unseen"))
		}
		var ok bool
		if r.entries[i].Unseen, ok = unseenVector(counts, r.entries[i].Version.Vector); !ok {
			r.fail("unseen")
		}
		if r.broken != "" {
			return
		}
	}
}

// blocks reads the IDs, which are all that is left.
func (r *batchReader) blocks(n int) {
	ids := r.take(&r.noise, "block IDs", n*idBytes)
	r.each(entry.File, func(_ int, e *entry.Entry) {
		for j := range e.Blocks {
			e.Blocks[j].ID = entry.BlockID(ids)
			ids = ids[idBytes:]
		}
	})
}

// resolve follows the references of deletes, each of which has an end: a
// delete may only refer to one before it.
func (r *batchReader) resolve(refs []int) {
	digests := make([]entry.Digest, len(r.entries))
	for i, ref := range refs {
		if ref < 0 || r.broken != "" {
			continue
		}
		from := &r.entries[ref]
		switch {
		case from.Kind != entry.Deleted && digests[ref] == (entry.Digest{}):
			digests[ref] = from.Digest() // once, however many refer to it
		case from.Kind == entry.Deleted && ref >= i:
			r.fail("digests")
		case from.Kind == entry.Deleted:
			digests[ref] = from.Gone
		}
		r.entries[i].Gone = digests[ref]
	}
}

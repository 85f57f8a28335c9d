package backup

import (
	"encoding/binary"
	"hash/maphash"
	"slices"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/version"
	"github.com/kithmesh/kith/protocol/seal"
)

// Bounds of what waits in memory, for each member.
const (
	maxQueue      = 50_000   // records
	maxQueueBytes = 64 << 20 // of records
)

// Bounds of one job.
const (
	jobRecords = 4000
	jobBlocks  = 4096
	jobBytes   = 10 << 20 // sealed, at most so
	memberJobs = 3        // at a time
)

// gatherTime is how long a job that is not full waits for more to come, while
// another is under way: what is stored together takes fewer commits.
const gatherTime = 200 * time.Millisecond

// item is a version of a record that a member told, on its way to the vault.
type item struct {
	member   *member
	from     entry.DeviceID
	sequence entry.Sequence // of the member's index
	record   *seal.Record
	absent   bool // the member knows of it and does not hold its content
	done     bool // in the vault, or of no use any more
	replaced bool // the member has a later version: if this cannot be had now, it never can
	tries    int
	due      time.Time // not before
}

// size is what its blocks have at most.
func (it *item) size() (n int64) {
	for _, b := range it.record.Blocks {
		n += int64(b.SealedSize)
	}
	return n
}

// weight is about what it takes in memory.
func (it *item) weight() int64 {
	return int64(200 + len(it.record.Sealed) + 40*len(it.record.Blocks) + 16*len(it.record.Version.Vector))
}

// versionKey tells versions of records apart, so that of two members that tell
// the same one only one is asked for it at a time. That two are taken for the
// same by chance makes one of them wait.
type versionKey [2]uint64

var versionSeed = maphash.MakeSeed()

func (it *item) key() versionKey {
	var h maphash.Hash
	h.SetSeed(versionSeed)
	r := it.record
	_, _ = h.Write(r.ID[:])
	_, _ = h.Write(r.Sealed) // which is bound to all the rest
	first := h.Sum64()
	var b [8]byte
	for _, c := range r.Version.Vector {
		binary.LittleEndian.PutUint64(b[:], uint64(c.Replica)^c.Count<<1)
		_, _ = h.Write(b[:])
	}
	return versionKey{first, h.Sum64()}
}

// enqueue adds what a member told. An earlier version of the same record that
// could not be had is not waited for any more: the member has replaced it, so
// its content is gone there.
func (a *actor) enqueue(m *member, it *item) {
	m.open = append(m.open, it)
	m.queue = append(m.queue, it)
	m.bytes += it.weight()
	for _, old := range m.wants[it.record.ID] {
		old.replaced = old.replaced || it.record.Version.Compare(old.record.Version) == version.After
	}
	m.wants[it.record.ID] = append(m.wants[it.record.ID], it)
	for _, old := range m.again[it.record.ID] {
		if old.replaced {
			a.missed(old)
		}
	}
	m.again[it.record.ID] = slices.DeleteFunc(m.again[it.record.ID], func(old *item) bool { return old.done })
	if len(m.again[it.record.ID]) == 0 {
		delete(m.again, it.record.ID)
	}
}

// missed gives up a version that the member has replaced.
func (a *actor) missed(it *item) {
	if !it.absent {
		a.log().Info("a version was replaced before it could be fetched", "folder", a.ID, "device", it.from, "record", it.record.ID)
	}
	it.finish()
}

// finish says that nothing more is to be done about a version.
func (it *item) finish() {
	it.done = true
	m, id := it.member, it.record.ID
	m.wants[id] = slices.DeleteFunc(m.wants[id], func(w *item) bool { return w == it })
	if len(m.wants[id]) == 0 {
		delete(m.wants, id)
	}
}

// take takes from a member's queue what makes one job.
func (a *actor) take(m *member, now time.Time) (out []*item) {
	blocks, bytes := 0, int64(0)
	full := func() bool { return len(out) >= jobRecords || blocks >= jobBlocks || bytes >= jobBytes }
	add := func(it *item) {
		out = append(out, it)
		blocks += len(it.record.Blocks)
		bytes += it.size()
	}
	for id, waiting := range m.again {
		for len(waiting) > 0 && !full() && !now.Before(waiting[0].due) {
			it := waiting[0]
			waiting = waiting[1:]
			if a.begin(it) {
				add(it)
			}
		}
		if m.again[id] = waiting; len(waiting) == 0 {
			delete(m.again, id)
		}
	}
	n := 0
	for ; n < len(m.queue) && !full(); n++ {
		it := m.queue[n]
		m.bytes -= it.weight()
		if !it.done && a.begin(it) {
			add(it)
		}
	}
	m.queue = slices.Delete(m.queue, 0, n)
	return out
}

// plenty tells whether there is enough in the queue for a full job.
func (m *member) plenty() bool {
	blocks, bytes := 0, int64(0)
	for n, it := range m.queue {
		blocks += len(it.record.Blocks)
		bytes += it.size()
		if n+1 >= jobRecords || blocks >= jobBlocks || bytes >= jobBytes {
			return true
		}
	}
	return false
}

// begin claims a version for a job. One that another job is about waits for
// that.
func (a *actor) begin(it *item) bool {
	k := it.key()
	if _, under := a.under[k]; under {
		a.under[k] = append(a.under[k], it)
		return false
	}
	a.under[k] = nil
	return true
}

// waits between tries to get what could not be had.
var waits = []time.Duration{time.Second, 5 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute}

// later has an item tried again.
func (a *actor) later(it *item, now time.Time) {
	m := it.member
	if a.roll[it.from] != m || it.done {
		return
	}
	if it.replaced {
		a.missed(it)
		return
	}
	it.due = now.Add(waits[min(it.tries, len(waits)-1)])
	it.tries++
	m.again[it.record.ID] = append(m.again[it.record.ID], it)
}

// retry has everything tried at once that waits: somebody has come.
func (a *actor) retry() {
	for _, m := range a.roll {
		m.barren = time.Time{}
		for _, waiting := range m.again {
			for _, it := range waiting {
				it.due = time.Time{}
			}
		}
	}
}

package past

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"slices"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/version"
	"github.com/kithmesh/kith/protocol/seal"
)

// BatchID names changes that one device made in one go: 10 hexadecimal digits,
// from its replica ID and the number of the first of them. All devices that
// know the same changes give them the same ID.
type BatchID string

// BatchGap is how long a device must have changed nothing for its next change
// to begin a batch.
const BatchGap = 10 * time.Minute

// change is one event of one replica: all that a timeline remembers of it.
type change struct {
	count uint64
	clock version.Clock
	id    seal.RecordID
	in    bool // it is one of those that are asked for
}

// timeline is what replicas have changed when: the number of its events, and
// the same in the order in which each made them, once it is sorted.
type timeline map[version.ReplicaID][]change

func (t timeline) add(v version.Version, id seal.RecordID, in bool) {
	t[v.Author] = append(t[v.Author], change{count: v.Vector.Count(v.Author), clock: v.Clock, id: id, in: in})
}

// sort puts events in order and leaves out what was told twice.
func (t timeline) sort() {
	for r, cs := range t {
		slices.SortFunc(cs, func(a, b change) int {
			return cmp.Or(cmp.Compare(a.count, b.count), slices.Compare(a.id[:], b.id[:]), cmp.Compare(a.clock, b.clock))
		})
		t[r] = slices.CompactFunc(cs, func(a, b change) bool { return a.count == b.count && a.id == b.id })
	}
}

// run is a batch within a timeline: events of a replica by their numbers.
type run struct {
	id          BatchID
	author      version.ReplicaID
	first, last uint64
	begun, done version.Clock
	ids         []seal.RecordID
}

// runs are the batches of one replica, of sorted events.
func runs(author version.ReplicaID, cs []change, each func(r run, of []change)) {
	for from := 0; from < len(cs); {
		to := from + 1
		for to < len(cs) && !apart(cs[to-1].clock, cs[to].clock) {
			to++
		}
		each(run{
			id: batchID(author, cs[from].count), author: author, first: cs[from].count, last: cs[to-1].count,
			begun: cs[from].clock, done: cs[to-1].clock,
		}, cs[from:to])
		from = to
	}
}

// apart tells whether a batch ends between two events that follow each other.
// Clocks mostly ascend; one that was pushed ahead by a path's past does not.
func apart(a, b version.Clock) bool {
	return max(a, b)-min(a, b) >= version.Clock(BatchGap/time.Microsecond)
}

func batchID(author version.ReplicaID, first uint64) BatchID {
	b := []byte("kith batch of changes")
	b = binary.BigEndian.AppendUint64(b, uint64(author))
	b = binary.BigEndian.AppendUint64(b, first)
	sum := sha256.Sum256(b)
	return BatchID(hex.EncodeToString(sum[:5]))
}

// event names one event of a replica at one path.
type event struct {
	path   entry.Path
	author version.ReplicaID
	count  uint64
}

func eventOf(e *entry.Entry) event {
	return event{e.Path, e.Version.Author, e.Version.Vector.Count(e.Version.Author)}
}

// batchesOf are the IDs of the batches of events.
func (t timeline) batchesOf(events []event) map[event]BatchID {
	wanted := map[version.ReplicaID][]event{}
	for _, e := range events {
		wanted[e.author] = append(wanted[e.author], e)
	}
	out := make(map[event]BatchID, len(events))
	for author, es := range wanted {
		slices.SortFunc(es, func(a, b event) int { return cmp.Compare(a.count, b.count) })
		runs(author, t[author], func(r run, _ []change) {
			for len(es) > 0 && es[0].count <= r.last {
				if es[0].count >= r.first {
					out[es[0]] = r.id
				}
				es = es[1:]
			}
		})
	}
	return out
}

// find is the batch of an ID.
func (t timeline) find(id BatchID) (found run, ok bool) {
	for author, cs := range t {
		runs(author, cs, func(r run, of []change) {
			if r.id != id {
				return
			}
			found, ok = r, true
			for _, c := range of {
				found.ids = append(found.ids, c.id)
			}
		})
	}
	return found, ok
}

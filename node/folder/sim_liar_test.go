package folder

import (
	"context"
	"errors"
	"slices"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/version"
	"github.com/kithmesh/kith/protocol/exchange"
)

// lies tells whether the device is the liar of its mesh. It is a device like
// the others, but what it says is not what it knows.
func (d *simDevice) lies() bool { return d.w.plan.liesBy == d.number && !d.w.calm }

// lie sends something in the place of a batch.
func (l *simLine) lie(b exchange.Batch, send func(exchange.Batch)) {
	w := l.conn.w
	chance := w.chance
	l.past = append(l.past, b)
	switch chance.IntN(12) {
	case 0: // again
		send(b)
		send(b)
	case 1: // something old
		send(l.past[chance.IntN(len(l.past))])
	case 2: // not at all
	case 3:
		b.Sealed = slices.Clone(b.Sealed)
		if len(b.Sealed) > 0 {
			b.Sealed[chance.IntN(len(b.Sealed))] ^= 1 << chance.IntN(8)
		}
		send(b)
	case 4:
		b.Sequences = b.Sequences[:len(b.Sequences)/2]
		send(b)
	case 5:
		b.Through += entry.Sequence(chance.IntN(100))
		b.Head = b.Through
		send(b)
	case 6:
		b.Index ^= chance.Uint64()
		send(b)
	case 7, 8:
		send(l.forged(b))
		send(b)
	default:
		send(b)
	}
	w.note(l.from.name, "    lies")
}

// forged is a batch of what no honest device says: each is well sealed.
func (l *simLine) forged(b exchange.Batch) exchange.Batch {
	chance := l.conn.w.chance
	k := l.from.folder.key(1)
	b.Items, b.Sealed, b.Sequences, b.Through = nil, nil, nil, b.After
	for range 1 + chance.IntN(3) {
		e := &entry.Entry{
			Path: simPlaces[chance.IntN(len(simPlaces))], AuthorName: "nobody", Kind: entry.Directory, Mode: 0o755, Epoch: 1,
			Version: version.Version{Clock: version.Clock(1 + chance.Uint64N(1<<60))},
		}
		if chance.IntN(2) == 0 {
			e.Kind, e.Mode, e.Gone = entry.Deleted, 0, entry.Digest{1}
		}
		// So many replicas that nobody has claimed.
		for i := range 40 + chance.IntN(900) {
			e.Version.Vector = append(e.Version.Vector, version.Counter{Replica: version.ReplicaID(i + 1), Count: 1 + chance.Uint64N(1<<48)})
		}
		e.Version.Author = 1
		r, err := k.SealRecord(e)
		if err != nil {
			l.conn.w.fail("liar", "forge %+v: %v", e, err)
			return b
		}
		if chance.IntN(4) == 0 {
			r.Sealed[chance.IntN(len(r.Sealed))] ^= 1
		}
		if chance.IntN(4) == 0 {
			r.Version.Vector[0].Count++
		}
		b.Items = append(b.Items, exchange.Item{Sequence: b.After, Record: r})
	}
	return b
}

// lieAbout is what the liar gives for a block.
func (l *simLine) lieAbout(sealed []byte) ([]byte, error) {
	chance := l.conn.w.chance
	switch chance.IntN(10) {
	case 0:
		return nil, nil
	case 1:
		return nil, errors.New("the liar ends the stream")
	case 2:
		if len(sealed) > 0 {
			sealed = slices.Clone(sealed)
			sealed[chance.IntN(len(sealed))] ^= 1 << chance.IntN(8)
		}
	case 3:
		sealed = slices.Clone(sealed[:chance.IntN(len(sealed)+1)])
	case 4:
		sealed = append(slices.Clone(sealed), "and more"...)
	case 5:
		sealed = l.otherBlock(sealed)
	}
	return sealed, nil
}

// otherBlock is some block of the liar's folder, well sealed.
func (l *simLine) otherBlock(sealed []byte) []byte {
	for _, it := range l.from.disk.Items() {
		if it.Stat.Kind != entry.File || it.Body == "" || l.conn.w.chance.IntN(3) > 0 {
			continue
		}
		k := l.from.folder.key(1)
		id := k.BlockID([]byte(it.Body))
		_ = l.from.folder.Sealed(context.Background(), []entry.BlockID{id}, false, func(b []byte) error {
			if b != nil {
				sealed = slices.Clone(b)
			}
			return nil
		})
		return sealed
	}
	return sealed
}

// redeem makes the liar a member like others: what it told is taken back, as
// its index is a new one, and what it has is told anew.
func (w *simWorld) redeem() {
	if w.plan.liar() {
		d := w.devices[w.plan.liesBy]
		d.loseIndex()
		d.start()
	}
}

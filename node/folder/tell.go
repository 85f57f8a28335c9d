package folder

import (
	"context"
	"errors"
	"fmt"

	"github.com/kithmesh/kith/index"
	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/protocol/exchange"
	"github.com/kithmesh/kith/protocol/seal"
)

// Records are the changes of this device after a sequence, sealed together for
// a member that holds the key, who is not told again what it has told itself;
// see [exchange.Book].
func (f *Folder) Records(
	_ context.Context, d entry.DeviceID, after entry.Sequence, limit exchange.Limit,
) (exchange.Batch, error) {
	if f.silent.Load() {
		return exchange.Batch{Folder: f.ID, After: after, Through: after, Head: after}, nil
	}
	b, entries, err := f.changes(d, after, limit)
	if err != nil || len(entries) == 0 {
		return b, err
	}
	if f.blind(d) {
		return f.asRecords(b, entries)
	}
	k := f.key(entries[0].Epoch)
	if k == nil {
		return b, fmt.Errorf("seal %q: no key of epoch %d", entries[0].Path, entries[0].Epoch)
	}
	b.Epoch = entries[0].Epoch
	for {
		b.Sealed, err = k.SealBatch(entries)
		if !errors.Is(err, seal.ErrTooMany) {
			break
		}
		if len(entries) == 1 {
			return alone(b, k, entries[0])
		}
		entries = entries[:len(entries)/2]
		b.Through = entries[len(entries)-1].Sequence
	}
	for i, e := range entries {
		b.Sequences = append(b.Sequences, e.Sequence)
		if e.Absent {
			b.Absent = append(b.Absent, i)
		}
	}
	return b, err
}

// blind tells whether a member holds no key.
func (f *Folder) blind(d entry.DeviceID) bool { return f.Blind != nil && f.Blind(d) }

// asRecords tells entries one by one, sealed for a member that holds no key.
func (f *Folder) asRecords(b exchange.Batch, entries []*entry.Entry) (exchange.Batch, error) {
	k := f.key(entries[0].Epoch)
	if k == nil {
		return b, fmt.Errorf("seal %q: no key of epoch %d", entries[0].Path, entries[0].Epoch)
	}
	size := 0
	for _, e := range entries {
		r, err := k.SealRecord(e)
		if err != nil {
			return b, fmt.Errorf("seal %q: %w", e.Path, err)
		}
		size += len(r.Sealed) + recordSize + 36*len(r.Blocks)
		if size > maxRecords && len(b.Items) > 0 {
			b.Through = b.Items[len(b.Items)-1].Sequence
			return b, nil
		}
		if e.Absent {
			b.Absent = append(b.Absent, len(b.Items))
		}
		b.Items = append(b.Items, exchange.Item{Sequence: e.Sequence, Record: r})
	}
	return b, nil
}

// A batch of records stays well within a message.
const (
	recordSize = 256      // that a record takes beside what is sealed and its blocks
	maxRecords = 12 << 20 // bytes
)

// changes reads the changes for one batch, all of one epoch.
func (f *Folder) changes(d entry.DeviceID, after entry.Sequence, limit exchange.Limit) (b exchange.Batch, entries []*entry.Entry, err error) {
	b = exchange.Batch{Folder: f.ID, After: after, Through: after}
	err = f.DB.View(func(tx *index.Tx) error {
		x, err := tx.Folder(f.ID)
		if err != nil {
			return err
		}
		b.Index, b.Head, b.Session = x.Epoch(), x.Head(), x.Session()
		size := 0
		for e, err := range x.Since(after) {
			if err != nil {
				return err
			}
			if len(entries) >= limit.Records || size >= limit.Bytes || len(entries) > 0 && e.Epoch != entries[0].Epoch {
				return nil
			}
			b.Through = e.Sequence
			if !e.Unknown && !f.echoes.has(d, e) {
				entries = append(entries, e)
				size += tellSize + 36*len(e.Blocks)
			}
		}
		b.Through = b.Head
		return nil
	})
	return b, entries, err
}

// tellSize is about what an entry takes in a batch beside its blocks.
const tellSize = 64

// alone tells an entry that fits no batch as a record.
func alone(b exchange.Batch, k *seal.Keys, e *entry.Entry) (exchange.Batch, error) {
	r, err := k.SealRecord(e)
	if err != nil {
		return b, fmt.Errorf("seal %q: %w", e.Path, err)
	}
	b.Epoch, b.Through = 0, e.Sequence
	b.Items = []exchange.Item{{Sequence: e.Sequence, Record: r}}
	if e.Absent {
		b.Absent = []int{0}
	}
	return b, nil
}

package seal

import (
	"fmt"
	"slices"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/version"
	"github.com/kithmesh/kith/proto/wirepb"
)

// ToWire is the record as a message, which shares memory with it.
func (r *Record) ToWire() *wirepb.Record {
	v := r.Version.Vector
	w := &wirepb.Record{
		Id:       r.ID[:],
		Epoch:    uint32(r.Epoch),
		Replicas: make([]uint64, len(v)),
		Counts:   make([]uint64, len(v)),
		Clock:    uint64(r.Version.Clock),
		Author:   uint32(slices.IndexFunc(v, func(c version.Counter) bool { return c.Replica == r.Version.Author })),
		Sealed:   r.Sealed,
	}
	for i, c := range v {
		w.Replicas[i], w.Counts[i] = uint64(c.Replica), c.Count
	}
	if len(r.Blocks) > 0 {
		w.BlockIds = make([]byte, 0, len(r.Blocks)*len(entry.BlockID{}))
		w.SealedSizes = make([]uint32, len(r.Blocks))
	}
	for i := range r.Blocks {
		w.BlockIds = append(w.BlockIds, r.Blocks[i].ID[:]...)
		w.SealedSizes[i] = r.Blocks[i].SealedSize
	}
	return w
}

// RecordFromWire checks all that can be checked without a key, and returns a
// record that shares the sealed bytes with w. It wraps [ErrRecord], and
// [version.ErrBounds] if it is the version that breaks a bound.
func RecordFromWire(w *wirepb.Record) (*Record, error) {
	r := &Record{}
	if err := r.fromWire(w); err != nil {
		return nil, fmt.Errorf("read record: %w", err)
	}
	return r, nil
}

func (r *Record) fromWire(w *wirepb.Record) error {
	switch {
	case len(w.GetId()) != len(r.ID):
		return fmt.Errorf("%w: ID of %d bytes", ErrRecord, len(w.GetId()))
	case w.GetEpoch() == 0:
		return fmt.Errorf("%w: no epoch", ErrRecord)
	case len(w.GetSealed()) < minSealed || len(w.GetSealed()) > maxSealed || (len(w.GetSealed())-minSealed)%padTo != 0:
		return fmt.Errorf("%w: sealed part of %d bytes", ErrRecord, len(w.GetSealed()))
	case len(w.ProtoReflect().GetUnknown()) > 0:
		return fmt.Errorf("%w: unknown fields", ErrRecord)
	}
	r.ID = RecordID(w.GetId())
	r.Epoch = entry.Epoch(w.GetEpoch())
	r.Sealed = w.GetSealed()
	if err := r.versionFromWire(w); err != nil {
		return err
	}
	return r.blocksFromWire(w)
}

func (r *Record) versionFromWire(w *wirepb.Record) error {
	replicas, counts := w.GetReplicas(), w.GetCounts()
	if len(replicas) != len(counts) || len(replicas) > version.MaxReplicas {
		return fmt.Errorf("%w: %d replicas with %d counters", ErrRecord, len(replicas), len(counts))
	}
	if int64(w.GetAuthor()) >= int64(len(replicas)) {
		return fmt.Errorf("%w: author %d of %d replicas", ErrRecord, w.GetAuthor(), len(replicas))
	}
	r.Version = version.Version{
		Vector: make(version.Vector, len(replicas)),
		Clock:  version.Clock(w.GetClock()),
		Author: version.ReplicaID(replicas[w.GetAuthor()]),
	}
	for i := range replicas {
		r.Version.Vector[i] = version.Counter{Replica: version.ReplicaID(replicas[i]), Count: counts[i]}
	}
	if err := r.Version.Check(); err != nil {
		return fmt.Errorf("%w: %w", ErrRecord, err)
	}
	return nil
}

func (r *Record) blocksFromWire(w *wirepb.Record) error {
	const idSize = len(entry.BlockID{})
	ids, sizes := w.GetBlockIds(), w.GetSealedSizes()
	if len(sizes) > entry.MaxBlocks || len(ids) != len(sizes)*idSize {
		return fmt.Errorf("%w: %d bytes of block IDs for %d blocks", ErrRecord, len(ids), len(sizes))
	}
	if len(sizes) == 0 {
		return nil
	}
	r.Blocks = make([]BlockRef, len(sizes))
	var sum int64
	for i, n := range sizes {
		if n <= Overhead || n > MaxSealedBlock {
			return fmt.Errorf("%w: block %d of %d bytes", ErrRecord, i, n)
		}
		sum += int64(n - Overhead)
		r.Blocks[i] = BlockRef{ID: entry.BlockID(ids[i*idSize:]), SealedSize: n}
	}
	if sum > entry.MaxSize {
		return fmt.Errorf("%w: %d bytes in %d blocks", ErrRecord, sum, len(sizes))
	}
	return nil
}

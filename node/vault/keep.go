package vault

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/protocol/seal"
)

// Content is a record that is about to lose its blocks where they lie now.
type Content struct {
	Record *seal.Record
	From   entry.DeviceID // that gave it; empty is this one
	// Read calls got with those of its blocks that are asked for, sealed, in any
	// order. It need not have all of them. What it hands over is not kept.
	Read func(ctx context.Context, ids []entry.BlockID, got func(id entry.BlockID, sealed []byte) error) error
}

// Keep puts records with those of their blocks that are not held. It reads them
// one after the other, some at a time, so that there can be more of them than
// memory. It returns what went wrong, as [Vault.Put] does; where there is no
// room for one, it goes on with the others. An error of Read ends it.
func (v *Vault) Keep(ctx context.Context, all []Content) error {
	k := keeping{v: v, pending: map[entry.BlockID]bool{}}
	var full error
	for i := range all {
		err := k.add(ctx, &all[i])
		if IsFull(err) {
			full = err
			k.forget()
			continue
		}
		if err != nil {
			return fmt.Errorf("keep record %s in vault %q: %w", all[i].Record.ID, v.dir, err)
		}
	}
	if err := k.flush(ctx); err != nil && !IsFull(err) || full == nil {
		return err
	}
	return full
}

// IsFull tells whether an error says that there was no room.
func IsFull(err error) bool { return errors.Is(err, ErrQuota) || errors.Is(err, ErrDiskFull) }

// keeping is what was read and not put yet.
type keeping struct {
	v       *Vault
	blocks  []Block
	records []Received
	bytes   int
	pending map[entry.BlockID]bool
}

// keepBytes is about how many bytes of blocks wait in memory.
const keepBytes = 16 << 20

func (k *keeping) forget() {
	k.blocks, k.records, k.bytes = nil, nil, 0
	clear(k.pending)
}

func (k *keeping) flush(ctx context.Context) error {
	blocks, records := k.blocks, k.records
	k.forget()
	if len(blocks)+len(records) == 0 {
		return nil
	}
	return k.v.Put(ctx, blocks, records)
}

func (k *keeping) add(ctx context.Context, c *Content) error {
	ids, size, err := k.missing(c.Record)
	if err != nil {
		return err
	}
	if size > keepBytes {
		// All of it or nothing: else it would drive out what it gains nothing by.
		if err := k.flush(ctx); err != nil {
			return err
		}
		if err := k.v.reserve(ctx, size); err != nil {
			return err
		}
	}
	if len(ids) > 0 {
		err := c.Read(ctx, ids, func(id entry.BlockID, sealed []byte) error {
			if k.pending[id] {
				return nil
			}
			k.pending[id] = true
			k.blocks = append(k.blocks, Block{ID: id, Epoch: c.Record.Epoch, Sealed: bytes.Clone(sealed), From: c.From})
			if k.bytes += len(sealed); k.bytes < keepBytes {
				return nil
			}
			return k.flush(ctx)
		})
		if err != nil {
			return err
		}
	}
	k.records = append(k.records, Received{Record: c.Record, From: c.From})
	if len(k.records) >= dropBatch {
		return k.flush(ctx)
	}
	return nil
}

// missing are the blocks that a record names and that are neither held nor about
// to be put, and how many bytes they have at most.
func (k *keeping) missing(r *seal.Record) (ids []entry.BlockID, size int64, err error) {
	all := make([]entry.BlockID, len(r.Blocks))
	for i := range r.Blocks {
		all[i] = r.Blocks[i].ID
	}
	has, err := k.v.HasBlocks(all)
	if err != nil {
		return nil, 0, err
	}
	seen := map[entry.BlockID]bool{}
	for i, id := range all {
		if !has[i] && !k.pending[id] && !seen[id] {
			seen[id] = true
			ids = append(ids, id)
			size += headSize + int64(r.Blocks[i].SealedSize)
		}
	}
	return ids, size, nil
}

// reserve sees to it that there is room for so many bytes, unless others take
// it.
func (v *Vault) reserve(ctx context.Context, n int64) error {
	p := &putting{}
	return v.put(ctx, p, func(t *tx) error {
		p.failed = v.room(t, n)
		return nil
	})
}

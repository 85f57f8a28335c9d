package guard

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/protocol/history"
)

// Of one round of proofs, at most.
const (
	roundBlocks = 2048
	roundBytes  = 64 << 20
	roundFiles  = 1000
)

// Round is as many of the files as are asked about at once: one at least, and
// else no more than 2048 blocks, 64 MiB and 1000 files.
func Round(files []*entry.Entry) []*entry.Entry {
	n, blocks, bytes := 0, 0, int64(0)
	for ; n < len(files) && n < roundFiles; n++ {
		blocks, bytes = blocks+len(files[n].Blocks), bytes+files[n].Size
		if n > 0 && (blocks > roundBlocks || bytes > roundBytes) {
			break
		}
	}
	return files[:n]
}

// prove has the vault prove the blocks of files, in rounds.
func (x *Proof) prove(ctx context.Context, files []*entry.Entry) error {
	var wrong []entry.BlockID
	for len(files) > 0 {
		round := Round(files)
		files = files[len(round):]
		raw, whole := x.read(ctx, round)
		right, err := ProvenBlocks(ctx, x.Vault, Own{x.Folder.Keys(), whole, raw})
		if err != nil {
			return err
		}
		bad := lacking(whole, right)
		if len(bad) > 0 {
			bad, err = x.mend(ctx, whole, raw, bad)
			if err != nil {
				return err
			}
		}
		wrong = append(wrong, bad...)
		for _, e := range whole {
			x.out.Files++
			x.out.Blocks += int64(len(e.Blocks))
			x.out.Bytes += e.Size
		}
		if err := x.Progress(x.out.Blocks, x.total); err != nil {
			return err
		}
	}
	if len(wrong) > 0 {
		x.problem(Withheld, fmt.Sprintf("it could not prove %d blocks that it said it holds", len(wrong)))
	}
	return nil
}

func lacking(files []*entry.Entry, right map[entry.BlockID]bool) (out []entry.BlockID) {
	seen := map[entry.BlockID]bool{}
	for _, e := range files {
		for _, b := range e.Blocks {
			if !right[b.ID] && !seen[b.ID] {
				seen[b.ID] = true
				out = append(out, b.ID)
			}
		}
	}
	return out
}

// read reads the blocks of files as they lie here. Files that have changed
// meanwhile are left out.
func (x *Proof) read(ctx context.Context, files []*entry.Entry) (raw map[entry.BlockID][]byte, whole []*entry.Entry) {
	raw = map[entry.BlockID][]byte{}
	for _, e := range files {
		var ids []entry.BlockID
		for _, b := range e.Blocks {
			ids = append(ids, b.ID)
		}
		i, all := -1, true
		err := x.Folder.Sealed(ctx, ids, func(sealed []byte) error {
			i++
			if all = all && sealed != nil; sealed != nil {
				raw[ids[i]] = append([]byte(nil), sealed...)
			}
			return nil
		})
		if err == nil && all {
			whole = append(whole, e)
		}
	}
	return raw, whole
}

// How long a vault may take to fetch what it is to mend, unless [Proof] says
// otherwise, and how often it is asked meanwhile.
const (
	mendTime  = 20 * time.Second
	mendEvery = 500 * time.Millisecond
)

// mend has the vault fetch this device's form of blocks that it could not prove,
// and returns those that it cannot prove then either.
func (x *Proof) mend(ctx context.Context, files []*entry.Entry, raw map[entry.BlockID][]byte, bad []entry.BlockID) ([]entry.BlockID, error) {
	for ids := bad; len(ids) > 0; {
		part := ids[:min(len(ids), history.MaxIDs)]
		ids = ids[len(part):]
		if _, err := x.Vault.Mend(ctx, part); err != nil && !errors.Is(err, history.ErrFull) {
			return bad, err
		}
	}
	first, wait := len(bad), cmp.Or(x.MendTime, mendTime)
	for begun := time.Now(); len(bad) > 0 && time.Since(begun) < wait; {
		if err := pause(ctx, min(mendEvery, wait)); err != nil {
			return bad, err
		}
		right, err := ProvenBlocks(ctx, x.Vault, Own{x.Folder.Keys(), files, raw})
		if err != nil {
			return bad, err
		}
		bad = lacking(files, right)
	}
	x.out.Mended += int64(first - len(bad))
	return bad, nil
}

func pause(ctx context.Context, t time.Duration) error {
	timer := time.NewTimer(t)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

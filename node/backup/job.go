package backup

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/vault"
)

// job brings some versions of one member into the vault.
type job struct {
	member   *member // for the actor
	link     Member  // that was connected when it began
	items    []*item
	outcomes []outcome
	err      error // why the member or the vault could not be asked
}

// outcome is what became of a version.
type outcome int

const (
	missing outcome = iota // some of its blocks could not be had
	stored
	useless // no device can have made it
)

var (
	errFull  = errors.New("there is no room")
	errVault = errors.New("the vault failed")
)

// run fetches and stores. The member that was connected when it began is asked,
// whoever takes its place meanwhile.
func (j *job) run(ctx context.Context, v *vault.Vault, c *claims) {
	j.outcomes = make([]outcome, len(j.items))
	link := j.link
	ids := j.wanted()
	held, err := v.HasBlocks(ids)
	if err != nil {
		j.err = fmt.Errorf("%w: %w", errVault, err)
		return
	}
	var mine, others []entry.BlockID
	for i, id := range ids {
		switch {
		case held[i]:
		case c.claim(id):
			mine = append(mine, id)
		default:
			others = append(others, id)
		}
	}
	rest, err := j.fetch(ctx, v, link, mine)
	if len(others) > 0 && err == nil {
		// Other jobs may wait for these in turn: so they go in first.
		err, rest = storeBlocks(ctx, v, rest), nil
		c.release(mine)
		mine = nil
		if err == nil {
			err = c.wait(ctx, others)
		}
	}
	if putErr := j.put(ctx, v, rest); putErr != nil {
		err = putErr
	}
	c.release(mine)
	j.err = err
}

// wanted are the blocks that the versions name, each once.
func (j *job) wanted() (ids []entry.BlockID) {
	seen := map[entry.BlockID]bool{}
	for _, it := range j.items {
		if it.absent {
			continue // of another's copy it may become whole
		}
		for _, b := range it.record.Blocks {
			if !seen[b.ID] {
				seen[b.ID] = true
				ids = append(ids, b.ID)
			}
		}
	}
	return ids
}

// put stores the last blocks and all versions, and notes what was refused.
func (j *job) put(ctx context.Context, v *vault.Vault, rest []vault.Block) error {
	var records []vault.Received
	for _, it := range j.items {
		records = append(records, vault.Received{Record: it.record, From: it.from})
	}
	if ctx.Err() != nil {
		ctx = context.WithoutCancel(ctx) // it is here, and soon stored
	}
	err := v.Put(ctx, rest, records)
	if errors.Is(err, vault.ErrRefused) && !isSome(err) {
		if err = storeBlocks(ctx, v, rest); err == nil {
			err = v.Put(ctx, nil, records)
		}
	}
	refused, some := errors.AsType[*vault.RefusedError](err)
	if err != nil && !some {
		return vaultFailed(err)
	}
	for i := range j.outcomes {
		j.outcomes[i] = stored
	}
	if some {
		for _, r := range refused.Records {
			j.outcomes[r.At] = missing
			if errors.Is(r.Err, vault.ErrRefused) {
				j.outcomes[r.At] = useless
			}
		}
	}
	return nil
}

func isSome(err error) bool {
	_, some := errors.AsType[*vault.RefusedError](err)
	return some
}

// storeBlocks stores blocks. If some of them cannot be blocks, the others are
// stored all the same: what is missing then shows with the records.
func storeBlocks(ctx context.Context, v *vault.Vault, bs []vault.Block) error {
	err := v.PutBlocks(ctx, bs)
	if !errors.Is(err, vault.ErrRefused) {
		return vaultFailed(err)
	}
	for i := range bs {
		if err := v.PutBlocks(ctx, bs[i:i+1]); err != nil && !errors.Is(err, vault.ErrRefused) {
			return vaultFailed(err)
		}
	}
	return nil
}

// vaultFailed tells errors of the vault from those of the member that is asked.
func vaultFailed(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, vault.ErrQuota) || errors.Is(err, vault.ErrDiskFull):
		return fmt.Errorf("%w: %w", errFull, err)
	}
	return fmt.Errorf("%w: %w", errVault, err)
}

// claims are the blocks that jobs are fetching, so that none is fetched twice.
type claims struct {
	mu sync.Mutex
	of map[entry.BlockID]chan struct{}
}

// claim tells whether nobody is fetching a block, and says that the caller is.
func (c *claims) claim(id entry.BlockID) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, taken := c.of[id]; taken {
		return false
	}
	c.of[id] = make(chan struct{})
	return true
}

// release ends claims; wait waits for the end of those of others.
func (c *claims) release(ids []entry.BlockID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, id := range ids {
		close(c.of[id])
		delete(c.of, id)
	}
}

func (c *claims) wait(ctx context.Context, ids []entry.BlockID) error {
	for _, id := range ids {
		c.mu.Lock()
		ch := c.of[id]
		c.mu.Unlock()
		if ch == nil {
			continue
		}
		select {
		case <-ch:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

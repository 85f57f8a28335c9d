package vault

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/zeebo/blake3"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/protocol/seal"
)

// Block is a sealed block to be put.
type Block struct {
	ID     entry.BlockID
	Epoch  entry.Epoch
	Sealed []byte
	// From is the device that gave it, for who asks later; empty is this one.
	From entry.DeviceID
}

// Received is a record to be put.
type Received struct {
	Record *seal.Record
	From   entry.DeviceID // that gave it; empty is this one
}

// Put stores blocks, then records, which may name those blocks. When it
// returns, all that it has not refused is durable; calls at the same time share
// the wait for the disk. What is held already is not written again, and what
// was marked to be pruned is kept. All that one call stores has one moment.
//
// It wraps [ErrQuota] or [ErrDiskFull], having stored nothing, where there is
// no room, in a rolling vault not even without what may go; and [ErrRefused], having stored nothing, for what cannot be a sealed
// block. Records are refused one by one, with a [*RefusedError]: those that
// name blocks which are not held, with [ErrMissing], unless the vault is
// partial; and those that no device
// can have made, with ErrRefused.
func (v *Vault) Put(ctx context.Context, blocks []Block, records []Received) error {
	p, err := newPutting(ctx, blocks, records)
	if err != nil {
		return fmt.Errorf("put into vault %q: %w", v.dir, err)
	}
	if err = v.put(ctx, p, p.do); err != nil {
		return fmt.Errorf("put into vault %q: %w", v.dir, err)
	}
	return nil
}

// PutBlocks is [Vault.Put] for blocks alone.
func (v *Vault) PutBlocks(ctx context.Context, blocks []Block) error {
	return v.Put(ctx, blocks, nil)
}

// PutRecords is [Vault.Put] for records alone.
func (v *Vault) PutRecords(ctx context.Context, records []Received) error {
	return v.Put(ctx, nil, records)
}

// putting is one call of Put.
type putting struct {
	blocks  []Block
	sums    [][32]byte
	records []putRecord
	refused []Refusal
	early   int // how many of these were refused before anything was looked up
	failed  error

	held  [][]variant                // of each block, before anything was put
	fresh map[entry.BlockID]struct{} // the blocks that were put
}

type putRecord struct {
	Received
	at   int
	data []byte
	sum  [32]byte
}

// newPutting does the hashing, before anyone has to wait for it.
func newPutting(ctx context.Context, blocks []Block, records []Received) (*putting, error) {
	p := &putting{blocks: blocks, sums: make([][32]byte, len(blocks)), records: make([]putRecord, 0, len(records))}
	for i := range blocks {
		n := len(blocks[i].Sealed)
		if n <= seal.Overhead || n > seal.MaxSealedBlock {
			return nil, fmt.Errorf("block %s of %d bytes: %w", blocks[i].ID, n, ErrRefused)
		}
		p.sums[i] = blake3.Sum256(blocks[i].Sealed)
		if i%64 == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
	for i := range records {
		r := records[i].Record
		if err := checkRecord(r); err != nil {
			p.refuse(r.ID, i, err, nil)
			continue
		}
		data := appendRecord(nil, r)
		p.records = append(p.records, putRecord{records[i], i, data, blake3.Sum256(data)})
	}
	p.early = len(p.refused)
	return p, ctx.Err()
}

// checkRecord keeps what does not come back from disk as it was.
func checkRecord(r *seal.Record) error {
	if err := r.Version.Check(); err != nil {
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	if r.Epoch == 0 || len(r.Blocks) > entry.MaxBlocks || len(r.Sealed) > maxSealedRecord {
		return fmt.Errorf("%w: epoch %d, %d blocks, %d bytes sealed", ErrRefused, r.Epoch, len(r.Blocks), len(r.Sealed))
	}
	return nil
}

// maxSealedRecord is above what package seal makes.
const maxSealedRecord = 64 << 10

func (p *putting) refuse(id seal.RecordID, at int, err error, missing []entry.BlockID) {
	p.refused = append(p.refused, Refusal{ID: id, At: at, Err: err, Missing: missing})
}

func (p *putting) err() error {
	if p.failed != nil {
		return p.failed
	}
	if len(p.refused) > 0 {
		return &RefusedError{p.refused}
	}
	return nil
}

// size is how many bytes it can take in packs.
func (p *putting) size() (n int64) {
	for i := range p.blocks {
		n += headSize + int64(len(p.blocks[i].Sealed))
	}
	for i := range p.records {
		n += headSize + int64(len(p.records[i].data))
	}
	return n
}

// do puts it. What it returns is the end of the whole change; what is refused
// has written nothing.
func (p *putting) do(t *tx) error {
	p.refused = slices.Clip(p.refused[:p.early])
	if p.failed = t.v.room(t, p.size()); p.failed != nil {
		return nil // see Vault.put
	}
	if p.failed = p.checkVariants(t); p.failed != nil {
		if errors.Is(p.failed, ErrRefused) {
			return nil
		}
		return p.failed
	}
	p.fresh = make(map[entry.BlockID]struct{}, len(p.blocks))
	for i := range p.blocks {
		if err := p.putBlock(t, i); err != nil {
			return err
		}
	}
	for i := range p.records {
		r := &p.records[i]
		missing, err := t.missingBeside(r.Record, p.fresh)
		if err != nil {
			return err
		}
		if len(missing) > 0 && !t.v.partial {
			p.refuse(r.Record.ID, r.at, fmt.Errorf("%w: %d blocks that it names", ErrMissing, len(missing)), missing)
			continue
		}
		if err := t.putRecord(r); err != nil {
			return err
		}
	}
	return nil
}

// job waits to be part of a change. If do fails, all of the change is undone,
// and do may be called once more, in another.
type job struct {
	do   func(*tx) error
	err  error
	done bool
}

// queue holds the jobs of those who wait for the next change.
type queue struct {
	mu   sync.Mutex
	jobs []*job
}

func (q *queue) add(j *job) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.jobs = append(q.jobs, j)
}

func (q *queue) take() []*job {
	q.mu.Lock()
	defer q.mu.Unlock()
	jobs := q.jobs
	q.jobs = nil
	return jobs
}

// submit has a job done in one change with all others that wait, by whoever
// comes first.
func (v *Vault) submit(do func(*tx) error) error {
	j := &job{do: do}
	v.queue.add(j)
	v.writing.Lock()
	defer v.writing.Unlock()
	if j.done {
		return j.err
	}
	jobs := v.queue.take()
	if err := v.doJobs(jobs); err != nil && len(jobs) > 1 {
		// One that cannot be done is no harm to the others.
		for _, j := range jobs {
			_ = v.doJobs([]*job{j}) // it is in the job
		}
	}
	return j.err
}

// doJobs does jobs in one change, all or none.
func (v *Vault) doJobs(jobs []*job) error {
	err := v.closedError()
	if err == nil {
		err = v.update(func(t *tx) error {
			for _, j := range jobs {
				if err := j.do(t); err != nil {
					return err
				}
			}
			return nil
		})
	}
	for _, j := range jobs {
		j.err, j.done = err, true
	}
	return err
}

package folder

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"time"

	"github.com/zeebo/blake3"

	"github.com/kithmesh/kith/index"
	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/tree"
	"github.com/kithmesh/kith/protocol/seal"
)

// promises keeps the copies of a file on two devices from being freed at once,
// each on the strength of the other: what this device is about to free it does
// not promise to others, and what it has promised it does not free.
type promises struct {
	mu      sync.Mutex
	freeing map[entry.BlockID]int       // how many files hold the block
	held    map[entry.BlockID]time.Time // until when
}

// ErrFreeing: this device is about to free what it should hold for another.
var ErrFreeing = errors.New("about to be freed here")

// maxPromised bounds what is held for others, in blocks.
const maxPromised = 4 << 20

// Hold promises that blocks which this device has are not freed here for a
// while. It wraps [ErrFreeing] if any of them is about to be.
func (f *Folder) Hold(ids []entry.BlockID, t time.Duration) error {
	p, now := &f.promises, f.Clock()
	p.mu.Lock()
	defer p.mu.Unlock()
	for id, until := range p.held {
		if len(p.held)+len(ids) <= maxPromised {
			break
		}
		if !until.After(now) {
			delete(p.held, id)
		}
	}
	if len(p.held)+len(ids) > maxPromised {
		return fmt.Errorf("hold %d blocks: %w", len(ids), ErrFreeing)
	}
	for _, id := range ids {
		if p.freeing[id] > 0 {
			return fmt.Errorf("block %s: %w", id, ErrFreeing)
		}
	}
	if p.held == nil {
		p.held = map[entry.BlockID]time.Time{}
	}
	for _, id := range ids {
		if until := now.Add(t); until.After(p.held[id]) {
			p.held[id] = until
		}
	}
	return nil
}

// begin marks a file as about to be freed; false if others rely on it.
func (p *promises) begin(e *entry.Entry, now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, b := range e.Blocks {
		if p.held[b.ID].After(now) {
			return false
		}
	}
	if p.freeing == nil {
		p.freeing = map[entry.BlockID]int{}
	}
	for _, b := range e.Blocks {
		p.freeing[b.ID]++
	}
	return true
}

func (p *promises) end(e *entry.Entry) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, b := range e.Blocks {
		if p.freeing[b.ID]--; p.freeing[b.ID] <= 0 {
			delete(p.freeing, b.ID)
		}
	}
}

// Kept is why a file is not freed.
type Kept string

// Reasons to keep a file, in the words of `kith free`.
const (
	KeptPinned    Kept = "pinned"
	KeptNotSynced Kept = "not_synced" // something about it is still to be told, heard or recorded
	KeptInUse     Kept = "in_use"     // another device drops its copy on the strength of this one
	KeptCopies    Kept = "not_enough_copies"
	KeptChanged   Kept = "changed"
)

// Freeing is files that are about to be freed. [Freeing.Close] ends it.
type Freeing struct {
	folder *Folder
	Files  []*entry.Entry
	Kept   map[Kept][]entry.Path
}

// BeginFree looks which files at a path and below it could be freed, and
// promises none of them to others from now on.
func (f *Folder) BeginFree(ctx context.Context, p entry.Path) (*Freeing, error) {
	r := &Freeing{folder: f, Kept: map[Kept][]entry.Path{}}
	var failed error
	err := f.do(ctx, func(a *actor) {
		if !a.present() {
			failed = a.awayError()
			return
		}
		now := a.Clock()
		failed = a.view(func(x *index.Folder) error {
			return each(x, p, func(e *entry.Entry) error {
				if e.Kind != entry.File || e.Absent || len(e.Blocks) == 0 {
					return nil
				}
				kept, err := a.keeps(x, e)
				switch {
				case err != nil:
					return err
				case kept == "" && !f.promises.begin(e, now):
					kept = KeptInUse
				}
				if kept != "" {
					r.Kept[kept] = append(r.Kept[kept], e.Path)
					return nil
				}
				r.Files = append(r.Files, e)
				return nil
			})
		})
	})
	if err := errors.Join(err, failed); err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

// keeps is why a file cannot be freed, whatever others say.
func (a *actor) keeps(x *index.Folder, e *entry.Entry) (Kept, error) {
	w, err := x.Wanted(e.Path)
	if err != nil {
		return "", err
	}
	switch {
	case a.choices.Of(e.Path).Pinned:
		return KeptPinned, nil
	case e.Unknown || len(w) > 0 || a.inflight.has(e.Path) || a.dirty.has(e.Path) || a.going.has(e.Path):
		return KeptNotSynced, nil
	}
	st, err := a.disk.tree.Lstat(e.Path)
	if err != nil || !st.Same(tree.StatOf(e)) {
		a.recheck(e.Path, false)
		return KeptNotSynced, nil
	}
	return "", nil
}

// Close ends what BeginFree began.
func (r *Freeing) Close() {
	for _, e := range r.Files {
		r.folder.promises.end(e)
	}
	r.Files = nil
}

// Seal calls got, in order, with each ID that a member is asked to prove of a
// file, and what it has to have for that: the file's blocks, read from disk now,
// and last the [FileID]. That has to be asked for in one request with the last
// block, and right after it. Seal returns an error if the file is not what the
// index says.
func (r *Freeing) Seal(e *entry.Entry, got func(id entry.BlockID, sealed []byte)) error {
	s := &server{Folder: r.folder, encoding: seal.Raw}
	defer s.close()
	s.open(e)
	for i := range e.Blocks {
		b := s.read(e.Blocks[i].ID)
		if b == nil {
			s.suspect(e.Path)
			return fmt.Errorf("read %q: it is not what it was", e.Path)
		}
		got(e.Blocks[i].ID, b)
	}
	id := FileID(e)
	got(id, id[:])
	return nil
}

// FileID stands for a file at its path among the IDs of blocks. Who holds its
// blocks for the sake of another file, which may change, is no holder of it.
func FileID(e *entry.Entry) entry.BlockID {
	h, d := blake3.NewDeriveKey("kith 2026-11 a file that is proven to be held"), e.Digest()
	_, _ = h.Write(d[:]) // never fails
	_, _ = h.WriteString(string(e.Path))
	var id entry.BlockID
	h.Sum(id[:0])
	return id
}

// Drop frees one of the files, if it is still just what it was. That it is
// absent is durable before it goes: a crash in between leaves a file that the
// next look finds to be here again.
func (r *Freeing) Drop(ctx context.Context, files []*entry.Entry) (dropped []*entry.Entry, err error) {
	var failed error
	err = r.folder.do(ctx, func(a *actor) {
		if !a.present() {
			failed = a.awayError()
			return
		}
		failed = a.update(func(x *index.Folder) error {
			for _, e := range files {
				now, err := x.Get(e.Path)
				if err != nil {
					return err
				}
				if now == nil || now.Sequence != e.Sequence {
					continue
				}
				kept, err := a.keeps(x, e)
				if err != nil {
					return err
				}
				if kept != "" {
					continue
				}
				if err := a.putAway(x, e); err != nil {
					return err
				}
				dropped = append(dropped, e)
			}
			return nil
		})
		if failed != nil {
			dropped = nil
			return
		}
		a.remove(dropped)
	})
	return dropped, errors.Join(err, failed)
}

// remove removes files whose rows say that they are absent.
func (a *actor) remove(files []*entry.Entry) {
	for _, e := range files {
		if err := a.disk.tree.Remove(e.Path, tree.StatOf(e)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			a.Log.Info("free a file", "path", string(e.Path), "error", err)
			a.recheck(e.Path, false) // it is found to be here, or to be something new
		}
	}
	a.stale = true
}

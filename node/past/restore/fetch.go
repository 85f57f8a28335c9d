package restore

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/past"
	"github.com/kithmesh/kith/protocol/seal"
)

// fetcher gets blocks, opened, from whichever source has them.
type fetcher struct {
	keys    map[entry.Epoch]*seal.Keys
	local   func(entry.BlockID) ([]byte, bool)
	sources []*asked
}

// asked is a source, and how often in a row it has failed.
type asked struct {
	past.Source
	failures atomic.Int32
}

// patience is after how many failures in a row a source is asked no more.
const patience = 3

func newFetcher(p *past.Past, local func(entry.BlockID) ([]byte, bool)) *fetcher {
	f := &fetcher{keys: p.Keys, local: local}
	for _, s := range p.Sources {
		f.sources = append(f.sources, &asked{Source: s})
	}
	return f
}

// want is a block that is to be fetched.
type want struct {
	id    entry.BlockID
	epoch entry.Epoch
}

// fetch hands over each of up to MaxAsk different blocks once, in any order: its
// bytes, which are those of its ID and may be overwritten when got returns, or
// an error that says why it cannot be had. It fails if ctx ends or got does.
func (f *fetcher) fetch(ctx context.Context, wants []want, got func(i int, plain []byte, lost error) error) error {
	r := fetching{fetcher: f, wants: wants, got: got, had: make([]bool, len(wants))}
	if err := r.here(); err != nil {
		return err
	}
	for _, s := range f.sources {
		if err := r.from(ctx, s); err != nil {
			return err
		}
	}
	for i := range wants {
		if !r.had[i] {
			if err := got(i, nil, r.why(i)); err != nil {
				return err
			}
		}
	}
	return nil
}

// fetching is one fetch under way.
type fetching struct {
	*fetcher
	wants []want
	got   func(i int, plain []byte, lost error) error
	had   []bool
	plain []byte
	bad   map[int]error // why a form that was had does not open
	down  error         // of the last source that failed
}

// here takes what lies on this device.
func (r *fetching) here() error {
	for i, w := range r.wants {
		k := r.keys[w.epoch]
		if r.local == nil || k == nil {
			continue
		}
		if plain, ok := r.local(w.id); ok && k.BlockID(plain) == w.id {
			r.had[i] = true
			if err := r.got(i, plain, nil); err != nil {
				return err
			}
		}
	}
	return nil
}

// from asks one source for what is still missing, and for further forms of what
// it has in one that does not open.
func (r *fetching) from(ctx context.Context, s *asked) error {
	var left []int
	for i := range r.wants {
		if !r.had[i] {
			left = append(left, i)
		}
	}
	for form := 0; form < past.MaxForms && len(left) > 0; form++ {
		if s.failures.Load() >= patience {
			return nil
		}
		more, err := r.form(ctx, s, left, form)
		if err != nil {
			return err
		}
		left = more
	}
	return nil
}

// form asks for one form of some blocks, and tells of which there may be more.
func (r *fetching) form(ctx context.Context, s *asked, left []int, form int) (more []int, err error) {
	ids := make([]entry.BlockID, len(left))
	for n, i := range left {
		ids[n] = r.wants[i].id
	}
	var failed error // of got
	err = s.Blocks(ctx, ids, form, func(n int, sealed []byte) error {
		if n < 0 || n >= len(left) || sealed == nil || r.had[left[n]] {
			return nil
		}
		i := left[n]
		if err := r.open(i, sealed); err != nil {
			r.note(i, err)
			more = append(more, i)
			return nil
		}
		r.had[i] = true
		failed = r.got(i, r.plain, nil)
		return failed
	})
	switch {
	case failed != nil:
		return nil, failed
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil:
		s.failures.Add(1)
		r.down = err
		return nil, nil
	}
	s.failures.Store(0)
	return more, nil
}

func (r *fetching) open(i int, sealed []byte) (err error) {
	w := r.wants[i]
	k := r.keys[w.epoch]
	if k == nil {
		return past.ErrNoKey
	}
	r.plain, err = k.OpenBlock(r.plain[:0], w.id, sealed)
	return err
}

func (r *fetching) note(i int, err error) {
	if r.bad == nil {
		r.bad = map[int]error{}
	}
	r.bad[i] = err
}

// why says why a block cannot be had.
func (r *fetching) why(i int) error {
	switch {
	case r.bad[i] != nil:
		return fmt.Errorf("block %s: %w: what is held does not open: %w", r.wants[i].id, ErrLost, r.bad[i])
	case r.down != nil:
		return away{fmt.Errorf("block %s: %w: %w", r.wants[i].id, ErrLost, r.down)}
	}
	for _, s := range r.sources {
		if s.failures.Load() >= patience {
			return away{fmt.Errorf("block %s: %w: %w", r.wants[i].id, ErrLost, errUnreachable)}
		}
	}
	return fmt.Errorf("block %s: %w", r.wants[i].id, ErrLost)
}

var errUnreachable = errors.New("a vault has failed several times and is asked no more")

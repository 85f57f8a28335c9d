package back

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/past"
	"github.com/kithmesh/kith/protocol/seal"
)

// fetcher gets blocks from the sources and opens them.
type fetcher struct {
	past *past.Past
}

func newFetcher(_ context.Context, p *past.Past) *fetcher { return &fetcher{past: p} }

// plains are opened blocks.
type plains struct {
	epochs map[entry.BlockID]entry.Epoch // of all that are wanted
	mu     sync.Mutex
	of     map[entry.BlockID][]byte
}

func (p *plains) put(id entry.BlockID, plain []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.of[id] = plain
}

// get fetches blocks, whose epochs are given. What nobody has is not in the
// result. Of a block in several forms the first that opens counts.
func (f *fetcher) get(ctx context.Context, epochs map[entry.BlockID]entry.Epoch) (map[entry.BlockID][]byte, error) {
	out := &plains{epochs: epochs, of: make(map[entry.BlockID][]byte, len(epochs))}
	var failed error
	for form := range past.MaxForms {
		more := false // some source has so many forms
		for _, s := range f.past.Sources {
			var want []entry.BlockID
			for id := range epochs {
				if out.of[id] == nil {
					want = append(want, id)
				}
			}
			if len(want) == 0 {
				return out.of, nil
			}
			some, err := f.ask(ctx, s, want, form, out)
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			failed = errors.Join(failed, err)
			more = more || some
		}
		if !more {
			break
		}
	}
	return out.of, nil
}

// ask asks one source for one form of blocks, and opens what comes beside. It
// tells whether any came.
func (f *fetcher) ask(ctx context.Context, s past.Source, want []entry.BlockID, form int, out *plains) (some bool, err error) {
	var open errgroup.Group
	open.SetLimit(2 * runtime.GOMAXPROCS(0))
	for len(want) > 0 && err == nil {
		part := want[:min(len(want), past.MaxAsk)]
		want = want[len(part):]
		err = s.Blocks(ctx, part, form, func(i int, sealed []byte) error {
			if sealed == nil {
				return nil
			}
			some = true
			id, k := part[i], f.past.Keys[out.epochs[part[i]]]
			if k == nil {
				return nil
			}
			sealed = append([]byte(nil), sealed...)
			open.Go(func() error {
				if plain, err := k.OpenBlock(nil, id, sealed); err == nil {
					if plain == nil {
						plain = []byte{}
					}
					out.put(id, plain)
				}
				return nil
			})
			return ctx.Err()
		})
	}
	_ = open.Wait() // none fails
	return some, err
}

// holds tells whether a file holds just what an entry says.
func (f *fetcher) holds(root *os.Root, at entry.Path, e *entry.Entry) (bool, error) {
	k := f.past.Keys[e.Epoch]
	if k == nil {
		return false, fmt.Errorf("%q: %w", e.Path, past.ErrNoKey)
	}
	in, err := root.Open(string(at))
	if err != nil {
		return false, err
	}
	defer func() { _ = in.Close() }()
	return sameBlocks(in, k, e)
}

func sameBlocks(in io.Reader, k *seal.Keys, e *entry.Entry) (bool, error) {
	var b []byte
	for _, block := range e.Blocks {
		if cap(b) < int(block.Length) {
			b = make([]byte, block.Length)
		}
		b = b[:block.Length]
		if _, err := io.ReadFull(in, b); err != nil {
			return false, nil //nolint:nilerr // shorter than it should be
		}
		if k.BlockID(b) != block.ID {
			return false, nil
		}
	}
	n, err := in.Read(make([]byte, 1))
	if n > 0 {
		return false, nil
	}
	if err == io.EOF {
		err = nil
	}
	return true, err
}

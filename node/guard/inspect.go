package guard

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/protocol/history"
)

const (
	inspectTime   = 20 * time.Second // that a vault may take to answer
	inspectAtOnce = 4
)

// Asked is a vault that says how it stands and what it has received.
type Asked interface {
	State(ctx context.Context) (history.State, error)
	// Received tells what was received after a sequence number, ascending.
	Received(ctx context.Context, after entry.Sequence, each func(history.Held) error) error
}

// Inspection is one vault that is looked at: whether it has what it had, and
// what rules it.
type Inspection struct {
	Vault Asked
	// Known is what is known of it. It is called before the vault is asked:
	// what is told meanwhile is not what it had.
	Known func() Guard
	// Index is what a vault counts as in the exchange.
	Index func(history.VaultID) uint64
	// Done takes what was seen, or why the vault could not be asked.
	Done func(context.Context, Seen, error)
}

// Inspect looks at vaults, four at a time, and returns when all are done: one
// that does not answer, which is given up after 20 seconds, does not hold up the
// others.
func Inspect(ctx context.Context, all []Inspection) {
	var g errgroup.Group
	g.SetLimit(inspectAtOnce)
	for i := range all {
		g.Go(func() error {
			ctx, cancel := context.WithTimeout(ctx, inspectTime)
			defer cancel()
			seen, err := all[i].look(ctx)
			all[i].Done(ctx, seen, err)
			return nil
		})
	}
	_ = g.Wait() // none fails
}

func (x *Inspection) look(ctx context.Context) (seen Seen, err error) {
	g := x.Known()
	if seen.State, err = x.Vault.State(ctx); err != nil {
		return seen, fmt.Errorf("ask a vault how it stands: %w", err)
	}
	seen.Index = x.Index(seen.State.Vault)
	code, text, look := g.judge(&seen)
	if look {
		if again := g.receivedAgain(ctx, x.Vault); again > 0 {
			code, text = g.retold(again)
		}
	}
	if code != "" {
		seen.Fault = Fault{code, text, time.Now()}
	}
	return seen, nil
}

// receivedAgain is a change that a vault had when it was last seen and that it
// has by now received later: it was set back, and has gone on since. Zero is
// none, or that it could not be asked.
func (g *Guard) receivedAgain(ctx context.Context, v Asked) (again entry.Sequence) {
	done := errors.New("done")
	_ = v.Received(ctx, max(g.Sequence, lookBack)-lookBack, func(h history.Held) error {
		if h.Sequence > g.Sequence {
			return done
		}
		if h.Received.After(g.Moment) {
			again = h.Sequence
			return done
		}
		return nil
	})
	return again
}

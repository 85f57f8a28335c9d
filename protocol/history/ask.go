package history

import (
	"context"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/proto/wirepb"
	"github.com/kithmesh/kith/protocol/seal"
)

// State asks where the vault stands.
func (c *Client) State(ctx context.Context) (State, error) {
	var s State
	told, pins := false, 0
	err := c.ask(ctx, &request{kind: askState}, func(m *wirepb.HistoryAnswer) (err error) {
		if w := m.GetState(); w != nil && !told {
			told, pins = true, int(w.GetPins())
			s, err = stateFromWire(w)
			return err
		}
		w := m.GetPin()
		if w == nil || len(s.Pins) == pins {
			return unasked(m)
		}
		p, err := pinFromWire(w)
		if err != nil {
			return err
		}
		if n := len(s.Pins); n > 0 && p.At.Before(s.Pins[n-1].At) {
			return wrong("pin %s is out of order", p.ID)
		}
		s.Pins = append(s.Pins, p)
		return nil
	})
	if err == nil && (!told || len(s.Pins) != pins) {
		err = wrong("a state with %d of %d pins", len(s.Pins), pins)
	}
	if err != nil {
		return State{}, err
	}
	return s, nil
}

// AsOf calls each for all versions that were newest at t, which is rounded down
// to microseconds: for each record at least one, several where devices had
// changed a path at once, in any order. It wraps [ErrFuture] if t has not come
// by the vault's clock.
func (c *Client) AsOf(ctx context.Context, t time.Time, each func(Held) error) error {
	return c.versions(ctx, &request{kind: askAsOf, moment: t.Truncate(time.Microsecond)}, each)
}

// Versions calls each for all versions that are held of some records, 1 to
// [MaxIDs], in any order.
func (c *Client) Versions(ctx context.Context, ids []seal.RecordID, each func(Held) error) error {
	return c.versions(ctx, &request{kind: askVersions, ids: ids}, each)
}

// Received calls each for all versions that are held and were received after a
// sequence number, ascending. Their Until is zero: it is not known.
func (c *Client) Received(ctx context.Context, after entry.Sequence, each func(Held) error) error {
	return c.versions(ctx, &request{kind: askReceived, after: after}, each)
}

func (c *Client) versions(ctx context.Context, r *request, each func(Held) error) error {
	asked, g := r.asked(), givers{}
	return c.ask(ctx, r, func(m *wirepb.HistoryAnswer) error {
		w := m.GetVersion()
		if w == nil {
			return unasked(m)
		}
		h, err := versionFromWire(w, &g)
		if err != nil {
			return err
		}
		if err := asked.admit(&h); err != nil {
			return err
		}
		return each(h)
	})
}

// Pin has the vault keep a moment, which is rounded down to microseconds, under
// a sealed label of at most [MaxLabel] bytes. It wraps [ErrFuture] if the moment
// has not come by the vault's clock, and [ErrFull] if there are too many pins.
// After any other error the pin may have been made all the same.
func (c *Client) Pin(ctx context.Context, at time.Time, label []byte) (Pin, error) {
	var p Pin
	told := false
	r := &request{kind: askPin, moment: at.Truncate(time.Microsecond), label: label}
	err := c.ask(ctx, r, func(m *wirepb.HistoryAnswer) (err error) {
		w := m.GetPin()
		if w == nil || told {
			return unasked(m)
		}
		told = true
		p, err = pinFromWire(w)
		return err
	})
	if err == nil && !told {
		err = wrong("no pin")
	}
	if err != nil {
		return Pin{}, err
	}
	return p, nil
}

// Prove calls got for each of 1 to [MaxIDs] blocks, in order, with the proofs of
// all the sealed forms that the vault holds of it, none if it holds none; those
// of doubted devices come last. They are not compared. The nonce is drawn at
// random for each call, and not zero.
func (c *Client) Prove(ctx context.Context, nonce [32]byte, ids []entry.BlockID, got func(i int, forms []Proven) error) error {
	i := 0
	err := c.ask(ctx, &request{kind: askProve, nonce: nonce, blocks: ids}, func(m *wirepb.HistoryAnswer) error {
		w := m.GetProofs()
		if w == nil || i == len(ids) {
			return unasked(m)
		}
		forms, err := proofsFromWire(w)
		if err != nil {
			return err
		}
		i++
		return got(i-1, forms)
	})
	if err == nil && i != len(ids) {
		return wrong("proofs of %d of %d blocks", i, len(ids))
	}
	return err
}

// Mend tells the vault that it holds no true form of 1 to [MaxIDs] blocks: it is
// to fetch this device's, beside those that it has. It returns of how many it
// will; the others are none that it needs. It wraps [ErrFull] if there are too
// many to be fetched already.
func (c *Client) Mend(ctx context.Context, ids []entry.BlockID) (int, error) {
	n := -1
	err := c.ask(ctx, &request{kind: askMend, blocks: ids}, func(m *wirepb.HistoryAnswer) error {
		w := m.GetMended()
		if w == nil || n >= 0 {
			return unasked(m)
		}
		if int64(w.GetBlocks()) > int64(len(ids)) {
			return wrong("%d of %d blocks are to be mended", w.GetBlocks(), len(ids))
		}
		n = int(w.GetBlocks())
		return nil
	})
	if err == nil && n < 0 {
		err = wrong("no word of what is to be mended")
	}
	if err != nil {
		return 0, err
	}
	return n, nil
}

// unasked refuses a message that has no place in the answer.
func unasked(m *wirepb.HistoryAnswer) error {
	return wrong("a message of kind %T that was not asked for", m.GetWhat())
}

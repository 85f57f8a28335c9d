package vault

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"time"
)

// PinID names a pin of one vault.
type PinID [16]byte

func (p PinID) String() string { return hex.EncodeToString(p[:]) }

// Pin is a moment that is kept whatever the policy says.
type Pin struct {
	ID    PinID
	At    time.Time // the moment that is kept
	Label []byte    // sealed, by who made the pin
}

// pinRow is a pin in the index.
type pinRow struct {
	at    moment
	place location
	label []byte
}

func (p *pinRow) append(dst []byte) []byte {
	dst = binary.LittleEndian.AppendUint64(dst, uint64(p.at))
	return append(p.place.append(dst), p.label...)
}

func parsePinRow(row []byte) (p pinRow, err error) {
	if len(row) < 8+locationSize {
		return p, fmt.Errorf("%w: a pin row of %d bytes", ErrIndex, len(row))
	}
	return pinRow{moment(binary.LittleEndian.Uint64(row)), parseLocation(row[8:]), bytes.Clone(row[16:])}, nil
}

// pinName is the name of the entry of a pin: its ID and its moment.
func pinName(id PinID, at moment) (name [32]byte) {
	copy(name[:], id[:])
	binary.LittleEndian.PutUint64(name[16:], uint64(at))
	return name
}

func parsePinName(name [32]byte) (PinID, moment) {
	return PinID(name[:16]), moment(binary.LittleEndian.Uint64(name[16:]))
}

// Pin keeps the state at a moment until it is unpinned, under a label of at
// most [MaxLabel] bytes. What is received later is not part of it, whatever the
// clock does. A moment before [Totals].Exact is kept as it can be restored now.
//
// It returns [ErrFuture] for a moment that has not come, and [ErrRefused] if
// the label is too long or there are [MaxPins] already.
func (v *Vault) Pin(at time.Time, label []byte) (PinID, error) {
	var id PinID
	_, _ = rand.Read(id[:]) // never fails
	var refused error
	err := v.submit(func(t *tx) error {
		row := pinRow{at: momentOf(at), label: label}
		switch now := momentOf(v.clock()); {
		case row.at > max(now, t.st.moment):
			refused = ErrFuture
		case len(label) > MaxLabel || t.st.counts.pins >= MaxPins:
			refused = fmt.Errorf("%w: %d pins, a label of %d bytes", ErrRefused, t.st.counts.pins, len(label))
		}
		if refused != nil {
			return nil
		}
		t.v.pinsMade.Add(1) // a prune that is under way decides anew
		t.st.moment = max(t.st.moment, row.at)
		h := t.head(kindPin, label)
		h.name = pinName(id, row.at)
		var err error
		if row.place, err = t.append(&h, label); err != nil {
			return err
		}
		t.st.counts.pins++
		return t.pins.put(id[:], row.append(nil))
	})
	if err == nil {
		err = refused
	}
	if err != nil {
		return PinID{}, fmt.Errorf("pin %s in vault %q: %w", at.Format(time.RFC3339), v.dir, err)
	}
	return id, nil
}

// Unpin removes a pin. It returns [ErrMissing] if there is none.
func (v *Vault) Unpin(id PinID) error {
	missing := false
	err := v.submit(func(t *tx) error {
		missing = t.pins.bolt.Get(id[:]) == nil
		return t.unpin(id)
	})
	if err == nil && missing {
		err = ErrMissing
	}
	if err != nil {
		return fmt.Errorf("unpin %s in vault %q: %w", id, v.dir, err)
	}
	return nil
}

// unpin removes a pin, if it is there.
func (t *tx) unpin(id PinID) error {
	row, err := t.pins.get(id[:])
	if row == nil || err != nil {
		return err
	}
	p, err := parsePinRow(row)
	if err != nil {
		return err
	}
	t.drop(p.place, headSize+int64(len(p.label)))
	t.st.counts.pins--
	return t.pins.delete(id[:])
}

// Pins are all pins, by their moments.
func (v *Vault) Pins() ([]Pin, error) {
	var out []Pin
	err := v.reader(func(t *tables) error {
		return t.pins.each(nil, nil, func(key, row []byte) (bool, error) {
			p, err := parsePinRow(row)
			out = append(out, Pin{PinID(key), p.at.time(), p.label})
			return true, err
		})
	})
	if err != nil {
		return nil, fmt.Errorf("pins of vault %q: %w", v.dir, err)
	}
	slices.SortStableFunc(out, func(a, b Pin) int { return a.At.Compare(b.At) })
	return out, nil
}

// rewritePin writes the entry of a pin again, since the old one is damaged.
func (t *tx) rewritePin(id PinID) error {
	row, err := t.pins.get(id[:])
	if row == nil || err != nil {
		return err
	}
	p, err := parsePinRow(row)
	if err != nil {
		return err
	}
	t.drop(p.place, headSize+int64(len(p.label)))
	h := t.head(kindPin, p.label)
	h.name = pinName(id, p.at)
	if p.place, err = t.append(&h, p.label); err != nil {
		return err
	}
	return t.pins.put(id[:], p.append(nil))
}

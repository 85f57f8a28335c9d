package node

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/control"
	"github.com/kithmesh/kith/node/vault"
	"github.com/kithmesh/kith/protocol/history"
	"github.com/kithmesh/kith/protocol/seal"
)

// A snapshot is a pin in each vault that could be reached when it was made, all
// with one label. The label is sealed like a block, since a vault must not read
// it: the epoch (4 bytes, little-endian), the block ID, the sealed text.

const labelHead = 4 + len(entry.BlockID{})

func (s *share) sealLabel(label string) ([]byte, error) {
	keys := s.keys()
	if len(keys) == 0 {
		return nil, fmt.Errorf("%q: %w", s.controlled().Label, control.ErrNotHere)
	}
	id := keys[0].BlockID([]byte(label))
	out := binary.LittleEndian.AppendUint32(nil, uint32(keys[0].Epoch()))
	return keys[0].SealBlock(append(out, id[:]...), id, []byte(label), seal.Raw)
}

// openLabel is the label of a pin, empty if this device cannot read it.
func (s *share) openLabel(b []byte) string {
	if len(b) < labelHead {
		return ""
	}
	id := entry.BlockID(b[4:labelHead])
	for _, k := range s.keys() {
		if uint32(k.Epoch()) == binary.LittleEndian.Uint32(b) {
			if text, err := k.OpenBlock(nil, id, b[labelHead:]); err == nil {
				return string(text)
			}
		}
	}
	return ""
}

// pinned is one pin of one vault.
type pinned struct {
	device entry.DeviceID
	pin    history.Pin
	label  string
}

// pins are those of all vaults of a share that can be asked.
func (s *share) pins(ctx context.Context) (out []pinned, err error) {
	add := func(d entry.DeviceID, pins []history.Pin) {
		for _, p := range pins {
			out = append(out, pinned{d, p, s.openLabel(p.Label)})
		}
	}
	if s.keeper != nil {
		st, err := s.keeper.Standing("")
		if err != nil {
			return nil, err
		}
		add(s.device.id.ID(), st.Pins)
	}
	for _, l := range s.vaultLinks() {
		past := l.past(s.ID)
		st, err := past.State(ctx)
		past.Close()
		if err != nil {
			s.device.Log.Info("a backup could not be asked for its snapshots", "device", l.id, "error", err)
			continue
		}
		add(l.id, st.Pins)
	}
	return out, ctx.Err()
}

// vaultLinks are the connected members that keep a vault.
func (s *share) vaultLinks() (out []*link) {
	for _, m := range s.backups() {
		if l := s.device.link(m.Device); l != nil && l.meets() {
			out = append(out, l)
		}
	}
	return out
}

// Snapshot implements [control.Snapshots].
func (d *Device) Snapshot(ctx context.Context, text, label string) (control.Snapshot, error) {
	s, err := d.findShare(text)
	if err != nil {
		return control.Snapshot{}, fmt.Errorf("snapshot: %w", err)
	}
	s.lookFirst(ctx)
	out, err := s.snapshot(ctx, label)
	if err != nil {
		return out, fmt.Errorf("snapshot of %q: %w", text, err)
	}
	return out, nil
}

// toldTime is how long a snapshot waits for what was just written to reach a
// backup that is connected.
const toldTime = 5 * time.Second

// lookFirst sees to it that the moment which is to be kept is the one that a
// person sees: what was just written is found, and told to the backups. Where it
// cannot be, what is known is kept.
func (s *share) lookFirst(ctx context.Context) {
	if s.tree == nil {
		return
	}
	if err := s.tree.Scan(ctx); err != nil {
		s.device.Log.Info("look before a snapshot", "folder", s.ID, "error", err)
	}
	ctx, cancel := context.WithTimeout(ctx, toldTime)
	defer cancel()
	for len(s.vaultLinks()) > 0 {
		changed := s.device.changed.next()
		if s.isProtected(s.Status()) {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}

// snapshotLabel is the label of a snapshot that is given none. Nobody reads it as
// a time: what is kept is as of when the vaults were asked, and not to the second.
func snapshotLabel(now time.Time) string { return "snapshot " + now.Format("2006-01-02 15:04:05.000") }

// labelTaken says that a snapshot has a label. It is a [control.ErrNameTaken],
// which in its own words is about devices.
func labelTaken(label string) error {
	return control.WithHint(takenLabel(label), "choose another label; kith snapshots FOLDER lists those that are taken")
}

type takenLabel string

func (l takenLabel) Error() string {
	return fmt.Sprintf("%q: another snapshot has this label", string(l))
}
func (l takenLabel) Unwrap() error { return control.ErrNameTaken }

func (s *share) snapshot(ctx context.Context, label string) (control.Snapshot, error) {
	now := time.Now()
	out := control.Snapshot{Folder: s.controlled(), Label: cmp.Or(label, snapshotLabel(now))}
	before, err := s.pins(ctx)
	if err != nil {
		return out, err
	}
	if slices.ContainsFunc(before, func(p pinned) bool { return p.label == out.Label }) {
		return out, labelTaken(out.Label)
	}
	sealed, err := s.sealLabel(out.Label)
	if err != nil {
		return out, err
	}
	var failed error
	note := func(d entry.DeviceID, p history.Pin, err error) {
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("%s: %w", s.device.nameOf(d), err))
			return
		}
		out.Kept = append(out.Kept, s.device.identity(d))
		if out.At.IsZero() || p.At.After(out.At) {
			out.At = p.At
		}
	}
	if s.keeper != nil {
		var p history.Pin
		err := s.tellHistory(ctx)
		if err == nil {
			p, err = s.keeper.Pin("", s.keeper.Clock(), sealed)
		}
		note(s.device.id.ID(), p, err)
	}
	for _, l := range s.vaultLinks() {
		past := l.past(s.ID)
		st, err := past.State(ctx)
		var p history.Pin
		if err == nil {
			p, err = past.Pin(ctx, momentFor(st), sealed)
		}
		past.Close()
		note(l.id, p, err)
	}
	if len(out.Kept) == 0 {
		return out, errors.Join(fmt.Errorf("no backup is connected, and there is no history here: %w", control.ErrNoHistory), failed)
	}
	if failed != nil {
		s.device.Log.Warn("a snapshot is not kept everywhere", "folder", s.ID, "error", failed)
	}
	return out, nil
}

// tellHistory tells the history beside a tree what is known by now.
func (s *share) tellHistory(ctx context.Context) error {
	if s.tree == nil {
		return nil
	}
	return s.tree.Record(ctx)
}

// momentFor is now by a vault's clock if it holds all that is here, and else the
// moment of its last change, which is what it can give back of now.
func momentFor(st history.State) time.Time {
	if st.Complete.After(st.Moment) {
		return st.Complete
	}
	return st.Moment
}

// Snapshots implements [control.Snapshots].
func (d *Device) Snapshots(ctx context.Context, text string) ([]control.Snapshot, error) {
	shares, err := d.someShares(text)
	if err != nil {
		return nil, fmt.Errorf("snapshots: %w", err)
	}
	out := []control.Snapshot{}
	for _, s := range shares {
		pins, err := s.pins(ctx)
		if err != nil {
			return nil, fmt.Errorf("snapshots of %q: %w", text, err)
		}
		at := map[string]int{}
		for _, p := range pins {
			name := cmp.Or(p.label, p.pin.ID.String())
			i, known := at[name]
			if !known {
				i = len(out)
				at[name] = i
				out = append(out, control.Snapshot{Folder: s.controlled(), Label: name, At: p.pin.At})
			}
			out[i].Kept = append(out[i].Kept, d.identity(p.device))
		}
	}
	slices.SortStableFunc(out, func(a, b control.Snapshot) int { return b.At.Compare(a.At) })
	return out, nil
}

// DropSnapshot implements [control.Snapshots]. Who still keeps it is as far as
// those who are connected say so.
func (d *Device) DropSnapshot(ctx context.Context, text, label string) (control.Snapshot, error) {
	s, err := d.findKeeper(text)
	if err != nil {
		return control.Snapshot{}, fmt.Errorf("drop a snapshot: %w", err)
	}
	pins, err := s.keeper.Vault().Pins()
	if err != nil {
		return control.Snapshot{}, fmt.Errorf("drop a snapshot of %q: %w", text, err)
	}
	for _, p := range pins {
		if s.openLabel(p.Label) != label && p.ID.String() != label {
			continue
		}
		err := s.keeper.Vault().Unpin(p.ID)
		if errors.Is(err, vault.ErrMissing) {
			continue
		}
		out := control.Snapshot{Folder: s.controlled(), Label: label, At: p.At}
		if err == nil {
			out.Kept, err = s.keepLabel(ctx, p.Label)
		}
		if err != nil {
			return out, fmt.Errorf("drop snapshot %q of %q: %w", label, text, err)
		}
		return out, nil
	}
	return control.Snapshot{}, fmt.Errorf("drop snapshot %q of %q: %w", label, text, control.ErrNoSnapshot)
}

// keepLabel are those who keep a pin with a sealed label, which is the same in
// each vault.
func (s *share) keepLabel(ctx context.Context, sealed []byte) (out []control.Identity, err error) {
	pins, err := s.pins(ctx)
	for _, p := range pins {
		if bytes.Equal(p.pin.Label, sealed) {
			out = append(out, s.device.identity(p.device))
		}
	}
	return out, err
}

package node

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/backup"
	"github.com/kithmesh/kith/node/control"
	"github.com/kithmesh/kith/node/past"
	"github.com/kithmesh/kith/protocol/blocks"
	"github.com/kithmesh/kith/protocol/history"
	"github.com/kithmesh/kith/protocol/seal"
)

// vaultOf is the vault of a member, as a source of the past. All moments are by
// its own clock.
type vaultOf struct {
	*history.Client
	link   *link
	folder entry.FolderID
	state  history.State
}

// AsOf is that of the vault. A moment that its clock has not reached is that of
// its last change: nothing has come since.
func (v *vaultOf) AsOf(ctx context.Context, t time.Time, each func(history.Held) error) error {
	if v.state.Moment.Before(t) {
		t = v.state.Moment
	}
	if t.IsZero() || t.UnixMicro() <= 0 {
		return nil // it has nothing
	}
	return v.Client.AsOf(ctx, t, each)
}

// Blocks gets blocks from the vault.
func (v *vaultOf) Blocks(ctx context.Context, ids []entry.BlockID, form int, got func(i int, sealed []byte) error) error {
	r := blocks.Request{Folder: v.folder, IDs: ids, Compress: true, Form: form}
	return v.link.blocks.Fetch(ctx, r, got)
}

// pinnedAt is a source as of the moment of one of its pins, whatever moment is
// asked for.
type pinnedAt struct {
	past.Source
	at time.Time
}

func (p pinnedAt) AsOf(ctx context.Context, _ time.Time, each func(history.Held) error) error {
	return p.Source.AsOf(ctx, p.at, each)
}

// source is a vault that can be asked, with whose it is.
type source struct {
	past.Source
	device entry.DeviceID
	begins time.Time // from when on it holds anything; zero for nothing
	head   time.Time // its last change
	pins   []history.Pin
	whole  time.Time // when it last had taken in all that it was told; zero for never
	full   bool      // it takes nothing more
}

// besideTree is the history beside a tree, as a source of the past: it has the
// content of what was replaced, and the tree that of what was not.
type besideTree struct {
	*backup.Keeper
	share *share
}

// Blocks gets blocks from the history, and those that are not there from the
// tree.
func (b besideTree) Blocks(ctx context.Context, ids []entry.BlockID, form int, got func(i int, sealed []byte) error) error {
	var at []int
	var left []entry.BlockID
	err := b.Keeper.Blocks(ctx, ids, form, func(i int, sealed []byte) error {
		if sealed == nil && form == 0 {
			at, left = append(at, i), append(left, ids[i])
			return nil
		}
		return got(i, sealed)
	})
	if err != nil || len(left) == 0 {
		return err
	}
	n := 0
	return b.share.tree.Sealed(ctx, left, true, func(sealed []byte) error {
		n++
		return got(at[n-1], sealed)
	})
}

// ownSource is what this device itself keeps.
func (s *share) ownSource() past.Source {
	if s.tree == nil {
		return s.keeper
	}
	return besideTree{s.keeper, s}
}

// sources are the vaults of a folder that can be asked, this device's own
// first; or the one of a device that a person has named. close ends them.
func (s *share) sources(ctx context.Context, only string) (out []source, closeAll func(), err error) {
	if _, err := s.withTree(); err != nil {
		return nil, nil, err
	}
	var clients []*history.Client
	closeAll = func() {
		for _, c := range clients {
			c.Close()
		}
	}
	want := entry.DeviceID("")
	if only != "" {
		if want, err = s.device.named(only); err != nil {
			return nil, nil, err
		}
	}
	me := s.device.id.ID()
	if s.keeper != nil && (want == "" || want == me) {
		st, err := s.keeper.Standing(me)
		if err != nil {
			return nil, nil, err
		}
		out = append(out, source{Source: s.ownSource(), device: me, begins: st.Begins, head: st.Moment, pins: st.Pins})
	}
	if want != "" && want != me {
		s.awaitVault(ctx, want)
	}
	for _, l := range s.vaultLinks() {
		if want != "" && want != l.id {
			continue
		}
		c := l.past(s.ID)
		clients = append(clients, c)
		st, err := c.State(ctx)
		if err != nil {
			s.device.Log.Info("a backup could not be asked for the past", "folder", s.ID, "device", l.id, "error", err)
			continue
		}
		out = append(out, source{&vaultOf{c, l, s.ID, st}, l.id, st.Begins, st.Moment, st.Pins, st.LastRun, st.Full})
	}
	if len(out) == 0 {
		closeAll()
		err := fmt.Errorf("%q: %w: no backup of it is connected, and none is kept here", s.controlled().Label, control.ErrNoHistory)
		if only != "" {
			err = fmt.Errorf("%q keeps none that can be asked now: %w", only, control.ErrNoHistory)
		}
		return nil, nil, err
	}
	return out, closeAll, nil
}

// meetTime is how long a vault is waited for that has just been connected.
const meetTime = 2 * time.Second

// awaitVault waits until a device can be asked that is being met.
func (s *share) awaitVault(ctx context.Context, id entry.DeviceID) {
	ctx, cancel := context.WithTimeout(ctx, meetTime)
	defer cancel()
	for {
		changed := s.device.changed.next()
		if l := s.device.link(id); l == nil || l.meets() {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}

// named is the device that a person means: this one or a peer.
func (d *Device) named(text string) (entry.DeviceID, error) {
	if text == d.Name() || text == string(d.id.ID()) {
		return d.id.ID(), nil
	}
	p, err := d.findPeer(text)
	return p.ID, err
}

// pastOf is the past of a folder as sources know it.
func (s *share) pastOf(from []source) *past.Past {
	p := &past.Past{Keys: map[entry.Epoch]*seal.Keys{}}
	for _, k := range s.keys() {
		p.Keys[k.Epoch()] = k
	}
	for _, src := range from {
		p.Sources = append(p.Sources, src.Source)
	}
	return p
}

// at are the sources as of a moment that a person means, and that moment.
func (s *share) at(from []source, m control.Moment) (out []source, t time.Time, err error) {
	if m.Label == "" {
		t = m.At
		for _, src := range from {
			switch {
			case src.begins.IsZero():
			case t.IsZero(): // now, by whatever clock
				src.Source = pinnedAt{src.Source, src.head}
				out = append(out, src)
			case !src.begins.After(t):
				out = append(out, src)
			}
		}
		if t.IsZero() {
			t = time.Now()
		}
		if len(out) == 0 {
			return nil, t, fmt.Errorf("%q at %s: %w%s", s.controlled().Label, t.Local().Format(time.DateTime), control.ErrNoHistory, beginning(from))
		}
		return out, t, nil
	}
	for _, src := range from {
		for _, p := range src.pins {
			if s.openLabel(p.Label) == m.Label || p.ID.String() == m.Label {
				src.Source = pinnedAt{src.Source, p.At}
				out = append(out, src)
				if p.At.After(t) {
					t = p.At
				}
				break
			}
		}
	}
	if len(out) == 0 {
		return nil, t, fmt.Errorf("%q: %w", m.Label, control.ErrNoSnapshot)
	}
	return out, t, nil
}

// beginning says from when on something is known.
func beginning(from []source) string {
	var first time.Time
	for _, src := range from {
		if !src.begins.IsZero() && (first.IsZero() || src.begins.Before(first)) {
			first = src.begins
		}
	}
	if first.IsZero() {
		return ""
	}
	return "; it begins at " + first.Local().Format(time.DateTime)
}

// tree is what the folder was at a moment, with whose vaults said so. It is to
// be closed, and so are the sources.
func (s *share) treeAt(ctx context.Context, from []source, m control.Moment) (tree *past.Tree, p *past.Past, t time.Time, err error) {
	from, t, err = s.at(from, m)
	if err != nil {
		return nil, nil, t, err
	}
	p = s.pastOf(from)
	if tree, err = p.AsOf(ctx, t); err != nil {
		return nil, nil, t, err
	}
	if gap := tree.Gaps.Err(); gap != nil {
		s.device.Log.Warn("the past may not be whole", "folder", s.ID, "at", t, "unopened", tree.Gaps.Unopened, "error", gap)
	}
	return tree, p, t, nil
}

// partly is a backup among sources that did not have everything at a moment,
// where none took part that did; empty if there is none.
func partly(from []source, t time.Time, me entry.DeviceID) (d entry.DeviceID) {
	for _, src := range from {
		switch {
		case src.device == me:
		case !src.whole.IsZero() && (!src.full || !t.After(src.whole)):
			return ""
		default:
			d = src.device
		}
	}
	return d
}

// pastError says what a person can do about an error of the past.
func pastError(verb, text string, err error) error {
	if errors.Is(err, past.ErrNoSource) {
		err = fmt.Errorf("%w: %w", control.ErrNoHistory, err)
	}
	if errors.Is(err, past.ErrNoBatch) {
		err = fmt.Errorf("%w: %w", control.ErrNoBatch, err)
	}
	return fmt.Errorf("%s %s: %w", verb, cmp.Or(text, "everything"), err)
}

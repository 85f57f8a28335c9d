package node

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/control"
	"github.com/kithmesh/kith/node/membership"
)

// findShare is the folder that a text names: by label, or by the beginning of
// its ID.
func (d *Device) findShare(text string) (*share, error) {
	var fit []*share
	for _, s := range d.allShares() {
		c := s.controlled()
		if c.Label == text || c.ID.String() == text {
			return s, nil
		}
		if isPart(text) && strings.HasPrefix(c.ID.String(), strings.ToLower(text)) {
			fit = append(fit, s)
		}
	}
	return one(fit, text, control.ErrNoFolder)
}

// isPart tells whether a text is long enough to stand for an ID.
func isPart(text string) bool { return len(text) >= 4 }

func one[T any](fit []T, text string, none error) (T, error) {
	var zero T
	switch len(fit) {
	case 0:
		return zero, fmt.Errorf("%q: %w", text, none)
	case 1:
		return fit[0], nil
	}
	return zero, fmt.Errorf("%q: %w", text, control.ErrAmbiguous)
}

// someShares are the folder that a text names, or all for the empty text, by
// label.
func (d *Device) someShares(text string) ([]*share, error) {
	if text != "" {
		s, err := d.findShare(text)
		return []*share{s}, err
	}
	all := d.allShares()
	slices.SortFunc(all, func(a, b *share) int {
		x, y := a.controlled(), b.controlled()
		return cmp.Or(cmp.Compare(x.Label, y.Label), cmp.Compare(x.ID.String(), y.ID.String()))
	})
	return all, nil
}

// shownName is what a peer is called here.
func shownName(p membership.Peer) string { return cmp.Or(p.Given, p.Name) }

// findPeer is the paired device that a text names: by name, by ID, or by a
// part of one.
func (d *Device) findPeer(text string) (membership.Peer, error) {
	var named, fit []membership.Peer
	for _, p := range d.store.Peers() {
		if string(p.ID) == text {
			return p, nil
		}
		if shownName(p) == text {
			named = append(named, p)
		}
		if isPart(text) && strings.Contains(string(p.ID), text) {
			fit = append(fit, p)
		}
	}
	if len(named) > 0 {
		return one(named, text, control.ErrNoDevice)
	}
	return one(fit, text, control.ErrNoDevice)
}

// nameOf is what a device is called, as far as is known.
func (d *Device) nameOf(id entry.DeviceID) string {
	if id == d.id.ID() {
		return d.Name()
	}
	if p, ok := d.store.Peer(id); ok {
		return shownName(p)
	}
	return ""
}

func (d *Device) identity(id entry.DeviceID) control.Identity {
	return control.Identity{ID: id, Name: d.nameOf(id)}
}

package node

import (
	"context"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/kithmesh/kith/node/config"
	"github.com/kithmesh/kith/node/control"
	"github.com/kithmesh/kith/node/doctor"
)

const (
	heardLately = time.Minute     // how fresh an announcement is that says that a device is here
	triedLately = 2 * time.Minute // how fresh an attempt is that says anything
)

// Devices implements [control.Peers].
func (d *Device) Devices(ctx context.Context) ([]control.PeerStatus, error) {
	trips := d.net.RoundTrips(ctx)
	out := d.peerStatuses()
	n := d.standing()
	n.Others = 1 // nobody was asked, so nothing is said of it
	for i := range out {
		p := &out[i]
		id, err := peer.Decode(string(p.ID))
		if err != nil {
			continue
		}
		if p.Connected {
			p.RoundTrip = trips[id]
			continue
		}
		p.Why = d.whyAbsent(&n, p, id)
	}
	return out, ctx.Err()
}

// whyAbsent is the cause of not being connected, as far as it is known from what
// was tried last.
func (d *Device) whyAbsent(n *doctor.Network, p *control.PeerStatus, id peer.ID) control.Problem {
	stored, ok := d.store.Peer(p.ID)
	if !ok {
		return control.Problem{}
	}
	f := d.known(stored)
	f.SeenBy = d.seenBy(p.ID)
	last, at := d.net.LastAttempts(id)
	if time.Since(at) > triedLately {
		last = nil
	}
	for _, a := range last {
		t := d.try(a)
		if t.Place == doctor.Away && n.Discovery == string(config.DiscoveryOff) {
			t.Outcome = doctor.NotTried // it was near then: this machine has moved since
		}
		f.Tries = append(f.Tries, t)
	}
	known := d.net.Whereabouts(id)
	f.Heard = time.Since(known.LastHeard) < heardLately && known.LastHeard.After(stored.LastSeen)
	if len(last) == 0 && !f.Paused && !f.Through.Away && (f.Heard || len(known.Lasting) > 0) {
		return control.Problem{} // it is being tried
	}
	found := doctor.Diagnose(n, &f)
	return control.Problem{Code: string(found.Code), Message: doctor.Word(found.Code), Hint: "kith doctor " + p.Name}
}

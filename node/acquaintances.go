package node

import (
	"errors"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/kithmesh/kith/discovery"
	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/roster"
	"github.com/kithmesh/kith/node/membership"
	"github.com/kithmesh/kith/protocol/exchange"
)

// acquaintances is what members tell of the whereabouts of others. It is not
// stored: a member tells it again whenever it is met.
type acquaintances struct {
	mu   sync.Mutex
	seen map[entry.DeviceID]time.Time // by some member
}

// lastSeen is when a device was last seen by anybody who told so.
func (a *acquaintances) lastSeen(d entry.DeviceID) time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.seen[d]
}

func (a *acquaintances) note(d entry.DeviceID, at time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.seen == nil {
		a.seen = map[entry.DeviceID]time.Time{}
	}
	if at.After(a.seen[d]) && !at.After(time.Now().Add(clockFar)) {
		a.seen[d] = at
	}
}

// companions are the other members of all folders of this device; of those that
// some device is a member of, too, where it is not "".
func (d *Device) companions(with entry.DeviceID) map[entry.DeviceID]roster.Member {
	out := map[entry.DeviceID]roster.Member{}
	for _, s := range d.allShares() {
		if _, in := s.member(d.id.ID()); !in {
			continue // put out: who the others are is none of its business any more
		}
		if _, in := s.member(with); !in && with != "" {
			continue
		}
		for _, m := range s.members() {
			if m.Device != d.id.ID() {
				out[m.Device] = m
			}
		}
	}
	return out
}

// meetCompanions admits the members of this device's folders that it has not
// been paired with: those who admitted them vouch for them. It lets go of
// those who are members of nothing any more.
func (d *Device) meetCompanions() {
	d.meeting.Lock()
	defer d.meeting.Unlock()
	companions := d.companions("")
	known := map[entry.DeviceID]bool{}
	for _, p := range d.store.Peers() {
		known[p.ID] = true
		if _, still := companions[p.ID]; still || !p.PairedAt.IsZero() || d.incomplete {
			continue
		}
		if err := d.forgetPeer(p.ID); err != nil {
			d.Log.Warn("forget a device", "device", p.ID, "error", err)
		}
	}
	for id, m := range companions {
		if known[id] {
			continue
		}
		p := membership.Peer{ID: id, Name: m.Name}
		err := d.store.PutPeer(p)
		if err == nil {
			err = d.trust(p)
		}
		if err != nil {
			d.Log.Warn("admit a member of a folder", "device", id, "error", err)
			continue
		}
		d.Log.Info("a device is known through a folder", "device", id, "name", m.Name)
	}
	d.eachLink(d.acquainted) // it may have told of who has become of interest just now
}

// forgetPeer ends all dealings with a device.
func (d *Device) forgetPeer(id entry.DeviceID) error {
	if who, err := peer.Decode(string(id)); err == nil {
		d.net.Distrust(who)
	}
	for _, o := range d.store.Offers() {
		if o.From == id {
			if err := d.store.RemoveOffer(o.Folder, id); err != nil {
				return err
			}
		}
	}
	return errors.Join(d.store.RemovePeer(id), d.unlimit(id))
}

// contacts is what a peer is told of the other members of the folders that it
// shares with this device.
func (d *Device) contacts(with entry.DeviceID) []exchange.Contact {
	members := map[entry.DeviceID]string{}
	for _, s := range d.allShares() {
		if _, both := s.member(with); !both {
			continue
		}
		for _, m := range s.members() {
			if m.Device != with && m.Device != d.id.ID() {
				members[m.Device] = m.Name
			}
		}
	}
	routes := map[entry.DeviceID]discovery.Peer{}
	for _, p := range d.net.Peers() {
		routes[entry.DeviceID(p.Device.String())] = p
	}
	var out []exchange.Contact
	for id, name := range members {
		p, ok := d.store.Peer(id)
		if !ok || name == "" {
			continue
		}
		c := exchange.Contact{Device: id, Name: name, LastSeen: p.LastSeen.Truncate(contactEvery)}
		now := routes[id]
		if l := d.link(id); now.Connected && l != nil && l.meets() {
			c.Connected, c.LastSeen = true, time.Now().Truncate(contactEvery)
		}
		c.Addresses = append(append(c.Addresses, now.Addrs...), p.Addresses...)
		if c.Connected && len(c.Addresses) == 0 {
			c.Addresses = []string{now.Route.Addr} // libp2p dials from where it listens
		}
		out = append(out, c)
	}
	return out
}

// contactEvery is how fine a time of last seeing is told: a finer one would be
// news all the time.
const contactEvery = 10 * time.Minute

// acquainted takes what a peer tells of others: of members of the folders that
// both are in. Whoever is found at an address proves who it is.
func (d *Device) acquainted(l *link) {
	l.mu.Lock()
	contacts := l.contacts
	l.mu.Unlock()
	companions := d.companions(l.id)
	for _, c := range contacts {
		if _, known := companions[c.Device]; !known {
			continue
		}
		d.acquaintances.note(c.Device, c.LastSeen)
		if id, err := peer.Decode(string(c.Device)); err == nil {
			d.net.Introduce(id, c.Addresses)
		}
	}
	d.changed.tell()
}

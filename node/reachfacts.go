package node

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	libprotocol "github.com/libp2p/go-libp2p/core/protocol"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
	msmux "github.com/multiformats/go-multistream"

	"github.com/kithmesh/kith/discovery"
	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/control"
	"github.com/kithmesh/kith/node/doctor"
	"github.com/kithmesh/kith/node/membership"
	"github.com/kithmesh/kith/protocol"
	"github.com/kithmesh/kith/protocol/exchange"
)

// known is what is known of a device without asking anybody.
func (d *Device) known(p membership.Peer) doctor.Device {
	name := d.nameOf(p.ID)
	f := doctor.Device{Name: name, LastSeen: p.LastSeen, Paused: d.isPaused(p.ID), Resume: "kith resume " + name}
	if d.isPaused("") {
		f.Resume = "kith resume"
	}
	if told := d.acquaintances.lastSeen(p.ID); told.After(f.LastSeen) {
		f.LastSeen = told
	}
	peers := d.net.Peers()
	for _, now := range peers {
		if now.Device.String() != string(p.ID) {
			continue
		}
		f.Through = d.through(now.Device, peers)
		if now.Connected {
			f.Connected, f.How = true, d.routeText(now.Route)
			if why := d.net.Far().Unmet[now.Device]; why != nil && now.Route.Via == discovery.ViaRelay {
				f.How += ", as no direct way has opened yet"
			}
		}
	}
	if l := d.link(p.ID); l != nil && f.Connected {
		f.Talks, f.Trouble = l.meets(), l.troubled()
	}
	return f
}

// through is the device by whose relay another one was connected last, if it is
// not now.
func (d *Device) through(id peer.ID, peers []discovery.Peer) doctor.Through {
	w := d.net.Whereabouts(id)
	if w.Relay == "" {
		return doctor.Through{}
	}
	return doctor.Through{
		Name: d.nameOf(entry.DeviceID(w.Relay.String())), Serves: w.Relays,
		Away: slices.ContainsFunc(peers, func(p discovery.Peer) bool { return p.Device == w.Relay && !p.Connected }),
	}
}

// routeText says in words how a device is connected: "direct quic, punched".
func (d *Device) routeText(r discovery.Route) string {
	text := string(r.Via) + " " + string(r.Transport)
	if r.Relay != "" {
		text = "by relay through " + d.nameOf(entry.DeviceID(r.Relay.String()))
	}
	if r.Punched {
		text += ", punched through"
	}
	return text
}

// seenBy are the connected devices that say that they are in touch with another
// one now.
func (d *Device) seenBy(id entry.DeviceID) (out []string) {
	d.eachLink(func(l *link) {
		l.mu.Lock()
		defer l.mu.Unlock()
		for _, c := range l.contacts {
			if l.met && c.Device == id && c.Connected {
				out = append(out, d.nameOf(l.id))
			}
		}
	})
	slices.Sort(out)
	return out
}

// trouble is why a connected peer does not talk, from the error with which the
// last attempt has ended.
func trouble(err error) doctor.Trouble {
	var unknown msmux.ErrNotSupported[libprotocol.ID]
	switch {
	case errors.Is(err, exchange.ErrProtocol), errors.As(err, &unknown), errors.Is(protocol.Reason(err), exchange.ErrProtocol):
		return doctor.OtherVersion
	case errors.Is(protocol.Reason(err), protocol.ErrNotTrusted):
		return doctor.NotPairedThere
	}
	return doctor.NoTrouble
}

// noteTrouble keeps why a connected peer could not be talked with.
func (l *link) noteTrouble(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.trouble = err
}

// troubled is why a connected peer does not talk.
func (l *link) troubled() doctor.Trouble {
	l.mu.Lock()
	defer l.mu.Unlock()
	return trouble(l.trouble)
}

// standing is what this device knows of its network without asking.
func (d *Device) standing() doctor.Network {
	n := doctor.Network{
		Now: time.Now(), MDNS: d.Settings.MDNS, LANOnly: d.Settings.LANOnly,
		Networks: d.net.Networks(), Discovery: string(d.discovery()), Relay: string(d.setting().Relay),
		Ports: portsOf(d.net.Addrs()), Wanted: portsOf(d.Settings.Listen),
	}
	if len(d.Settings.Listen) == 0 {
		n.Wanted = []uint16{discovery.DefaultPort}
	}
	for _, p := range d.store.Peers() {
		if ahead := p.LastSeen.Sub(n.Now); ahead > clockFar && ahead > n.Clock.Behind {
			n.Clock.Behind = ahead
		}
	}
	return n
}

// addFar adds what is known of this device's place beyond the local network.
func (d *Device) addFar(n *doctor.Network) {
	far := d.net.Far()
	n.Relaying = far.Relaying
	name := func(id peer.ID) string { return d.nameOf(entry.DeviceID(id.String())) }
	for _, m := range far.Mirrored {
		a, err := ma.NewMultiaddr(m.Addr)
		if err != nil {
			continue
		}
		if at, ok := addrPort(a); ok {
			n.Mirrors = append(n.Mirrors, doctor.Mirror{By: name(m.By), Addr: at})
		}
	}
	for _, c := range far.Calls {
		if c.Err == nil && len(c.Asked) > 0 {
			n.Inbound = append(n.Inbound, doctor.Probe{By: name(c.By), OK: len(c.Answered) > 0})
		}
	}
	for _, b := range far.Berths {
		r := doctor.Relay{Name: name(b.Relay), Serves: true, Granted: b.Held}
		if b.Err != nil && !b.Held {
			r.Refusal = "it does not answer"
			if discovery.RelayRefusal(b.Err) {
				r.Refusal = "it refuses"
			}
		}
		n.Relays = append(n.Relays, r)
	}
}

// try is one attempt in the words of package doctor.
func (d *Device) try(a discovery.Attempt) doctor.Try {
	t := doctor.Try{
		Addr: a.Addr, Via: string(a.Transport), Place: doctor.Place(a.Place), Outcome: doctor.Outcome(a.Outcome),
	}
	if m, err := ma.NewMultiaddr(a.Addr); err == nil {
		if at, ok := addrPort(m); ok && a.Relay == "" {
			t.Addr, t.Port = at.String(), strconv.Itoa(int(at.Port()))
		}
	}
	if a.Relay != "" {
		t.Via = d.nameOf(entry.DeviceID(a.Relay.String()))
		t.Addr = "through " + t.Via
	}
	if a.Other != "" {
		t.Other = d.nameOf(entry.DeviceID(a.Other.String()))
	}
	return t
}

func addrPort(a ma.Multiaddr) (netip.AddrPort, bool) {
	ip, err := manet.ToIP(a)
	if err != nil {
		return netip.AddrPort{}, false
	}
	addr, ok := netip.AddrFromSlice(ip)
	for _, code := range []int{ma.P_TCP, ma.P_UDP} {
		if v, err := a.ValueForProtocol(code); err == nil {
			port, err := strconv.ParseUint(v, 10, 16)
			return netip.AddrPortFrom(addr.Unmap(), uint16(port)), ok && err == nil
		}
	}
	return netip.AddrPort{}, false
}

// wayOf is what was tried, for people.
func wayOf(t doctor.Try) string {
	if t.Place == doctor.Behind {
		return t.Addr
	}
	return t.Addr + " by " + t.Via
}

// resultOf is what came of it.
func resultOf(t doctor.Try, took time.Duration) string {
	switch t.Outcome {
	case doctor.Answers:
		return "answers"
	case doctor.TurnedAway:
		return "answers, and closes the connection"
	case doctor.Refused:
		if t.Place == doctor.Behind {
			return "it will not relay there"
		}
		return "the connection is refused"
	case doctor.TimedOut:
		return fmt.Sprintf("no answer in %.0f s", max(1, took.Seconds()))
	case doctor.Unreachable:
		if t.Place == doctor.Behind {
			return "it has no connection with it"
		}
		return "there is no such machine now"
	case doctor.NoRoute:
		return "this machine has no way there"
	case doctor.Forbidden:
		return "this machine does not let kith send there"
	case doctor.HungUp:
		return "connected, and closed at once"
	case doctor.NotKith:
		return "something answers that is not kith"
	case doctor.OtherDevice:
		if t.Other != "" {
			return t.Other + " answers there"
		}
		return "another device answers there"
	}
	return "not tried: it is beyond the local network"
}

// portsOf are the ports in multiaddrs.
func portsOf(addrs []string) (out []uint16) {
	for _, s := range addrs {
		a, err := ma.NewMultiaddr(s)
		if err != nil {
			continue
		}
		if at, ok := addrPort(a); ok && !slices.Contains(out, at.Port()) {
			out = append(out, at.Port())
		}
	}
	return out
}

// listenHint says what to do if no address could be had to listen on.
func listenHint(err error) error {
	if !errors.Is(err, discovery.ErrListen) {
		return err
	}
	return control.WithHint(err, "another program has the port (a second kith?): stop it, or name another one with --listen")
}

package main

import (
	"time"

	"github.com/kithmesh/kith/node/control"
	"github.com/kithmesh/kith/node/control/controltest"
)

// afar is a laptop away from home, which reaches its nas and not its phone.
func afar() *controltest.Device {
	d := firstHour()
	d.Now.Peers = []control.PeerStatus{{
		Identity: nas, Connected: true, Via: control.ViaDirect, Transport: control.QUIC, Addr: "/ip4/203.0.113.9/udp/5484/quic-v1",
		LastSeen: theHour, Punched: true, Since: theHour.Add(-time.Minute), RoundTrip: 38123 * time.Microsecond,
	}, {
		Identity: control.Identity{ID: laptop.ID, Name: "desk"}, Connected: true, Via: control.ViaRelay, Transport: control.TCP, Relay: "nas",
		LastSeen: theHour, RoundTrip: 6400 * time.Microsecond,
	}, {
		Identity: phone, Addr: "/ip4/192.168.1.7/tcp/5484", LastSeen: theHour.Add(-3 * time.Hour),
		Why: control.Problem{Code: "wrong_network", Message: "in another network", Hint: "kith doctor phone"},
	}}
	d.Care.Reached = []control.Reached{
		{Trial: &control.Trial{Subject: "network", What: "the local network", Result: "2 machines answer", OK: true}},
		{Trial: &control.Trial{Subject: "device phone", What: "192.168.1.7:5484 by tcp", Result: "not tried: it is beyond the local network"}},
		{Finding: &control.Finding{Subject: "network", OK: true, Code: "network", Message: "on 10.0.0.0/24"}},
		{Finding: &control.Finding{
			Subject: "device phone", Code: "wrong_network", Message: "it was last at 192.168.1.7:5484, in a network that this device is not on",
			Hint: "bring both to one network",
		}},
	}
	return d
}

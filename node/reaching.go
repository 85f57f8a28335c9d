package node

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"golang.org/x/sync/errgroup"

	"github.com/kithmesh/kith/discovery"
	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/control"
	"github.com/kithmesh/kith/node/doctor"
	"github.com/kithmesh/kith/node/membership"
)

// How long an examination takes for its parts.
const (
	examineAtOnce = 8                // devices
	lookUpFor     = 10 * time.Second // for the rendezvous to be asked
	askFarFor     = 5 * time.Second  // for paired devices to tell how they see this one
	namesFor      = 3 * time.Second  // for names to be looked up
	settleFor     = 3 * time.Second  // for a connection to come about with a device that answers
)

// ExamineReach implements [control.Roles].
func (d *Device) ExamineReach(ctx context.Context, device string, told func(control.Reached) error) error {
	peers := d.store.Peers()
	if device != "" {
		p, err := d.findPeer(device)
		if err != nil {
			return fmt.Errorf("examine: %w", err)
		}
		peers = []membership.Peer{p}
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	x := &examination{device: d, began: time.Now(), whole: device == "", told: told, stop: stop}
	x.run(ctx, peers)
	return context.Cause(ctx)
}

// examination is one run of it.
type examination struct {
	device *Device
	began  time.Time
	whole  bool // of all devices, and the network itself
	stop   context.CancelCauseFunc

	mu   sync.Mutex // held while the caller is told
	told func(control.Reached) error
}

func (x *examination) tell(r control.Reached) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if err := x.told(r); err != nil {
		x.told = func(control.Reached) error { return nil }
		x.stop(err)
	}
}

func (x *examination) tried(subject, what, result string, ok bool) {
	x.tell(control.Reached{Trial: &control.Trial{Subject: subject, What: what, Result: result, OK: ok}})
}

func (x *examination) found(subject string, f doctor.Finding) {
	if f.Code == doctor.ClockBack {
		subject = "clock"
	}
	x.tell(control.Reached{Finding: &control.Finding{Subject: subject, OK: f.OK, Code: string(f.Code), Message: f.Message, Hint: f.Hint}})
}

const networkSubject = "network"

func deviceSubject(name string) string { return "device " + name }

func (x *examination) run(ctx context.Context, peers []membership.Peer) {
	var absent []membership.Peer
	facts := map[entry.DeviceID]doctor.Device{}
	for _, p := range peers {
		facts[p.ID] = x.device.known(p)
		if f := facts[p.ID]; !f.Connected && !f.Paused {
			absent = append(absent, p)
		}
	}
	n := x.network(ctx, absent)
	sought := make([]doctor.Device, len(absent))
	var g errgroup.Group
	g.SetLimit(examineAtOnce)
	for i, p := range absent {
		g.Go(func() error { sought[i] = x.seek(ctx, facts[p.ID], p); return nil })
	}
	_ = g.Wait()
	if ctx.Err() != nil {
		return
	}
	for i, p := range absent {
		facts[p.ID] = x.latest(ctx, sought[i], p)
	}
	x.conclude(&n, peers, absent, facts)
}

// conclude tells what was found. That waits for the end: a device that has come
// by then is not missing, and what is lacking without harm is not wrong.
func (x *examination) conclude(n *doctor.Network, peers, sought []membership.Peer, facts map[entry.DeviceID]doctor.Device) {
	n.Missing = slices.ContainsFunc(sought, func(p membership.Peer) bool { return !facts[p.ID].Connected })
	for _, f := range doctor.Survey(n) {
		if x.whole || !f.OK && len(sought) > 0 {
			x.found(networkSubject, f)
		}
	}
	for _, p := range peers {
		f := facts[p.ID]
		x.found(deviceSubject(f.Name), doctor.Diagnose(n, &f))
	}
}

// latest is what is known of a device that was sought, which may have come
// meanwhile.
func (x *examination) latest(ctx context.Context, f doctor.Device, p membership.Peer) doctor.Device {
	now := x.device.known(p)
	switch {
	case now.Connected && now.Trouble == doctor.NoTrouble:
		return x.settle(ctx, now, p) // it may not have said anything yet
	case now.Connected:
		return now
	}
	f.Through = now.Through
	return f
}

// network looks at what this device's network is like. While nobody is missing
// nobody is waited for longer than it takes to hear somebody.
func (x *examination) network(ctx context.Context, absent []membership.Peer) doctor.Network {
	d := x.device
	n := d.standing()
	n.Missing = len(absent) > 0
	if !x.whole && !n.Missing {
		n.Others = 1 // not asked
		return n
	}
	var g sync.WaitGroup
	if d.net.Far().Beyond {
		g.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, askFarFor)
			defer cancel()
			d.net.AskFar(ctx)
		})
	}
	lan := d.net.ExamineLAN(ctx, func(l discovery.LAN) bool {
		return len(l.Others) > 0 && !slices.ContainsFunc(absent, func(p membership.Peer) bool { return !x.heard(p.ID) })
	})
	n.Networks, n.MDNS, n.Joined, n.Own, n.Others = lan.Networks, lan.MDNS, lan.Joined, lan.Own, machines(lan.Others)
	if lan.Failure != nil {
		n.Failure = lan.Failure.Error()
	}
	x.tried(networkSubject, "the local network", lanResult(&n), n.Others > 0)
	g.Wait()
	d.addFar(&n)
	d.addBoard(&n)
	x.names(ctx, &n)
	return n
}

// machines is how many machines there are behind these addresses at least: most
// have one of each family.
func machines(addrs []netip.Addr) int {
	v4 := 0
	for _, a := range addrs {
		if a.Unmap().Is4() {
			v4++
		}
	}
	return max(v4, len(addrs)-v4)
}

func lanResult(n *doctor.Network) string {
	switch {
	case len(n.Networks) == 0:
		return "this machine is on none"
	case !n.MDNS:
		return "not asked: mdns is off"
	case n.Others == 0:
		return "nobody answers"
	case n.Others == 1:
		return "1 machine answers"
	}
	return fmt.Sprintf("%d machines answer", n.Others)
}

// heard tells whether a device has announced itself since the examination
// began, or a moment before.
func (x *examination) heard(id entry.DeviceID) bool {
	who, err := peer.Decode(string(id))
	return err == nil && x.device.net.Whereabouts(who).LastHeard.After(x.began.Add(-time.Second))
}

// seek tries each way to a device.
func (x *examination) seek(ctx context.Context, f doctor.Device, p membership.Peer) doctor.Device {
	d, subject := x.device, deviceSubject(f.Name)
	id, err := peer.Decode(string(p.ID))
	if err != nil {
		return f
	}
	f.Heard = x.heard(p.ID)
	if d.Settings.MDNS {
		x.tried(subject, "the local network", heardResult(f.Heard), f.Heard)
	}
	if f.SeenBy = d.seenBy(p.ID); len(f.SeenBy) > 0 {
		x.tried(subject, "other devices", f.SeenBy[0]+" is connected with it", true)
	}
	f.Lookup = x.lookUp(ctx, subject, id)
	f.Tries = nil
	answered := false
	d.net.TryEach(ctx, id, func(a discovery.Attempt) {
		t := d.try(a)
		answered = answered || a.Outcome == discovery.Answers
		f.Tries = append(f.Tries, t)
		x.tried(subject, wayOf(t), resultOf(t, a.Took), a.Outcome == discovery.Answers)
	})
	if len(f.Tries) == 0 {
		x.tried(subject, "addresses", "none is known", false)
	}
	if answered {
		f = x.settle(ctx, f, p)
	}
	return f
}

// settle waits a little for a connection with a device that answers.
func (x *examination) settle(ctx context.Context, f doctor.Device, p membership.Peer) doctor.Device {
	ctx, cancel := context.WithTimeout(ctx, settleFor)
	defer cancel()
	for {
		changed := x.device.changed.next()
		if now := x.device.known(p); now.Connected && now.Talks {
			return now
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return f
		}
	}
}

func heardResult(heard bool) string {
	if heard {
		return "it announces itself"
	}
	return "it does not announce itself"
}

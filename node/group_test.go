package node_test

import (
	"fmt"
	"os"
	"slices"
	"testing"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/control"
	"github.com/kithmesh/kith/node/membership"
)

// pair makes two devices trust each other and share nothing.
func (d *device) pair(with *device) {
	d.t.Helper()
	done := make(chan error, 1)
	_, err := d.ShowCode(d.t.Context(), control.ShowCodeRequest{}, func(i control.Invitation) error {
		go func() {
			_, err := with.UseCode(d.t.Context(), control.UseCodeRequest{Code: i.Ticket})
			done <- err
		}()
		return nil
	})
	if err == nil {
		err = <-done
	}
	if err != nil {
		d.t.Fatal(err)
	}
}

// finds tells a device that is down where others are now, as if it had heard of
// them on its network: those that run have new addresses each time.
func (d *device) finds(others ...*device) {
	d.t.Helper()
	s := d.membership()
	for _, o := range others {
		p, ok := s.Peer(o.id)
		if !ok {
			continue // it has forgotten the device
		}
		p.Addresses = o.addrs
		if err := s.PutPeer(p); err != nil {
			d.t.Fatal(err)
		}
	}
}

// membership is what a device that is down has stored.
func (d *device) membership() *membership.Store {
	d.t.Helper()
	if d.cancel != nil {
		d.t.Fatalf("%s runs", d.name)
	}
	s, err := membership.Open(d.places.Membership)
	if err != nil {
		d.t.Fatal(err)
	}
	return s
}

// keys are those of the only folder of a device that is down.
func (d *device) keys() map[entry.Epoch]membership.Key {
	d.t.Helper()
	f := d.membership().Folders()
	if len(f) != 1 {
		d.t.Fatalf("%s is in %d folders", d.name, len(f))
	}
	return f[0].Keys
}

// again starts devices, each of which finds those that run and those before it.
func again(running []*device, devices ...*device) {
	for i, d := range devices {
		d.finds(slices.Concat(running, devices[:i])...)
		d.up()
	}
}

func down(devices ...*device) {
	for _, d := range devices {
		d.down()
	}
}

// peer is what a device says of another.
func (d *device) peer(o *device) (control.PeerStatus, bool) {
	d.t.Helper()
	s, err := d.Status(d.t.Context(), "")
	if err != nil {
		d.t.Fatal(err)
	}
	for _, p := range s.Peers {
		if p.ID == o.id {
			return p, true
		}
	}
	return control.PeerStatus{}, false
}

// counts tells whether a device counts another as a member of the folder.
func (d *device) counts(o *device) bool {
	d.t.Helper()
	return slices.ContainsFunc(d.folder().Members, func(m control.MemberStatus) bool { return m.ID == o.id })
}

// member is what a device says of another member of the folder.
func (d *device) member(o *device) control.MemberStatus {
	d.t.Helper()
	for _, m := range d.folder().Members {
		if m.ID == o.id {
			return m
		}
	}
	d.t.Fatalf("%s does not count %s as a member", d.name, o.name)
	return control.MemberStatus{}
}

// meet waits until all devices are connected with each other.
func meet(t testing.TB, devices ...*device) {
	t.Helper()
	for _, d := range devices {
		for _, o := range devices {
			if d != o {
				until(t, d.name+" and "+o.name+" to be connected", func() bool { p, ok := d.peer(o); return ok && p.Connected })
			}
		}
	}
}

// exchange has each device write a file, and waits until all have all of them. What
// was told before has then been dealt with, too.
func exchange(t testing.TB, what string, devices ...*device) {
	t.Helper()
	for _, d := range devices {
		d.write(what+" of "+d.name, what)
	}
	for _, d := range devices {
		for _, o := range devices {
			until(t, fmt.Sprintf("%q of %s on %s", what, d.name, o.name), func() bool { return o.holds(what+" of "+d.name, what) })
		}
	}
}

// same checks that all devices have the same trees.
func same(t testing.TB, devices ...*device) {
	t.Helper()
	for _, d := range devices[1:] {
		var last []string
		if !within(patience, func() bool {
			last = difference(listing(t, devices[0].root), listing(t, d.root))
			return len(last) == 0
		}) {
			t.Errorf("%s and %s differ: %q", devices[0].name, d.name, last)
		}
	}
}

// settled waits until devices and what they are connected with are in sync.
func settled(t testing.TB, devices ...*device) {
	t.Helper()
	for _, d := range devices {
		if err := d.Wait(t.Context(), control.WaitRequest{For: control.Synced, Timeout: patience}, func(control.Progress) error { return nil }); err != nil {
			t.Fatalf("%s does not come to be in sync: %v", d.name, err)
		}
	}
}

func (d *device) unshare(o *device) {
	d.t.Helper()
	if _, err := d.Unshare(d.t.Context(), control.UnshareRequest{Folder: "docs", Device: string(o.id)}); err != nil {
		d.t.Fatal(err)
	}
}

func (d *device) gone(name string) bool {
	_, err := os.Lstat(d.at(name))
	return os.IsNotExist(err)
}

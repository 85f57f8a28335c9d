package rendezvous

import (
	"errors"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
)

// between is the slot of a for b on a day.
func between(t *testing.T, a, b *actor, day Day) *slot {
	t.Helper()
	theirs, err := deviceKey(b.id)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := pairSecret(a.key, theirs)
	if err != nil {
		t.Fatal(err)
	}
	s, err := noticeSlot(secret, day, public(a.key), theirs)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// leave puts a notice of a for b, as a device with another clock would.
func leave(t *testing.T, a, b *actor, day Day, sequence uint64, at []ma.Multiaddr) {
	t.Helper()
	n, err := newNotice(public(a.key), at)
	if err != nil {
		t.Fatal(err)
	}
	n.sequence = sequence
	s := between(t, a, b, day)
	if _, err := a.store(within(t), s.key(), recordIn(t, s, n, time.Now().Add(noticeLife))); err != nil {
		t.Fatal(err)
	}
}

// clear forgets what the DHT holds in a slot.
func (a *actor) forget(t *testing.T) {
	t.Helper()
	a.shelf.mu.Lock()
	defer a.shelf.mu.Unlock()
	for _, e := range a.shelf.items {
		a.shelf.dropLocked(e)
	}
}

func TestADeviceWhoseClockIsADayOffIsFound(t *testing.T) {
	_, all := mesh(t, 3, nowhere)
	now := uint64(time.Now().UnixMilli())
	today := dayOf(time.Now())
	leave(t, all[0], all[1], today-1, now, place(1))
	if got, err := last(t, all[1], all[0].id); err != nil || !same(got, place(1)) {
		t.Errorf("behind: %v, %v", got, err)
	}
	leave(t, all[0], all[2], today+1, now, place(2))
	if got, err := last(t, all[2], all[0].id); err != nil || !same(got, place(2)) {
		t.Errorf("ahead: %v, %v", got, err)
	}
	leave(t, all[1], all[2], today+2, now, place(3))
	if got, err := last(t, all[2], all[1].id); !errors.Is(err, ErrNothing) {
		t.Errorf("two days ahead: %v, %v", got, err)
	}
}

func TestADeviceWhoseClockWasAheadIsHeardAgain(t *testing.T) {
	_, all := mesh(t, 3, nowhere)
	future := uint64(time.Now().Add(10 * time.Hour).UnixMilli())
	leave(t, all[0], all[1], dayOf(time.Now()), future, place(1))
	if err := all[0].Publish(within(t), all[1].id, place(2)); err != nil {
		t.Fatal(err)
	}
	if got, err := last(t, all[1], all[0].id); err != nil || !same(got, place(2)) {
		t.Errorf("found %v, %v", got, err)
	}
}

func TestARecordOfBeforeIsNotBelievedAgain(t *testing.T) {
	first, all := mesh(t, 2, nowhere)
	a, b := all[0], all[1]
	now := uint64(time.Now().UnixMilli())
	leave(t, a, b, dayOf(time.Now()), now, place(2))
	if got, err := last(t, b, a.id); err != nil || !same(got, place(2)) {
		t.Fatal(got, err)
	}
	for _, n := range []*actor{first, a, b} {
		n.forget(t)
	}
	leave(t, a, b, dayOf(time.Now()), now-1, place(1))
	got, err := last(t, b, a.id)
	if !errors.Is(err, ErrReplayed) || !errors.Is(err, ErrNothing) || got != nil {
		t.Errorf("found %v, %v", got, err)
	}
	if h := b.Health(); h.Refused == 0 || h.RefusedWhy == "" {
		t.Errorf("%+v", h)
	}
}

// Both of a pair can write in both slots, but one that says where a third
// device is has not been written by a device that keeps to the rules.
func TestANoticeAboutAnotherDeviceIsNotBelieved(t *testing.T) {
	_, all := mesh(t, 3, nowhere)
	a, b, c := all[0], all[1], all[2]
	n, err := newNotice(public(c.key), place(1))
	if err != nil {
		t.Fatal(err)
	}
	n.sequence = uint64(time.Now().UnixMilli())
	s := between(t, a, b, dayOf(time.Now()))
	if _, err := a.store(within(t), s.key(), recordIn(t, s, n, time.Now().Add(time.Hour))); err != nil {
		t.Fatal(err)
	}
	if got, err := last(t, b, a.id); !errors.Is(err, ErrNotice) || got != nil {
		t.Errorf("found %v, %v", got, err)
	}
}

func TestWhoeverSquatsANumberHidesNobodyWhoComesLater(t *testing.T) {
	_, all := mesh(t, 3, nowhere)
	a, squatter, c := all[0], all[1], all[2]
	if err := squatter.PublishPlate(within(t), 42, peer.AddrInfo{ID: squatter.id, Addrs: place(1)}); err != nil {
		t.Fatal(err)
	}
	if err := a.PublishPlate(within(t), 42, peer.AddrInfo{ID: a.id, Addrs: place(2)}); err != nil {
		t.Fatal(err)
	}
	var got []peer.AddrInfo
	if err := c.FindPlate(within(t), 42, func(i peer.AddrInfo) { got = append(got, i) }); err != nil {
		t.Fatal(err)
	}
	if len(got) == 0 || got[len(got)-1].ID != a.id {
		t.Errorf("found %v", got)
	}
}

// As one with a public address does for those behind NATs, which it cannot reach.
func TestANodeThatCanAskNobodyServesThoseWhoAskIt(t *testing.T) {
	hub := enact(t, Options{})
	far := enact(t, Options{Bootstrap: hub.Nodes()})
	eventually(t, "the hub is reached", func() bool { return far.Health().Nodes == 1 })
	if err := far.Publish(within(t), hub.id, place(1)); err != nil {
		t.Fatal(err)
	}
	hub.dht.RoutingTable().RemovePeer(far.host.ID())
	hub.known.mu.Lock()
	hub.known.known = nil
	hub.known.mu.Unlock()
	if got, err := last(t, hub, far.id); err != nil || !same(got, place(1)) {
		t.Errorf("the hub found %v, %v", got, err)
	}
	hub.dht.RoutingTable().RemovePeer(far.host.ID())
	if err := hub.Publish(within(t), far.id, place(2)); err != nil && !errors.Is(err, ErrAlone) {
		t.Error(err)
	}
	if got, err := last(t, far, hub.id); err != nil || !same(got, place(2)) {
		t.Errorf("found %v, %v", got, err)
	}
}

func TestANodeThatIsAloneDoesNotTryAllTheTime(t *testing.T) {
	a := enact(t, Options{})
	a.Meet([]string{"/ip4/127.0.0.1/tcp/1/p2p/" + someID})
	eventually(t, "it has tried", func() bool { return a.Health().Bootstrap != "" })
	tried := func() bool { return a.Health().Bootstrap != "" }
	for range 50 {
		a.noted(func(h *Health) { h.Bootstrap = "" })
		a.worked() // as when others connect
	}
	wait := time.After(entryFirst / 2)
	<-wait
	if tried() {
		t.Error("it has tried again at once")
	}
}

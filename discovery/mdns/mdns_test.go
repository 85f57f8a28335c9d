package mdns

import (
	"context"
	"net/netip"
	"os"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds what should happen soon, on a machine that is busy.
const patience = 10 * time.Second

// service is one that nobody else on this machine asks for.
func testService(t *testing.T) string {
	return "_kith-test-" + randomDigits(os.Getpid(), t.Name()) + "._udp"
}

func randomDigits(pid int, name string) string {
	n := uint64(pid)
	for _, c := range name {
		n = n*131 + uint64(c)
	}
	out := make([]byte, 10)
	for i := range out {
		out[i] = byte('0' + n%10)
		n /= 10
	}
	return string(out)
}

func speaker(t *testing.T) *Speaker {
	t.Helper()
	if s, err := openSockets(); err != nil {
		t.Skipf("no multicast here: %v", err)
	} else {
		s.close()
	}
	s := New(nil)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return s
}

func offerOf(service, instance, text string) Offer {
	return Offer{Service: service, Instance: instance, Port: 1, Text: func(addrs []netip.Addr) []string {
		return []string{"x=" + text, addrs[0].String()}
	}}
}

// answers collects what a browse finds.
type answers struct {
	mu  sync.Mutex
	all []Answer
}

func (a *answers) add(x Answer) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.all = append(a.all, x)
}

func (a *answers) has(instance, text string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, x := range a.all {
		if x.Instance == instance && len(x.Text) == 2 && x.Text[0] == "x="+text {
			return true
		}
	}
	return false
}

func (a *answers) clear() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.all = nil
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("not within %s: %s", patience, what)
		}
		<-tick.C
	}
}

func TestSpeakersFindEachOtherWhicheverIsFirst(t *testing.T) {
	service := testService(t)
	a, b := speaker(t), speaker(t)
	var heardByA, heardByB answers
	a.Browse(service, nil, heardByA.add)
	a.Announce(offerOf(service, "aaa", "1"))
	b.Browse(service, nil, heardByB.add)
	eventually(t, "b hears a", func() bool { return heardByB.has("aaa", "1") })
	b.Announce(offerOf(service, "bbb", "2"))
	eventually(t, "a hears b", func() bool { return heardByA.has("bbb", "2") })
	if heardByA.has("aaa", "1") {
		t.Error("a hears itself")
	}
}

func TestAQuestionIsAnsweredLongAfterTheAnnouncement(t *testing.T) {
	service := testService(t)
	a, b := speaker(t), speaker(t)
	a.Announce(offerOf(service, "aaa", "1"))
	var heard answers
	browse := b.Browse(service, nil, heard.add)
	eventually(t, "the announcement", func() bool { return heard.has("aaa", "1") })
	browse.Stop()
	a.mu.Lock()
	a.offers[0].plan.stop() // nothing more will be said unasked
	a.mu.Unlock()
	heard.clear()
	b.Browse(service, nil, heard.add)
	eventually(t, "an answer", func() bool { return heard.has("aaa", "1") })
}

func TestWithNoWishNothingIsAsked(t *testing.T) {
	service := testService(t)
	a := speaker(t)
	b := a.Browse(service, func() bool { return false }, func(Answer) { t.Error("an answer") })
	eventually(t, "the schedule stands still", func() bool {
		a.mu.Lock()
		defer a.mu.Unlock()
		return b.plan.stopped
	})
}

func TestRefreshAnnouncesAgain(t *testing.T) {
	service := testService(t)
	a, b := speaker(t), speaker(t)
	a.Announce(offerOf(service, "aaa", "1"))
	var heard answers
	b.Browse(service, func() bool { return false }, heard.add)
	eventually(t, "the announcement", func() bool { return heard.has("aaa", "1") })
	for range 3 {
		heard.clear()
		a.Refresh()
		eventually(t, "the announcement again", func() bool { return heard.has("aaa", "1") })
	}
}

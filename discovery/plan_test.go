package discovery

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func TestDecide(t *testing.T) {
	good := func(tr Transport, age time.Duration) *link {
		return &link{transport: tr, confirmed: true, opened: noon.Add(-age), asked: noon}
	}
	fresh := &link{transport: TCP, opened: noon}
	relayed := &link{transport: TCP, via: ViaRelay, confirmed: true, opened: noon}
	spent := &link{transport: TCP, via: ViaRelay, confirmed: true, opened: noon.Add(-time.Minute), spent: noon.Add(-time.Second)}
	for _, c := range []struct {
		name string
		p    position
		want move
		wait time.Duration
	}{
		{"nothing is known: wait for news", position{}, rest, -1},
		{"an address is known: dial", position{known: true}, dial, 0},
		{"the pause is not over: wait for its end", position{known: true, nextDial: noon.Add(time.Second)}, rest, time.Second},
		{"the pause is over: dial", position{known: true, nextDial: noon}, dial, 0},
		{"connected by TCP: wait for news", position{known: true, links: []*link{good(TCP, 0)}}, rest, -1},
		{"not answered yet: give it time", position{links: []*link{fresh}}, rest, confirmBy},
		{"open without an answer for long: count it", position{links: []*link{{transport: TCP, opened: noon.Add(-confirmBy)}}}, confirm, 0},
		{"QUIC: ask for a sign of life in time", position{links: []*link{good(QUIC, 0)}}, rest, pulseEvery},
		{"QUIC: ask now", position{links: []*link{{transport: QUIC, confirmed: true, asked: noon.Add(-pulseEvery)}}}, pulse, 0},
		{"two connections: the judge waits a moment", position{links: []*link{good(TCP, 0), good(TCP, 0)}, judge: true, crowded: noon}, rest, grace},
		{"two connections: then the judge closes", position{links: []*link{good(TCP, 0), good(TCP, 0)}, judge: true, crowded: noon.Add(-grace)}, prune, 0},
		{"two connections: the other leaves it to the judge", position{links: []*link{good(TCP, 0), good(TCP, 0)}, crowded: noon.Add(-grace)}, rest, -1},
		{"a connection has been replaced: either closes it", position{links: []*link{good(TCP, time.Minute), good(TCP, 0)}, crowded: noon.Add(-grace)}, prune, 0},
		{"a newcomer that has not answered replaces nothing", position{links: []*link{good(TCP, time.Minute), fresh}, crowded: noon.Add(-grace)}, rest, confirmBy},
		{"by a relay: dial on, directly", position{known: true, links: []*link{relayed}}, dial, 0},
		{"by a relay, and another dials", position{known: true, yield: true, links: []*link{relayed}}, rest, -1},
		{"by a relay: this side punches", position{punches: true, links: []*link{relayed}}, punch, 0},
		{"by a relay: the other side punches", position{links: []*link{relayed}}, rest, -1},
		{"punching failed: wait", position{punches: true, punch: noon.Add(time.Minute), links: []*link{relayed}}, rest, time.Minute},
		{"a relay that has not answered: do not punch yet", position{punches: true, links: []*link{{transport: TCP, via: ViaRelay, opened: noon}}}, rest, confirmBy},
		{"directly: do not punch", position{punches: true, links: []*link{good(TCP, 0)}}, rest, -1},
		{"directly beside a relay: look whether it is used still", position{links: []*link{good(TCP, 0), spent}, judge: true, crowded: noon.Add(-grace)}, drain, 0},
	} {
		c.p.now = noon
		if got, wait := decide(c.p); got != c.want || wait != c.wait {
			t.Errorf("%s: got %d after %s, want %d after %s", c.name, got, wait, c.want, c.wait)
		}
	}
}

func TestTCPOnTheLANDialledByTheSmallerIsKept(t *testing.T) {
	order := []*link{
		{transport: TCP, via: ViaLAN, bySmaller: true, opened: noon},
		{transport: TCP, via: ViaLAN, bySmaller: true, opened: noon.Add(time.Second)},
		{transport: TCP, via: ViaLAN, opened: noon},
		{transport: TCP, via: ViaDirect, bySmaller: true, opened: noon},
		{transport: QUIC, via: ViaLAN, bySmaller: true, opened: noon},
		{transport: QUIC, via: ViaDirect, opened: noon},
	}
	for i := range order {
		for j := range order {
			if got := better(order[i], order[j]); got != (i < j) {
				t.Errorf("%d better than %d: %t", i, j, got)
			}
		}
	}
}

func TestARelayedConnectionIsNotCutOffByADirectOne(t *testing.T) {
	direct := &link{transport: QUIC, via: ViaDirect, confirmed: true, opened: noon}
	relayed := &link{transport: TCP, via: ViaRelay, confirmed: true, opened: noon.Add(-time.Hour)}
	again := &link{transport: TCP, via: ViaRelay, confirmed: true, opened: noon}
	if got := best([]*link{relayed, direct}); got != direct {
		t.Error("a relay is preferred")
	}
	if got := superfluous([]*link{relayed, direct}, true); len(got) != 0 {
		t.Error("the relay is cut off at once")
	}
	if got := superfluous([]*link{relayed, again}, false); len(got) != 1 || got[0] != relayed {
		t.Error("a relayed connection that has been replaced is kept")
	}
	direct.confirmed = false
	if got := best([]*link{relayed, direct}); got != relayed {
		t.Error("a connection is preferred that has not answered")
	}
}

func TestWhoHasDialledAgainHasLostTheFirst(t *testing.T) {
	first := &link{transport: TCP, via: ViaLAN, bySmaller: true, confirmed: true, opened: noon}
	again := &link{transport: QUIC, via: ViaLAN, bySmaller: true, confirmed: true, opened: noon.Add(time.Second)}
	if got := superfluous([]*link{first, again}, true); len(got) != 1 || got[0] != first {
		t.Error("what the other side has lost is kept")
	}
	again.confirmed = false
	if got := superfluous([]*link{first, again}, true); len(got) != 1 || got[0] != again {
		t.Error("a newcomer that has not answered replaces what has")
	}
}

// Whatever connections there are: when the judge has closed what it finds
// superfluous, one is left, neither side finds anything more to close, and the
// other side closes nothing that the judge would have kept.
func TestExactlyOneConnectionIsLeft(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		links := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) *link {
			return &link{
				transport: rapid.SampledFrom([]Transport{TCP, QUIC}).Draw(t, "transport"),
				via:       rapid.SampledFrom([]Via{ViaLAN, ViaDirect}).Draw(t, "via"),
				bySmaller: rapid.Bool().Draw(t, "by smaller"),
				confirmed: true,
				opened:    noon.Add(time.Duration(rapid.IntRange(0, 20_000).Draw(t, "opened")) * time.Millisecond),
			}
		}), 1, 6).Draw(t, "links")
		drop := map[*link]bool{}
		for _, l := range superfluous(links, true) {
			if drop[l] {
				t.Fatal("closed twice")
			}
			drop[l] = true
		}
		if len(drop) != len(links)-1 {
			t.Fatalf("%d of %d closed", len(drop), len(links))
		}
		for _, l := range superfluous(links, false) {
			if !drop[l] {
				t.Fatal("the two sides close different connections")
			}
		}
	})
}

func TestPausesGrowAndEndWithTheAbsence(t *testing.T) {
	for _, c := range []struct {
		failures int
		gone     time.Duration
		want     time.Duration
	}{
		{1, 0, 250 * time.Millisecond}, {2, 0, 500 * time.Millisecond}, {3, 0, time.Second}, {4, 0, 2 * time.Second},
		{5, 0, 3 * time.Second}, {100, 0, 3 * time.Second}, {100, time.Minute, 3 * time.Second},
		{100, 2 * time.Minute, 6 * time.Second}, {100, time.Hour, 30 * time.Second}, {1, time.Hour, 250 * time.Millisecond},
		{1 << 40, 1000 * time.Hour, 30 * time.Second},
	} {
		for _, random := range []float64{0, 0.5, 1} {
			want := time.Duration(float64(c.want) * (0.75 + random/2))
			if got := pause(c.failures, c.gone, random); got != want {
				t.Errorf("%d failures, gone for %s: %s, want %s", c.failures, c.gone, got, want)
			}
		}
	}
}

// A device that is away for an hour, with every dial failing at once.
func TestADeviceThatIsAwayIsDialledEverMoreRarely(t *testing.T) {
	d := newDevice("x", noon, true)
	d.book.remember(addrs("/ip4/10.0.0.1/tcp/1"))
	var dials []time.Time
	for now := noon; now.Before(noon.Add(time.Hour)); {
		what, wait := decide(d.position(now))
		if what == dial {
			dials = append(dials, now)
			d.failed(now)
			continue
		}
		now = now.Add(wait)
	}
	count := func(from, to time.Duration) (n int) {
		for _, at := range dials {
			if s := at.Sub(noon); s >= from && s < to {
				n++
			}
		}
		return n
	}
	if first := count(0, time.Minute); first < 18 || first > 32 {
		t.Errorf("%d dials in the first minute", first)
	}
	if last := count(50*time.Minute, time.Hour); last < 16 || last > 27 {
		t.Errorf("%d dials in the last ten minutes", last)
	}

	// News from the network starts it anew, but not more than once a second.
	now := noon.Add(time.Hour)
	for range 100 {
		d.heard(now, true)
		d.failed(now)
	}
	if d.failures != 100 {
		t.Errorf("%d failures counted, want 100: a flood of news has reset them", d.failures)
	}
}

func TestTheLargerIDDialsAMomentLater(t *testing.T) {
	for _, larger := range []bool{false, true} {
		d := newDevice("x", noon, larger)
		want := noon
		if !larger { // the other side is the smaller one, and goes first
			want = noon.Add(stagger)
		}
		if !d.nextDial.Equal(want) {
			t.Errorf("other side larger %t: dials after %s", larger, d.nextDial.Sub(noon))
		}
	}
}

func TestBesideARelayDirectDialsBecomeRare(t *testing.T) {
	for _, c := range []struct {
		failures int
		want     time.Duration
	}{{1, time.Second}, {2, 2 * time.Second}, {5, 16 * time.Second}, {9, 256 * time.Second}, {10, 5 * time.Minute}, {1 << 40, 5 * time.Minute}} {
		if got := calmPause(c.failures, 0.5); got != c.want {
			t.Errorf("after %d: %s, want %s", c.failures, got, c.want)
		}
	}
	if calmPause(3, 0) == calmPause(3, 1) {
		t.Error("nothing spreads them")
	}
}

func TestManyDevicesAreNotDialledAllAtOnce(t *testing.T) {
	for devices, want := range map[int]time.Duration{1: 0, 7: 0, 8: 250 * time.Millisecond, 40: 1250 * time.Millisecond, 1000: 3 * time.Second} {
		if got := stagedBy(devices, 1); got != want {
			t.Errorf("%d devices: within %s, want %s", devices, got, want)
		}
	}
}

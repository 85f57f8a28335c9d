package node_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/kithmesh/kith/node/config"
	"github.com/kithmesh/kith/node/control"
)

// shared are two devices that have met in a folder.
func shared(t *testing.T) (a, b *device) {
	t.Helper()
	a, b = start(t, "laptop"), start(t, "phone")
	addFolder(t, a)
	b.join(a)
	a.write("note", "one")
	until(t, "a first file", func() bool { return b.holds("note", "one") })
	return a, b
}

func (d *device) limit(r control.LimitRequest) {
	d.t.Helper()
	if _, err := d.SetLimits(d.t.Context(), r); err != nil {
		d.t.Fatal(err)
	}
}

// came is how many bytes a device has received from its only peer.
func (d *device) came() int64 {
	d.t.Helper()
	s, err := d.Status(d.t.Context(), "")
	if err != nil || len(s.Peers) != 1 {
		d.t.Fatal(s.Peers, err)
	}
	return s.Peers[0].Received
}

// rate is how many bytes a second a device receives, after a while.
func (d *device) rate() float64 {
	d.t.Helper()
	elapse(500 * time.Millisecond)
	before, began := d.came(), time.Now()
	elapse(2 * time.Second)
	return float64(d.came()-before) / time.Since(began).Seconds()
}

func elapse(t time.Duration) { <-time.After(t) }

func TestLimitsHoldAtOnceAndWhatIsSmallOvertakesBulk(t *testing.T) {
	const rate = 2_000_000
	a, b := shared(t)
	a.limit(control.LimitRequest{LAN: rate}) // on loopback all is the local network
	bulk := noise(1, 32<<20)
	a.write("bulk", bulk)
	until(t, "the bulk under way", func() bool { return b.came() > 1<<20 })
	if got := b.rate(); got < 0.9*rate || got > 1.1*rate {
		t.Errorf("sent at %.0f bytes a second, the limit is %d", got, rate)
	}
	for _, text := range []string{"two", "three", "four"} {
		began := time.Now()
		a.write("note", text)
		until(t, "a small edit", func() bool { return b.holds("note", text) })
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("a small edit took %v beside a bulk transfer", took)
		}
	}
	a.limit(control.LimitRequest{LAN: control.NoLimit})
	b.limit(control.LimitRequest{LAN: rate})
	if got := b.rate(); got < 0.85*rate || got > 1.15*rate {
		t.Errorf("received at %.0f bytes a second, the limit is %d", got, rate)
	}
	b.limit(control.LimitRequest{Clear: true})
	until(t, "the bulk, without limits", func() bool { return b.holds("bulk", bulk) })
}

func TestManySmallFilesOnTheirWayLetALateEditPass(t *testing.T) {
	a, b := shared(t)
	a.limit(control.LimitRequest{LAN: 1_000_000})
	for i := range 150 {
		a.write("bulk/"+strings.Repeat("x", i+1), noise(byte(i), 1<<20))
	}
	until(t, "the bulk under way", func() bool { return b.came() > 4<<20 })
	began := time.Now()
	a.write("zz/late", "late") // its directory is to be made, too
	a.write("note", "late")
	until(t, "the late edit", func() bool { return b.holds("note", "late") })
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("an edit took %v beside 150 files", took)
	}
}

func TestLimitsAreKeptForGood(t *testing.T) {
	a, _ := shared(t)
	ctx := t.Context()
	a.limit(control.LimitRequest{Up: 500_000, Down: 5_000_000})
	a.limit(control.LimitRequest{Up: 100_000, Between: "22:00-06:00"})
	a.limit(control.LimitRequest{Device: "phone", Up: control.NoLimit, Between: "08:00-18:00"})
	a.limit(control.LimitRequest{LAN: 9_000_000})
	before, err := a.Limits(ctx, "")
	if err != nil || len(before.Limits) != 3 {
		t.Fatal(before, err)
	}
	a.down()
	a.up()
	after, err := a.Limits(ctx, "")
	if err != nil || len(after.Limits) != 3 || after.LAN != 9_000_000 || after.Limits[0] != before.Limits[0] || after.Limits[2].Device.Name != "phone" {
		t.Fatal(after, err)
	}
	if one, err := a.Limits(ctx, "phone"); err != nil || len(one.Limits) != 1 || one.Limits[0].Up != control.NoLimit {
		t.Error(one, err)
	}
	a.limit(control.LimitRequest{Clear: true, Between: "22:00-06:00"})
	a.limit(control.LimitRequest{Clear: true, Device: "phone"})
	a.limit(control.LimitRequest{Up: control.NoLimit})
	if l, err := a.Limits(ctx, ""); err != nil || len(l.Limits) != 1 || l.Limits[0].Up != 0 || l.Limits[0].Down != 5_000_000 {
		t.Error(l, err)
	}
	a.limit(control.LimitRequest{Clear: true})
	if l, err := a.Limits(ctx, ""); err != nil || len(l.Limits) != 0 || l.LAN != 0 {
		t.Error(l, err)
	}
}

func TestLimitsThatCannotBeAreRefused(t *testing.T) {
	a := start(t, "laptop")
	for _, c := range []struct {
		r    control.LimitRequest
		want error
	}{
		{control.LimitRequest{Up: 100}, control.ErrInvalid},
		{control.LimitRequest{Up: 1 << 20, Between: "8"}, control.ErrInvalid},
		{control.LimitRequest{Up: -7}, control.ErrInvalid},
		{control.LimitRequest{Up: 1 << 20, Device: "nobody"}, control.ErrNoDevice},
	} {
		if _, err := a.SetLimits(t.Context(), c.r); !errors.Is(err, c.want) {
			t.Errorf("%+v: %v", c.r, err)
		}
	}
	if _, err := a.Limits(t.Context(), "nobody"); !errors.Is(err, control.ErrNoDevice) {
		t.Error(err)
	}
	if _, err := os.Stat(a.places.State + "/limits.json"); err == nil {
		t.Error("something was stored")
	}
}

func TestAPauseForATimeOutlivesARestartAndEndsByItself(t *testing.T) {
	a, b := shared(t)
	if err := a.Pause(t.Context(), control.PauseRequest{For: 4 * time.Second}); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	a.down()
	a.up()
	if s, err := a.Status(t.Context(), ""); err != nil || !s.Paused {
		t.Fatal(s.Paused, err)
	}
	a.write("note", "later")
	until(t, "the end of the pause", func() bool { return b.holds("note", "later") })
	if took := time.Since(began); took < 3*time.Second {
		t.Errorf("it was paused for %v only", took)
	}
	if s, err := a.Status(t.Context(), ""); err != nil || s.Paused {
		t.Error(s.Paused, err)
	}
}

func TestNothingIsExchangedOnAMeteredNetworkIfSoSet(t *testing.T) {
	a, b := shared(t)
	a.down()
	a.settings = func(s *config.Settings) { s.Metered, s.OnMetered = config.MeteredYes, config.MeteredPause }
	a.up()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	until(t, "the rest", func() bool {
		s, err := a.Status(ctx, "")
		return err == nil && len(s.Problems) == 1 && s.Problems[0].Code == "metered" && s.Folders[0].State == control.StatePaused
	})
	a.write("note", "two")
	if within(time.Second, func() bool { return b.holds("note", "two") }) {
		t.Error("it was sent")
	}
	if w, err := a.Why(ctx, control.Place{Text: "docs/note", Absolute: a.at("note")}); err != nil || len(w.Causes) == 0 || w.Causes[0].Code != "metered" {
		t.Error(w.Causes, err)
	}
	a.down()
	a.settings = func(s *config.Settings) { s.Metered, s.OnMetered = config.MeteredYes, config.MeteredLAN }
	a.up()
	big := noise(3, 3<<20)
	a.write("big", big)
	until(t, "all of it, by the local network", func() bool { return b.holds("note", "two") && b.holds("big", big) })
}

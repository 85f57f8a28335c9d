package node_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/control"
	"github.com/kithmesh/kith/node/membership"
)

// reach examines the ways to a device, or to all for "".
func (d *device) reach(name string) (findings []control.Finding, trials []control.Trial) {
	d.t.Helper()
	err := d.ExamineReach(d.t.Context(), name, func(r control.Reached) error {
		switch {
		case r.Trial != nil:
			trials = append(trials, *r.Trial)
		case r.Finding != nil:
			findings = append(findings, *r.Finding)
		}
		return nil
	})
	if err != nil {
		d.t.Fatal(err)
	}
	for _, f := range findings {
		if strings.Contains(f.Message+f.Hint, "/ip4/") || f.Message == "" || !f.OK && f.Hint == "" {
			d.t.Errorf("%s is not in words: %+v", f.Code, f)
		}
	}
	return findings, trials
}

func codeOf(findings []control.Finding, subject string) string {
	for _, f := range findings {
		if f.Subject == subject {
			return f.Code
		}
	}
	return ""
}

// pairUp has two devices with a folder that are connected.
func pairUp(t *testing.T) (laptop, phone *device) {
	t.Helper()
	laptop, phone = start(t, "laptop"), start(t, "phone")
	addFolder(t, laptop)
	phone.join(laptop)
	until(t, "both connected", func() bool {
		s, err := laptop.Devices(t.Context())
		return err == nil && len(s) == 1 && s[0].Connected
	})
	return laptop, phone
}

func TestAConnectedDeviceIsNotSoughtButMeasured(t *testing.T) {
	t.Parallel()
	laptop, _ := pairUp(t)
	found, trials := laptop.reach("phone")
	if codeOf(found, "device phone") != "connected" || len(trials) > 0 || len(found) != 1 {
		t.Errorf("found %+v by %+v", found, trials)
	}
	all, err := laptop.Devices(t.Context())
	if err != nil || len(all) != 1 {
		t.Fatal(all, err)
	}
	if p := all[0]; p.RoundTrip <= 0 || p.RoundTrip > time.Second || time.Since(p.Since) > time.Minute || p.Why.Code != "" || p.Via != "lan" {
		t.Errorf("got %+v", p)
	}
	if err := laptop.ExamineReach(t.Context(), "nobody", nil); !errors.Is(err, control.ErrNoDevice) {
		t.Errorf("got %v, want that there is no such device", err)
	}
}

func TestADeviceThatIsNotThereIsSought(t *testing.T) {
	t.Parallel()
	laptop, phone := pairUp(t)
	laptop.write("keep.txt", "kept")
	until(t, "the folder on both", func() bool { return phone.holds("keep.txt", "kept") })
	phone.down()
	until(t, "the phone away", func() bool {
		s, err := laptop.Devices(t.Context())
		return err == nil && !s[0].Connected && s[0].Why.Code == "not_running"
	})
	all, _ := laptop.Devices(t.Context())
	if p := all[0]; p.Why.Message == "" || p.Why.Hint != "kith doctor phone" || time.Since(p.LastSeen) > time.Minute || p.RoundTrip != 0 {
		t.Errorf("got %+v", p)
	}
	found, trials := laptop.reach("")
	if codeOf(found, "device phone") != "not_running" {
		t.Errorf("found %+v", found)
	}
	if !slices.ContainsFunc(trials, func(r control.Trial) bool {
		return r.Subject == "device phone" && strings.Contains(r.What, "127.0.0.1:") && r.Result == "the connection is refused"
	}) {
		t.Errorf("tried %+v", trials)
	}
	laptop.write("later.txt", "later")
	until(t, "why points to the doctor", func() bool {
		why, err := laptop.Why(t.Context(), control.Place{Text: "docs/later.txt", Absolute: laptop.at("later.txt")})
		return err == nil && slices.ContainsFunc(why.Causes, func(c control.Problem) bool { return strings.Contains(c.Hint, "kith doctor phone") })
	})
}

func TestADeviceThatIsPausedOrTurnsAwayIsTold(t *testing.T) {
	t.Parallel()
	laptop, phone := pairUp(t)
	if err := laptop.Pause(t.Context(), control.PauseRequest{Target: "phone"}); err != nil {
		t.Fatal(err)
	}
	if found, _ := laptop.reach("phone"); codeOf(found, "device phone") != "paused" {
		t.Errorf("paused here: found %+v", found)
	}
	if err := errors.Join(phone.Pause(t.Context(), control.PauseRequest{Target: "laptop"}), laptop.Resume(t.Context(), "phone")); err != nil {
		t.Fatal(err)
	}
	found, trials := laptop.reach("phone")
	if codeOf(found, "device phone") != "turned_away" {
		t.Errorf("paused there: found %+v by %+v", found, trials)
	}
	until(t, "that shows in the list of devices", func() bool {
		s, err := laptop.Devices(t.Context())
		return err == nil && s[0].Why.Code == "turned_away"
	})
	if err := phone.Resume(t.Context(), "laptop"); err != nil {
		t.Fatal(err)
	}
	until(t, "connected again", func() bool {
		found, _ := laptop.reach("phone")
		return codeOf(found, "device phone") == "connected"
	})
}

// TestAClockThatWasSetBackIsTold has the laptop remember a time that its clock
// has not reached.
func TestAClockThatWasSetBackIsTold(t *testing.T) {
	t.Parallel()
	laptop, phone := pairUp(t)
	laptop.down()
	store, err := membership.Open(laptop.places.Membership)
	if err != nil {
		t.Fatal(err)
	}
	phone.down()
	if err := errors.Join(store.Saw(entry.DeviceID(phone.id), time.Now().Add(26*time.Hour)), store.Flush()); err != nil {
		t.Fatal(err)
	}
	laptop.up()
	found, _ := laptop.reach("")
	if codeOf(found, "clock") != "clock_back" {
		t.Errorf("found %+v", found)
	}
}

func TestAnExaminationEndsWithItsListener(t *testing.T) {
	t.Parallel()
	laptop, phone := pairUp(t)
	phone.down()
	enough := errors.New("enough")
	if err := laptop.ExamineReach(t.Context(), "", func(control.Reached) error { return enough }); !errors.Is(err, enough) {
		t.Errorf("got %v, want what the listener said", err)
	}
}

// TestWhatOthersSeeIsTold has a phone that turns the laptop away, while a third
// member of the folder is connected with it.
func TestWhatOthersSeeIsTold(t *testing.T) {
	t.Parallel()
	laptop, phone := pairUp(t)
	nas := start(t, "nas")
	nas.join(laptop)
	until(t, "the other two met", func() bool {
		s, err := nas.Devices(t.Context())
		return err == nil && len(s) == 2 && s[0].Connected && s[1].Connected
	})
	if err := phone.Pause(t.Context(), control.PauseRequest{Target: "laptop"}); err != nil {
		t.Fatal(err)
	}
	until(t, "the laptop is told", func() bool {
		found, trials := laptop.reach("phone")
		return codeOf(found, "device phone") == "turned_away" && slices.ContainsFunc(trials, func(r control.Trial) bool {
			return r.What == "other devices" && r.Result == "nas is connected with it"
		})
	})
}

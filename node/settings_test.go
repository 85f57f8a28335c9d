package node_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/kithmesh/kith/node/config"
	"github.com/kithmesh/kith/node/control"
)

// alike are settings with which tests leave the network alone.
const alike = "listen = ['/ip4/127.0.0.1/tcp/0']\nmdns = false\nport-mapping = false\n"

// following runs a device that follows its settings file, which says alike and
// this, unless flags go before it.
func following(t *testing.T, name, text string, flags map[string]string) *device {
	t.Helper()
	d := made(t, name)
	if err := d.places.Prepare(); err != nil {
		t.Fatal(err)
	}
	d.says(text)
	d.reader = &config.Reader{Path: d.places.Config, Flags: flags, Getenv: func(string) string { return "" }}
	d.up()
	return d
}

// says rewrites the settings file in place, as some editors do.
func (d *device) says(text string) {
	d.t.Helper()
	if err := os.WriteFile(d.places.Config, []byte(alike+"name = '"+d.name+"'\n"+text), 0o600); err != nil {
		d.t.Fatal(err)
	}
}

// sets is what kith config set does.
func (d *device) sets(name, value string) {
	d.t.Helper()
	if err := config.Set(d.places.Config, name, value); err != nil {
		d.t.Fatal(err)
	}
}

// troubles are the problems of the device itself.
func (d *device) troubles() []control.Problem {
	d.t.Helper()
	s, err := d.Status(d.t.Context(), "")
	if err != nil {
		d.t.Fatal(err)
	}
	return s.Problems
}

// untroubled checks that all that the settings file says holds.
func (d *device) untroubled() {
	d.t.Helper()
	if p := d.troubles(); len(p) > 0 {
		d.t.Errorf("it says %+v", p)
	}
}

func TestWhatNeedsNoStartHoldsAtOnce(t *testing.T) {
	d := following(t, "laptop", "lan-only = true\n", nil)
	addFolder(t, d)
	d.untroubled()
	d.sets("name", "desk")
	d.sets("log-level", "warn")
	d.sets("rescan-interval", "2h")
	d.sets("relay", "off")
	d.untroubled()
	s, err := d.Status(t.Context(), "")
	if err != nil || s.Name != "desk" || d.level.Level().String() != "WARN" {
		t.Errorf("it is called %q and logs from %v on (%v)", s.Name, d.level.Level(), err)
	}
	d.sets("log-level", "debug")
	d.sets("name", "laptop")
	d.untroubled()
	if s, err := d.Status(t.Context(), ""); err != nil || s.Name != "laptop" {
		t.Errorf("it is called %q (%v)", s.Name, err)
	}
}

func TestARescanIntervalHoldsAtOnce(t *testing.T) {
	d := following(t, "laptop", "lan-only = true\n", nil)
	addFolder(t, d)
	until(t, "the first scan", func() bool { return d.folder().State == control.StateInSync })
	before := len(d.log.with("rescan-interval"))
	d.sets("rescan-interval", "1s")
	d.untroubled()
	if now := len(d.log.with("rescan-interval", "1s")); now != before+1 {
		t.Errorf("it was taken over %d times", now)
	}
}

func TestABrakeThatIsSetHoldsAtOnceAndLetsGoAtOnce(t *testing.T) {
	a := start(t, "laptop")
	for i := range 20 {
		a.write(fmt.Sprintf("f%d", i), fmt.Sprint(i))
	}
	addFolder(t, a)
	b := following(t, "nas", "lan-only = true\n", nil)
	b.join(a)
	until(t, "all files", func() bool { return b.folder().Files == 20 })
	b.sets("brake-files", "5")
	b.untroubled()
	for i := range 15 {
		if err := os.Remove(a.at(fmt.Sprintf("f%d", i))); err != nil {
			t.Fatal(err)
		}
	}
	a.scans()
	until(t, "the brake", func() bool { return b.folder().Held == 1 })
	if !b.holds("f0", "0") {
		t.Error("it is held, and gone")
	}
	b.sets("brake-share", "200")
	until(t, "the files to go", func() bool { return b.folder().Held == 0 && b.folder().Files == 5 })
	b.untroubled()
}

func TestAMeteredNetworkIsHeededAtOnce(t *testing.T) {
	a := start(t, "laptop")
	addFolder(t, a)
	b := following(t, "phone", "lan-only = true\n", nil)
	b.join(a)
	a.write("note", "one")
	until(t, "a first file", func() bool { return b.holds("note", "one") })
	b.says("lan-only = true\nmetered = 'yes'\non-metered = 'pause'\n")
	until(t, "the rest", func() bool {
		p := b.troubles()
		return len(p) == 1 && p[0].Code == "metered" && b.folder().State == control.StatePaused
	})
	a.write("note", "two")
	until(t, "the laptop alone", func() bool {
		s, err := a.Status(t.Context(), "")
		return err == nil && !s.Peers[0].Connected
	})
	b.sets("metered", "no")
	until(t, "the other, once it is not metered", func() bool { return b.holds("note", "two") })
	b.untroubled()
	b.sets("on-battery", "pause")
	b.sets("battery-below", "1")
	b.sets("on-battery", "sync")
	a.write("note", "three")
	until(t, "another", func() bool { return b.holds("note", "three") })
}

func TestDiscoveryIsSwitchedOnAtOnceAndNotBack(t *testing.T) {
	d := following(t, "laptop", "", nil)
	d.says("discovery = 'private'\nbootstrap = []\nrelay = 'off'\n")
	d.untroubled()
	if now, err := d.Widen(t.Context(), false, ""); err != nil || now.Mode != "private" {
		t.Fatalf("it is %q (%v)", now.Mode, err)
	}
	for _, mode := range []string{"off", "public"} {
		d.sets("discovery", mode)
		p := d.troubles()
		if len(p) != 1 || p[0].Code != "setting_waits" || p[0].Message != "`discovery` was changed to "+mode+" and holds from the next start" {
			t.Errorf("of %s it says %+v", mode, p)
		}
	}
	if now, err := d.Widen(t.Context(), false, ""); err != nil || now.Mode != "private" {
		t.Errorf("it is %q (%v)", now.Mode, err)
	}
	d.sets("discovery", "private")
	d.untroubled()
	d.sets("relay", "on")
	until(t, "it to relay", func() bool { return len(d.log.with("relaying for paired devices")) > 0 })
	d.sets("relay", "off")
	until(t, "it to end that", func() bool { return len(d.log.with("no longer relaying")) > 0 })
	d.untroubled()
}

func TestWhatHoldsFromTheNextStartIsSaidUntilItDoes(t *testing.T) {
	d := following(t, "laptop", "lan-only = true\n", nil)
	for name, values := range map[string][2]string{
		"listen": {"/ip4/127.0.0.1/tcp/0,/ip4/127.0.0.1/udp/0/quic-v1", "/ip4/127.0.0.1/tcp/0"}, "mdns": {"true", "false"},
		"lan-only": {"false", "true"}, "ui": {"127.0.0.1:1", "off"},
	} {
		d.sets(name, values[0])
		p := d.troubles()
		if len(p) != 1 || p[0].Code != "setting_waits" || !strings.Contains(p[0].Message, "`"+name+"` was changed to "+values[0]) || p[0].Hint == "" {
			t.Errorf("of %s it says %+v", name, p)
		}
		found, err := d.Examine(t.Context())
		n := 0
		for _, f := range found {
			if f.Code == "setting_waits" && f.Subject == "setting "+name && !f.OK {
				n++
			}
		}
		if err != nil || n != 1 {
			t.Errorf("an examination has found %+v (%v)", found, err)
		}
		d.sets(name, values[1])
		d.untroubled()
	}
	d.sets("listen", "/ip4/127.0.0.1/tcp/0,/ip4/127.0.0.1/udp/0/quic-v1")
	d.down()
	d.up()
	d.untroubled()
	if len(d.addrs) != 2 {
		t.Errorf("it listens at %q", d.addrs)
	}
}

func TestWhatWasGivenAtTheStartGoesBeforeTheFile(t *testing.T) {
	d := following(t, "laptop", "", map[string]string{"lan-only": "true", "name": "laptop", "on-metered": "pause"})
	d.says("lan-only = false\non-metered = 'sync'\nmetered = 'yes'\n")
	until(t, "the rest", func() bool {
		p := d.troubles()
		return len(p) == 1 && p[0].Code == "metered"
	})
	found, err := d.Examine(t.Context())
	for _, name := range []string{"lan-only", "on-metered"} {
		if err != nil || !slices.ContainsFunc(found, func(f control.Finding) bool {
			return f.OK && f.Subject == "setting "+name && f.Code == "setting_overruled" && strings.Contains(f.Message, "--"+name)
		}) {
			t.Errorf("of %s it says %+v (%v)", name, found, err)
		}
	}
	if _, err := d.Rename(t.Context(), control.RenameRequest{Device: "laptop", Name: "desk"}); err != nil {
		t.Fatal(err)
	}
	if s, err := d.Status(t.Context(), ""); err != nil || s.Name != "desk" {
		t.Errorf("it was called desk, and is %q again (%v)", s.Name, err)
	}
}

func TestABrokenFileChangesNothingAndIsSaid(t *testing.T) {
	d := following(t, "laptop", "lan-only = true\nmetered = 'no'\n", nil)
	d.says("metered = 'yes'\non-metered = 'pause'\ncolour = 'red'\n")
	p := d.troubles()
	if len(p) != 1 || p[0].Code != "settings_broken" || !strings.Contains(p[0].Message, d.places.Config+":7:1:") || !strings.Contains(p[0].Message, "colour") {
		t.Fatalf("it says %+v", p)
	}
	if err := os.Remove(d.places.Config); err != nil {
		t.Fatal(err)
	}
	if p := d.troubles(); len(p) != 1 || p[0].Code != "settings_broken" || !strings.Contains(p[0].Hint, "put it back") {
		t.Errorf("of a file that is gone it says %+v", p)
	}
	d.says("lan-only = true\nmetered = 'no'\n")
	d.untroubled()
	if n := len(d.log.with("a setting was changed")); n > 0 {
		t.Errorf("%d settings were changed", n)
	}
}

func TestAnEditIsNoticedThoughNobodyAsks(t *testing.T) {
	for how, edit := range map[string]func(path string) error{
		"in place": func(path string) error {
			f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
			if err == nil {
				_, err = f.WriteString("on-metered = 'sync'\n")
				err = errors.Join(err, f.Close())
			}
			return err
		},
		"by replacing it": func(path string) error {
			b, err := os.ReadFile(path)
			if err == nil {
				err = os.WriteFile(path+".new", append(b, "on-metered = 'sync'\n"...), 0o600)
			}
			return errors.Join(err, os.Rename(path+".new", path))
		},
		"by moving it aside": func(path string) error {
			b, err := os.ReadFile(path)
			return errors.Join(err, os.Rename(path, path+"~"), os.WriteFile(path, append(b, "on-metered = 'sync'\n"...), 0o600))
		},
	} {
		t.Run(how, func(t *testing.T) {
			d := following(t, "laptop", "lan-only = true\n", nil)
			d.untroubled()
			if err := edit(d.places.Config); err != nil {
				t.Fatal(err)
			}
			until(t, "it to be taken over", func() bool { return len(d.log.with("a setting was changed", "setting=on-metered value=sync")) == 1 })
			d.untroubled()
		})
	}
}

func TestAnEditBehindALinkIsNoticed(t *testing.T) {
	d := following(t, "laptop", "lan-only = true\n", nil)
	real := filepath.Join(t.TempDir(), "dotfile")
	if err := errors.Join(os.Rename(d.places.Config, real), os.Symlink(real, d.places.Config)); err != nil {
		t.Skipf("needs symlinks: %v", err)
	}
	d.untroubled()
	if err := config.Set(real, "on-metered", "sync"); err != nil {
		t.Fatal(err)
	}
	until(t, "it to be taken over", func() bool { return len(d.log.with("a setting was changed", "setting=on-metered value=sync")) == 1 })
	d.untroubled()
}

package config

import (
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"
)

func TestAReaderKeepsToWhatWasGivenAtTheStart(t *testing.T) {
	path := write(t, "name = 'file'\nui = '127.0.0.1:1'\nrescan-interval = '60m'\nmdns = false\n")
	r := Reader{Path: path, Flags: map[string]string{"name": "flag", "rescan-interval": "1h"}, Getenv: env("KITH_UI", "[::1]:2", "KITH_METERED", "yes")}
	got, err := r.Read()
	if err != nil {
		t.Fatal(err)
	}
	if s := got.Settings; s.Name != "flag" || s.UI != "[::1]:2" || s.MDNS || s.Metered != MeteredYes {
		t.Errorf("%+v", s)
	}
	if want := []Overruled{{"name", "file", "--name"}, {"ui", "127.0.0.1:1", "KITH_UI"}}; !slices.Equal(got.Overruled, want) {
		t.Errorf("overruled are %v", got.Overruled)
	}
	for name, want := range map[string]bool{"name": true, "ui": true, "metered": true, "rescan-interval": true, "mdns": false, "listen": false} {
		if got.Fixed(name) != want {
			t.Errorf("%s is fixed: %v", name, !want)
		}
	}
}

func TestAReadingKnowsWhetherTheFileChangesAgainEvenIfItIsBroken(t *testing.T) {
	path := write(t, "mdns = maybe\n")
	r := Reader{Path: path, Getenv: env()}
	got, err := r.Read()
	if !errors.Is(err, ErrFile) || !strings.Contains(err.Error(), path+":1:") || got.Changed() {
		t.Fatalf("%v, changed: %v", err, got.Changed())
	}
	if err := os.WriteFile(path, []byte("mdns = false\n"), 0o600); err != nil || !got.Changed() {
		t.Fatalf("mended, and not changed (%v)", err)
	}
	if got, err = r.Read(); err != nil || got.Settings.MDNS || got.Changed() || r.Linked() {
		t.Fatalf("%+v (%v)", got, err)
	}
	if err := os.Remove(path); err != nil || !got.Changed() {
		t.Fatalf("gone, and not changed (%v)", err)
	}
	if got, err = r.Read(); !errors.Is(err, fs.ErrNotExist) || got.Changed() {
		t.Fatalf("of a file that is gone: %v", err)
	}
	if err := os.Symlink(write(t, ""), path); err != nil {
		t.Skipf("needs symlinks: %v", err)
	}
	if !got.Changed() || !r.Linked() {
		t.Error("a link in its place is not noticed")
	}
}

func TestOneSettingIsAdoptedAlone(t *testing.T) {
	s, o := Defaults(), Defaults()
	o.Name, o.Listen, o.BrakeFiles = "other", []string{"/ip4/0.0.0.0/tcp/0"}, 7
	for i, name := range s.Diff(o) {
		if err := s.Adopt(o, name); err != nil || s.Value(name) != o.Value(name) || len(s.Diff(o)) != 2-i {
			t.Errorf("%s is %q (%v)", name, s.Value(name), err)
		}
	}
	if err := s.Adopt(o, "colour"); !errors.Is(err, ErrSetting) || s.Value("colour") != "" {
		t.Errorf("adopted what there is not: %v", err)
	}
}

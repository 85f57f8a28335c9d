package config

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func load(t *testing.T, path string) *File {
	t.Helper()
	f, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestTheTemplateSetsNothingAndShowsEveryDefault(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config.toml")
	if err := WriteTemplate(path); err != nil {
		t.Fatal(err)
	}
	f := load(t, path)
	if len(f.text) != 0 {
		t.Fatalf("it sets %v", f.text)
	}
	raw, _ := os.ReadFile(path)
	var shown strings.Builder
	for line := range strings.Lines(string(raw)) {
		for _, name := range Names() {
			if strings.HasPrefix(line, "# "+name+" = ") {
				shown.WriteString(strings.TrimPrefix(line, "# "))
			}
		}
	}
	text, err := decode([]byte(shown.String()))
	if err != nil || len(text) != len(settings) {
		t.Fatalf("the defaults as shown: %v, %v", text, err)
	}
	if s, _, err := (&File{text: text}).Resolve(nil, env()); err != nil || len(s.Diff(Defaults())) != 0 {
		t.Fatalf("what is shown is not the default: %v, %v", s.Diff(Defaults()), err)
	}
	if err := os.WriteFile(path, []byte("mdns = false\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := WriteTemplate(path); err != nil || len(load(t, path).text) != 1 {
		t.Fatalf("the template went over what was there (%v)", err)
	}
}

func TestEachSourceGoesBeforeTheNext(t *testing.T) {
	path := write(t, "name = 'file'\nui = '127.0.0.1:1'\nlog-level = 'warn'\nlisten = []\n")
	flags := map[string]string{"name": "flag"}
	s, sources, err := load(t, path).Resolve(flags, env("KITH_NAME", "var", "KITH_UI", "[::1]:2", "KITH_LOG_LEVEL", ""))
	if err != nil {
		t.Fatal(err)
	}
	want := []Source{
		{"name", "flag", "--name"}, {"listen", "", path}, {"lan-only", "false", "default"},
		{"discovery", "off", "default"}, {"bootstrap", "", "default"}, {"relay", "auto", "default"}, {"port-mapping", "true", "default"}, {"ui", "[::1]:2", "KITH_UI"},
		{"log-level", "warn", path}, {"rescan-interval", "1h", "default"}, {"mdns", "true", "default"},
		{"brake-files", "100", "default"}, {"brake-share", "50", "default"},
		{"metered", "auto", "default"}, {"on-metered", "lan", "default"}, {"on-battery", "sync", "default"}, {"battery-below", "30", "default"},
	}
	if !slices.Equal(sources, want) {
		t.Fatalf("%v", sources)
	}
	if s.Name != "flag" || len(s.Listen) != 0 || !s.MDNS || s.RescanInterval != time.Hour {
		t.Fatalf("%+v", s)
	}
	if by, ok := Shadowed(sources, "ui"); !ok || by != "KITH_UI" {
		t.Fatal(by)
	}
	if _, ok := Shadowed(sources, "log-level"); ok {
		t.Fatal("the file is shadowed by nothing")
	}
}

func TestAWrongValueIsBlamedOnItsSource(t *testing.T) {
	f := load(t, filepath.Join(t.TempDir(), "none"))
	for _, c := range []struct{ name, value string }{
		{"name", ""}, {"name", "a/b"}, {"name", " a"}, {"name", strings.Repeat("n", 65)}, {"name", "a\x1b[0m"}, {"name", "\xff"},
		{"listen", "localhost:22"}, {"lan-only", "yes"}, {"ui", "on"}, {"ui", "0.0.0.0:80"}, {"ui", "192.168.1.1:80"}, {"ui", "localhost:x"},
		{"log-level", "loud"}, {"rescan-interval", "0"}, {"rescan-interval", "1"}, {"rescan-interval", "-1h"}, {"rescan-interval", "9000h"}, {"mdns", "1"},
	} {
		_, _, err := f.Resolve(map[string]string{c.name: c.value}, env())
		if !errors.Is(err, ErrSetting) || !strings.HasPrefix(err.Error(), "--"+c.name+":") {
			t.Errorf("--%s %q: %v", c.name, c.value, err)
		}
		if c.value == "" {
			continue
		}
		_, _, err = f.Resolve(nil, env(Variable(c.name), c.value))
		if !errors.Is(err, ErrSetting) || !strings.HasPrefix(err.Error(), Variable(c.name)+":") {
			t.Errorf("%s=%q: %v", Variable(c.name), c.value, err)
		}
	}
	if _, _, err := f.Resolve(map[string]string{"colour": "red"}, env()); !errors.Is(err, ErrSetting) {
		t.Error("an unknown flag")
	}
}

func TestAWrongFileIsRefusedWithItsPosition(t *testing.T) {
	for text, want := range map[string]string{
		"# x\nnaem = 'a'\n":                     ":2:1: not a valid settings file: no such setting: \"naem\"",
		"name = 'a'\n[ui]\n":                    ":2:2: ",
		"[network]\nport = 1\n":                 "no such setting: \"network",
		"name = 'a'\nmdns = 'yes'\n":            ":2:8: not a valid settings file: mdns",
		"name = 'a'\n\nlog-level = 'loud'\n":    ":3: not a valid settings file: log-level",
		"listen = [\n'/ip4/127.0.0.1/x'\n]\n":   ":1: not a valid settings file: listen",
		"name = 'a\n":                           ":1:",
		"name = 'a'\nname = 'b'\n":              ":2:",
		"rescan-interval = 5\n":                 ":1:19: not a valid settings file: rescan-interval",
		"name = '" + strings.Repeat("x", 1<<20): "larger than",
	} {
		path := write(t, text)
		_, err := Load(path)
		if !errors.Is(err, ErrFile) || !strings.Contains(err.Error(), path+":") || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: %v", text, err)
		}
		if err != nil && strings.Contains(err.Error(), "\n") {
			t.Errorf("%.40q: several lines: %v", text, err)
		}
	}
}

func TestChangedSeesEveryKindOfChange(t *testing.T) {
	path := write(t, "mdns = true\n")
	f := load(t, path)
	if f.Changed() {
		t.Fatal("nothing changed")
	}
	if err := os.Chtimes(path, time.Time{}, time.Now().Add(time.Hour)); err != nil || !f.Changed() {
		t.Fatalf("touched (%v)", err)
	}
	f = load(t, path)
	if err := Set(path, "mdns", "false"); err != nil || !f.Changed() {
		t.Fatalf("set (%v)", err)
	}
	f = load(t, path)
	if err := os.Remove(path); err != nil || !f.Changed() {
		t.Fatalf("removed (%v)", err)
	}
	f = load(t, path)
	if f.Changed() {
		t.Fatal("still not there")
	}
	if err := WriteTemplate(path); err != nil || !f.Changed() {
		t.Fatalf("made (%v)", err)
	}
}

func TestDiffNamesWhatDiffers(t *testing.T) {
	s, o := Defaults(), Defaults()
	if d := s.Diff(o); len(d) != 0 {
		t.Fatal(d)
	}
	o.Name, o.Listen, o.MDNS = "other", []string{"/ip4/0.0.0.0/tcp/0"}, false
	if d := s.Diff(o); !slices.Equal(d, []string{"name", "listen", "mdns"}) {
		t.Fatal(d)
	}
}

func TestAHostNameIsMadeFitForADevice(t *testing.T) {
	for host, want := range map[string]string{
		"laptop": "laptop", "laptop.example.org": "laptop", "": "kith", "localhost": "kith", "localhost.localdomain": "kith",
		"a\x00b/c": "abc", "\xffnas": "nas", ".x": "kith", "Jörg": "Jörg", strings.Repeat("ö", 40): strings.Repeat("ö", 32),
	} {
		got := cleanName(host)
		if got != want {
			t.Errorf("%q gives %q", host, got)
		}
		if _, err := parseName(got); err != nil {
			t.Error(err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(template()))
	f.Add([]byte("name = 'a' # b\nlisten = [\n'/ip4/1.2.3.4/tcp/1',\n]\nmdns=false"))
	f.Fuzz(func(t *testing.T, data []byte) {
		text, err := decode(data)
		if err != nil {
			if !errors.Is(err, ErrFile) {
				t.Fatalf("an error of its own: %v", err)
			}
			return
		}
		if _, _, err := (&File{text: text}).Resolve(nil, env()); err != nil {
			t.Fatalf("loaded but not resolved: %v", err)
		}
	})
}

package config

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func env(pairs ...string) func(string) string {
	return func(name string) string {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1]
			}
		}
		return ""
	}
}

func TestPlacesFollowThePlatformUnlessToldOtherwise(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the paths below are written for other systems")
	}
	long := "/" + strings.Repeat("long", 30)
	for name, c := range map[string]struct {
		goos, home, user        string
		env                     []string
		config, state, sockWant string
	}{
		"Linux, nothing set": {
			goos: "linux", user: "/home/u",
			config: "/home/u/.config/kith/config.toml", state: "/home/u/.local/state/kith",
			sockWant: "/home/u/.local/state/kith/kith.sock",
		},
		"Linux, all set": {
			goos: "linux", user: "/home/u",
			env:    []string{"XDG_CONFIG_HOME", "/c", "XDG_STATE_HOME", "/s", "XDG_RUNTIME_DIR", "/run/user/7"},
			config: "/c/kith/config.toml", state: "/s/kith", sockWant: "/run/user/7/kith.sock",
		},
		"Linux, relative ones ignored": {
			goos: "linux", user: "/home/u",
			env:    []string{"XDG_CONFIG_HOME", "c", "XDG_STATE_HOME", "./s", "XDG_RUNTIME_DIR", "r"},
			config: "/home/u/.config/kith/config.toml", state: "/home/u/.local/state/kith",
			sockWant: "/home/u/.local/state/kith/kith.sock",
		},
		"Linux, no home but XDG": {
			goos: "linux", env: []string{"XDG_CONFIG_HOME", "/c", "XDG_STATE_HOME", "/s"},
			config: "/c/kith/config.toml", state: "/s/kith", sockWant: "/s/kith/kith.sock",
		},
		"macOS": {
			goos: "darwin", user: "/Users/u",
			config: "/Users/u/Library/Application Support/kith/config.toml",
			state:  "/Users/u/Library/Application Support/kith", sockWant: "/Users/u/Library/Application Support/kith/kith.sock",
		},
		"Windows keeps state on the machine": {
			goos: "windows", user: "/u", env: []string{"APPDATA", "/u/Roaming", "LOCALAPPDATA", "/u/Local"},
			config: "/u/Roaming/kith/config.toml", state: "/u/Local/kith", sockWant: "/u/Local/kith/kith.sock",
		},
		"--home goes before all": {
			goos: "linux", home: "/h", user: "/home/u", env: []string{"KITH_HOME", "/other", "XDG_RUNTIME_DIR", "/run"},
			config: "/h/config.toml", state: "/h/state", sockWant: "/h/state/kith.sock",
		},
		"KITH_HOME": {
			goos: "darwin", env: []string{"KITH_HOME", "/h"},
			config: "/h/config.toml", state: "/h/state", sockWant: "/h/state/kith.sock",
		},
		"a long home moves the socket": {
			goos: "linux", home: long, config: long + "/config.toml", state: long + "/state",
			sockWant: "/tmp/kith-1000-f419eaeb9f81/kith.sock",
		},
	} {
		m := machine{goos: c.goos, getenv: env(c.env...), home: c.user, temp: "/tmp", uid: 1000}
		p, err := m.find(c.home)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if p.Config != c.config || p.State != c.state || p.Socket != c.sockWant {
			t.Errorf("%s:\n%s\n%s\n%s", name, p.Config, p.State, p.Socket)
		}
		for _, in := range []string{p.Key, p.Index, p.Membership, p.Vaults} {
			if filepath.Dir(in) != p.State {
				t.Errorf("%s: %s is not in the state directory", name, in)
			}
		}
	}
}

func TestWithoutAHomeOrAShortPathThereIsAHint(t *testing.T) {
	if _, err := (machine{goos: "linux", getenv: env()}).find(""); !errors.Is(err, ErrNoHome) {
		t.Fatal(err)
	}
	long := "/" + strings.Repeat("long", 30)
	if _, err := (machine{goos: "linux", getenv: env(), temp: long}).find(long); !errors.Is(err, ErrSocketPath) {
		t.Fatal(err)
	}
}

func TestTheLongestSocketPathIsOneThatTheKernelTakes(t *testing.T) {
	m := machine{goos: "linux", getenv: env(), temp: "/tmp"}
	for pad := range 20 {
		home := "/" + strings.Repeat("x", 80+pad)
		p, err := m.find(home)
		if err != nil || len(p.Socket) > 107 {
			t.Fatalf("%q, %v", p.Socket, err)
		}
		if stays := strings.HasPrefix(p.Socket, home); stays != (len(home+"/state/kith.sock") <= 107) {
			t.Fatalf("home of %d bytes: %q", len(home), p.Socket)
		}
	}
}

func TestARelativeHomeBecomesAbsolute(t *testing.T) {
	t.Chdir(t.TempDir())
	p, err := Find("dev")
	if err != nil || !filepath.IsAbs(p.Config) || !filepath.IsAbs(p.Socket) || !filepath.IsAbs(p.Home) {
		t.Fatalf("%+v, %v", p, err)
	}
}

func TestPrepareMakesDirectoriesForTheirOwnerAlone(t *testing.T) {
	unixOnly(t)
	home := filepath.Join(t.TempDir(), "a", "b")
	p := prepared(t, home)
	for _, dir := range []string{home, p.State} {
		if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
			t.Fatalf("%s: %v, %v", dir, info, err)
		}
	}
	if err := os.Chmod(p.State, 0o755); err != nil {
		t.Fatal(err)
	}
	prepared(t, home)
	if info, _ := os.Stat(p.State); info.Mode().Perm() != 0o700 {
		t.Fatalf("state stays at %v", info.Mode())
	}
}

func TestAShortSocketDirectoryIsTrustedOnlyIfItIsOurs(t *testing.T) {
	unixOnly(t)
	temp := t.TempDir()
	if len(temp) > 60 {
		t.Skip("the temporary directory is too deep")
	}
	m := machine{goos: "linux", getenv: env(), temp: temp, uid: os.Geteuid()}
	p, err := m.find(filepath.Join(t.TempDir(), strings.Repeat("long", 30)))
	if err != nil {
		t.Fatal(err)
	}
	if err := p.CheckSocket(); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("nothing there yet: %v", err)
	}
	if err := p.Prepare(); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Dir(p.Socket)
	if info, _ := os.Stat(dir); info.Mode().Perm() != 0o700 || filepath.Dir(dir) != temp {
		t.Fatalf("%s: %v", dir, info.Mode())
	}
	for name, spoil := range map[string]func() error{
		"others may write": func() error { return os.Chmod(dir, 0o777) },
		"a link":           func() error { return errors.Join(os.Remove(dir), os.Symlink(t.TempDir(), dir)) },
		"a file":           func() error { return errors.Join(os.Remove(dir), os.WriteFile(dir, nil, 0o600)) },
		"another's": func() error {
			if os.Geteuid() != 0 {
				return os.Chmod(dir, 0o777) // needs root to give it away
			}
			return os.Chown(dir, 12345, 12345)
		},
	} {
		_ = os.RemoveAll(dir)
		if err := errors.Join(os.Mkdir(dir, 0o700), spoil()); err != nil {
			t.Fatal(err)
		}
		if err := p.CheckSocket(); !errors.Is(err, ErrNotPrivate) {
			t.Errorf("%s: %v", name, err)
		}
		if err := p.Prepare(); !errors.Is(err, ErrNotPrivate) {
			t.Errorf("%s, prepared: %v", name, err)
		}
	}
}

func TestStateOfSomebodyElseIsRefused(t *testing.T) {
	unixOnly(t)
	if os.Geteuid() != 0 {
		t.Skip("needs root, to give a directory away")
	}
	home := t.TempDir()
	p := prepared(t, home)
	if err := os.Chown(p.State, 12345, 12345); err != nil {
		t.Fatal(err)
	}
	if err := p.Prepare(); !errors.Is(err, ErrNotPrivate) {
		t.Fatal(err)
	}
}

func prepared(t *testing.T, home string) Places {
	t.Helper()
	p, err := Find(home)
	if err == nil {
		err = p.Prepare()
	}
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func unixOnly(t *testing.T) {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("modes and owners mean nothing here")
	}
}

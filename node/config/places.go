// Package config knows where kith keeps its files on this machine, and what
// its settings are.
//
// A setting has one name everywhere: a flag, a key in config.toml, and an
// environment variable (KITH_ and the name in capitals). The flag goes before
// the variable, the variable before the file, the file before the default.
//
// # Promises
//
//   - What a person wrote into config.toml stays: comments, order and spacing
//     survive every change that kith makes to it.
//   - Nothing in the file is ignored. An unknown key or a value that does not
//     fit is an error that names the file, the line and the key.
//   - Directories that kith makes are for their owner alone.
//
// Values are immutable once made and safe for concurrent use; changes of one
// file ([Set], [WriteTemplate]) are the caller's to order.
package config

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
)

// Places are where things lie on this machine. All are absolute paths.
type Places struct {
	Home       string // what --home or KITH_HOME named; else empty
	Config     string // the settings, a file
	State      string // all that kith remembers, a directory
	Key        string // the device key, a file
	Index      string // the index, a file
	Membership string // peers, folders and their keys, a directory
	Vaults     string // the vaults, a directory
	Socket     string // the control socket
}

// Find tells the places: all beneath home, or beneath KITH_HOME if home is
// empty, or else where this platform keeps such things. It creates nothing.
func Find(home string) (Places, error) {
	m := machine{goos: runtime.GOOS, getenv: os.Getenv, temp: os.TempDir(), uid: os.Geteuid()}
	m.home, _ = os.UserHomeDir()
	return m.find(home)
}

// machine is what the places depend on.
type machine struct {
	goos   string
	getenv func(string) string
	home   string // of the user; empty if unknown
	temp   string
	uid    int
}

func (m machine) find(home string) (Places, error) {
	var p Places
	var runtimeDir string
	if home = cmp.Or(home, m.getenv("KITH_HOME")); home != "" {
		abs, err := filepath.Abs(home)
		if err != nil {
			return Places{}, fmt.Errorf("find home %q: %w", home, err)
		}
		p = Places{Home: abs, Config: abs, State: filepath.Join(abs, "state")}
	} else {
		var err error
		if p.Config, p.State, runtimeDir, err = m.own(); err != nil {
			return Places{}, err
		}
	}
	p.Config = filepath.Join(p.Config, "config.toml")
	p.Key = filepath.Join(p.State, "device.key")
	p.Index = filepath.Join(p.State, "index.db")
	p.Membership = filepath.Join(p.State, "membership")
	p.Vaults = filepath.Join(p.State, "vaults")

	var err error
	p.Socket, err = m.socket(cmp.Or(runtimeDir, p.State), p.State)
	return p, err
}

// own are the platform's own directories for settings, for state, and for
// sockets; the last is empty if there is none.
func (m machine) own() (config, state, run string, err error) {
	switch m.goos {
	case "darwin", "ios":
		dir := m.below("Library", "Application Support", "kith")
		config, state = dir, dir
	case "windows":
		config, state = m.named("APPDATA", ""), m.named("LOCALAPPDATA", "")
		// AppData may follow its user to other machines. The state must not:
		// the same device would then run twice.
		state = cmp.Or(state, config)
	default:
		config = m.named("XDG_CONFIG_HOME", m.below(".config"))
		state = m.named("XDG_STATE_HOME", m.below(".local", "state"))
		if dir := m.getenv("XDG_RUNTIME_DIR"); filepath.IsAbs(dir) {
			run = dir
		}
	}
	if config == "" || state == "" {
		return "", "", "", ErrNoHome
	}
	return config, state, run, nil
}

// named is kith's directory in the one that a variable names. The XDG
// specification asks that relative paths be ignored.
func (m machine) named(variable, otherwise string) string {
	dir := m.getenv(variable)
	if !filepath.IsAbs(dir) && (m.goos != "windows" || dir == "") {
		dir = otherwise
	}
	if dir == "" {
		return ""
	}
	return filepath.Join(dir, "kith")
}

// below is a path beneath the user's home; empty if that is unknown.
func (m machine) below(names ...string) string {
	if m.home == "" {
		return ""
	}
	return filepath.Join(append([]string{m.home}, names...)...)
}

// socket is the control socket's path in dir, or, if that is too long for the
// kernel, in a directory of its own that is found from the state directory.
func (m machine) socket(dir, state string) (string, error) {
	limit := 107 // Linux, Windows; bytes without the final NUL
	if m.goos != "linux" && m.goos != "android" && m.goos != "windows" {
		limit = 103
	}
	path := filepath.Join(dir, "kith.sock")
	if len(path) <= limit {
		return path, nil
	}
	sum := sha256.Sum256([]byte(state))
	short := filepath.Join(m.temp, "kith-"+strconv.Itoa(m.uid)+"-"+hex.EncodeToString(sum[:6]), "kith.sock")
	if len(short) <= limit {
		return short, nil
	}
	return "", fmt.Errorf("%w: %q and %q (limit %d bytes)", ErrSocketPath, path, short, limit)
}

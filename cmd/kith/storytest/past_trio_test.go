package storytest

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// trio is two devices that keep a folder the same, and one that keeps the past
// of it and can read nothing.
type trio struct {
	t                  *testing.T
	laptop, phone, nas *device
	ahead              time.Duration // how far the clock of the nas is from this one
}

// noBrake are the flags of a device that holds nothing back, whatever others
// take away.
func noBrake() []string { return []string{"--brake-files", "1000000"} }

// newTrio makes three devices that have never run, on loopback.
func newTrio(t *testing.T, flags ...string) *trio {
	t.Helper()
	make := func(name string) *device { return newDevice(t, name, nil, append(loopback(t), flags...)...) }
	return &trio{t: t, laptop: make("laptop"), phone: make("phone"), nas: make("nas")}
}

// begin starts all, with what the laptop has in its folder, and returns when
// all take part.
func (r *trio) begin(start func(*device)) {
	r.t.Helper()
	for _, d := range []*device{r.laptop, r.phone, r.nas} {
		start(d)
	}
	r.laptop.do(nil, "add", r.laptop.files, "--name", label)
	pair(r.t, r.laptop, r.phone, "--at", r.laptop.ready.Listen[0])
	r.phone.accept()
	r.backUp()
}

// backUp has the laptop share its folder with the nas, which runs.
func (r *trio) backUp() {
	r.t.Helper()
	meet(r.laptop, r.nas)
	r.laptop.do(nil, "share", label, r.nas.name, "--role", "backup")
	eventually(r.t, "the offer of a backup", patience, func() error {
		var o struct {
			Offers []struct{ Label, Role string }
		}
		r.nas.do(&o, "offers")
		if len(o.Offers) != 1 || o.Offers[0].Role != "backup" {
			return fmt.Errorf("it has %+v", o.Offers)
		}
		return nil
	})
	r.nas.do(nil, "accept", label, "--role", "backup")
}

// meet pairs two devices, and shares nothing.
func meet(shower, user *device) {
	shower.t.Helper()
	s := shower.show()
	user.do(nil, "pair", s.Code, "--at", shower.ready.Listen[0])
	if a := s.end(); a.code != 0 {
		shower.t.Fatalf("%s: kith pair ended with exit code %d\n%s", shower.name, a.code, a.err)
	}
}

// moment is what all had agreed on, and when that was by the clock of the nas.
type moment struct {
	at    time.Time
	label string // of a snapshot, if there is one
	tree  tree
}

// then is the moment as a T.
func (m moment) then() string {
	if m.label != "" {
		return m.label
	}
	return m.at.UTC().Format(time.RFC3339Nano)
}

// apart is how far a moment is from any change: far more than clocks resolve.
const apart = 3 * time.Millisecond

// settle waits until laptop and phone have the same and the nas has it too, as
// scripts do, and records that.
func (r *trio) settle() moment {
	r.t.Helper()
	r.connected(r.phone, r.nas)
	r.laptop.wait(5 * time.Minute)
	return r.protected(sameTrees(r.t, r.phone, r.laptop, 5*time.Minute))
}

// protected waits until the nas has what the laptop has, which is known, and
// records it.
func (r *trio) protected(now tree) moment {
	r.t.Helper()
	r.laptop.do(nil, "wait", label, "--for", "protected", "--timeout", "5m")
	let(apart)
	m := moment{at: time.Now().Add(r.ahead), tree: now}
	let(apart)
	return m
}

// connected waits until the laptop sees others as members.
func (r *trio) connected(others ...*device) {
	r.t.Helper()
	eventually(r.t, "the laptop to meet the others", patience, func() error {
		seen := map[string]bool{}
		for _, p := range r.laptop.status().Peers {
			seen[p.Device] = p.Connected
		}
		for _, o := range others {
			if !seen[o.ready.Device] {
				return fmt.Errorf("%s is not connected", o.name)
			}
		}
		return nil
	})
}

// restored is what kith restore prints.
type restored struct {
	At           *time.Time
	Files, Bytes int64
	Paths        []struct{ Path, What string }
	Problems     []struct{ Path, Code, Message string }
}

// comesBack has a device restore a moment into a directory that is not there
// yet, with what the nas alone has, and demands that it is the same.
func (r *trio) comesBack(on *device, m moment, dir string) {
	r.t.Helper()
	var said restored
	on.do(&said, "restore", label, "--at", m.then(), "--from", r.nas.ready.Device, "--to", dir)
	if diff := m.tree.differences(look(r.t, dir)); diff != "" {
		r.t.Errorf("%s: restored as of %s, other is what came back:\n%s\nit said %+v", on.name, m.then(), diff, said)
	}
	if n, _ := m.tree.files(); said.Files != int64(n) || len(said.Problems) > 0 {
		r.t.Errorf("%s: restored as of %s %d files, and said %+v", on.name, m.then(), n, said)
	}
	if err := os.RemoveAll(dir); err != nil {
		r.t.Fatal(err)
	}
}

// listed has a device list a moment, and demands that it lists what was.
func (r *trio) listed(on *device, m moment) {
	r.t.Helper()
	got := r.lists(on, m)
	if diff := m.tree.outlines().differences(got); diff != "" {
		r.t.Errorf("%s: listed as of %s, other is what was listed:\n%s", on.name, m.then(), diff)
	}
}

// kinds are the types that kith ls prints.
var kinds = map[string]fs.FileMode{"file": 0, "directory": fs.ModeDir, "symlink": fs.ModeSymlink}

// lists is what kith ls --at shows of a moment: no more than outlines.
func (r *trio) lists(on *device, m moment) tree {
	r.t.Helper()
	a := on.ask("ls", label, "--at", m.then(), "--from", r.nas.ready.Device)
	if a.code != 0 {
		r.t.Fatalf("%s: exit code %d\n%s", a.command, a.code, a.err)
	}
	got := tree{}
	for line := range strings.Lines(string(a.out)) {
		var e struct {
			Path, Type string
			Bytes      string `json:"path_bytes"`
			Size       int64
			Modified   *time.Time
		}
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			r.t.Fatalf("%s: it printed %q: %v", a.command, line, err)
		}
		if e.Bytes != "" {
			b, err := base64.StdEncoding.DecodeString(e.Bytes)
			if err != nil {
				r.t.Fatal(err)
			}
			e.Path = string(b)
		}
		i := item{kind: kinds[e.Type]}
		if i.kind == 0 {
			i.size = e.Size
		}
		if i.kind != fs.ModeDir && e.Modified != nil {
			i.modTime = *e.Modified
		}
		got[filepath.FromSlash(e.Path)] = i
	}
	return got
}

// outlines is of a tree what a list shows: times to the millisecond.
func (a tree) outlines() tree {
	out := tree{}
	for p, i := range a {
		out[p] = item{kind: i.kind, size: i.size, modTime: i.modTime.Truncate(time.Millisecond)}
	}
	return out
}

// vault is the directory of what the nas keeps.
func (d *device) vault() string {
	d.t.Helper()
	var found string
	err := filepath.WalkDir(d.home, func(path string, e fs.DirEntry, err error) error {
		if err == nil && e.Name() == "index.db" && filepath.Base(filepath.Dir(path)) == "vault" {
			found = filepath.Dir(path)
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil // gone meanwhile
		}
		return err
	})
	if err != nil || found == "" {
		d.t.Fatalf("%s keeps no vault: %v", d.name, err)
	}
	return found
}

package node_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node"
	"github.com/kithmesh/kith/node/config"
	"github.com/kithmesh/kith/node/control"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// device is a real one, run within this process.
type device struct {
	*control.Client // while it runs
	t               testing.TB
	name            string
	root            string // of the folder
	places          config.Places
	id              entry.DeviceID
	addrs           []string               // of the last run
	log             *journal               // of all runs
	settings        func(*config.Settings) // changes those of the next run; nil for none
	reader          *config.Reader         // of the settings file, which then says them; nil for none
	level           slog.LevelVar          // of the log
	cancel          context.CancelFunc
	ended           chan error
}

// journal keeps what a device logs.
type journal struct {
	mu    sync.Mutex
	lines bytes.Buffer
}

func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.lines.Write(b)
}

// with are the lines that hold all of the words.
func (j *journal) with(words ...string) (out []string) {
	j.mu.Lock()
	text := j.lines.String()
	j.mu.Unlock()
	for line := range strings.Lines(text) {
		if !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(line, w) }) {
			out = append(out, line)
		}
	}
	return out
}

// start runs a device with nothing in it until the test ends.
func start(t testing.TB, name string) *device {
	t.Helper()
	d := made(t, name)
	d.up()
	return d
}

// made is a device that has not run yet.
func made(t testing.TB, name string) *device {
	t.Helper()
	d := &device{t: t, name: name, root: filepath.Join(t.TempDir(), name), log: &journal{}, ended: make(chan error, 1)}
	var err error
	if d.places, err = config.Find(filepath.Join(t.TempDir(), "home")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(d.root, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		d.down()
		if t.Failed() {
			t.Logf("the last of what %s logged:\n%s", name, d.log.tail(60))
		}
	})
	d.level.Set(slog.LevelDebug)
	return d
}

// up runs the device, which knows of itself what its home says.
func (d *device) up() {
	d.t.Helper()
	settings := config.Defaults()
	settings.Name, settings.Listen, settings.MDNS, settings.LANOnly = d.name, []string{"/ip4/127.0.0.1/tcp/0"}, false, true
	if d.settings != nil {
		d.settings(&settings)
	}
	if d.reader != nil {
		r, err := d.reader.Read()
		if err != nil {
			d.t.Fatal(err)
		}
		settings = r.Settings
	}
	ctx, cancel := context.WithCancel(context.Background())
	d.cancel = cancel
	ready := make(chan control.Ready, 1)
	go func() {
		d.ended <- node.Run(ctx, node.Options{
			Places: d.places, Settings: settings, Software: "kith test", Ready: func(r control.Ready) { ready <- r },
			Log:    slog.New(slog.NewTextHandler(d.log, &slog.HandlerOptions{Level: &d.level})),
			Reader: d.reader, Level: &d.level,
		})
	}()
	select {
	case r := <-ready:
		d.id, d.addrs = r.Identity.ID, r.Listen
	case err := <-d.ended:
		cancel()
		d.cancel = nil
		d.t.Fatalf("%s did not start: %v", d.name, err)
	}
	var err error
	if d.Client, err = control.Dial(d.t.Context(), d.places.Socket); err != nil {
		d.t.Fatal(err)
	}
}

// down ends the device, if it runs.
func (d *device) down() {
	d.t.Helper()
	if d.cancel == nil {
		return
	}
	if d.Client != nil {
		d.Close()
	}
	d.cancel()
	d.cancel, d.Client = nil, nil
	if err := <-d.ended; err != nil {
		d.t.Errorf("%s ended with %v", d.name, err)
	}
}

func (j *journal) tail(n int) string {
	all := j.with()
	return strings.Join(all[max(0, len(all)-n):], "")
}

// patience is how long anything is waited for.
const patience = 30 * time.Second

// until waits for something to become so.
func until(t testing.TB, what string, is func() bool) {
	t.Helper()
	if !within(patience, is) {
		t.Fatalf("waited in vain: %s", what)
	}
}

func within(limit time.Duration, is func() bool) bool {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(limit)
	for !is() {
		select {
		case <-tick.C:
		case <-deadline:
			return is()
		}
	}
	return true
}

func (d *device) at(name string) string { return filepath.Join(d.root, name) }

func (d *device) write(name, text string) {
	d.t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(d.at(name)), 0o755), os.WriteFile(d.at(name), []byte(text), 0o644)); err != nil {
		d.t.Fatal(err)
	}
}

// holds tells whether a file has just this content.
func (d *device) holds(name, text string) bool {
	b, err := os.ReadFile(d.at(name))
	return err == nil && string(b) == text
}

// folder is the status of the device's only folder.
func (d *device) folder() control.FolderStatus {
	d.t.Helper()
	s, err := d.Status(d.t.Context(), "docs")
	if err != nil || len(s.Folders) != 1 {
		d.t.Fatalf("status of %s: %v: %v", d.name, s.Folders, err)
	}
	return s.Folders[0]
}

// invite shows a code and hands the ticket to use, with the folder on offer.
func (d *device) invite(use func(ticket string) entry.DeviceID) {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(d.t.Context(), 20*time.Second)
	defer cancel()
	used := make(chan entry.DeviceID, 1)
	_, err := d.ShowCode(ctx, control.ShowCodeRequest{Shares: []control.Offering{{Folder: "docs"}}}, func(i control.Invitation) error {
		go func() { used <- use(i.Ticket) }()
		return nil
	})
	if err != nil {
		d.t.Fatal(err)
	}
	<-used
}

// join pairs with the device that shares the folder, and accepts it.
func (d *device) join(from *device) {
	d.t.Helper()
	from.invite(func(ticket string) entry.DeviceID {
		if _, err := d.UseCode(d.t.Context(), control.UseCodeRequest{Code: ticket}); err != nil {
			d.t.Error(err)
		}
		return d.id
	})
	until(d.t, "an offer", func() bool {
		o, err := d.Offers(d.t.Context())
		return err == nil && len(o) == 1
	})
	if _, err := d.AcceptOffer(d.t.Context(), control.AcceptRequest{Folder: "docs", Path: d.root}); err != nil {
		d.t.Fatal(err)
	}
}

// scans finds what was written.
func (d *device) scans() {
	d.t.Helper()
	if _, err := d.ScanFolders(d.t.Context(), "docs"); err != nil {
		d.t.Fatal(err)
	}
}

// listing is everything below a directory but kith's own: names, kinds, modes
// and contents.
func listing(t testing.TB, root string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err == nil && name == ".kith" {
			err = fs.SkipDir
		}
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		what := info.Mode().String()
		switch {
		case info.Mode()&fs.ModeSymlink != 0:
			target, err := os.Readlink(path)
			out[name] = what + " -> " + target
			return err
		case info.Mode().IsRegular():
			b, err := os.ReadFile(path)
			out[name] = fmt.Sprintf("%s %d %q", what, len(b), b[:min(len(b), 200)])
			return err
		}
		out[name] = what
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// difference is what two listings do not have in common.
func difference(before, after map[string]string) (out []string) {
	for _, name := range slices.Sorted(maps.Keys(before)) {
		if after[name] != before[name] {
			out = append(out, fmt.Sprintf("%q was %s, is %s", name, before[name], after[name]))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(after)) {
		if _, ok := before[name]; !ok {
			out = append(out, fmt.Sprintf("%q is new: %s", name, after[name]))
		}
	}
	return out
}

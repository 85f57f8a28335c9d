package node

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/kithmesh/kith/discovery"
	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/config"
	"github.com/kithmesh/kith/node/control"
	"github.com/kithmesh/kith/node/folder/brake"
	"github.com/kithmesh/kith/node/tree/watch"
)

// This file has a running device follow its settings file: what can be changed
// at once is, and what cannot is said until it is set back or the device starts
// anew.

const (
	// settingsRest is how long the settings file must rest before it is read:
	// some editors empty it first, and an empty file is a valid one.
	settingsRest = 300 * time.Millisecond
	// settingsRestless is how long that is waited for at the most.
	settingsRestless = 5 * time.Second
	// settingsPoll is how often it is looked whether the file has changed, where
	// the system does not tell.
	settingsPoll = 5 * time.Second
	// settingsWait is how long a status waits for a file that has just changed.
	settingsWait = 3 * time.Second
)

// The codes of what is told of settings.
const (
	settingWaits     = "setting_waits"
	settingOverruled = "setting_overruled"
	settingsBroken   = "settings_broken"
)

// setting are the settings that hold now.
func (d *Device) setting() config.Settings {
	if now := d.held.Load(); now != nil {
		return *now
	}
	return d.Settings
}

// hold changes what holds. The caller has d.changing.
func (d *Device) hold(change func(*config.Settings)) {
	now := d.setting()
	change(&now)
	d.held.Store(&now)
}

// settingsFile is what is known of the settings file.
type settingsFile struct {
	look chan struct{} // somebody waits for it to be read
	news notice        // it was read
	mu   sync.Mutex
	told told
}

// told is what came of reading the settings file.
type told struct {
	reading   *config.Reading // nil before the first
	broken    error           // why it could not be read
	waits     []waitingSetting
	overruled []config.Overruled
}

// waitingSetting was changed, and holds from the next start.
type waitingSetting struct{ name, value string }

func newSettingsFile() settingsFile {
	return settingsFile{look: make(chan struct{}, 1), news: newNotice()}
}

func (f *settingsFile) last() told {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.told
}

// changed tells whether the file is not as it was read.
func (f *settingsFile) changed() bool {
	last := f.last()
	return last.reading == nil || last.reading.Changed()
}

// problems are what a status says of the settings.
func (f *settingsFile) problems() (out []control.Problem) {
	last := f.last()
	if last.broken != nil {
		hint := "mend it: until then all settings hold as before, and kith would not start anew"
		if errors.Is(last.broken, fs.ErrNotExist) {
			hint = "put it back: until then all settings hold as before, and the next start writes one with the defaults"
		}
		out = append(out, control.Problem{
			Code: settingsBroken, Message: "nothing of the settings file is taken over: " + last.broken.Error(), Hint: hint,
		})
	}
	for _, w := range last.waits {
		out = append(out, w.problem())
	}
	return out
}

func (w waitingSetting) problem() control.Problem {
	became := "changed to " + w.value
	if w.value == "" {
		became = "emptied"
	}
	return control.Problem{
		Code: settingWaits, Message: fmt.Sprintf("`%s` was %s and holds from the next start", w.name, became),
		Hint: "restart kith: kith down, then kith up; or set it back",
	}
}

// findings are what an examination says of single settings.
func (f *settingsFile) findings() (out []control.Finding) {
	last := f.last()
	for _, w := range last.waits {
		p := w.problem()
		out = append(out, control.Finding{Subject: "setting " + w.name, Code: p.Code, Message: p.Message, Hint: p.Hint})
	}
	for _, o := range last.overruled {
		out = append(out, control.Finding{
			Subject: "setting " + o.Setting, OK: true, Code: settingOverruled,
			Message: fmt.Sprintf("the file says %s, and this device was started with %s, which goes before it", o.Value, o.By),
		})
	}
	return out
}

// settleSettings waits, but not for long, until a settings file that has just
// changed was read: who changes it and then asks is told what came of it.
func (d *Device) settleSettings(ctx context.Context) {
	if d.Reader == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, settingsWait)
	defer cancel()
	for {
		read := d.file.news.next()
		if !d.file.changed() {
			return
		}
		select {
		case d.file.look <- struct{}{}:
		default:
		}
		select {
		case <-read:
		case <-ctx.Done():
			return
		}
	}
}

// watchSettings follows the settings file until ctx ends. While nothing changes
// it sleeps, unless the system cannot tell of changes.
func (d *Device) watchSettings(ctx context.Context) error {
	if d.Reader == nil {
		return nil
	}
	w := watch.New(filepath.Dir(d.Reader.Path), watch.Options{Skip: func(entry.Path) bool { return true }})
	_, ended := d.tasks.start(w.Run)
	defer func() { <-ended }()
	select {
	case <-w.Ready():
		d.readSettings(ctx)
	case <-ctx.Done():
	}
	for ctx.Err() == nil {
		if d.settingsTouched(ctx, w) {
			d.awaitRest(ctx, w)
			d.readSettings(ctx)
		}
	}
	return nil
}

// settingsTouched waits for one thing that happens, and tells whether the
// settings file is to be read for it.
func (d *Device) settingsTouched(ctx context.Context, w *watch.Watcher) bool {
	var poll <-chan time.Time
	if _, blind := w.Degraded(); blind || d.Reader.Linked() {
		timer := time.NewTimer(settingsPoll)
		defer timer.Stop()
		poll = timer.C
	}
	select {
	case <-ctx.Done():
		return false
	case <-d.file.look:
		return true
	case <-w.Changed():
		return d.concerns(w.Take())
	case <-poll:
		return d.file.changed() || d.file.last().broken != nil
	}
}

// concerns tells whether the settings file may have changed.
func (d *Device) concerns(events []watch.Event) bool {
	name := entry.Path(filepath.Base(d.Reader.Path))
	return slices.ContainsFunc(events, func(e watch.Event) bool { return e.Path == name || e.Path == "" && e.Recursive })
}

// awaitRest waits until nobody is writing the settings file.
func (d *Device) awaitRest(ctx context.Context, w *watch.Watcher) {
	ctx, cancel := context.WithTimeout(ctx, settingsRestless)
	defer cancel()
	rest := time.NewTimer(settingsRest)
	defer rest.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-rest.C:
			return
		case <-w.Changed():
			if d.concerns(w.Take()) {
				rest.Reset(settingsRest)
			}
		}
	}
}

// readSettings reads the settings file and makes hold what can. A file that
// cannot be read changes nothing.
func (d *Device) readSettings(ctx context.Context) {
	d.changing.Lock()
	defer d.changing.Unlock()
	if ctx.Err() != nil {
		return
	}
	before := d.file.last()
	reading, err := d.Reader.Read()
	now := told{reading: &reading, broken: err}
	switch {
	case err == nil:
		now.waits = d.adopt(ctx, &reading)
		now.overruled = slices.DeleteFunc(reading.Overruled, func(o config.Overruled) bool { return d.setting().Value(o.Setting) == o.Value })
	case before.broken == nil || before.broken.Error() != err.Error():
		d.Log.Warn("the settings file cannot be read; all settings hold as before", "error", err)
	}
	for _, w := range now.waits {
		if !slices.Contains(before.waits, w) {
			d.Log.Warn("a setting was changed that holds from the next start", "setting", w.name, "value", w.value)
		}
	}
	d.file.mu.Lock()
	d.file.told = now
	d.file.mu.Unlock()
	d.file.news.tell()
	d.changed.tell()
}

// adopt makes hold what was read, and returns what has to wait for the next
// start. What a flag or a variable gives stays as it is, even where a person
// has changed it since in another way.
func (d *Device) adopt(ctx context.Context, r *config.Reading) (waits []waitingSetting) {
	names := d.setting().Diff(r.Settings)
	if i := slices.Index(names, "discovery"); i >= 0 { // with what else is set for it
		names = append(slices.Delete(names, i, i+1), "discovery")
	}
	var adopted []string
	for _, name := range names {
		switch {
		case r.Fixed(name):
			continue
		case !d.adoptable(name):
			waits = append(waits, waitingSetting{name, r.Settings.Value(name)})
			continue
		}
		d.Log.Info("a setting was changed", "setting", name, "value", r.Settings.Value(name))
		if name == "discovery" && !d.setting().LANOnly {
			d.widen(r.Settings.Discovery)
			continue
		}
		d.hold(func(s *config.Settings) { _ = s.Adopt(r.Settings, name) }) // it was valid there
		adopted = append(adopted, name)
	}
	d.actOn(ctx, adopted)
	return waits
}

// adoptable tells whether a setting can be changed while the device runs.
func (d *Device) adoptable(name string) bool {
	switch name {
	case "name", "relay", "rescan-interval", "brake-files", "brake-share", "metered", "on-metered", "on-battery", "battery-below":
		return true
	case "log-level":
		return d.Level != nil
	case "discovery", "bootstrap", "port-mapping":
		// They can begin to matter, and not change once they do.
		return d.discovery() == config.DiscoveryOff
	}
	return false // "listen", "lan-only", "ui", "mdns"
}

// actOn carries out settings that hold now.
func (d *Device) actOn(ctx context.Context, adopted []string) {
	now := d.setting()
	tune, around := false, false
	for _, name := range adopted {
		switch name {
		case "name":
			d.takeName(now.Name)
		case "log-level":
			d.Level.Set(now.LogLevel)
		case "relay":
			d.net.SetRelay(discovery.RelayMode(now.Relay))
		case "rescan-interval", "brake-files", "brake-share":
			tune = true
		case "metered", "on-metered", "on-battery", "battery-below":
			around = true
		}
	}
	if tune {
		for _, s := range d.allShares() {
			s.tune(ctx)
		}
	}
	if around {
		d.retuned.tell()
		if err := d.carryOutPauses(ctx); err != nil && ctx.Err() == nil {
			d.Log.Warn("act on the settings", "error", err)
		}
	}
}

// tune makes a folder go by what holds now. One that has stopped does when it
// starts again.
func (s *share) tune(ctx context.Context) {
	if s.tree != nil {
		now := s.device.setting()
		_ = s.tree.Tune(ctx, brakeLimits(&now), now.RescanInterval)
	}
}

func brakeLimits(s *config.Settings) brake.Limits {
	return brake.Limits{Files: s.BrakeFiles, Share: s.BrakeShare}
}

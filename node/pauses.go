package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/control"
	"github.com/kithmesh/kith/node/durable"
)

// pauses are what a person has paused, until when: the zero time is for ever.
// The key is a folder ID, a device ID, or empty for everything.
type pauses map[string]time.Time

const pausesFile = "pauses.json"

func (p pauses) has(key string, now time.Time) bool {
	until, ok := p[key]
	return ok && (until.IsZero() || now.Before(until))
}

// isPaused tells whether the exchange with a device is paused.
func (d *Device) isPaused(id entry.DeviceID) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := time.Now()
	return d.rests(d.in()) != nil || d.paused.has("", now) || d.paused.has(string(id), now)
}

// isPausedFolder tells whether the exchange about a folder is paused.
func (d *Device) isPausedFolder(id entry.FolderID) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := time.Now()
	return d.rests(d.in()) != nil || d.paused.has("", now) || d.paused.has(id.String(), now)
}

func (d *Device) pausesPath() string { return filepath.Join(d.Places.State, pausesFile) }

// loadPauses reads what was paused when the device last ran.
func (d *Device) loadPauses() error {
	d.paused = pauses{}
	b, err := os.ReadFile(d.pausesPath())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = json.Unmarshal(b, &d.paused)
	}
	if err != nil {
		return fmt.Errorf("read %s (remove it to end all pauses): %w", d.pausesPath(), err)
	}
	return nil
}

// setPauses changes what is paused, durably, and carries it out.
func (d *Device) setPauses(ctx context.Context, change func(pauses)) error {
	d.mu.Lock()
	next := maps.Clone(d.paused)
	change(next)
	b, err := json.Marshal(next)
	if err == nil {
		err = durable.Write(d.pausesPath(), b, 0o600)
	}
	if err == nil {
		d.paused = next
	}
	d.mu.Unlock()
	if err != nil {
		return err
	}
	return d.carryOutPauses(ctx)
}

// carryOutPauses closes the connections that are paused, keeps those that are
// not, and takes paused folders out of the exchange.
func (d *Device) carryOutPauses(ctx context.Context) error {
	for _, p := range d.store.Peers() {
		id, err := peer.Decode(string(p.ID))
		if err != nil {
			return err
		}
		switch paused := d.isPaused(p.ID); {
		case paused && d.net.Trusted(id):
			d.net.Distrust(id)
		case !paused && !d.net.Trusted(id):
			if err := d.trust(p); err != nil {
				return err
			}
		}
	}
	for _, s := range d.allShares() {
		paused := d.isPausedFolder(s.ID)
		d.eachLink(func(l *link) {
			if paused {
				_ = s.Detach(ctx, l.id)
				return
			}
			_ = l.attach(ctx, s.ID)
		})
	}
	d.news()
	return ctx.Err()
}

// watchPauses ends pauses when their time has come.
func (d *Device) watchPauses(ctx context.Context) {
	for {
		changed := d.changed.next()
		d.mu.Lock()
		var due time.Time
		for _, until := range d.paused {
			if !until.IsZero() && (due.IsZero() || until.Before(due)) {
				due = until
			}
		}
		d.mu.Unlock()
		var timer <-chan time.Time
		if !due.IsZero() {
			timer = time.After(time.Until(due))
		}
		select {
		case <-ctx.Done():
			return
		case <-changed:
		case now := <-timer:
			err := d.setPauses(ctx, func(p pauses) {
				maps.DeleteFunc(p, func(_ string, until time.Time) bool { return !until.IsZero() && !now.Before(until) })
			})
			if err != nil {
				d.Log.Warn("end a pause", "error", err)
			}
		}
	}
}

// pauseKey is what a text names.
func (d *Device) pauseKey(text string) (string, error) {
	if text == "" {
		return "", nil
	}
	s, noFolder := d.findShare(text)
	if noFolder == nil {
		return s.ID.String(), nil
	}
	p, noDevice := d.findPeer(text)
	if noDevice == nil {
		return string(p.ID), nil
	}
	if errors.Is(noFolder, control.ErrAmbiguous) {
		return "", noFolder
	}
	return "", fmt.Errorf("%q is no folder and no device: %w", text, control.ErrNoFolder)
}

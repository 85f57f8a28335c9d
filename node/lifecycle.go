package node

import (
	"context"
	"fmt"
	"time"

	"github.com/kithmesh/kith/node/config"
	"github.com/kithmesh/kith/node/control"
)

// controlled is the device as package control serves it.
func (d *Device) controlled() control.Device {
	return control.Device{Lifecycle: d, Pairing: d, Peers: d, Folders: d, Sharing: d, States: d, Paths: d, Care: d, Roles: d,
		Past: historian{d}, Snapshots: d, Vaults: d, Proofs: d, Recovery: d, Limits: d}
}

// Stop implements [control.Lifecycle].
func (d *Device) Stop(context.Context) error {
	d.stop()
	return nil
}

// Pause implements [control.Lifecycle].
func (d *Device) Pause(ctx context.Context, r control.PauseRequest) error {
	key, err := d.pauseKey(r.Target)
	if err != nil {
		return err
	}
	var until time.Time
	if r.For > 0 {
		until = time.Now().Add(r.For)
	}
	return d.setPauses(ctx, func(p pauses) { p[key] = until })
}

// Resume implements [control.Lifecycle].
func (d *Device) Resume(ctx context.Context, target string) error {
	key, err := d.pauseKey(target)
	if err != nil {
		return err
	}
	return d.setPauses(ctx, func(p pauses) {
		if target == "" {
			clear(p)
		}
		delete(p, key)
	})
}

// Rename implements [control.Peers].
func (d *Device) Rename(_ context.Context, r control.RenameRequest) (control.Identity, error) {
	if r.Device == d.Name() || r.Device == string(d.id.ID()) {
		return d.renameSelf(r.Name)
	}
	p, err := d.findPeer(r.Device)
	if err != nil {
		return control.Identity{}, fmt.Errorf("rename: %w", err)
	}
	for _, o := range d.store.Peers() {
		if o.ID != p.ID && shownName(o) == r.Name || r.Name == d.Name() {
			return control.Identity{}, fmt.Errorf("rename %q to %q: %w", r.Device, r.Name, control.ErrNameTaken)
		}
	}
	p.Given = r.Name
	if err := d.store.PutPeer(p); err != nil {
		return control.Identity{}, err
	}
	d.changed.tell()
	return d.identity(p.ID), nil
}

// renameSelf gives this device a name. Peers learn it when they next connect.
func (d *Device) renameSelf(name string) (control.Identity, error) {
	for _, o := range d.store.Peers() {
		if shownName(o) == name {
			return control.Identity{}, fmt.Errorf("rename this device to %q: %w", name, control.ErrNameTaken)
		}
	}
	d.changing.Lock()
	defer d.changing.Unlock()
	if err := config.Set(d.Places.Config, "name", name); err != nil {
		return control.Identity{}, err
	}
	d.takeName(name)
	return d.identity(d.id.ID()), nil
}

// takeName makes this device go by a name from now on.
func (d *Device) takeName(name string) {
	d.hold(func(s *config.Settings) { s.Name = name })
	d.mu.Lock()
	d.name = name
	d.mu.Unlock()
	for _, s := range d.allShares() {
		if s.tree != nil {
			s.tree.Rename(name)
		}
		if err := s.describe(); err != nil {
			d.Log.Warn("tell the new name", "folder", s.ID, "error", err)
		}
	}
	d.news()
}

package node

import (
	"context"
	"errors"
	"fmt"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/roster"
	"github.com/kithmesh/kith/index/version"
	"github.com/kithmesh/kith/node/control"
	"github.com/kithmesh/kith/node/folder"
)

// SetRole implements [control.Roles].
func (d *Device) SetRole(ctx context.Context, r control.RoleRequest) (control.Folder, error) {
	s, err := d.findShare(r.Folder)
	if err != nil {
		return control.Folder{}, fmt.Errorf("role: %w", err)
	}
	switch was := s.controlled().Role; {
	case was == entry.RoleBackup && r.Role == entry.RoleBackup:
		return s.controlled(), nil
	case was == entry.RoleBackup || r.Role == entry.RoleBackup:
		return d.rebuild(ctx, s, r)
	}
	name := d.Name()
	err = s.say(func(ro roster.Roster, now version.Clock) (roster.Statement, error) {
		return ro.Describe(d.id, name, r.Role, now)
	})
	if errors.Is(err, roster.ErrRight) {
		err = fmt.Errorf("%w: it was not admitted for that", control.ErrInvalid)
	}
	if err != nil {
		return control.Folder{}, fmt.Errorf("role of %q as %s: %w", r.Folder, r.Role, err)
	}
	s.mu.Lock()
	rec := s.record
	rec.Role = r.Role
	if err = d.store.PutFolder(rec); err == nil {
		s.record = rec
	}
	s.mu.Unlock()
	if err == nil {
		err = s.tree.SetRole(ctx, r.Role)
	}
	if err != nil {
		return control.Folder{}, fmt.Errorf("role of %q as %s: %w", r.Folder, r.Role, err)
	}
	d.news()
	return s.controlled(), nil
}

// GoOn implements [control.Roles].
func (d *Device) GoOn(ctx context.Context, text string) (control.Folder, error) {
	s, err := d.findShare(text)
	if err != nil {
		return control.Folder{}, fmt.Errorf("go on: %w", err)
	}
	tree, err := s.withTree()
	if err != nil {
		return control.Folder{}, fmt.Errorf("go on: %w", err)
	}
	err = tree.GoOn(ctx)
	if errors.Is(err, folder.ErrNotFenced) {
		err = fmt.Errorf("%w: %w", control.ErrInvalid, err)
	}
	if err == nil {
		err = s.claim()
	}
	if err != nil {
		return control.Folder{}, fmt.Errorf("go on with %q: %w", text, err)
	}
	d.news()
	return s.controlled(), nil
}

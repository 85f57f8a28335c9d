package main

import (
	"strings"

	"github.com/kithmesh/kith/node/control"
)

// backup says how the vault of a folder is of which this device is a backup.
func (p statusPage) backup(f control.FolderStatus) string {
	v := f.Vault
	var parts []string
	if text := p.toCome(f); text != "" {
		parts = append(parts, text)
	}
	if v.Damaged > 0 {
		parts = append(parts, plural(v.Damaged, "piece")+" damaged")
	}
	switch {
	case v.LastRun.IsZero():
		parts = append(parts, "not complete yet")
	default:
		parts = append(parts, "complete as of "+clock(v.LastRun, p.now))
	}
	if v.Schedule != "" {
		text := v.Schedule
		if !v.NextRun.IsZero() {
			text += ", next " + clock(v.NextRun, p.now)
		}
		parts = append(parts, text)
	}
	if s := v.Store; s != nil && s.Waiting > 0 {
		text := size(s.Waiting) + " to go to the store"
		if s.Leaving {
			text = size(s.Waiting) + " to come from the store"
		}
		parts = append(parts, text)
	}
	if v.Quota > 0 {
		parts = append(parts, "quota "+size(v.Quota))
	}
	return strings.Join(parts, "; ")
}

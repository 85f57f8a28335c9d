package control_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/control"
	"github.com/kithmesh/kith/node/control/controltest"
)

func needsCare() controltest.Care {
	batch := control.HeldBatch{
		ID: "k3f9", Folder: docs, From: phone, Deletes: 1200, Rewrites: 3, Files: 12408, Bytes: 41 << 30, Since: noon,
		Paths: []string{"a\xff", "b"},
	}
	version := control.ConflictVersion{Path: "a\xff.txt", Device: "laptop", Mine: true, Kind: entry.File, Size: 7, ModTime: noon}
	other := control.ConflictVersion{Path: "a (conflict)\xff.txt", Device: "phone", Kind: entry.Symlink}
	return controltest.Care{
		Conflicts: []control.Conflict{
			{Folder: docs, Path: "a\xff.txt", Main: version, Copies: []control.ConflictVersion{other, version}},
			{Folder: docs, Path: "gone", Copies: []control.ConflictVersion{other}},
		},
		Resolved: []control.Resolved{
			{Path: "Documents/a\xff", Kept: "a\xff", Removed: []string{"b\xff"}, Renamed: []string{"c\xfe", "d"}},
			{Path: "Documents/e", Removed: []string{}, Renamed: []string{}, Problem: "it has changed"},
		},
		Held: []control.HeldBatch{batch, {ID: "x", Folder: docs, From: phone, Paths: []string{}}}, Batch: batch,
		Revoked: control.Revoked{Identity: phone, Folders: []control.Folder{docs}, Kept: []control.Folder{{ID: entry.FolderID{4}, Label: "work"}}},
		Findings: []control.Finding{
			{Subject: "clock", OK: true, Code: "clock", Message: "it is right"},
			{Subject: "folder Documents", Code: "fenced", Message: "restored", Hint: "kith doctor --go-on Documents"},
		},
	}
}

func TestEveryAnswerAboutCareCrossesTheSocketWhole(t *testing.T) {
	d := &controltest.Device{Care: needsCare(), Folder: docs}
	c := dial(t, serve(t, d))
	ctx := t.Context()

	conflicts, err := c.Conflicts(ctx, "doc")
	expect(t, "Conflicts", d.Care.Conflicts, conflicts, err)
	for _, k := range []control.Keep{control.KeepMine, control.KeepTheirs, control.KeepBoth, control.KeepNewest, control.KeepMain} {
		resolved, err := c.Resolve(ctx, control.ResolveRequest{Places: []control.Place{{Text: "*"}}, Keep: k, Copies: []string{"a (conflict)"}})
		expect(t, "Resolve", d.Care.Resolved, resolved, err)
	}
	held, err := c.Held(ctx, "")
	expect(t, "Held", d.Care.Held, held, err)
	approved, err := c.Approve(ctx, "k3f9")
	expect(t, "Approve", d.Care.Batch, approved, err)
	rejected, err := c.Reject(ctx, "k3f9")
	expect(t, "Reject", d.Care.Batch, rejected, err)
	changed, err := c.SetRole(ctx, control.RoleRequest{Folder: "doc", Role: entry.RoleArchive, Path: "/tree/./\xff"})
	archive := docs
	archive.Role = entry.RoleArchive
	expect(t, "SetRole", archive, changed, err)
	revoked, err := c.Revoke(ctx, "phone")
	expect(t, "Revoke", d.Care.Revoked, revoked, err)
	found, err := c.Examine(ctx)
	expect(t, "Examine", d.Care.Findings, found, err)
	went, err := c.GoOn(ctx, "doc")
	expect(t, "GoOn", docs, went, err)

	expect(t, "the device was asked", []string{
		"Conflicts doc", "Resolve {Places:[{Text:* Absolute:}] Keep:mine Copies:[a (conflict)]}", "Resolve {Places:[{Text:* Absolute:}] Keep:theirs Copies:[a (conflict)]}",
		"Resolve {Places:[{Text:* Absolute:}] Keep:both Copies:[a (conflict)]}", "Resolve {Places:[{Text:* Absolute:}] Keep:newest Copies:[a (conflict)]}",
		"Resolve {Places:[{Text:* Absolute:}] Keep:main Copies:[a (conflict)]}", "Held ", "Approve k3f9", "Reject k3f9",
		"SetRole {Folder:doc Role:archive Path:/tree/\xff}", "Revoke phone", "Examine ", "GoOn doc",
	}, d.Asked(), nil)
}

func TestBadRequestsAboutCareNeverReachTheDevice(t *testing.T) {
	d := &controltest.Device{}
	c := dial(t, serve(t, d))
	ctx := t.Context()
	place := []control.Place{{Text: "a"}}
	cases := map[string]func() error{
		"nothing to resolve": func() error { _, err := c.Resolve(ctx, control.ResolveRequest{Keep: control.KeepMine}); return err },
		"nothing to keep":    func() error { _, err := c.Resolve(ctx, control.ResolveRequest{Places: place}); return err },
		"to keep something else": func() error {
			_, err := c.Resolve(ctx, control.ResolveRequest{Places: place, Keep: "all"})
			return err
		},
		"no batch to approve": func() error { _, err := c.Approve(ctx, ""); return err },
		"a long batch ID":     func() error { _, err := c.Reject(ctx, strings.Repeat("x", 999)); return err },
		"no role":             func() error { _, err := c.SetRole(ctx, control.RoleRequest{Folder: "doc"}); return err },
		"a role that is none": func() error { _, err := c.SetRole(ctx, control.RoleRequest{Folder: "doc", Role: 77}); return err },
		"a relative path": func() error {
			_, err := c.SetRole(ctx, control.RoleRequest{Folder: "doc", Role: entry.RoleSync, Path: "a"})
			return err
		},
		"nobody to revoke": func() error { _, err := c.Revoke(ctx, ""); return err },
		"nothing to go on": func() error { _, err := c.GoOn(ctx, ""); return err },
	}
	for name, ask := range cases {
		if err := ask(); !errors.Is(err, control.ErrInvalid) {
			t.Errorf("%s: got %v, want ErrInvalid", name, err)
		}
	}
	if asked := d.Asked(); len(asked) != 0 {
		t.Errorf("the device was asked %q", asked)
	}
}

package main

import (
	"fmt"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/control"
	"github.com/kithmesh/kith/node/control/controltest"
)

// library has paths in every state, with names that are hard to show.
func library() *controltest.Device {
	d := firstHour()
	d.Now.Folders = d.Now.Folders[:1]
	path := func(name string, where control.Whereabouts) control.PathEntry {
		return control.PathEntry{Folder: docs, Path: name, Kind: entry.File, Size: 1_500_000, ModTime: theHour.Add(-time.Hour), Where: where}
	}
	dir, link := path("letters", control.Here), path("letters/last", control.Here)
	dir.Kind, dir.Size, dir.ModTime = entry.Directory, 0, time.Time{}
	link.Kind, link.Size = entry.Symlink, 0
	pinned, away, strange := path("letters/home.odt", control.Here), path("photos/1.jpg", control.Elsewhere), path("ca\xfe'\x1b[2J", control.Here)
	pinned.Pinned = true
	away.Holders = []control.Identity{nas, phone}
	d.Paths = controltest.Paths{
		Listed: []control.PathEntry{
			strange, dir, pinned, link, path("mine.txt", control.LocalEdit), away, path("photos/2.jpg", control.Coming),
		},
		Steps: []control.GetProgress{{Files: 14, NeedFiles: 11, Bytes: 41_000_000, NeedBytes: 40_000_000}, {Files: 14, Bytes: 41_000_000}},
		Freed: control.Freed{Files: 12, Bytes: 41_000_000, Copies: []control.Proof{
			{Identity: nas, Files: 12}, {Identity: phone, Files: 10, Answer: "2 it does not hold"},
		}},
		Reverted: control.Reverted{Paths: []string{"Documents/mine.txt", "Documents/ca\xfe"}},
		Explanation: control.Explanation{
			Folder: docs, Path: "photos/1.jpg", Kind: entry.File, Where: control.Elsewhere, Version: "by nas, 3 h ago",
			Holders: []control.Identity{nas, phone},
			Causes: []control.Problem{{
				Path: "photos/1.jpg", Code: "not_chosen", Message: "photos/1.jpg is not chosen to lie here", Hint: "kith get Documents/photos/1.jpg",
			}},
		},
	}
	return d
}

// far is a library whose other devices are out of reach.
func far() *controltest.Device {
	d := library()
	d.Paths.Steps = d.Paths.Steps[:1]
	d.Paths.Steps[0].Problems = []control.Problem{{
		Path: "photos/1.jpg", Code: "no_holder", Message: "only phone holds it, which is not connected", Hint: "start kith on phone",
	}}
	d.Paths.Freed = control.Freed{Kept: 12, Reasons: []control.Kept{
		{Code: "not_enough_copies", Message: "phone is not connected", Paths: []string{"Documents/a", "Documents/ca\xfe"}, Files: 11},
		{Code: "pinned", Message: "it is pinned", Paths: []string{"Documents/b"}, Files: 1},
	}, Copies: []control.Proof{{Identity: phone, Answer: "not connected"}}}
	d.Paths.Reverted = control.Reverted{}
	d.Paths.Explanation = control.Explanation{Folder: docs, Path: "a", Kind: entry.File, Where: control.Here}
	d.Errors = map[string]error{"Get": fmt.Errorf("get %q: %w", "photos/1.jpg", control.ErrWaiting)}
	return d
}

// decisions has what needs a person: conflicts, a held batch, a fence.
func decisions() *controltest.Device {
	d := firstHour()
	version := func(path, by string, bytes int64) control.ConflictVersion {
		return control.ConflictVersion{
			Path: path, Device: by, Mine: by == "laptop", Kind: entry.File, Size: bytes, ModTime: theHour.Add(-time.Duration(bytes) * time.Minute),
		}
	}
	d.Care = controltest.Care{
		Conflicts: []control.Conflict{{
			Folder: docs, Path: "plan.txt", Main: version("plan.txt", "laptop", 20), Copies: []control.ConflictVersion{
				version("plan (conflict, phone).txt", "phone", 10), version("plan (conflict, nas).txt", "nas", 5),
			},
		}, {
			Folder: work, Path: "gone", Copies: []control.ConflictVersion{version("gone (conflict, laptop)", "laptop", 3)},
		}},
		Resolved: []control.Resolved{{Path: "Documents/plan.txt", Kept: "plan.txt", Removed: []string{"plan (conflict, phone).txt"}}},
		Held: []control.HeldBatch{{
			ID: "k3f9", Folder: docs, From: phone, Deletes: 1200, Rewrites: 3, Files: 12408, Bytes: 41_000_000,
			Since: theHour.Add(-time.Hour), Paths: []string{"a.jpg", "b\xfe.jpg"},
		}},
		Revoked: control.Revoked{Identity: phone, Folders: []control.Folder{docs}, Kept: []control.Folder{work}},
		Findings: []control.Finding{
			{Subject: "clock", OK: true, Code: "clock", Message: "the clock is right"},
			{Subject: "folder Documents", Code: "fenced", Message: "it was restored from a backup, or cloned", Hint: "kith doctor --go-on Documents"},
		},
	}
	d.Care.Batch = d.Care.Held[0]
	return d
}

// lost knows no path and no batch, and hangs when asked for something.
func lost() *controltest.Device {
	none := fmt.Errorf("list %q: %w", "nowhere", control.ErrNoPath)
	batch := fmt.Errorf("approve %q: %w", "k3f9", control.ErrNoBatch)
	return &controltest.Device{Errors: map[string]error{
		"List": none, "Get": none, "Free": none, "Why": none, "Resolve": none, "Approve": batch, "Reject": batch,
	}}
}

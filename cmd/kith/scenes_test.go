package main

import (
	"fmt"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/control"
	"github.com/kithmesh/kith/node/control/controltest"
)

// theHour is when the scenes play.
var theHour = time.Date(2026, 11, 22, 14, 3, 7, 0, time.UTC)

// scenes are devices that only answer.
var scenes = map[string]func() *controltest.Device{
	"first-hour": firstHour,
	"afar":       afar,
	"alone": func() *controltest.Device {
		return &controltest.Device{Now: control.Status{Identity: laptop}}
	},
	"all-well": func() *controltest.Device {
		d := firstHour()
		d.Now.Folders = d.Now.Folders[:1]
		return d
	},
	"troubled":   troubled,
	"library":    library,
	"far":        far,
	"decisions":  decisions,
	"lost":       lost,
	"remembered": remembered,
	"forgotten":  forgotten,
	"amnesiac":   amnesiac,
	"keepers":    keepers,
	"wrong-code": func() *controltest.Device { return failing("UseCode", "pair", control.ErrWrongCode) },
	"burnt": func() *controltest.Device {
		d := failing("ShowCode", "pair", control.ErrCodeBurnt)
		d.Invitation = firstHour().Invitation
		return d
	},
	"anywhere": anywhere,
	"private": func() *controltest.Device {
		d := anywhere()
		d.Discovery.Mode = "private"
		return d
	},
	"near-only": func() *controltest.Device {
		d := failing("UseCode", "pair", control.ErrDiscoveryOff)
		d.Discovery.Mode = "off"
		return d
	},
	"stays-home": func() *controltest.Device {
		d := failing("Widen", "pair", control.ErrInvalid)
		d.Discovery = control.Discovery{Mode: "off", LANOnly: true}
		return d
	},
	"no-folder": func() *controltest.Device { return failing("Status", `status of "nope"`, control.ErrNoFolder) },
	"unpunctual": func() *controltest.Device {
		return failing("SetSchedule", `schedule of "Documents"`, control.ErrInvalid)
	},
	"slow": func() *controltest.Device {
		d := library()
		d.Hangs = map[string]bool{"Wait": true, "Get": true}
		d.Paths.Steps = d.Paths.Steps[:1]
		d.Steps[1].Folders[0].Reached = false
		return d
	},
}

func failing(method, what string, err error) *controltest.Device {
	return &controltest.Device{Errors: map[string]error{method: fmt.Errorf("%s: %w", what, err)}}
}

var (
	laptop = control.Identity{ID: "12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp", Name: "laptop"}
	nas    = control.Identity{ID: "12D3KooWHHzSeKaY8xuZVzkLbKFfvNgPPeKhFBGrMbNzbm5akpqu", Name: "nas"}
	phone  = control.Identity{ID: "12D3KooWKnDdG3iXw9eTFijk3EWSunZcFi54Zka4wmtqtt6rPxc8", Name: "phone"}
	docs   = control.Folder{ID: entry.FolderID{0xd0, 0xc5, 1}, Label: "Documents", Path: "/home/me/Documents", Role: entry.RoleSync}
	work   = control.Folder{ID: entry.FolderID{0x40, 2}, Label: "work", Path: "/home/me/work", Role: entry.RoleSync}
)

// firstHour is the example in the description of the interface.
func firstHour() *controltest.Device {
	return &controltest.Device{
		Now: control.Status{
			Identity: laptop,
			Folders: []control.FolderStatus{{
				Folder: docs, State: control.StateInSync, Files: 12408, Bytes: 61_200_000_000,
				ProtectedAsOf: theHour.Add(-67 * time.Second),
				Members: []control.MemberStatus{
					{Identity: nas, Role: entry.RoleBackup, Connected: true, LastProven: theHour.Add(-50 * time.Hour), ProtectedAsOf: theHour.Add(-67 * time.Second)},
					{Identity: phone, Role: entry.RoleSync, NeedFiles: 14, NeedBytes: 41_000_000},
				},
			}, {
				Folder: work, State: control.StateInSync, Files: 10, Bytes: 1000, Conflicts: 2,
			}},
			Peers: []control.PeerStatus{{
				Identity: nas, Connected: true, Via: control.ViaLAN, Transport: control.QUIC,
				Addr: "/ip4/192.168.1.9/udp/22000/quic-v1", LastSeen: theHour, Sent: 70, Received: 80,
			}, {
				Identity: phone, Addr: "/ip4/192.168.1.7/tcp/22000", LastSeen: theHour.Add(-3 * time.Hour),
			}},
		},
		Invitation: control.Invitation{Code: "48-acid-bonus-lunar", Ticket: "kith:ticket", Expires: theHour.Add(10 * time.Minute)},
		Paired:     control.Paired{Identity: phone, Check: [4]string{"apple", "boat", "cloud", "dune"}},
		Folder:     docs,
		Shared:     control.Share{Folder: docs, Device: phone, Role: entry.RoleReceive},
		Offered: []control.Offer{
			{Folder: docs.ID, Label: "Documents", From: phone, Role: entry.RoleSync},
			{Folder: work.ID, Label: "my work", From: nas, Role: entry.RoleBackup},
		},
		Steps: []control.Progress{
			{Folders: []control.FolderProgress{{Folder: docs, State: control.StateSyncing, NeedFiles: 14, NeedBytes: 41_000_000}}},
			{Folders: []control.FolderProgress{{Folder: docs, State: control.StateInSync, Reached: true}}},
		},
	}
}

// anywhere shows a code that is found beyond the local network, once that is
// switched on.
func anywhere() *controltest.Device {
	d := firstHour()
	d.Discovery.Mode = "off"
	d.Invitation.Code, d.Invitation.Anywhere, d.Invitation.Outside = "482-913-506-acid-bonus-lunar", true, true
	return d
}

// troubled has all that a person must look at, and names made to do harm.
func troubled() *controltest.Device {
	with := func(label string, f control.FolderStatus) control.FolderStatus {
		f.Folder = control.Folder{ID: entry.FolderID{9}, Label: label, Path: "/" + label, Role: entry.RoleReceive}
		f.Files, f.Bytes = 1, 1_500_000
		return f
	}
	problems := []control.Problem{{Path: "a\x1b[2Jb", Code: "unreadable", Message: "permission denied", Hint: "chmod u+r"}}
	for range 6 {
		problems = append(problems, control.Problem{Path: "x", Code: "unreadable", Message: "is a twin"})
	}
	return &controltest.Device{Now: control.Status{
		Identity: control.Identity{ID: laptop.ID, Name: "lap\x1b]0;x\x07top"}, Paused: true,
		Problems: []control.Problem{{Code: "clock_off", Message: "the clock is two years off", Hint: "set it"}},
		Folders: []control.FolderStatus{
			with("bad", control.FolderStatus{State: control.StateError, Problems: []control.Problem{{Code: "no_marker", Message: "the folder is not there"}}}),
			with("fence", control.FolderStatus{State: control.StateFenced}),
			with("held", control.FolderStatus{State: control.StateHeld, Held: 1, Problems: problems}),
			with("new", control.FolderStatus{State: control.StateScanning}),
			with("partly", control.FolderStatus{
				State: control.StateInSync, AbsentFiles: 1200, AbsentBytes: 4_000_000_000, LocalEdits: 1, Untaken: 2,
				Members: []control.MemberStatus{{Identity: phone, Role: entry.RoleSync}},
			}),
			with("stop", control.FolderStatus{State: control.StatePaused}),
			with("wait", control.FolderStatus{State: control.StateWaiting, NeedFiles: 2, NeedBytes: 2048}),
			with("写真", control.FolderStatus{State: control.StateSyncing, NeedFiles: 1, NeedBytes: 1_000_000}),
		},
		Peers: []control.PeerStatus{{Identity: phone, Paused: true}},
	}}
}

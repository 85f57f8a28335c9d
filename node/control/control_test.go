package control_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/control"
	"github.com/kithmesh/kith/node/control/controltest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// serve runs a server of d until the test ends and returns its socket.
func serve(t *testing.T, d *controltest.Device) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "kith.sock")
	stop := serveAt(t, path, d)
	t.Cleanup(stop)
	return path
}

// serveAt runs a server of d at path; the result ends it and waits.
func serveAt(t *testing.T, path string, d *controltest.Device) func() {
	t.Helper()
	s, err := control.Listen(path, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	if d.Ending == nil {
		d.Ending = cancel
	}
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx, d.Groups()) }()
	return func() {
		cancel()
		if err, ok := <-ended; ok && err != nil {
			t.Errorf("Run ended with %v", err)
		}
		close(ended)
	}
}

func dial(t *testing.T, path string) *control.Client {
	t.Helper()
	c, err := control.Dial(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

var (
	laptop = control.Identity{ID: "12D3KooWLaptop", Name: "laptop"}
	phone  = control.Identity{ID: "12D3KooWPhone", Name: "phone"}
	noon   = time.Date(2026, 11, 22, 12, 0, 0, 123_000_000, time.UTC)
	docs   = control.Folder{ID: entry.FolderID{1, 2, 3}, Label: "Documents", Path: "/home/me/\xffDocuments", Role: entry.RoleSync}
)

func fullStatus() control.Status {
	return control.Status{
		Identity: laptop, Paused: true, Listen: []string{"/ip4/127.0.0.1/tcp/1"},
		Folders: []control.FolderStatus{{
			Folder: docs, State: control.StateHeld, Files: 12408, Bytes: 61 << 30, NeedFiles: 3, NeedBytes: 4, Conflicts: 5, Held: 6,
			LocalEdits: 7, Untaken: 8, AbsentFiles: 9, AbsentBytes: 10,
			Problems:      []control.Problem{{Path: "a/\xfe.jpg", Code: "unreadable", Message: "permission denied", Hint: "chmod"}},
			ProtectedAsOf: noon,
			Members: []control.MemberStatus{{
				Identity: phone, Role: entry.RoleBackup, Connected: true, NeedFiles: 1, NeedBytes: 2, LastProven: noon,
			}},
		}},
		Peers: []control.PeerStatus{{
			Identity: phone, Connected: true, Paused: true, Via: control.ViaLAN, Transport: control.QUIC,
			Addr: "/ip4/192.0.2.1/udp/1/quic-v1", LastSeen: noon, Sent: 7, Received: 8,
		}},
		Problems: []control.Problem{{Code: "clock_off", Message: "the clock is two years off"}},
	}
}

func TestEveryAnswerCrossesTheSocketWhole(t *testing.T) {
	d := &controltest.Device{
		Now:        fullStatus(),
		Invitation: control.Invitation{Code: "48-acid-bonus-lunar", Ticket: "kith:x", Expires: noon, Anywhere: true, Outside: true},
		Discovery:  control.Discovery{Mode: "off", LANOnly: true},
		Paired:     control.Paired{Identity: phone, Check: [4]string{"a", "b", "c", "d"}},
		Folder:     docs,
		Shared:     control.Share{Folder: docs, Device: phone, Role: entry.RoleArchive},
		Offered:    []control.Offer{{Folder: docs.ID, Label: "Documents", From: phone, Role: entry.RoleReceive}},
		Steps: []control.Progress{
			{Folders: []control.FolderProgress{{Folder: docs, State: control.StateSyncing, NeedFiles: 2, NeedBytes: 9}}},
			{Folders: []control.FolderProgress{{Folder: docs, State: control.StateInSync, Reached: true}}},
		},
	}
	c := dial(t, serve(t, d))
	ctx := t.Context()
	var shown []control.Invitation
	var steps []control.Progress
	var watched []control.Status
	answers := map[string]func() (got any, err error){
		"Status":      func() (any, error) { return c.Status(ctx, "") },
		"ScanFolders": func() (any, error) { return c.ScanFolders(ctx, "doc") },
		"ShowCode": func() (any, error) {
			return c.ShowCode(ctx, control.ShowCodeRequest{Anywhere: true, Shares: []control.Offering{{Folder: "doc", Role: entry.RoleSend}}},
				func(i control.Invitation) error { shown = append(shown, i); return nil })
		},
		"UseCode": func() (any, error) {
			return c.UseCode(ctx, control.UseCodeRequest{Code: "48-a-b-c", At: []string{"/ip4/127.0.0.1/tcp/1"}})
		},
		"Widen":       func() (any, error) { return c.Widen(ctx, true, "") },
		"Rename":      func() (any, error) { return c.Rename(ctx, control.RenameRequest{Device: "x", Name: "phone"}) },
		"AddFolder":   func() (any, error) { return c.AddFolder(ctx, control.AddRequest{Path: "/a/./b\xff", Label: "b"}) },
		"LeaveFolder": func() (any, error) { return c.LeaveFolder(ctx, "doc") },
		"Share":       func() (any, error) { return c.Share(ctx, control.ShareRequest{Folder: "doc", Device: "ph", Role: 4}) },
		"Unshare":     func() (any, error) { return c.Unshare(ctx, control.UnshareRequest{Folder: "doc", Device: "ph"}) },
		"Offers":      func() (any, error) { return c.Offers(ctx) },
		"AcceptOffer": func() (any, error) {
			return c.AcceptOffer(ctx, control.AcceptRequest{Folder: "doc", Path: "/b", Role: entry.RoleReceive})
		},
		"Pause":  func() (any, error) { return nil, c.Pause(ctx, control.PauseRequest{Target: "x", For: time.Minute}) },
		"Resume": func() (any, error) { return nil, c.Resume(ctx, "x") },
		"Wait": func() (any, error) {
			return nil, c.Wait(ctx, control.WaitRequest{Folders: []string{"doc"}, For: control.Protected, Timeout: time.Minute},
				func(p control.Progress) error { steps = append(steps, p); return nil })
		},
		"WatchStatus": func() (any, error) {
			return nil, c.WatchStatus(ctx, "doc", func(s control.Status) error { watched = append(watched, s); return nil })
		},
	}
	want := map[string]any{
		"Status": d.Now, "ScanFolders": d.Now.Folders, "ShowCode": d.Paired, "UseCode": d.Paired, "Rename": phone,
		"Widen":     control.Discovery{Mode: "public", Changed: true, LANOnly: true},
		"AddFolder": docs, "LeaveFolder": docs, "Share": d.Shared, "Unshare": d.Shared, "Offers": d.Offered,
		"AcceptOffer": docs, "Pause": nil, "Resume": nil, "Wait": nil, "WatchStatus": nil,
	}
	for method, ask := range answers {
		got, err := ask()
		if err != nil {
			t.Errorf("%s: %v", method, err)
		}
		if diff := cmp.Diff(want[method], got); diff != "" {
			t.Errorf("%s answered (-want +got):\n%s", method, diff)
		}
	}
	if diff := cmp.Diff([]control.Invitation{d.Invitation}, shown); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(d.Steps, steps, cmp.Transformer("nil", notNil)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]control.Status{d.Now}, watched); diff != "" {
		t.Error(diff)
	}
	asked := make(map[string]bool)
	for _, a := range d.Asked() {
		asked[a] = true
	}
	for _, want := range []string{
		"ScanFolders doc", "ShowCode {Shares:[{Folder:doc Role:send}] Anywhere:true}", "Widen true", "UseCode {Code:48-a-b-c At:[/ip4/127.0.0.1/tcp/1]}",
		"AddFolder {Path:/a/b\xff Label:b}", "Share {Folder:doc Device:ph Role:archive}",
		"AcceptOffer {Folder:doc Path:/b Role:receive}", "Pause {Target:x For:1m0s}",
		"Wait {Folders:[doc] For:protected Timeout:1m0s}", "Rename {Device:x Name:phone}",
	} {
		if !asked[want] {
			t.Errorf("the device was not asked %q, but %q", want, d.Asked())
		}
	}
}

func notNil(p control.FolderProgress) string { return fmt.Sprintf("%+v", p) }

func TestAnEmptyStatusHasNoNilLists(t *testing.T) {
	c := dial(t, serve(t, &controltest.Device{Now: control.Status{Identity: laptop, Folders: []control.FolderStatus{{Folder: docs}}}}))
	s, err := c.Status(t.Context(), "")
	if err != nil || s.Peers == nil || s.Problems == nil || s.Folders[0].Members == nil || s.Folders[0].Problems == nil {
		t.Errorf("status %+v, %v", s, err)
	}
}

func TestErrorsKeepTheirMeaningAcrossTheSocket(t *testing.T) {
	for _, sentinel := range []error{
		control.ErrNoFolder, control.ErrNoDevice, control.ErrAmbiguous, control.ErrNotFound, control.ErrInvalid,
		control.ErrPathTaken, control.ErrNested, control.ErrLabelTaken, control.ErrNameTaken, control.ErrNotOffered,
		control.ErrNotShared, control.ErrNoPath, control.ErrNoBatch, control.ErrNoHistory,
		control.ErrNoSnapshot, control.ErrNoVault, control.ErrNotHere, control.ErrWaiting, control.ErrPaused, control.ErrWrongCode, control.ErrCodeBurnt, control.ErrCodeExpired,
		control.ErrDiscoveryOff, control.ErrNoNodes, control.ErrUnreachable, control.ErrPairingPaused, control.ErrTimeout, control.ErrStopping, control.ErrUnsupported,
	} {
		t.Run(sentinel.Error(), func(t *testing.T) {
			raw := fmt.Errorf("accept \"Doc\xffuments\": %w", sentinel)
			d := &controltest.Device{Errors: map[string]error{"Status": raw, "Wait": raw, "Stop": control.WithHint(raw, "do this")}}
			c := dial(t, serve(t, d))
			want := control.Describe(raw)
			want.Message = "accept \"Doc\uFFFDuments\": " + sentinel.Error()
			_, err := c.Status(t.Context(), "")
			if got := control.Describe(err); !errors.Is(err, sentinel) || got != want {
				t.Errorf("Status: %v is described as %+v, want %+v", err, got, want)
			}
			err = c.Wait(t.Context(), control.WaitRequest{For: control.Synced}, func(control.Progress) error { return nil })
			if got := control.Describe(err); !errors.Is(err, sentinel) || got != want {
				t.Errorf("Wait: %v is described as %+v, want %+v", err, got, want)
			}
		})
	}
}

func TestAHintOfItsOwnGoesBeforeTheGeneralOne(t *testing.T) {
	raw := control.WithHint(fmt.Errorf("add: %w", control.ErrNested), "try /srv")
	c := dial(t, serve(t, &controltest.Device{Errors: map[string]error{"AddFolder": raw}}))
	_, err := c.AddFolder(t.Context(), control.AddRequest{Path: "/a"})
	want := control.Failure{Code: "nested", Message: "add: " + control.ErrNested.Error(), Hint: "try /srv"}
	if got := control.Describe(fmt.Errorf("%w", err)); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestAnErrorWithoutSentinelIsFailed(t *testing.T) {
	c := dial(t, serve(t, &controltest.Device{Errors: map[string]error{"Offers": errors.New("disk on fire")}}))
	_, err := c.Offers(t.Context())
	want := control.Failure{Code: control.CodeFailed, Message: "disk on fire"}
	if got := control.Describe(err); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

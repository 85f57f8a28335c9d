package control_test

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/kithmesh/kith/node/control"
	"github.com/kithmesh/kith/node/control/controltest"
)

var quiet = slog.New(slog.DiscardHandler)

func TestTheSocketIsTheOwnersAloneAndGoesInTheEnd(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run", "kith.sock")
	stop := serveAt(t, path, &controltest.Device{})
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.Stat(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS != "windows" && (info.Mode().Perm() != 0o600 || dir.Mode().Perm() != 0o700) {
		t.Errorf("socket %v in %v, want 0600 in 0700", info.Mode(), dir.Mode())
	}
	stop()
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("after the end the socket is still there: %v", err)
	}
}

func TestASecondServerIsRefused(t *testing.T) {
	path := serve(t, &controltest.Device{})
	if _, err := control.Listen(path, quiet); !errors.Is(err, control.ErrAlreadyRunning) {
		t.Fatalf("got %v, want ErrAlreadyRunning", err)
	}
	if err := os.Remove(path + ".lock"); err != nil {
		t.Fatal(err)
	}
	if _, err := control.Listen(path, quiet); !errors.Is(err, control.ErrAlreadyRunning) {
		t.Fatalf("with the lock file removed: got %v, want ErrAlreadyRunning", err)
	}
	if _, err := dial(t, path).Status(t.Context(), ""); err != nil {
		t.Errorf("the first server no longer answers: %v", err)
	}
}

func TestAStaleSocketIsTakenOver(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kith.sock")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := control.Dial(t.Context(), path); !errors.Is(err, control.ErrNotRunning) {
		t.Errorf("at a stale socket: %v, want ErrNotRunning", err)
	}
	stop := serveAt(t, path, &controltest.Device{})
	defer stop()
	if _, err := dial(t, path).Status(t.Context(), ""); err != nil {
		t.Error(err)
	}
}

func TestWhatIsNoSocketIsNeverRemoved(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kith.sock")
	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := control.Listen(path, quiet); !errors.Is(err, control.ErrInvalid) {
		t.Errorf("got %v, want ErrInvalid", err)
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != "precious" {
		t.Errorf("the file became %q, %v", b, err)
	}
}

func TestALongPathCanHoldASocket(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux reaches a socket through a descriptor of its directory")
	}
	path := filepath.Join(t.TempDir(), strings.Repeat("long", 40), "kith.sock")
	if _, err := control.Dial(t.Context(), path); !errors.Is(err, control.ErrNotRunning) {
		t.Errorf("without a server: %v, want ErrNotRunning", err)
	}
	stop := serveAt(t, path, &controltest.Device{})
	if _, err := dial(t, path).Status(t.Context(), ""); err != nil {
		t.Error(err)
	}
	stop()
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("after the end the socket is still there: %v", err)
	}
}

func TestNobodyThereIsNotRunning(t *testing.T) {
	_, err := control.Dial(t.Context(), filepath.Join(t.TempDir(), "none", "kith.sock"))
	if !errors.Is(err, control.ErrNotRunning) || control.Describe(err).Code != "not_running" {
		t.Errorf("got %v", err)
	}
}

func TestStopReturnsWhenTheSocketIsGone(t *testing.T) {
	d := &controltest.Device{}
	path := filepath.Join(t.TempDir(), "kith.sock")
	stop := serveAt(t, path, d)
	defer stop()
	if err := dial(t, path).Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the socket is still there: %v", err)
	}
	if _, err := control.Dial(t.Context(), path); !errors.Is(err, control.ErrNotRunning) {
		t.Errorf("got %v, want ErrNotRunning", err)
	}
}

func TestCallsThatRunAreEndedWithTheServer(t *testing.T) {
	asked := make(chan struct{})
	d := &controltest.Device{Hangs: map[string]bool{"Wait": true}, Hold: map[string]func(){"Wait": func() { close(asked) }}}
	path := filepath.Join(t.TempDir(), "kith.sock")
	stop := serveAt(t, path, d)
	c := dial(t, path)
	ended := make(chan error, 1)
	go func() {
		ended <- c.Wait(context.Background(), control.WaitRequest{For: control.Synced}, func(control.Progress) error { return nil })
	}()
	<-asked
	stop()
	if err := <-ended; !errors.Is(err, control.ErrStopping) {
		t.Errorf("got %v, want ErrStopping", err)
	}
}

func TestADeviceCallEndsWithItsCaller(t *testing.T) {
	asked := make(chan struct{})
	d := &controltest.Device{Hangs: map[string]bool{"ScanFolders": true}, Hold: map[string]func(){"ScanFolders": func() { close(asked) }}}
	c := dial(t, serve(t, d))
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("pressed Ctrl-C")
	go func() { <-asked; cancel(why) }()
	if _, err := c.ScanFolders(ctx, ""); !errors.Is(err, why) {
		t.Errorf("got %v, want the cause", err)
	}
	// serve's clean-up waits for the call: it would hang if it went on.
}

func TestAWaitTimesOut(t *testing.T) {
	c := dial(t, serve(t, &controltest.Device{Hangs: map[string]bool{"Wait": true}}))
	err := c.Wait(t.Context(), control.WaitRequest{For: control.Synced, Timeout: 20 * time.Millisecond},
		func(control.Progress) error { return nil })
	if !errors.Is(err, control.ErrTimeout) {
		t.Errorf("got %v, want ErrTimeout", err)
	}
}

func TestAGroupThatIsNotServedIsUnsupported(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kith.sock")
	s, err := control.Listen(path, quiet)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx, control.Device{States: &controltest.Device{}}) }()
	defer func() { cancel(); <-ended }()
	if _, err := dial(t, path).Offers(t.Context()); !errors.Is(err, control.ErrUnsupported) {
		t.Errorf("got %v, want ErrUnsupported", err)
	}
}

func TestBadArgumentsNeverReachTheDevice(t *testing.T) {
	d := &controltest.Device{}
	c := dial(t, serve(t, d))
	ctx := t.Context()
	many := make([]string, 1000)
	cases := map[string]func() error{
		"a relative path":       func() error { _, err := c.AddFolder(ctx, control.AddRequest{Path: "a"}); return err },
		"a NUL byte":            func() error { _, err := c.AddFolder(ctx, control.AddRequest{Path: "/a\x00"}); return err },
		"the root without name": func() error { _, err := c.AddFolder(ctx, control.AddRequest{Path: "/"}); return err },
		"a label with escape": func() error {
			_, err := c.AddFolder(ctx, control.AddRequest{Path: "/a", Label: "\x1b[31m"})
			return err
		},
		"a path that is no UTF-8 without label": func() error {
			_, err := c.AddFolder(ctx, control.AddRequest{Path: "/a\xff"})
			return err
		},
		"a relative target": func() error {
			_, err := c.AcceptOffer(ctx, control.AcceptRequest{Folder: "a", Path: "../b"})
			return err
		},
		"an empty name": func() error { _, err := c.Rename(ctx, control.RenameRequest{Device: "a"}); return err },
		"a huge name": func() error {
			_, err := c.Rename(ctx, control.RenameRequest{Device: "a", Name: strings.Repeat("x", 1000)})
			return err
		},
		"an empty code":      func() error { _, err := c.UseCode(ctx, control.UseCodeRequest{}); return err },
		"a thousand folders": func() error { return c.Wait(ctx, control.WaitRequest{For: control.Synced, Folders: many}, nil) },
		"no goal":            func() error { return c.Wait(ctx, control.WaitRequest{}, nil) },
		"a negative pause":   func() error { return c.Pause(ctx, control.PauseRequest{For: -time.Hour}) },
		"a request of 17 MiB": func() error {
			_, err := c.Status(ctx, strings.Repeat("x", 17<<20))
			return err
		},
	}
	for name, ask := range cases {
		if err := ask(); err == nil {
			t.Errorf("%s was accepted", name)
		} else if !errors.Is(err, control.ErrInvalid) && name != "a request of 17 MiB" {
			t.Errorf("%s: got %v, want ErrInvalid", name, err)
		}
	}
	if asked := d.Asked(); len(asked) != 0 {
		t.Errorf("the device was asked %q", asked)
	}
}

func TestAPanicOfTheDeviceIsAnError(t *testing.T) {
	d := &controltest.Device{Hold: map[string]func(){"Offers": func() { panic("bug") }}}
	c := dial(t, serve(t, d))
	if _, err := c.Offers(t.Context()); err == nil || control.Describe(err).Code != control.CodeFailed {
		t.Errorf("got %v", err)
	}
	if _, err := c.Status(t.Context(), ""); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/config"
	"github.com/kithmesh/kith/node/control"
)

func TestEachKindOfErrorHasItsExitCode(t *testing.T) {
	for _, c := range []struct {
		err  error
		want int
	}{
		{nil, 0},
		{errors.New("disk on fire"), 1},
		{fmt.Errorf("pair: %w", control.ErrWrongCode), 1},
		{fmt.Errorf("pair: %w", control.ErrCodeBurnt), 1},
		{&usage{message: "x"}, 2},
		{errAttention, 3},
		{fmt.Errorf("get: %w", control.ErrWaiting), 3},
		{fmt.Errorf("get: %w", control.ErrNoPath), 1},
		{fmt.Errorf("wait: %w", control.ErrTimeout), 4},
		{fmt.Errorf("connect: %w", control.ErrNotRunning), 5},
		{fmt.Errorf("read: %w", errInterrupted), 130},
		{errors.Join(errInterrupted, errors.New("and more")), 130},
	} {
		if got := exitCode(c.err); got != c.want {
			t.Errorf("%v ends with %d, want %d", c.err, got, c.want)
		}
	}
}

func TestEveryCommandShowsAnExample(t *testing.T) {
	a := &app{getenv: os.Getenv}
	a.root = a.newRoot()
	var visit func(c *cobra.Command)
	visit = func(c *cobra.Command) {
		if c.Short == "" || !strings.Contains(c.Example, "kith") || c.Runnable() && c.Args == nil && c.Name() != "wait" {
			t.Errorf("%s: short %q, example %q, arguments checked: %v", c.CommandPath(), c.Short, c.Example, c.Args != nil)
		}
		for _, line := range strings.Split(c.Long, "\n") {
			if columns(line) > 90 {
				t.Errorf("%s: a line of %d columns: %q", c.CommandPath(), columns(line), line)
			}
		}
		for _, sub := range c.Commands() {
			visit(sub)
		}
	}
	visit(a.root)
}

func TestAnInterruptedCommandEndsWith130AndSaysSo(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errInterrupted)
	var out, errs bytes.Buffer
	a := &app{in: strings.NewReader(""), out: &out, err: &errs, getenv: func(string) string { return "" }}
	code := a.main(ctx, []string{"--home", t.TempDir(), "--json", "status"})
	if want := `{"error":{"code":"interrupted","message":"interrupted","hint":""}}` + "\n"; code != 130 || errs.String() != want {
		t.Errorf("ended with %d, %q", code, errs.String())
	}
}

func TestADeviceEndedByASignalIsNoFailure(t *testing.T) {
	for name, run := range map[string]func(context.Context, upOptions) error{
		"quietly":      func(context.Context, upOptions) error { return nil },
		"with a cause": func(ctx context.Context, _ upOptions) error { return fmt.Errorf("run: %w", context.Cause(ctx)) },
		"cancelled":    func(ctx context.Context, _ upOptions) error { return ctx.Err() },
	} {
		ctx, cancel := context.WithCancelCause(t.Context())
		defer cancel(nil)
		var out, errs bytes.Buffer
		a := &app{in: strings.NewReader(""), out: &out, err: &errs, getenv: func(string) string { return "" }}
		a.run = func(ctx context.Context, o upOptions) error { cancel(errInterrupted); return run(ctx, o) }
		if code := a.main(ctx, []string{"--home", t.TempDir(), "up"}); code != 0 || errs.Len() > 0 {
			t.Errorf("%s: ended with %d, %q", name, code, errs.String())
		}
	}
}

func TestAFlagOfUpIsASetting(t *testing.T) {
	home := filepath.Join(t.TempDir(), "home")
	var got upOptions
	a := &app{in: strings.NewReader(""), out: new(bytes.Buffer), err: new(bytes.Buffer)}
	a.getenv = func(name string) string { return map[string]string{"KITH_NAME": "env", "KITH_UI": "localhost:1"}[name] }
	a.run = func(_ context.Context, o upOptions) error { got = o; return nil }
	args := []string{"--home", home, "up", "--name", "nas", "--listen", "/ip4/127.0.0.1/tcp/1", "--listen", "/ip4/127.0.0.1/udp/2/quic-v1", "--lan-only"}
	if code := a.main(t.Context(), args); code != 0 {
		t.Fatalf("ended with %d, %v", code, a.err)
	}
	s := got.Settings
	if s.Name != "nas" || len(s.Listen) != 2 || s.Listen[1] != "/ip4/127.0.0.1/udp/2/quic-v1" || !s.LANOnly || s.UI != "localhost:1" || !s.MDNS {
		t.Errorf("settings %+v", s)
	}
	if got.Places.Home != home || got.Log == nil || got.Ready == nil {
		t.Errorf("options %+v", got)
	}
	if info, err := os.Stat(filepath.Join(home, "state")); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the state directory: %v, %v", info, err)
	}
}

func TestAnOfferingIsAFolderAndMaybeARole(t *testing.T) {
	for s, want := range map[string]control.Offering{
		"Documents": {Folder: "Documents"}, "Photos=backup": {Folder: "Photos", Role: entry.RoleBackup}, "a=b=send": {Folder: "a=b", Role: entry.RoleSend},
	} {
		if got, err := parseOffering(s); err != nil || got != want {
			t.Errorf("parseOffering(%q) = %+v, %v, want %+v", s, got, err, want)
		}
	}
	for _, s := range []string{"", "Photos=", "Photos=king"} {
		if got, err := parseOffering(s); err == nil {
			t.Errorf("parseOffering(%q) = %+v", s, got)
		}
	}
}

func TestLabelsAreQuotedForAShell(t *testing.T) {
	for s, want := range map[string]string{"Documents": "Documents", "my work": "'my work'", "it's": `"it's"`, "": "''", "a;b": "'a;b'"} {
		if got := quoted(s); got != want {
			t.Errorf("quoted(%q) = %s, want %s", s, got, want)
		}
	}
}

func TestEverySettingHasAFlag(t *testing.T) {
	a := &app{getenv: os.Getenv}
	flags := a.upCommand().Flags()
	for _, name := range config.Names() {
		if flags.Lookup(name) == nil {
			t.Errorf("kith up has no --%s", name)
		}
	}
}

package main

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/kithmesh/kith/node/config"
	"github.com/kithmesh/kith/node/control"
	"github.com/kithmesh/kith/node/control/controltest"
)

// desk is a terminal at which somebody types, with a device behind it.
type desk struct {
	app
	out, errs bytes.Buffer
	device    *controltest.Device
	home      string
}

// sit types lines at a terminal; the device runs, or is there to be started.
func sit(t *testing.T, d *controltest.Device, runs bool, lines ...string) *desk {
	t.Helper()
	k := &desk{device: d, home: filepath.Join(t.TempDir(), "h")}
	typed := strings.Join(lines, "\n")
	if len(lines) > 0 {
		typed += "\n"
	}
	// A terminal gives a line at a time.
	k.app = app{in: iotest.OneByteReader(strings.NewReader(typed)), inTerminal: true, outTerminal: terminal{width: 80}, getenv: func(string) string { return "" }}
	k.app.out, k.app.err = &k.out, &k.errs
	k.run = k.serve
	if runs {
		p, err := config.Find(k.home)
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Prepare(); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		ready, ended := make(chan struct{}), make(chan error, 1)
		go func() { ended <- k.serve(ctx, upOptions{Places: p, Ready: func(control.Ready) { close(ready) }}) }()
		<-ready
		t.Cleanup(func() {
			cancel()
			if err := <-ended; err != nil {
				t.Error(err)
			}
		})
	}
	return k
}

// serve is a device that only answers, in the place of one that works.
func (k *desk) serve(ctx context.Context, o upOptions) error {
	s, err := control.Listen(o.Places.Socket, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	k.device.Ending = cancel
	o.Ready(control.Ready{Identity: laptop, New: true})
	return s.Run(ctx, k.device.Groups())
}

func (k *desk) types(t *testing.T, args ...string) int {
	t.Helper()
	return k.main(t.Context(), append([]string{"--home", k.home}, args...))
}

func (k *desk) asked() string { return strings.Join(k.device.Asked(), "\n") }

func TestRecoveryWordsAreShownOnceAndAskedFor(t *testing.T) {
	k := sit(t, remembered(), true, "", "wordc", " WordQ ", "wordv")
	if code := k.types(t, "recovery", "create"); code != 0 {
		t.Fatalf("ended with %d: %s", code, k.errs.String())
	}
	shown, after, left := strings.Cut(k.out.String(), screenOff)
	if !strings.HasPrefix(shown, screenOn) || !strings.Contains(shown, "24  wordx") || !left {
		t.Errorf("the words were shown as %q", shown)
	}
	if !strings.HasPrefix(after, "The words are in effect, made ") || strings.Contains(after, "wordc") {
		t.Errorf("afterwards %q is left", after)
	}
	if _, last, _ := strings.Cut(shown, "24  wordx"); !strings.Contains(last, screenClear) {
		t.Errorf("the words were not cleared before they were asked for: %q", last)
	}
	if want := "Word 3: Word 17: Word 22: "; !strings.HasSuffix(k.errs.String(), want) {
		t.Errorf("was asked %q, want %q", k.errs.String(), want)
	}
	if want := `ConfirmRecovery 5f0c ["wordc" "wordq" "wordv"]`; !strings.HasSuffix(k.asked(), want) {
		t.Errorf("the device was asked %q, want %q", k.asked(), want)
	}
}

func TestAWrongWordIsAskedForAgainWithTheWordsInSight(t *testing.T) {
	k := sit(t, remembered(), true, "", "wordc", "wrong", "", "wordc", "wordq", "wordv")
	if code := k.types(t, "recovery", "create"); code != 0 {
		t.Fatalf("ended with %d: %s", code, k.errs.String())
	}
	if n := strings.Count(k.out.String(), "24  wordx"); n != 2 || !strings.Contains(k.out.String(), "That is not word 17.") {
		t.Errorf("the words were shown %d times: %q", n, k.out.String())
	}
	if strings.Count(k.asked(), "DraftRecovery") != 1 || strings.Count(k.asked(), "ConfirmRecovery") != 1 {
		t.Errorf("the device was asked %q", k.asked())
	}
}

func TestRecoveryWordsThatWereNotGivenBackHaveNoEffect(t *testing.T) {
	for _, lines := range [][]string{{}, {""}, {"", "wordc"}} {
		k := sit(t, remembered(), true, lines...)
		if code := k.types(t, "recovery", "create"); code != exitFailed || strings.Contains(k.asked(), "Confirm") {
			t.Errorf("after %q: ended with %d, the device was asked %q", lines, code, k.asked())
		}
		if !strings.HasSuffix(k.out.String(), screenOff) {
			t.Errorf("after %q the words stay on the screen", lines)
		}
	}
}

func TestAnInterruptedQuestionTakesTheWordsOffTheScreen(t *testing.T) {
	k := sit(t, remembered(), true)
	ctx, cancel := context.WithCancelCause(t.Context())
	k.in = readerFunc(func([]byte) (int, error) { cancel(errInterrupted); select {} })
	if code := k.main(ctx, []string{"--home", k.home, "recovery", "create"}); code != exitInterrupted {
		t.Errorf("ended with %d", code)
	}
	if !strings.HasSuffix(k.out.String(), screenOff) {
		t.Errorf("the words stay on the screen: %q", k.out.String())
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(b []byte) (int, error) { return f(b) }

func TestARecoveryStartsADeviceWhereNoneRuns(t *testing.T) {
	k, there := sit(t, remembered(), false, "worda wordb"), t.TempDir()
	if code := k.types(t, "recovery", "restore", "--to", there, "--revoke", "phone", "--once", "--name", "new"); code != 0 {
		t.Fatalf("ended with %d: %s", code, k.errs.String())
	}
	for _, want := range []string{
		"Recover {Phrase:worda wordb At:[] Code: To:" + there + " Folders:[] Paths:[] Revoke:[phone]}",
		"Wait {Folders:[d0c50100000000000000000000000000] For:synced Timeout:0s}",
	} {
		if !strings.Contains(k.asked(), want) {
			t.Errorf("the device was asked %q, want %q", k.asked(), want)
		}
	}
	for _, want := range []string{"laptop (…", "is a new device, and up.", "This device is a member of Documents again", "Documents synced, after "} {
		if !strings.Contains(k.out.String(), want) {
			t.Errorf("it said %q, want %q", k.out.String(), want)
		}
	}
	p, err := config.Find(k.home)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := control.Dial(t.Context(), p.Socket); !errors.Is(err, control.ErrNotRunning) {
		t.Errorf("the device still runs: %v", err)
	}
	if b, err := os.ReadFile(p.Config); err != nil || !strings.Contains(string(b), "new") {
		t.Errorf("the settings are %q, %v: not with the name", b, err)
	}
}

func TestADeviceThatRecoveredStaysUpUntilItIsStopped(t *testing.T) {
	k := sit(t, remembered(), false, "worda wordb")
	ctx, cancel := context.WithCancelCause(t.Context())
	// What is said last is that it stays: nothing but the signal ends it then.
	interrupted := false
	k.app.out = writerFunc(func(b []byte) (int, error) {
		if strings.Contains(string(b), "This device stays up until Ctrl-C or kith down.") {
			interrupted = true
			cancel(errInterrupted)
		}
		return k.out.Write(b)
	})
	if code := k.main(ctx, []string{"--home", k.home, "recovery", "restore"}); code != 0 || !interrupted {
		t.Errorf("ended with %d: %q, %q", code, k.out.String(), k.errs.String())
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

func TestARecoveryThatFailsLeavesNoDeviceRunning(t *testing.T) {
	k := sit(t, amnesiac(), false, "worda wordb")
	if code := k.types(t, "recovery", "restore"); code != exitFailed || !strings.Contains(k.errs.String(), "not the words of a phrase") {
		t.Errorf("ended with %d: %q", code, k.errs.String())
	}
}

func TestAVaultIsOpenedWithWordsOrWithTheKeysOfThisHome(t *testing.T) {
	dir := t.TempDir()
	out, vault := filepath.Join(dir, "out"), filepath.Join(dir, "vault")
	for name, c := range map[string]struct {
		key    bool // this home has one
		phrase string
		args   []string
		want   decryptRequest
	}{
		"words typed":       {args: []string{"--to", out}, want: decryptRequest{To: out, Phrase: "worda wordb"}},
		"words given":       {key: true, phrase: "Wordc", args: []string{"--to", out}, want: decryptRequest{To: out, Phrase: "wordc"}},
		"words asked for":   {key: true, args: []string{"--to", out, "--phrase"}, want: decryptRequest{To: out, Phrase: "worda wordb"}},
		"keys of this home": {key: true, args: []string{"--to", out, "--overwrite", "always"}, want: decryptRequest{To: out, Overwrite: control.OverwriteAlways}},
		"a list":            {key: true, args: []string{"--list", "--path", "letters"}, want: decryptRequest{List: true, Path: "letters"}},
		"at a moment":       {key: true, args: []string{"--list", "--at", "2026-01-02T03:04:05Z"}, want: decryptRequest{List: true, At: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}},
	} {
		k := sit(t, &controltest.Device{}, false, "worda wordb")
		k.getenv = func(string) string { return c.phrase }
		p, err := config.Find(k.home)
		if err != nil {
			t.Fatal(err)
		}
		if c.key {
			if err := p.Prepare(); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(p.Key, nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		var got decryptRequest
		k.decrypt = func(_ context.Context, r decryptRequest, progress func(control.RestoreProgress)) (control.Restored, error) {
			got = r
			progress(control.RestoreProgress{TotalFiles: 3})
			return control.Restored{Files: 3, To: r.To, Paths: []control.RestoredPath{{Path: "letters/a\xff", What: control.OutcomeWritten}}}, nil
		}
		if code := k.types(t, append([]string{"decrypt", vault + "/."}, c.args...)...); code != 0 {
			t.Errorf("%s: ended with %d: %s", name, code, k.errs.String())
		}
		c.want.Vault, c.want.Home = vault, p
		if c.want.Overwrite == "" {
			c.want.Overwrite = control.OverwriteNever
		}
		if got != c.want {
			t.Errorf("%s: opened with\n%+v, want\n%+v", name, got, c.want)
		}
		want := "Wrote 3 files, 0 B, into " + shown(out) + ".\n"
		if c.want.List {
			want = "$'letters/a\\xff'\n"
		}
		if k.out.String() != want {
			t.Errorf("%s: said %q, want %q", name, k.out.String(), want)
		}
	}
}

func TestAVaultIsNotOpenedByHalf(t *testing.T) {
	missing := control.Restored{Paths: []control.RestoredPath{{Path: "a", What: control.OutcomeMissing}}}
	broken := control.Restored{Problems: []control.Problem{{Code: "damaged", Message: "a record is damaged"}}}
	for name, c := range map[string]struct {
		args []string
		done control.Restored
		code int
	}{
		"nothing to write to": {[]string{"decrypt", "/v"}, control.Restored{}, exitUsage},
		"a list, and writing": {[]string{"decrypt", "/v", "--list", "--to", "/o"}, control.Restored{}, exitUsage},
		"a snapshot's label":  {[]string{"decrypt", "/v", "--list", "--at", "v1"}, control.Restored{}, exitUsage},
		"part of it":          {[]string{"decrypt", "/v", "--to", "/o"}, missing, exitAttention},
		"a list of part":      {[]string{"decrypt", "/v", "--list"}, broken, exitAttention},
	} {
		k := sit(t, &controltest.Device{}, false, "worda wordb")
		k.decrypt = func(context.Context, decryptRequest, func(control.RestoreProgress)) (control.Restored, error) {
			return c.done, nil
		}
		if code := k.types(t, c.args...); code != c.code {
			t.Errorf("%s: ended with %d, want %d: %s", name, code, c.code, k.errs.String())
		}
	}
}

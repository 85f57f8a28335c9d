package storytest

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
)

// label is what the folder of a story is called.
const label = "Documents"

// invitation is what kith pair prints first.
type invitation struct {
	Event, Code, Ticket string
	Expires             time.Time
}

// paired is what kith pair prints in the end.
type paired struct {
	Event, Device, Name string
	Check               []string
}

// showing is a device that shows a code, until another has used it.
type showing struct {
	invitation
	t       *testing.T
	command *exec.Cmd
	lines   *bufio.Reader
	errs    bytes.Buffer
}

// show runs kith pair and reads the code.
func (d *device) show(args ...string) *showing {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(d.t.Context(), commandTime)
	d.t.Cleanup(cancel)
	s := &showing{t: d.t, command: exec.CommandContext(ctx, program, append([]string{"--home", d.home, "--json", "pair"}, args...)...)}
	s.command.Env = ownEnvironment()
	s.command.Stderr = &s.errs
	out, err := s.command.StdoutPipe()
	if err != nil {
		d.t.Fatal(err)
	}
	if err := s.command.Start(); err != nil {
		d.t.Fatal(err)
	}
	s.lines = bufio.NewReader(out)
	line, err := s.lines.ReadBytes('\n')
	if err != nil {
		_ = s.command.Wait()
		d.t.Fatalf("%s: kith pair shows no code: %v\n%s", d.name, err, s.errs.Bytes())
	}
	if err := json.Unmarshal(line, &s.invitation); err != nil || s.Event != "code" {
		d.t.Fatalf("%s: kith pair printed %q instead of a code", d.name, line)
	}
	return s
}

// end waits until kith pair has ended, and returns the rest of what it said.
func (s *showing) end() answer {
	s.t.Helper()
	out, err := io.ReadAll(s.lines)
	if err != nil {
		s.t.Fatal(err)
	}
	err = s.command.Wait()
	if _, exited := errors.AsType[*exec.ExitError](err); err != nil && !exited {
		s.t.Fatal(err)
	}
	return answer{"kith pair", s.command.ProcessState.ExitCode(), out, s.errs.Bytes()}
}

// pair lets shower show a code that user types, and checks that both say the
// same about it.
func pair(t *testing.T, shower, user *device, args ...string) {
	t.Helper()
	s := shower.show("--share", label)
	if s.Code == "" || s.Expires.Before(time.Now()) {
		t.Fatalf("a code that cannot be used: %+v", s.invitation)
	}
	var theirs, ours paired
	user.do(&theirs, append([]string{"pair", s.Code}, args...)...)
	a := s.end()
	if a.code != 0 {
		t.Fatalf("%s: kith pair ended with exit code %d\n%s", shower.name, a.code, a.err)
	}
	a.decode(t, &ours)
	if ours.Device != user.ready.Device || theirs.Device != shower.ready.Device || ours.Name != user.name || theirs.Name != shower.name {
		t.Fatalf("%s has paired with %+v, %s with %+v", shower.name, ours, user.name, theirs)
	}
	if len(ours.Check) != 4 || !slices.Equal(ours.Check, theirs.Check) {
		t.Fatalf("check words: %q and %q", ours.Check, theirs.Check)
	}
}

// accept waits for the offer of the folder and takes it.
func (d *device) accept() {
	d.t.Helper()
	eventually(d.t, "the offer", patience, func() error {
		var o struct {
			Offers []struct{ Folder, Label, From, Role string }
		}
		d.do(&o, "offers")
		if len(o.Offers) != 1 || o.Offers[0].Label != label {
			return fmt.Errorf("it has %+v", o.Offers)
		}
		return nil
	})
	d.do(nil, "accept", label, d.files)
}

// atHome makes two devices on the machine's loopback that have never run. They
// do not look for each other: they have to be told.
func atHome(t *testing.T) (laptop, phone *device) {
	t.Helper()
	return newDevice(t, "laptop", nil, loopback(t)...), newDevice(t, "phone", nil, loopback(t)...)
}

// loopback are the flags of a device that listens at one address, the same
// after each start, and announces itself nowhere.
func loopback(t *testing.T) []string {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	_, port, _ := strings.Cut(l.Addr().String(), ":")
	return []string{"--listen", "/ip4/127.0.0.1/tcp/" + port, "--lan-only", "--mdns=false"}
}

// onLAN makes two devices with a network of their own between them.
func onLAN(t *testing.T) (laptop, phone *device) {
	t.Helper()
	l := newLAN(t)
	return newDevice(t, "laptop", l[0]), newDevice(t, "phone", l[1])
}

// share starts two devices, pairs them, and has laptop share its files with
// phone. It returns when the folder is set up on both.
func share(t *testing.T, laptop, phone *device) {
	t.Helper()
	laptop.start()
	phone.start()
	laptop.do(nil, "add", laptop.files, "--name", label)
	if laptop.net != nil {
		pair(t, laptop, phone)
	} else {
		pair(t, laptop, phone, "--at", laptop.ready.Listen[0])
	}
	phone.accept()
}

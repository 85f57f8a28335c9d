package storytest

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// patience is how long a device gets for what takes it a second.
const patience = 60 * time.Second

// device is one device: a home, a directory for its files, and a process while
// it runs.
type device struct {
	t     *testing.T
	name  string
	home  string
	files string     // where it keeps the folder of the story
	net   *namespace // where it runs; nil is the machine's own loopback
	flags []string   // of kith up

	ready   ready
	process *exec.Cmd
	ended   chan error
}

// ready is the line that kith up prints.
type ready struct {
	Event  string
	Device string
	Name   string
	Listen []string
}

// newDevice makes a device that has never run. It lies in a directory of its
// own, whose path is short: a socket's must be.
func newDevice(t *testing.T, name string, net *namespace, flags ...string) *device {
	t.Helper()
	dir, err := os.MkdirTemp("", "kith-"+name+"-")
	if err != nil {
		t.Fatal(err)
	}
	d := &device{t: t, name: name, home: filepath.Join(dir, "home"), files: filepath.Join(dir, "files"), net: net, flags: flags}
	if err := os.MkdirAll(d.files, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		d.kill()
		if t.Failed() {
			t.Logf("%s said last:\n%s", name, lastLines(d.logFile(), 25))
			if *keep {
				t.Logf("%s is kept in %s", name, dir)
				return
			}
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return d
}

// base is a directory of the device's own that is on the file system of its
// files.
func (d *device) base() string { return filepath.Dir(d.files) }

func (d *device) logFile() string { return d.home + ".log" }

// at is where the device keeps a file of the folder.
func (d *device) at(path string) string { return filepath.Join(d.files, path) }

// start runs the device and waits until it is ready.
func (d *device) start() {
	d.t.Helper()
	if err := d.tryStart(); err != nil {
		d.t.Fatalf("start %s: %v", d.name, err)
	}
}

func (d *device) tryStart() error {
	log, err := os.OpenFile(d.logFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	args := append([]string{"--home", d.home, "--json", "up", "--name", d.name, "--ui", "off"}, d.flags...)
	c := d.net.command(program, args...)
	c.Stderr = log
	endWithUs(c)
	out, err := c.StdoutPipe()
	if err != nil {
		return err
	}
	if err := c.Start(); err != nil {
		return err
	}
	d.process, d.ended = c, make(chan error, 1)
	line := make(chan []byte, 1)
	go func() {
		lines := bufio.NewReader(out)
		first, _ := lines.ReadBytes('\n')
		line <- first
		_, _ = io.Copy(io.Discard, lines)
		d.ended <- c.Wait()
	}()
	select {
	case first := <-line:
		return d.becomeReady(first)
	case <-time.After(patience):
		return errors.New("it is not ready")
	}
}

func (d *device) becomeReady(line []byte) error {
	var r ready
	if err := json.Unmarshal(line, &r); err != nil || r.Event != "ready" {
		return fmt.Errorf("it said %q instead of being ready; its log:\n%s", line, lastLines(d.logFile(), 10))
	}
	d.ready = r
	return nil
}

// stop ends the device in order, as Ctrl-C does.
func (d *device) stop() {
	d.t.Helper()
	if err := d.process.Process.Signal(os.Interrupt); err != nil {
		d.do(nil, "down") // no such signal on this system
	}
	select {
	case err := <-d.ended:
		if err != nil {
			d.t.Errorf("stop %s: %v", d.name, err)
		}
	case <-time.After(patience):
		d.t.Fatalf("stop %s: it still runs", d.name)
	}
	d.process = nil
}

// kill ends the device at once, with no chance to do anything about it.
func (d *device) kill() {
	if d.process == nil {
		return
	}
	_ = d.process.Process.Kill()
	<-d.ended
	d.process = nil
}

// answer is how a command of kith ended and what it printed.
type answer struct {
	command  string
	code     int
	out, err []byte
}

// commandTime bounds every command that a test runs.
const commandTime = 30 * time.Minute

// ask runs a command of kith with --json.
func (d *device) ask(args ...string) answer {
	d.t.Helper()
	return d.askPlainly(append([]string{"--json"}, args...)...)
}

// askPlainly runs a command of kith as a person would.
func (d *device) askPlainly(args ...string) answer {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(d.t.Context(), commandTime)
	defer cancel()
	c := exec.CommandContext(ctx, program, append([]string{"--home", d.home}, args...)...)
	c.Env = ownEnvironment()
	var out, errs bytes.Buffer
	c.Stdout, c.Stderr = &out, &errs
	err := c.Run()
	if _, exited := errors.AsType[*exec.ExitError](err); err != nil && !exited {
		d.t.Fatalf("%s: kith %s: %v", d.name, strings.Join(args, " "), err)
	}
	return answer{d.name + ": kith " + strings.Join(args, " "), c.ProcessState.ExitCode(), out.Bytes(), errs.Bytes()}
}

// do runs a command that must end well, and reads its answer into v if there
// is one.
func (d *device) do(v any, args ...string) {
	d.t.Helper()
	a := d.ask(args...)
	if a.code != 0 {
		d.t.Fatalf("%s: exit code %d\n%s%s", a.command, a.code, a.out, a.err)
	}
	if v != nil {
		a.decode(d.t, v)
	}
}

func (a answer) decode(t *testing.T, v any) {
	t.Helper()
	if err := json.Unmarshal(a.out, v); err != nil {
		t.Fatalf("%s: it printed %q: %v", a.command, a.out, err)
	}
}

// failure is what a command prints about an error.
type failure struct{ Code, Message, Hint string }

// failure reads the error that a command must have printed.
func (a answer) failure(t *testing.T) failure {
	t.Helper()
	f, err := parseFailure(a.err)
	if err != nil {
		t.Fatalf("%s: exit code %d: %v", a.command, a.code, err)
	}
	return f
}

func parseFailure(text []byte) (failure, error) {
	var line struct{ Error failure }
	text = bytes.TrimSpace(text)
	if err := json.Unmarshal(text[bytes.LastIndexByte(text, '\n')+1:], &line); err != nil || line.Error.Code == "" {
		return failure{}, fmt.Errorf("no error as JSON but %q", text)
	}
	return line.Error, nil
}

// ownEnvironment is the environment without the settings of the user's own
// device.
func ownEnvironment() []string {
	var out []string
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, "KITH_") {
			out = append(out, e)
		}
	}
	return out
}

func lastLines(file string, n int) string {
	b, err := os.ReadFile(file)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

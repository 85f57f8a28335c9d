package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/config"
	"github.com/kithmesh/kith/node/control"
)

// demoDevice is one device of the demo: a process, the client that asks it,
// and the directory where it keeps the folder.
type demoDevice struct {
	*control.Client
	name, home, files string
	ready             readyView
	process           *exec.Cmd
	ended             chan error
}

func (r readyView) short() string { return entry.DeviceID(r.Device).Short() }

// endTime is how long a device of the demo gets to end before it is killed.
const endTime = 10 * time.Second

// start runs `kith up` for the device and waits until it is ready.
func (d *demoDevice) start(ctx context.Context) error {
	program, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	if err := os.MkdirAll(d.home, 0o700); err != nil {
		return err
	}
	log, err := os.OpenFile(d.logFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	// Its end is ours to order: a signal to the demo ends the story, and then
	// the devices.
	c := exec.CommandContext(context.WithoutCancel(ctx), program, "up", "--home", d.home, "--name", d.name, //nolint:gosec // ourselves
		"--listen", "/ip4/127.0.0.1/tcp/0", "--lan-only", "--ui", "off", "--json")
	c.Env = withoutSettings(os.Environ())
	c.Stderr = log
	ownGroup(c)
	out, err := c.StdoutPipe()
	if err != nil {
		return err
	}
	if err := c.Start(); err != nil {
		return fmt.Errorf("start %s: %w", d.name, err)
	}
	d.process, d.ended = c, make(chan error, 1)
	ready := make(chan error, 1)
	go func() {
		lines := bufio.NewReader(out)
		ready <- d.readReady(lines)
		_, _ = io.Copy(io.Discard, lines)
		d.ended <- c.Wait()
	}()
	if err := d.untilReady(ctx, ready); err != nil {
		return err
	}
	p, err := config.Find(d.home)
	if err != nil {
		return err
	}
	d.Client, err = control.Dial(ctx, p.Socket)
	return err
}

func (d *demoDevice) readReady(lines *bufio.Reader) error {
	line, err := lines.ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("start %s: it ended before it was ready", d.name)
	}
	if err := json.Unmarshal(line, &d.ready); err != nil || d.ready.Event != "ready" {
		return fmt.Errorf("start %s: it said %q instead of being ready", d.name, line)
	}
	return nil
}

func (d *demoDevice) untilReady(ctx context.Context, ready <-chan error) error {
	select {
	case err := <-ready:
		return err
	case <-time.After(patience):
		return fmt.Errorf("start %s: %w", d.name, control.ErrTimeout)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// end asks the process to end and waits for it; it does nothing if none runs.
func (d *demoDevice) end() error {
	if d.process == nil {
		return nil
	}
	if d.Client != nil {
		d.Close()
		d.Client = nil
	}
	askToEnd(d.process)
	var err error
	select {
	case err = <-d.ended:
	case <-time.After(endTime):
		_ = d.process.Process.Kill()
		<-d.ended
		err = errors.New("it did not end when asked")
	}
	d.process = nil
	if err != nil {
		return fmt.Errorf("end %s: %w", d.name, err)
	}
	return nil
}

// leave ends the device and removes what of it may lie outside its home: a
// socket whose path there would be too long has a directory of its own.
func (d *demoDevice) leave() error {
	err := d.end()
	p, ferr := config.Find(d.home)
	if ferr != nil {
		return errors.Join(err, ferr)
	}
	if dir := filepath.Dir(p.Socket); !strings.HasPrefix(dir, d.home) {
		_ = os.Remove(p.Socket + ".lock")
		_ = os.Remove(dir) // only if it is empty
	}
	return err
}

// withoutSettings leaves out what would make the demo's devices take after the
// user's own.
func withoutSettings(env []string) []string {
	var out []string
	for _, e := range env {
		if !strings.HasPrefix(e, "KITH_") {
			out = append(out, e)
		}
	}
	return out
}

func (d *demoDevice) logFile() string { return filepath.Join(d.home, "demo.log") }

// lastLog is the last line that the device has logged.
func (d *demoDevice) lastLog() string {
	b, err := os.ReadFile(d.logFile())
	if err != nil {
		return ""
	}
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	return lines[len(lines)-1]
}

// at is where the device keeps a file of the folder.
func (d *demoDevice) at(name string) string { return filepath.Join(d.files, name) }

func (d *demoDevice) write(name, text string) error {
	return os.WriteFile(d.at(name), []byte(text), 0o600)
}

// read is the content of a file, empty if there is none.
func (d *demoDevice) read(name string) string {
	b, err := os.ReadFile(d.at(name))
	if err != nil {
		return ""
	}
	return string(b)
}

// size is the size of a file, negative if there is none.
func (d *demoDevice) size(name string) int64 {
	info, err := os.Lstat(d.at(name))
	if err != nil {
		return -1
	}
	return info.Size()
}

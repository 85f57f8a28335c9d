//go:build linux

package meshtest

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
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// device is one installation of kith: its process, its home and its tree.
type device struct {
	mesh             *mesh
	name             string
	program          string
	home, root, hold string // hold is where its user puts what leaves the tree
	listen           string
	namespace        string
	id               string

	mu       sync.Mutex
	process  *exec.Cmd
	ended    chan struct{}
	asked    bool // to end
	starting bool
	stops    int   // how many want it stopped
	luck     int64 // how often something has befallen it

	frozen bool            // only who lets faults happen
	busy   map[string]bool // paths with a slow writer; only the generator and its writers
}

// ready is what kith up prints.
type ready struct{ Event, Device string }

// up starts the device and waits until it serves.
func (d *device) up(ctx context.Context) error {
	args := []string{"--home", d.home, "--json", "up", "--name", d.name, "--lan-only", "--ui", "off", "--mdns=false", "--listen", d.listen}
	cmd := exec.CommandContext(context.WithoutCancel(ctx), d.program, args...)
	if d.namespace != "" {
		cmd = exec.CommandContext(context.WithoutCancel(ctx), "ip", append([]string{"netns", "exec", d.namespace, d.program}, args...)...)
	}
	log, err := os.OpenFile(d.log(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd.Stderr = log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	ended, line := make(chan struct{}), make(chan string, 1)
	d.mu.Lock()
	if err := cmd.Start(); err != nil {
		d.mu.Unlock()
		return fmt.Errorf("start %s: %w", d.name, err)
	}
	d.process, d.ended, d.asked = cmd, ended, false
	d.luck++
	if d.stops > 0 { // a user wants it to stand still just now
		_ = cmd.Process.Signal(syscall.SIGSTOP)
	}
	d.mu.Unlock()
	go func() {
		r := bufio.NewReader(out)
		text, _ := r.ReadString('\n')
		line <- text
		_, _ = io.Copy(io.Discard, r)
		_ = cmd.Wait()
		d.mu.Lock()
		unasked := !d.asked
		d.mu.Unlock()
		if unasked {
			d.mesh.fail("I6: %s ended by itself: %v\n%s", d.name, cmd.ProcessState, d.lastWords())
		}
		close(ended)
	}()
	select {
	case text := <-line:
		var r ready
		if err := json.Unmarshal([]byte(text), &r); err != nil || r.Event != "ready" {
			return fmt.Errorf("%s did not come up: %q\n%s", d.name, text, d.lastWords())
		}
		d.id = r.Device
		return nil
	case <-time.After(30 * time.Second):
		return fmt.Errorf("%s did not come up within 30 s\n%s", d.name, d.lastWords())
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (d *device) log() string { return filepath.Join(filepath.Dir(d.home), d.name+".log") }

// lastWords is the end of the log.
func (d *device) lastWords() string {
	text, _ := os.ReadFile(d.log())
	return string(text[max(0, len(text)-1500):])
}

// runs tells whether there is a process.
func (d *device) runs() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.runsLocked()
}

func (d *device) runsLocked() bool {
	if d.process == nil {
		return false
	}
	select {
	case <-d.ended:
		return false
	default:
		return true
	}
}

// befell notes that something has happened to the device.
func (d *device) befell() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.luck++
}

// fortune is how often something has happened to the device, and whether it
// runs undisturbed.
func (d *device) fortune() (luck int64, well bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.luck, d.runsLocked() && d.stops == 0
}

// kill ends the device as a power cut does, but for what the system has cached.
func (d *device) kill() {
	d.mu.Lock()
	d.asked = true
	d.luck++
	runs, ended := d.runsLocked(), d.ended
	if runs {
		_ = d.process.Process.Signal(syscall.SIGKILL)
	}
	d.mu.Unlock()
	if runs {
		<-ended
	}
}

// quit asks the device to end.
func (d *device) quit(ctx context.Context) error {
	d.mu.Lock()
	d.asked = true
	d.luck++
	runs, ended := d.runsLocked(), d.ended
	d.mu.Unlock()
	if !runs {
		return nil
	}
	_, err := d.ask(ctx, "down")
	if !d.runs() {
		return nil // perhaps by a kill that was quicker
	}
	if err != nil {
		return err
	}
	select {
	case <-ended:
		return nil
	case <-time.After(20 * time.Second):
		d.kill()
		return fmt.Errorf("%s did not end within 20 s of kith down", d.name)
	}
}

// stop freezes the process until as many calls of cont, and returns when it
// stands still.
func (d *device) stop() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.stops++
	if !d.runsLocked() || d.stops > 1 {
		return
	}
	_ = d.process.Process.Signal(syscall.SIGSTOP)
	for range 2000 {
		if stopped(d.process.Process.Pid) {
			return
		}
		pause(context.Background(), time.Millisecond)
	}
}

func (d *device) cont() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.stops--; d.stops == 0 && d.runsLocked() {
		_ = d.process.Process.Signal(syscall.SIGCONT)
	}
}

// stopped tells whether all threads of a process stand still.
func stopped(pid int) bool {
	tasks, _ := filepath.Glob("/proc/" + strconv.Itoa(pid) + "/task/*/stat")
	for _, t := range tasks {
		text, err := os.ReadFile(t)
		if err != nil {
			continue
		}
		rest := string(text[bytes.LastIndexByte(text, ')')+1:])
		if state := strings.Fields(rest); len(state) > 0 && state[0] != "T" {
			return false
		}
	}
	return true
}

// dump has a device that does not answer write what its goroutines are at into
// its log, and ends it.
func (d *device) dump() {
	d.mu.Lock()
	d.asked = true
	runs, ended := d.runsLocked(), d.ended
	if runs {
		_ = d.process.Process.Signal(syscall.SIGQUIT)
	}
	d.mu.Unlock()
	if runs {
		select {
		case <-ended:
		case <-time.After(10 * time.Second):
			d.kill()
		}
	}
}

// commandError is a command that did not end well.
type commandError struct {
	args []string
	code int
	text string
}

func (e *commandError) Error() string {
	return fmt.Sprintf("kith %s: exit code %d: %s", strings.Join(e.args, " "), e.code, strings.TrimSpace(e.text))
}

// ask runs a command against the device and returns what it prints.
func (d *device) ask(ctx context.Context, args ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, 90*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, d.program, append([]string{"--home", d.home, "--json"}, args...)...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return out.Bytes(), &commandError{append([]string{d.name + ":"}, args...), exit.ExitCode(), errs.String()}
	}
	return out.Bytes(), err
}

// problem is what kith status complains of.
type problem struct{ Path, Code, Message string }

// status is what is read of kith status.
type status struct {
	Folders []struct {
		State    string
		Held     int
		Need     int `json:"need_files"`
		Problems []problem
		Members  []struct {
			Name      string
			Connected bool
			Need      int `json:"need_files"`
		}
	}
	Peers []struct {
		Name      string
		Connected bool
	}
}

func (d *device) status(ctx context.Context) (status, error) {
	var s status
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	out, err := d.ask(ctx, "status")
	if e, ok := errors.AsType[*commandError](err); ok && e.code == 3 {
		err = nil
	}
	if err != nil {
		return s, err
	}
	return s, json.Unmarshal(out, &s)
}

// pairWith makes two devices trust each other; d shows the code.
func (d *device) pairWith(ctx context.Context, o *device, share bool) error {
	args := []string{"--home", d.home, "--json", "pair"}
	if share {
		args = append(args, "--share", folderName)
	}
	ctx, cancel := context.WithTimeout(ctx, 60*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, d.program, args...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	var shown struct{ Event, Code string }
	r := bufio.NewReader(out)
	line, _ := r.ReadString('\n')
	if err := json.Unmarshal([]byte(line), &shown); err != nil || shown.Event != "code" {
		_ = cmd.Process.Kill()
		return fmt.Errorf("%s shows no code: %q", d.name, line)
	}
	_, err = o.ask(ctx, "pair", shown.Code, "--at", d.listen)
	if err != nil {
		_ = cmd.Process.Kill()
	}
	_, _ = io.Copy(io.Discard, r)
	return errors.Join(err, cmd.Wait())
}

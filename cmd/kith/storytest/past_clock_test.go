package storytest

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// clockVariable says by how many seconds the wall clock of a program that
// [clocked] has built is ahead.
const clockVariable = "STORY_CLOCK_AHEAD"

var ahead = flag.String("ahead", "", "the program whose clock can be set, which was built before as -full builds it")

// clockwork is the program with a wall clock that can be set.
var clockwork struct {
	once sync.Once
	path string
	err  error
}

// clocked builds, once, the program under test with one change: time.Now goes
// as clockVariable says, so that a day can pass within a second. That takes
// minutes, as all of it has to be compiled, so only tests of full size use it.
func clocked(t *testing.T) string {
	t.Helper()
	if *ahead != "" {
		return *ahead
	}
	clockwork.once.Do(func() { clockwork.path, clockwork.err = buildClocked() })
	if clockwork.err != nil {
		t.Skip("no program whose clock can be set: ", clockwork.err)
	}
	return clockwork.path
}

func buildClocked() (string, error) {
	if *kith != "" {
		return "", errors.New("the program was given, and it is not known of which source it is")
	}
	out, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return "", err
	}
	dir, source := filepath.Dir(program), filepath.Join(strings.TrimSpace(string(out)), "src")
	replaced := map[string]string{}
	for name, change := range changes {
		b, err := os.ReadFile(filepath.Join(source, name))
		text := string(b)
		for old, new := range change {
			if strings.Count(text, old) != 1 {
				err = errors.Join(err, fmt.Errorf("%s is another than expected", name))
			}
			text = strings.Replace(text, old, new, 1)
		}
		to := filepath.Join(dir, filepath.Base(name))
		if err = errors.Join(err, os.WriteFile(to, []byte(text), 0o600)); err != nil {
			return "", err
		}
		replaced[filepath.Join(source, name)] = to
	}
	overlay, path := filepath.Join(dir, "overlay.json"), filepath.Join(dir, "clocked-kith")
	text, err := json.Marshal(map[string]any{"Replace": replaced})
	if err = errors.Join(err, os.WriteFile(overlay, text, 0o600)); err != nil {
		return "", err
	}
	build := exec.Command("go", "build", "-overlay", overlay, "-o", path, "github.com/kithmesh/kith/cmd/kith")
	if text, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %s", err, text)
	}
	return path, nil
}

// changes are what is replaced in Go's own source. Certificates hold at any
// time: with those of libp2p a device whose clock is far off is not talked to.
var changes = map[string]map[string]string{
	"time/time.go": {
		"func Now() Time {\n\tsec, nsec, mono := runtimeNow()\n": setAhead +
			"func Now() Time {\n\tsec, nsec, mono := runtimeNow()\n\tsec += storyAhead\n",
		"import (\n": "import (\n\t\"syscall\"\n",
	},
	"crypto/x509/verify.go": {
		"if now.Before(c.NotBefore) {":      "if false {",
		"} else if now.After(c.NotAfter) {": "} else if false {",
	},
}

// setAhead is added to package time.
const setAhead = `var storyAhead = func() (n int64) {
	text, _ := syscall.Getenv("` + clockVariable + `")
	sign := int64(1)
	for i, c := range text {
		if i == 0 && c == '-' {
			sign = -1
			continue
		}
		n = n*10 + int64(c-'0')
	}
	return sign * n
}()

`

// startAhead runs the device with a clock that is ahead, or behind if that is
// negative, and waits until it is ready.
func (d *device) startAhead(program string, by time.Duration) {
	d.t.Helper()
	log, err := os.OpenFile(d.logFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		d.t.Fatal(err)
	}
	defer func() { _ = log.Close() }()
	c := d.upCommand(program)
	c.Env = append(c.Env, fmt.Sprintf("%s=%d", clockVariable, int64(by/time.Second)))
	c.Stderr = log
	out, err := c.StdoutPipe()
	if err == nil {
		err = c.Start()
	}
	if err != nil {
		d.t.Fatal(err)
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
		err = d.becomeReady(first)
	case <-time.After(patience):
		err = errors.New("it is not ready")
	}
	if err != nil {
		d.t.Fatalf("start %s: %v", d.name, err)
	}
}

// upCommand is kith up.
func (d *device) upCommand(program string) *exec.Cmd {
	c := d.net.command(program, append([]string{"--home", d.home, "--json", "up", "--name", d.name, "--ui", "off"}, d.flags...)...)
	endWithUs(c)
	return c
}

// stumble starts the device and kills it after so long, ready or not.
func (d *device) stumble(after time.Duration) {
	d.t.Helper()
	c := d.upCommand(program)
	if err := c.Start(); err != nil {
		d.t.Fatal(err)
	}
	let(after)
	_ = c.Process.Kill()
	_ = c.Wait()
}

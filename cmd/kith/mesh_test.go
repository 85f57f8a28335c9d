package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// Commands for stories of several devices that work. The home of the device
// NAME is the directory NAME of the story.

// storyTime bounds each step of a story.
const storyTime = 30 * time.Second

// started is a `kith up` of a story.
type started struct {
	*exec.Cmd
	ended chan error
	log   bytes.Buffer // its error stream, to be read once it has ended
	at    string       // multiaddr
}

// startDevice runs a device until the story ends, and puts its address into
// AT_NAME: start NAME [FLAG]...
func startDevice(ts *testscript.TestScript, _ bool, args []string) {
	flags := []string{"--home", ts.MkAbs(args[0]), "up", "--name", args[0], "--listen", "/ip4/127.0.0.1/tcp/0", "--lan-only", "--ui", "off", "--json"}
	d := &started{Cmd: exec.Command("kith", append(flags, args[1:]...)...), ended: make(chan error, 1)}
	d.Env = append(os.Environ(), "HOME="+ts.Getenv("HOME"))
	d.Stderr = &d.log
	out, err := d.StdoutPipe()
	ts.Check(err)
	ts.Check(d.Start())
	lines := bufio.NewReader(out)
	line, err := lines.ReadBytes('\n')
	var ready struct {
		Listen []string `json:"listen"`
	}
	if err == nil {
		err = json.Unmarshal(line, &ready)
	}
	go func() {
		_, _ = io.Copy(io.Discard, lines)
		d.ended <- d.Wait()
	}()
	scriptOf(ts).devices[args[0]] = d
	ts.Defer(func() { endDevice(ts, args[0]) })
	if err != nil || len(ready.Listen) == 0 {
		endDevice(ts, args[0])
		ts.Fatalf("%s did not start: %v, %q\n%s", args[0], err, line, d.log.String())
	}
	d.at = ready.Listen[0]
	ts.Setenv("AT_"+args[0], d.at)
}

// stopDevice ends a device: end NAME. (A script that says stop has passed.)
func stopDevice(ts *testscript.TestScript, _ bool, args []string) {
	if scriptOf(ts).devices[args[0]] == nil {
		ts.Fatalf("%s was not started", args[0])
	}
	endDevice(ts, args[0])
}

// endDevice does nothing for a device that has ended.
func endDevice(ts *testscript.TestScript, name string) {
	d := scriptOf(ts).devices[name]
	if d == nil {
		return
	}
	delete(scriptOf(ts).devices, name)
	askToEnd(d.Cmd)
	select {
	case err := <-d.ended:
		ts.Logf("%s ended with %v; it logged\n%s", name, err, d.log.String())
	case <-time.After(storyTime):
		_ = d.Process.Kill()
		<-d.ended
		ts.Logf("%s did not end in time; it logged\n%s", name, d.log.String())
	}
}

// onDevice runs a command on a device: on NAME[:CODE] ARGUMENT..., which must
// end with the code, or with 0.
func onDevice(ts *testscript.TestScript, _ bool, args []string) {
	name, want, coded := strings.Cut(args[0], ":")
	if !coded {
		want = "0"
	}
	endsWith(ts, false, append([]string{want, "kith", "--home", ts.MkAbs(name)}, args[1:]...))
}

// soonOnDevice repeats a command on a device, whatever its exit code, until
// what it prints fits: soon NAME REGEXP ARGUMENT... A ! before it waits until
// it no longer fits.
func soonOnDevice(ts *testscript.TestScript, neg bool, args []string) {
	want := regexp.MustCompile("(?m)" + args[1])
	var out []byte
	err := eventuallyWithin(storyTime, strings.Join(args, " "), func() (bool, error) {
		var err error
		out, err = exec.Command("kith", append([]string{"--home", ts.MkAbs(args[0])}, args[2:]...)...).Output()
		if _, ended := errors.AsType[*exec.ExitError](err); ended {
			err = nil
		}
		return want.Match(out) != neg, err
	})
	if err != nil {
		ts.Fatalf("%v; the last answer:\n%s", err, out)
	}
}

func eventuallyWithin(d time.Duration, what string, holds func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	return eventually(ctx, what, holds)
}

// joinDevices pairs two devices that run, shares a folder of the first with
// the second in a role, and has that one accept it at a directory named like
// the folder and the device: join NAME NAME FOLDER ROLE.
func joinDevices(ts *testscript.TestScript, _ bool, args []string) {
	a, b, folder, role := args[0], args[1], args[2], args[3]
	showCode(ts, false, []string{a, "--share", folder + "=" + role})
	run := func(home string, args ...string) {
		out, err := exec.Command("kith", append([]string{"--home", ts.MkAbs(home)}, args...)...).CombinedOutput()
		if err != nil {
			ts.Fatalf("%s: kith %q: %v\n%s", home, args, err, out)
		}
	}
	run(b, "pair", ts.Getenv("CODE"), "--at", scriptOf(ts).devices[a].at)
	codeShown(ts, false, []string{"0", b})
	soonOnDevice(ts, false, []string{b, `"` + folder + `"`, "offers", "--json"})
	run(b, "accept", folder, ts.MkAbs(folder+"-"+b), "--role", role)
	run(b, "wait", folder, "--for", "connected", "--timeout", "30s")
}

// manyFiles makes small files: files DIR NUMBER [CONTENT]. Their names are
// numbers, and each holds its name and the content.
func manyFiles(ts *testscript.TestScript, _ bool, args []string) {
	dir := ts.MkAbs(args[0])
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	ts.Check(os.MkdirAll(dir, 0o700))
	for i := range n {
		name := fmt.Sprintf("%04d", i)
		ts.Check(os.WriteFile(filepath.Join(dir, name), []byte(name+strings.Join(args[2:], " ")+"\n"), 0o600))
	}
}

// copyTree copies a tree as a backup of it would, with modes and times, and
// without sockets: clone DIR DIR. What the second was is gone then.
func copyTree(ts *testscript.TestScript, _ bool, args []string) {
	from, to := ts.MkAbs(args[0]), ts.MkAbs(args[1])
	ts.Check(os.RemoveAll(to))
	ts.Check(filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		info, err := d.Info()
		switch {
		case err != nil:
			return err
		case d.IsDir():
			return os.MkdirAll(filepath.Join(to, rel), info.Mode().Perm())
		case !d.Type().IsRegular():
			return nil
		}
		b, err := os.ReadFile(path)
		if err == nil {
			err = os.WriteFile(filepath.Join(to, rel), b, info.Mode().Perm())
		}
		return errors.Join(err, os.Chtimes(filepath.Join(to, rel), info.ModTime(), info.ModTime()))
	}))
}

// putText writes a file: put FILE TEXT.
func putText(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(args[1]), 0o600))
}

// holdsText waits until a file holds a text and nothing else: holds FILE TEXT.
// With ! it must not hold it now.
func holdsText(ts *testscript.TestScript, neg bool, args []string) {
	holds := func() (bool, error) {
		b, err := os.ReadFile(ts.MkAbs(args[0]))
		if errors.Is(err, os.ErrNotExist) {
			err = nil
		}
		return string(b) == args[1], err
	}
	if neg {
		if ok, err := holds(); ok || err != nil {
			ts.Fatalf("%s holds %q already (%v)", args[0], args[1], err)
		}
		return
	}
	if err := eventuallyWithin(storyTime, args[0]+" to hold "+args[1], holds); err != nil {
		b, _ := os.ReadFile(ts.MkAbs(args[0]))
		ts.Fatalf("%v; it holds %q", err, b)
	}
}

// atMost compares a number in JSON: atmost FILE PATH NUMBER.
func atMost(ts *testscript.TestScript, _ bool, args []string) {
	v, err := fieldOf(lastObject(ts, args[0]), args[1])
	ts.Check(err)
	n, err := strconv.ParseFloat(v, 64)
	ts.Check(err)
	most, err := strconv.ParseFloat(args[2], 64)
	ts.Check(err)
	if n > most {
		ts.Fatalf("%s is %v, more than %v", args[1], n, most)
	}
}

// randomBytes makes a file that no compression makes smaller: bytes FILE NUMBER.
func randomBytes(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	b := make([]byte, n)
	_, _ = rand.Read(b)
	ts.Check(os.MkdirAll(filepath.Dir(ts.MkAbs(args[0])), 0o700))
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), b, 0o600))
}

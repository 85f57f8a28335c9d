package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// Commands for stories with devices that work.

// showing is a `kith pair` that shows a code.
type showing struct {
	*exec.Cmd
	out  *bufio.Reader
	errs bytes.Buffer
}

// showCode starts `kith pair` in a home and puts the code into CODE, as soon as
// it is printed, and into WRONG one with the words in another order:
// show HOME [FLAG]...
func showCode(ts *testscript.TestScript, _ bool, args []string) {
	s := &showing{Cmd: exec.Command("kith", append([]string{"--home", ts.MkAbs(args[0]), "pair", "--json"}, args[1:]...)...)}
	s.Stderr = &s.errs
	out, err := s.StdoutPipe()
	ts.Check(err)
	ts.Check(s.Start())
	s.out = bufio.NewReader(out)
	line, err := s.out.ReadBytes('\n')
	if err != nil {
		_ = s.Wait()
		ts.Fatalf("no code was shown: %s", s.errs.String())
	}
	var v codeView
	ts.Check(json.Unmarshal(line, &v))
	ts.Setenv("CODE", v.Code)
	words := strings.Split(v.Code, "-")
	ts.Setenv("WRONG", strings.Join(append([]string{words[0]}, append(words[2:], words[1])...), "-"))
	scriptOf(ts).showing = s
}

// codeShown waits for the end of it: shown EXITCODE TEXT, which is to be in
// what it printed.
func codeShown(ts *testscript.TestScript, _ bool, args []string) {
	s := scriptOf(ts).showing
	out, err := io.ReadAll(s.out)
	ts.Check(err)
	err = s.Wait()
	if _, ok := errors.AsType[*exec.ExitError](err); err != nil && !ok {
		ts.Check(err)
	}
	text := string(out) + s.errs.String()
	if strconv.Itoa(s.ProcessState.ExitCode()) != args[0] || !strings.Contains(text, args[1]) {
		ts.Fatalf("kith pair ended with %d and %q, want %s and %q", s.ProcessState.ExitCode(), text, args[0], args[1])
	}
}

// retry repeats until it holds: retry same DIR DIR, or retry REGEXP COMMAND...
func retry(ts *testscript.TestScript, _ bool, args []string) {
	holds := func() (bool, error) {
		one, err := treeDigest(ts.MkAbs(args[1]))
		other, oerr := treeDigest(ts.MkAbs(args[2]))
		return err == nil && oerr == nil && one == other, nil
	}
	if args[0] != "same" {
		want := regexp.MustCompile(args[0])
		holds = func() (bool, error) {
			out, err := exec.Command(args[1], args[2:]...).Output()
			return want.Match(out), err
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := eventually(ctx, strings.Join(args, " "), holds); err != nil {
		ts.Fatalf("%v", err)
	}
}

// bothKept tells whether two contents are in two files, in either order:
// both CONTENT CONTENT FILE FILE, each a pattern that fits one file.
func bothKept(ts *testscript.TestScript, _ bool, args []string) {
	var texts []string
	for _, pattern := range args {
		found, err := filepath.Glob(ts.MkAbs(pattern))
		ts.Check(err)
		if len(found) != 1 {
			ts.Fatalf("%s is %q", pattern, found)
		}
		texts = append(texts, ts.ReadFile(found[0]))
	}
	want, got := texts[:2], texts[2:]
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(want, got) {
		ts.Fatalf("the files hold %q, want %q", got, want)
	}
}

func emptyDir(ts *testscript.TestScript, _ bool, args []string) {
	found, err := os.ReadDir(ts.MkAbs(args[0]))
	ts.Check(err)
	if len(found) > 0 {
		ts.Fatalf("%s holds %v", args[0], found)
	}
}

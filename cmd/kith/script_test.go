package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/kithmesh/kith/node/control"
	"github.com/kithmesh/kith/node/control/controltest"
)

// The stories in testdata/script run the command as people do. A script says
// "scene NAME" for a device that only answers, as scenes_test.go describes;
// "kith up" runs a real one.

var update = flag.Bool("update", false, "write what the commands print into the scripts")

func TestMain(m *testing.M) {
	if os.Getenv("KITH_TEST_HOUR") != "" {
		now = func() time.Time { return theHour }
	}
	testscript.Main(m, map[string]func(){"kith": main})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		UpdateScripts:       *update,
		Setup: func(e *testscript.Env) error {
			e.Values[ofScript] = &script{devices: map[string]*started{}}
			e.Setenv("HOME", e.WorkDir)
			e.Setenv("GOOS", runtime.GOOS)
			e.Setenv("TZ", "UTC")
			e.Setenv("LF", "\n")
			e.Setenv("KITH_HOME", filepath.Join(e.WorkDir, "home"))
			return os.MkdirAll(filepath.Join(e.WorkDir, "home", "state"), 0o700)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"scene": serveScene, "field": setField, "match": matchField, "same": sameTrees, "until": untilHolds, "ends": endsWith,
			"show": showCode, "shown": codeShown, "retry": retry, "both": bothKept, "empty": emptyDir,
			"asked": wasAsked, "start": startDevice, "end": stopDevice, "on": onDevice, "soon": soonOnDevice, "join": joinDevices,
			"files": manyFiles, "clone": copyTree, "put": putText, "holds": holdsText, "atmost": atMost, "bytes": randomBytes,
		},
	})
}

// script is what the commands of one script share.
type script struct {
	device  *controltest.Device // the scene's
	showing *showing
	devices map[string]*started // by name: those that run
}

const ofScript = "script"

func scriptOf(ts *testscript.TestScript) *script { return ts.Value(ofScript).(*script) }

// serveScene serves a device that only answers: scene NAME. The scripts then
// see the hour in which the scenes play.
func serveScene(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 1 || scenes[args[0]] == nil {
		ts.Fatalf("usage: scene NAME, of %d", len(scenes))
	}
	d := scenes[args[0]]()
	scriptOf(ts).device = d
	s, err := control.Listen(filepath.Join(ts.Getenv("KITH_HOME"), "state", "kith.sock"), slog.New(slog.DiscardHandler))
	ts.Check(err)
	ctx, cancel := context.WithCancel(context.Background())
	d.Ending = cancel
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx, d.Groups()) }()
	ts.Defer(func() {
		cancel()
		ts.Check(<-ended)
		if len(d.Asked()) > 0 {
			ts.Logf("the device was asked:\n%s", strings.Join(d.Asked(), "\n"))
		}
	})
	ts.Setenv("KITH_TEST_HOUR", "1")
}

// wasAsked tells whether the scene's device was asked just this: asked QUESTION.
func wasAsked(ts *testscript.TestScript, neg bool, args []string) {
	if slices.Contains(scriptOf(ts).device.Asked(), strings.Join(args, " ")) == neg {
		ts.Fatalf("the device was asked %q (negated: %v)", scriptOf(ts).device.Asked(), neg)
	}
}

// endsWith runs a command that must end with an exit code: ends CODE COMMAND...
func endsWith(ts *testscript.TestScript, _ bool, args []string) {
	code := 0
	err := ts.Exec(args[1], args[2:]...)
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		code = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if strconv.Itoa(code) != args[0] {
		ts.Fatalf("%q ended with %d, want %s", args[1:], code, args[0])
	}
}

// lastObject is the last line of a file, or of stdout, as JSON.
func lastObject(ts *testscript.TestScript, file string) map[string]any {
	lines := strings.Split(strings.TrimSpace(ts.ReadFile(file)), "\n")
	var v map[string]any
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &v); err != nil {
		ts.Fatalf("%s: %v in %q", file, err, lines[len(lines)-1])
	}
	return v
}

// fieldOf finds a field by a path like peers.0.name.
func fieldOf(v any, path string) (string, error) {
	for name := range strings.SplitSeq(path, ".") {
		switch at := v.(type) {
		case map[string]any:
			v = at[name]
		case []any:
			var i int
			if _, err := fmt.Sscan(name, &i); err != nil || i >= len(at) {
				return "", fmt.Errorf("no %s in a list of %d", name, len(at))
			}
			v = at[i]
		default:
			return "", fmt.Errorf("no %s in %v", name, at)
		}
	}
	return fmt.Sprint(v), nil
}

// setField puts a field of JSON into a variable: field VAR FILE PATH.
func setField(ts *testscript.TestScript, _ bool, args []string) {
	v, err := fieldOf(lastObject(ts, args[1]), args[2])
	ts.Check(err)
	ts.Setenv(args[0], v)
}

// matchField compares a field of JSON: match FILE PATH VALUE.
func matchField(ts *testscript.TestScript, neg bool, args []string) {
	v, err := fieldOf(lastObject(ts, args[0]), args[1])
	ts.Check(err)
	if (v == args[2]) == neg {
		ts.Fatalf("%s is %q, want %q (negated: %v)", args[1], v, args[2], neg)
	}
}

// sameTrees compares two trees, without kith's own directory: same DIR DIR.
func sameTrees(ts *testscript.TestScript, neg bool, args []string) {
	one, err := treeDigest(ts.MkAbs(args[0]))
	ts.Check(err)
	other, err := treeDigest(ts.MkAbs(args[1]))
	ts.Check(err)
	if (one == other) == neg {
		ts.Fatalf("the trees have the hashes %s and %s", one, other)
	}
}

// untilHolds waits until a pattern fits one file: until PATTERN.
func untilHolds(ts *testscript.TestScript, _ bool, args []string) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	err := eventually(ctx, args[0], func() (bool, error) {
		found, err := filepath.Glob(ts.MkAbs(args[0]))
		return len(found) == 1, err
	})
	if err != nil {
		ts.Fatalf("%v", err)
	}
}

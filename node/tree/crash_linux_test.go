//go:build !portable

package tree

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/kithmesh/kith/index/entry"
)

// roles are what this test binary does when it is started as a child: with
// roleVar set, and the folder's root and two words as arguments.
var roles = map[string]func(root, how, where string) error{
	"crash":   crashing,
	"canary":  unprivileged,
	"devices": overDevices,
}

const roleVar = "KITH_TREE_TEST_ROLE"

func TestMain(m *testing.M) {
	if role := roles[os.Getenv(roleVar)]; role != nil {
		if err := role(os.Args[1], os.Args[2], os.Args[3]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// child starts this binary in a role.
func child(t *testing.T, role, root, how, where string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	must(t, err)
	cmd := exec.Command(self, root, how, where) //nolint:gosec // this very binary
	cmd.Env = append(os.Environ(), roleVar+"="+role)
	return cmd
}

// crashing does one operation and kills the process when it comes to a point.
// "user:" before the point has a user rewrite "d/p" before anything is moved.
func crashing(root, how, where string) error {
	tr, err := Open(root, testID)
	if err != nil {
		return err
	}
	point, user := strings.CutPrefix(where, "user:")
	how, testNoRenameFlags = strings.CutPrefix(how, "hand:")
	old, err := tr.Lstat("d/p")
	if err != nil {
		return err
	}
	acted := false
	tr.at = func(at string) {
		if user && !acted && (at == "put" || at == "remove" || at == "move") {
			acted = true
			_ = os.WriteFile(tr.file("d/p"), []byte("user"), 0o600)
		}
		if at == point {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	}
	switch how {
	case "remove":
		err = tr.Remove("d/p", old)
	case "move":
		_, err = tr.Move("d/p", "q", old, meta)
	default:
		s, serr := tr.Stage("s")
		if serr != nil {
			return serr
		}
		if _, err := s.WriteAt([]byte("new"), 0); err != nil {
			return err
		}
		if how == "new" {
			_, err = tr.Place("d/q", s, meta, nil)
		} else {
			_, err = tr.Place("d/p", s, meta, &old)
		}
	}
	return fmt.Errorf("never came to %q: %w", where, err)
}

func TestAKilledProcessLeavesTheOldStateOrTheNew(t *testing.T) {
	type files = map[string]string
	for _, c := range []struct {
		how    string
		points []string
		want   []files // any of these, kept ones under the name "kept"
	}{
		{"new", []string{"put", "placed"}, []files{{"d/p": "old"}, {"d/p": "old", "d/q": "new"}}},
		{"hand:new", []string{"put", "placed"}, []files{{"d/p": "old"}, {"d/p": "old", "d/q": "new"}}},
		{"over", []string{"put", "exchange"}, []files{{"d/p": "old"}}},
		{"over", []string{"exchanged", "placed"}, []files{{"d/p": "new"}}},
		{"over", []string{"user:put", "user:exchange"}, []files{{"d/p": "user"}}},
		{"over", []string{"user:exchanged", "user:exchange back"}, []files{{"d/p": "new", "kept": "user"}}},
		{"hand:over", []string{"put", "exchange", "exchanged"}, []files{{"d/p": "old"}}},
		{"hand:over", []string{"placed"}, []files{{"d/p": "new"}}},
		{"hand:over", []string{"user:exchanged", "user:put back"}, []files{{"d/p": "user"}}},
		{"remove", []string{"remove"}, []files{{"d/p": "old"}}},
		{"remove", []string{"removed"}, []files{{}}},
		{"remove", []string{"user:removed", "user:put back"}, []files{{"kept": "user"}}},
		{"move", []string{"move"}, []files{{"d/p": "old"}}},
		{"move", []string{"moved"}, []files{{"q": "old"}}},
		{"move", []string{"user:moved", "user:move back"}, []files{{"q": "user"}}},
	} {
		for _, point := range c.points {
			t.Run(c.how+" at "+point, func(t *testing.T) {
				t.Parallel()
				tr := testTree(t)
				put(t, tr, "d/p", "old")
				must(t, tr.Close())
				cmd := child(t, "crash", tr.path, c.how, point)
				out, err := cmd.CombinedOutput()
				var exit *exec.ExitError
				if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
					t.Fatalf("%v: %s", err, out)
				}
				again, err := Open(tr.path, testID)
				must(t, err)
				tr.root, tr.lock = again.root, again.lock
				nothingLeft(t, tr.path)
				got := contents(t, tr.path)
				for _, p := range again.Recovered() {
					got["kept"] = got[string(p)]
					delete(got, string(p))
				}
				if !slices.ContainsFunc(c.want, func(w files) bool { return maps.Equal(w, got) }) {
					t.Errorf("left %q", got)
				}
				must(t, again.CleanTemporaries(func(string) bool { return false }))
				if left, err := os.ReadDir(tr.file(tmpDir)); err != nil || len(left) > 0 {
					t.Errorf("temporaries: %v, %v", left, err)
				}
			})
		}
	}
}

func TestWhatIsStillBeingWrittenToIsNotDroppedAfterACrash(t *testing.T) {
	tr := testTree(t)
	st := put(t, tr, "p", "old")
	w, err := os.OpenFile(tr.file("p"), os.O_RDWR, 0)
	must(t, err)
	defer func() { must(t, w.Close()) }()
	a := asideName{want: st, tag: fresh(), base: "p"}
	must(t, os.Rename(tr.file("p"), tr.file(entry.Path(asideDir).Join(a.String()))))
	reopen(t, tr)
	if len(tr.Recovered()) != 1 {
		t.Fatalf("%q", tr.Recovered())
	}
	_, err = w.WriteString("late words")
	must(t, err)
	if got := content(t, tr, tr.Recovered()[0]); got != "late words" {
		t.Errorf("%q", got)
	}
}

func TestAForeignFileAsideIsLeftAlone(t *testing.T) {
	tr := testTree(t)
	must(t, os.WriteFile(tr.file(asideDir+"/someone's"), []byte("x"), 0o600))
	must(t, os.WriteFile(tr.file(notesDir+"/someone's"), []byte("x"), 0o600))
	reopen(t, tr)
	must(t, os.Remove(tr.file(asideDir+"/someone's")))
	must(t, os.Remove(tr.file(notesDir+"/someone's")))
}

func TestNotesAreReadAsTheyWereWritten(t *testing.T) {
	tr := testTree(t)
	for _, p := range []entry.Path{"", "a/b", "\xff\n", entry.Path(strings.Repeat("n/", 2047) + "n")} {
		must(t, tr.note("x", p))
		must(t, tr.note("x", p)) // once more does no harm
		notes, err := tr.notes()
		must(t, err)
		if got, ok := notes["x"]; !ok || got != p {
			t.Errorf("%q, %v", got, ok)
		}
		tr.forget("x")
	}
}

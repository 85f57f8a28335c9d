package guard

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kithmesh/kith/index/entry"
)

var docs = entry.FolderID{1, 15: 2}

const nas entry.DeviceID = "nas"

// shelf is a store in a directory that may not be there yet, with what it logs.
type shelf struct {
	*Store
	t    testing.TB
	path string
	log  bytes.Buffer
}

func newShelf(t testing.TB) *shelf {
	s := &shelf{t: t, path: filepath.Join(t.TempDir(), "state", "guards.json")}
	s.Store = Open(s.path, slog.New(slog.NewTextHandler(&s.log, nil)))
	return s
}

// mounts makes the directory, so that the store can write.
func (s *shelf) mounts() *shelf {
	s.t.Helper()
	if err := os.Mkdir(filepath.Dir(s.path), 0o700); err != nil {
		s.t.Fatal(err)
	}
	return s
}

// written tells whether it has written since it was last asked.
func (s *shelf) written() bool {
	s.t.Helper()
	if _, err := os.Stat(s.path); err != nil {
		return false
	}
	if err := os.Remove(s.path); err != nil {
		s.t.Fatal(err)
	}
	return true
}

// later lets minutes pass, with a tick in each, and counts what was written.
func (s *shelf) later(minutes int, each func()) (writes int) {
	s.t.Helper()
	for range minutes {
		<-time.After(time.Minute)
		if each != nil {
			each()
		}
		s.Tick()
		if s.written() {
			writes++
		}
	}
	return writes
}

func TestAnIdleDeviceWritesFourTimesAnHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShelf(t).mounts()
		still := func() {
			now := time.Now()
			s.Note(docs, nas, func(g *Guard) {
				g.Holds(10, true, Mark{1, 10}, now)
				g.Says(Mark{2, 30})
				g.LastRun = now // that of a vault that takes in everything at once
			})
		}
		if still(); !s.written() {
			t.Error("nothing is written of a vault that is new")
		}
		if n := s.later(14, still); n != 0 {
			t.Errorf("%d writes in a quarter of an hour", n)
		}
		if n := s.later(24*60, still); n != 24*4 {
			t.Errorf("%d writes in a day", n)
		}
		if n := s.later(14, nil); n > 1 {
			t.Errorf("%d writes at the end", n)
		}
		if n := s.later(600, nil); n > 0 {
			t.Errorf("%d writes while nothing is noted", n)
		}
		still()
		if err := s.Flush(); err != nil || !s.written() {
			t.Errorf("it ends without what it knows: %v", err)
		}
		if err := s.Flush(); err != nil || s.written() {
			t.Errorf("and twice: %v", err)
		}
	})
}

func TestWhatChangesAllTheTimeIsWrittenOnceAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShelf(t).mounts()
		head := entry.Sequence(10)
		change := func() {
			for range 20 {
				head++
				s.Note(docs, nas, func(g *Guard) { g.Says(Mark{2, head}) })
				s.Tick()
			}
		}
		if n := s.later(30, change); n != 30 {
			t.Errorf("%d writes in half an hour", n)
		}
		change()
		if s.written() {
			t.Error("written at once")
		}
	})
}

func TestWhatMattersIsWrittenAtOnce(t *testing.T) {
	for name, change := range map[string]func(*Guard){
		"a fault":   func(g *Guard) { g.blame(Fault{Withheld, "text", noon}) },
		"a proof":   func(g *Guard) { g.Proven = noon },
		"a drill":   func(g *Guard) { g.Drilled = noon },
		"a warning": func(g *Guard) { g.Warned = noon },
	} {
		s := newShelf(t).mounts()
		s.Note(docs, nas, change)
		if again := Open(s.path, slog.New(slog.DiscardHandler)).Get(docs, nas); !again.Known() || !bytes.Equal(again.lasting(), lastingOf(s)) {
			t.Errorf("%s: %+v", name, again)
		}
		s.written()
		if s.Note(docs, nas, change); s.written() {
			t.Errorf("%s: written twice", name)
		}
	}
	s := newShelf(t).mounts()
	if err := s.Keep(docs, nas, func(g *Guard) { g.Schedule = "daily" }); err != nil || !s.written() {
		t.Errorf("what a person waits for: %v", err)
	}
	if err := s.Forget(docs); err != nil || !s.written() {
		t.Errorf("that a folder is gone: %v", err)
	}
	if g := s.Get(docs, nas); g.Known() {
		t.Errorf("%+v", g)
	}
}

func lastingOf(s *shelf) []byte {
	g := s.Get(docs, nas)
	return g.lasting()
}

// TestWhatCannotBeWrittenIsTriedAgain each minute, though nothing changes, and
// logged once.
func TestWhatCannotBeWrittenIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShelf(t) // that has no directory
		s.Note(docs, nas, func(g *Guard) { g.blame(Fault{Withheld, "text", noon}) })
		s.later(10, nil)
		s.Note(docs, nas, func(g *Guard) { g.Proven = noon })
		if n := strings.Count(s.log.String(), "\n"); n != 1 {
			t.Errorf("logged %d times: %s", n, s.log.String())
		}
		s.mounts()
		if n := s.later(5, nil); n != 1 {
			t.Errorf("%d writes when it can", n)
		}
		// The directory is gone again: that is another failure.
		if err := os.Remove(filepath.Dir(s.path)); err != nil {
			t.Fatal(err)
		}
		s.Note(docs, nas, func(g *Guard) { g.Drilled = noon })
		if n := strings.Count(s.log.String(), "\n"); n != 2 {
			t.Errorf("logged %d times: %s", n, s.log.String())
		}
	})
}

// TestAPersonHearsThatNothingWasKept: a hook stays as it was then, and what was
// seen is tried again.
func TestAPersonHearsThatNothingWasKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShelf(t)
		if err := s.SetHook(docs, "mail me"); err == nil || s.Hook(docs) != "" {
			t.Errorf("%v, and the hook is %q", err, s.Hook(docs))
		}
		if err := s.Keep(docs, nas, func(g *Guard) { g.Faults = nil }); err == nil {
			t.Error("kept nowhere")
		}
		if s.log.Len() > 0 {
			t.Errorf("told and logged: %s", s.log.String())
		}
		if s.mounts(); s.later(2, nil) != 1 {
			t.Error("not tried again")
		}
	})
}

// format is a file of the first release.
const format = `{"guards":{"01000000000000000000000000000002":{"nas":{"since":"2026-01-02T03:04:05Z","as_of":"2026-11-22T11:00:00Z",` +
	`"index":7,"head":12,"vault":[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16],"sequence":40,"moment":"2026-11-22T10:00:00Z",` +
	`"told_index":8,"told":41,"was_index":9,"was_told":42,"set_back":"2026-11-21T00:00:00Z","schedule":"every 6h",` +
	`"last_run":"2026-11-22T09:00:00Z","full":true,"damaged":3,"proven":"2026-11-20T00:00:00Z","drilled":"2026-11-19T00:00:00Z",` +
	`"faults":[{"code":"withheld","text":"t","found":"2026-11-18T00:00:00Z"}],"warned":"2026-11-17T00:00:00Z"}}},` +
	`"hooks":{"01000000000000000000000000000002":"mail me"}}`

func TestTheFileIsAsItWas(t *testing.T) {
	s := newShelf(t).mounts()
	if err := os.WriteFile(s.path, []byte(format), 0o600); err != nil {
		t.Fatal(err)
	}
	again := Open(s.path, slog.New(slog.DiscardHandler))
	g := again.Get(docs, nas)
	if g.Told != 41 || g.Vault[15] != 16 || len(g.Faults) != 1 || again.Hook(docs) != "mail me" {
		t.Errorf("%+v", g)
	}
	if err := again.SetHook(docs, "mail me"); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(s.path); err != nil || string(b) != format {
		t.Errorf("it has become %s: %v", b, err)
	}
}

func TestAFileThatIsDamagedIsForgotten(t *testing.T) {
	for _, text := range []string{"", "{", "[]", format[:len(format)/2], "null", `{"guards":{"x":null,"01000000000000000000000000000002":{"nas":null}}}`} {
		s := newShelf(t).mounts()
		if err := os.WriteFile(s.path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		var log bytes.Buffer
		again := Open(s.path, slog.New(slog.NewTextHandler(&log, nil)))
		if g := again.Get(docs, nas); g.Known() {
			t.Errorf("%q: %+v", text, g)
		}
		if damaged := !json.Valid([]byte(text)) || text == "[]"; damaged != (log.Len() > 0) {
			t.Errorf("%q: logged %q", text, log.String())
		}
		again.Note(docs, nas, func(g *Guard) { g.Proven = noon })
		if g := again.Get(docs, nas); !g.Known() || !g.Proven.Equal(noon) {
			t.Errorf("%q: %+v", text, g)
		}
	}
}

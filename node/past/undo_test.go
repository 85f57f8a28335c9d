package past_test

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/past"
	"github.com/kithmesh/kith/node/past/pasttest"
)

// batchOf is the batch of the newest change of a path.
func batchOf(t testing.TB, f *pasttest.Folder, p entry.Path) past.BatchID {
	t.Helper()
	for _, e := range logOf(t, f.Past(), past.LogOptions{Now: f.Entries()}).Events {
		if e.Path == p || e.From == p {
			return e.Batch
		}
	}
	t.Fatalf("nothing happened to %q", p)
	return ""
}

// undone are the steps and skips of an undo, as a person reads them.
func undone(u past.Undo) []string {
	var out []string
	say := func(e *entry.Entry) string {
		if e == nil {
			return "nothing"
		}
		return fmt.Sprintf("%s %d", e.Kind, e.Size)
	}
	for _, s := range u.Steps {
		out = append(out, fmt.Sprintf("%s: %s to %s", s.Path, say(s.Now), say(s.Before)))
	}
	for _, s := range u.Skipped {
		out = append(out, fmt.Sprintf("%s: %s", s.Path, s.Why))
	}
	return out
}

func TestAnUndoBringsBackWhatWasBeforeABatch(t *testing.T) {
	f := pasttest.New(t)
	f.Write("edited", "1")
	f.Write("deleted", "12")
	f.Write("since", "1")
	f.Write("meanwhile", "1")
	f.Write("there and back", "1")
	f.Pass(time.Hour).As(2).NewEpoch()
	f.Write("edited", "1234567")
	f.Write("edited", "12345")
	f.Delete("deleted")
	f.Write("created", "12345678")
	f.Write("since", "22")
	f.Write("meanwhile", "22")
	f.Write("short-lived", "1")
	f.Delete("short-lived")
	f.As(1).Write("meanwhile", "333")
	f.As(2).Write("meanwhile", "4444")
	f.As(1).Write("since", "333")
	f.Moment()
	had := f.Vault
	id := batchOf(t, f, "created")
	f.Vault = nil
	f.As(2).Write("unheld", "1")
	f.Flush()
	f.Vault = had
	u, err := f.Past().Undo(t.Context(), id, past.UndoOptions{Now: f.Entries()})
	must(t, err)
	want := []string{
		"created: file 8 to nothing", "deleted: nothing to file 2", "edited: file 5 to file 1",
		"meanwhile: changed by something else since", "short-lived: already as it was before",
		"since: changed by something else since", "unheld: what lies there now is in no vault yet",
	}
	if diff := cmp.Diff(want, undone(u)); diff != "" {
		t.Error(diff)
	}
	if u.AuthorName != "phone" || u.Author != 2 || u.ID != id || u.From.After(u.To) || !u.Gaps.None() {
		t.Errorf("the batch: %+v", u)
	}
	for _, s := range u.Steps {
		for _, e := range []*entry.Entry{s.Before, s.Now} {
			if e != nil && e.Check() != nil {
				t.Errorf("%s is not whole: %v", s.Path, e.Check())
			}
		}
	}
	u, err = f.Past().Undo(t.Context(), id, past.UndoOptions{Exact: f.Now})
	must(t, err)
	if got := undone(u); got[len(got)-4] != "created: no version from before is held any more" {
		t.Errorf("of a thinned past: %q", got)
	}
	if _, err := f.Past().Undo(t.Context(), "0123456789", past.UndoOptions{}); !errors.Is(err, past.ErrNoBatch) {
		t.Errorf("no such batch: %v", err)
	}
}

// What an undo plans makes the tree what it was before the batch, where nothing
// else has happened since.
func TestUndoingTheLastBatchGivesTheTreeBeforeIt(t *testing.T) {
	for seed := range uint64(8) {
		r := rand.New(rand.NewPCG(seed, 3))
		f := pasttest.New(t)
		for range 40 {
			f.Step(r)
		}
		f.Pass(time.Hour)
		f.Moment()
		before, _ := f.State()
		f.As(9)
		var changed []entry.Path
		for p, e := range maps.Clone(f.Living) {
			if e.Kind == entry.File && r.IntN(3) == 0 {
				changed = append(changed, p)
				if r.IntN(2) == 0 {
					f.Delete(p)
				} else {
					f.Write(p, pasttest.Text(r)+"changed")
				}
			}
		}
		f.Write("another", "new")
		f.Moment()
		u, err := f.Past().Undo(t.Context(), batchOf(t, f, "another"), past.UndoOptions{})
		must(t, err)
		if len(u.Skipped) > 0 || len(u.Steps) != len(changed)+1 {
			t.Errorf("seed %d: %q of %q", seed, undone(u), changed)
		}
		got, _ := f.State()
		for _, s := range u.Steps {
			if !cmp.Equal(s.Now, got[s.Path]) {
				t.Errorf("seed %d: %q is not %v", seed, s.Path, s.Now)
			}
			delete(got, s.Path)
			if s.Before != nil {
				got[s.Path] = s.Before
			}
		}
		if diff := cmp.Diff(before, got); diff != "" {
			t.Errorf("seed %d: %s", seed, diff)
		}
	}
}

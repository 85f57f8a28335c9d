package past_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/version"
	"github.com/kithmesh/kith/node/past"
	"github.com/kithmesh/kith/node/past/pasttest"
)

// lines are events as a person reads them, newest first.
func lines(l past.Log) []string {
	var out []string
	for _, e := range l.Events {
		s := fmt.Sprintf("%s %s %s %d>%d", e.AuthorName, e.What, e.Path, e.Before, e.After)
		if e.From != "" {
			s += " from " + string(e.From)
		}
		if e.Received.IsZero() {
			s += " (here)"
		}
		out = append(out, s)
	}
	return out
}

func logOf(t testing.TB, p *past.Past, o past.LogOptions) past.Log {
	t.Helper()
	l, err := p.Log(t.Context(), o)
	must(t, err)
	if !l.Gaps.None() {
		t.Errorf("gaps: %+v", l.Gaps)
	}
	return l
}

func TestALogTellsWhatHappened(t *testing.T) {
	f := pasttest.New(t)
	f.Mkdir("d", 0o755)
	f.Write("d/f", "12345")
	f.As(2).Pass(time.Minute).Write("d/f", "123")
	f.Chmod("d/f", 0o600)
	f.Pass(time.Hour).NewEpoch()
	f.Chmod("d/f", 0o644) // under new keys: its blocks have other names
	f.As(1).Delete("d/f")
	f.Write("d/g", "123")
	f.Pass(time.Hour).Symlink("d/f", "g")
	f.Write("d/f", "now a file")
	f.Write("d/f (conflict, phone, 2026-03-04 05.06.07 abcd).txt", "0")
	f.Pass(time.Hour).As(2)
	f.Write("other", "o")
	l := logOf(t, f.Past(), past.LogOptions{Below: "d"})
	want := []string{
		"laptop conflict copy d/f (conflict, phone, 2026-03-04 05.06.07 abcd).txt -1>1",
		"laptop replaced d/f -1>10",
		"laptop created d/f -1>-1",
		"laptop renamed d/g 3>3 from d/f",
		"phone mode d/f 3>3",
		"phone mode d/f 3>3",
		"phone edited d/f 5>3",
		"laptop created d/f -1>5",
		"laptop created d -1>-1",
	}
	if diff := cmp.Diff(want, lines(l)); diff != "" {
		t.Error(diff)
	}
	if l := logOf(t, f.Past(), past.LogOptions{Below: "d", Limit: 2}); !slices.Equal(lines(l), want[:2]) {
		t.Errorf("the newest two: %q", lines(l))
	}
	if l := logOf(t, f.Past(), past.LogOptions{Below: "d/g"}); !slices.Equal(lines(l), []string{"laptop created d/g -1>3"}) {
		t.Errorf("of one path: %q", lines(l))
	}
}

func TestALogHoldsWhatNoVaultHasYetAndNothingTwice(t *testing.T) {
	f := pasttest.New(t)
	f.Write("f", "1")
	f.Flush()
	had := f.Vault
	f.Vault = nil
	f.Write("f", "22")
	f.Write("g", "3")
	f.Flush()
	f.Vault = had
	o := past.LogOptions{Now: f.Entries(), Device: func(r version.ReplicaID) entry.DeviceID { return entry.DeviceID(fmt.Sprint(uint64(r))) }}
	l := logOf(t, f.Past(pasttest.Vault{Vault: had}), o)
	want := []string{"laptop created g -1>1 (here)", "laptop edited f 1>2 (here)", "laptop created f -1>1"}
	if diff := cmp.Diff(want, lines(l)); diff != "" {
		t.Error(diff)
	}
	for _, e := range l.Events {
		if e.Device != "1" || e.Batch == "" || e.Batch != l.Events[0].Batch {
			t.Errorf("%s by %s in %q", e.Path, e.Device, e.Batch)
		}
	}
	p := f.Past()
	p.Sources = nil
	l, err := p.Log(t.Context(), o)
	must(t, err)
	if len(l.Events) != 2 {
		t.Errorf("without a vault: %q", lines(l))
	}
}

func TestBatchesEndWhereADeviceRests(t *testing.T) {
	f := pasttest.New(t)
	f.Write("a", "1")
	f.Pass(past.BatchGap-time.Second).Write("b", "1")
	f.As(2).Write("c", "1")
	f.As(1).Pass(past.BatchGap).Write("d", "1")
	l := logOf(t, f.Past(), past.LogOptions{})
	of := map[entry.Path]past.BatchID{}
	for _, e := range l.Events {
		if of[e.Path] = e.Batch; len(e.Batch) != 10 {
			t.Errorf("batch %q", e.Batch)
		}
	}
	if of["a"] != of["b"] || of["a"] == of["c"] || of["a"] == of["d"] || of["c"] == of["d"] {
		t.Errorf("batches: %v", of)
	}
}

func TestADiffTellsWhatDiffers(t *testing.T) {
	f := pasttest.New(t)
	f.Mkdir("d", 0o755)
	f.Write("d/same", "1")
	f.Write("d/edit", "1")
	f.Write("d/gone", "1")
	f.Write("d/mode", "1")
	f.Write("d/kind", "1")
	was := treeAt(t, f.Past(), f.Moment())
	f.NewEpoch()
	f.Chmod("d", 0o700)
	f.Chmod("d/mode", 0o400)
	f.Write("d/edit", "2")
	f.Write("d/new", "2")
	f.Delete("d/gone")
	f.Delete("d/kind")
	f.Mkdir("d/kind", 0o755)
	is := treeAt(t, f.Past(), f.Moment())
	want := []string{"mode d", "edited d/edit", "deleted d/gone", "replaced d/kind", "mode d/mode", "created d/new"}
	for name, entries := range map[string]func(func(*entry.Entry, error) bool){"two moments": is.Entries(""), "an index": f.Entries()} {
		var got []string
		for d, err := range past.Diff(was.Entries(""), entries) {
			must(t, err)
			got = append(got, fmt.Sprintf("%s %s", d.What, d.Path))
			if (d.From == nil) != (d.What == past.Created) || (d.To == nil) != (d.What == past.Deleted) {
				t.Errorf("%s %s from %v to %v", d.What, d.Path, d.From, d.To)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	for d := range past.Diff(is.Entries("d/kind"), is.Entries("d/kind")) {
		t.Errorf("a tree differs from itself: %+v", d)
	}
}

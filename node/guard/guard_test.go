package guard

import (
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/protocol/history"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// noon is when the tests happen; since when a member was known is long before.
var (
	noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	long = noon.Add(-1000 * time.Hour)
)

func TestAVaultHoldsWhatWasHereWhenItLastSaidSo(t *testing.T) {
	const index = 7
	type step struct {
		minute int
		held   entry.Sequence
		same   bool
		head   entry.Sequence // of this device then
	}
	for name, c := range map[string]struct {
		steps []step
		asOf  int // the minute; -1 is never
		head  entry.Sequence
	}{
		"nothing was ever held":                 {[]step{{0, 0, false, 10}}, -1, 0},
		"it holds the same":                     {[]step{{0, 10, true, 10}}, 0, 10},
		"and still does":                        {[]step{{0, 10, true, 10}, {5, 10, true, 10}}, 5, 10},
		"it does not keep up":                   {[]step{{0, 10, true, 10}, {5, 10, false, 20}}, 0, 10},
		"it keeps up, a little behind":          {[]step{{0, 9, false, 10}, {1, 11, false, 12}, {2, 13, false, 14}}, 1, 12},
		"what was here is held only later":      {[]step{{0, 5, false, 10}, {1, 9, false, 12}, {2, 10, false, 14}}, 0, 10},
		"it does not hold any more what it did": {[]step{{0, 10, true, 10}, {5, 4, false, 10}}, 0, 0},
	} {
		g := Guard{Since: long}
		for _, s := range c.steps {
			g.Holds(s.held, s.same, Mark{index, s.head}, noon.Add(time.Duration(s.minute)*time.Minute))
		}
		want := noon.Add(time.Duration(c.asOf) * time.Minute)
		if c.asOf < 0 {
			want = time.Time{}
		}
		if !g.AsOf.Equal(want) || g.Head != c.head {
			t.Errorf("%s: as of %v, head %d; not %v, %d", name, g.AsOf, g.Head, want, c.head)
		}
	}
}

// TestAnIndexThatBeganAnewIsAnother: what a vault said of the one before counts
// for nothing.
func TestAnIndexThatBeganAnewIsAnother(t *testing.T) {
	g := Guard{Since: long}
	g.Holds(10, true, Mark{1, 10}, noon)
	g.Holds(50, false, Mark{2, 40}, noon.Add(time.Minute))
	if g.Index != 1 || !g.AsOf.Equal(noon) {
		t.Errorf("%+v", g)
	}
	g.Holds(40, false, Mark{2, 41}, noon.Add(2*time.Minute))
	if g.Index != 2 || g.Head != 40 || !g.AsOf.Equal(noon.Add(time.Minute)) {
		t.Errorf("%+v", g)
	}
}

func TestAVaultIsStaleWhenItLacksWhatItShouldHave(t *testing.T) {
	now := Mark{1, 10}
	ago := func(d time.Duration) time.Time { return noon.Add(-d) }
	for name, c := range map[string]struct {
		guard Guard
		since time.Time
	}{
		"nothing is known of it":               {Guard{}, time.Time{}},
		"nothing has changed for a year":       {Guard{Since: long, AsOf: ago(9000 * time.Hour), Index: 1, Head: 10}, time.Time{}},
		"an hour, with no schedule":            {Guard{Since: long, AsOf: ago(time.Hour), Index: 1, Head: 9}, time.Time{}},
		"two days, with no schedule":           {Guard{Since: long, AsOf: ago(48 * time.Hour), Index: 1, Head: 9}, ago(48 * time.Hour)},
		"two days, of another index":           {Guard{Since: long, AsOf: ago(48 * time.Hour), Index: 2, Head: 10}, ago(48 * time.Hour)},
		"two days, due once a week":            {Guard{Since: long, AsOf: ago(48 * time.Hour), Schedule: "every 7d"}, time.Time{}},
		"two days, due each hour":              {Guard{Since: long, AsOf: ago(48 * time.Hour), Schedule: "every 1h"}, ago(48 * time.Hour)},
		"a schedule that is none":              {Guard{Since: long, AsOf: ago(time.Hour), Schedule: "at full moon"}, time.Time{}},
		"never, and it has just become one":    {Guard{Since: ago(time.Hour)}, time.Time{}},
		"never, and it has been one for long":  {Guard{Since: long}, long},
		"never, though the marks are the same": {Guard{Since: long, Index: 1, Head: 10}, long},
	} {
		if got := c.guard.Stale(now, noon); !got.Equal(c.since) {
			t.Errorf("%s: since %v, not %v", name, got, c.since)
		}
	}
}

func id(b byte) history.VaultID { return history.VaultID{b} }

// index is what a vault counts as in these tests.
func index(v history.VaultID) uint64 { return uint64(v[0]) }

func TestAVaultIsJudgedByWhatItHad(t *testing.T) {
	met := Guard{Since: long, Vault: id(1), Sequence: 50, Moment: long, ToldIndex: 1, Told: 50}
	with := func(change func(*Guard)) Guard {
		g := met
		change(&g)
		return g
	}
	at := func(v byte, n entry.Sequence) history.State { return history.State{Vault: id(v), Sequence: n} }
	wasSet := at(1, 60)
	wasSet.SetBack, wasSet.SetBackFrom = noon, 70
	for name, c := range map[string]struct {
		guard Guard
		state history.State
		code  string
		says  string
		look  bool
	}{
		"it is met for the first time":              {Guard{}, at(1, 5), "", "", false},
		"and says that it was set back":             {Guard{}, wasSet, "", "", false},
		"it was told of, and never looked at":       {Guard{Since: long}, at(1, 5), "", "", false},
		"it has more":                               {met, at(1, 51), "", "", true},
		"it has as much":                            {met, at(1, 50), "", "", true},
		"it has less":                               {met, at(1, 49), SetBack, "it had 50 changes", false},
		"it has less than it said":                  {with(func(g *Guard) { g.Told = 55 }), at(1, 54), SetBack, "it had 55 changes", false},
		"it has less than it said, never looked at": {Guard{Since: long, ToldIndex: 1, Told: 55}, at(1, 54), SetBack, "it had 55 changes", false},
		"what another vault said does not count":    {with(func(g *Guard) { g.ToldIndex, g.Told = 9, 90 }), at(1, 50), "", "", true},
		"it is another":                             {met, at(2, 500), Anew, "with 50 changes, is gone", false},
		"it is another, and that was told of before": {
			Guard{Since: long, ToldIndex: 2, Told: 3, WasIndex: 1, WasTold: 40}, at(2, 3), Anew, "with 40 changes, is gone", false,
		},
		"one that was told of is back": {with(func(g *Guard) { g.ToldIndex, g.Told, g.WasIndex, g.WasTold = 2, 3, 1, 50 }), at(1, 50), "", "", true},
		"it says that it was set back": {met, wasSet, SetBack, "remembered 70 changes", false},
		"it says so again":             {with(func(g *Guard) { g.SetBack = noon }), wasSet, "", "", true},
	} {
		code, text, look := c.guard.judge(&Seen{State: c.state, Index: index(c.state.Vault)})
		if code != c.code || !strings.Contains(text, c.says) || look != c.look {
			t.Errorf("%s: %q, %q, %v", name, code, text, look)
		}
	}
}

// TestWhatAVaultSaysIsHeldAgainstIt: from one look to the next.
func TestWhatAVaultSaysIsHeldAgainstIt(t *testing.T) {
	g := Guard{Since: long}
	look := func(v byte, n entry.Sequence) string {
		s := Seen{State: history.State{Vault: id(v), Sequence: n}, Index: index(id(v))}
		code, text, _ := g.judge(&s)
		if code != "" {
			s.Fault = Fault{code, text, noon}
		}
		g.Saw(&s)
		return code
	}
	g.Says(Mark{1, 20})
	g.Says(Mark{1, 15}) // an older word that comes late
	if code := look(1, 20); code != "" {
		t.Errorf("at first: %q", code)
	}
	g.Says(Mark{1, 30})
	if code := look(1, 25); code != SetBack {
		t.Errorf("with less than it said: %q", code)
	}
	if code := look(1, 25); code != "" {
		t.Errorf("once more: %q", code)
	}
	g.Says(Mark{2, 1})
	if code := look(2, 1); code != Anew {
		t.Errorf("another: %q", code)
	}
	if code := look(2, 2); code != "" || len(g.Faults) != 2 {
		t.Errorf("in the end: %q, %+v", code, g.Faults)
	}
}

// TestWhatAVaultSaidThatWasNeverLookedAtCounts: the most of it, and what the one
// said that was there before.
func TestWhatAVaultSaidThatWasNeverLookedAtCounts(t *testing.T) {
	said := func(all ...Mark) *Guard {
		g := &Guard{Since: long}
		for _, m := range all {
			g.Says(m)
		}
		return g
	}
	for name, c := range map[string]struct {
		guard *Guard
		state history.State
		code  string
	}{
		"less than it said":             {said(Mark{1, 20}), history.State{Vault: id(1), Sequence: 19}, SetBack},
		"an older word that came late":  {said(Mark{1, 20}, Mark{1, 15}), history.State{Vault: id(1), Sequence: 19}, SetBack},
		"as much as it said":            {said(Mark{1, 20}, Mark{1, 15}), history.State{Vault: id(1), Sequence: 20}, ""},
		"another that said so":          {said(Mark{1, 20}, Mark{2, 3}), history.State{Vault: id(2), Sequence: 3}, Anew},
		"the first of two that is back": {said(Mark{1, 20}, Mark{2, 3}, Mark{1, 20}), history.State{Vault: id(1), Sequence: 20}, Anew},
	} {
		if code, text, _ := c.guard.judge(&Seen{State: c.state, Index: index(c.state.Vault)}); code != c.code {
			t.Errorf("%s: %q, %q", name, code, text)
		}
	}
	back := said()
	back.Saw(&Seen{State: history.State{Vault: id(1), Sequence: 20}, Index: 1})
	back.Says(Mark{2, 3})
	back.Says(Mark{1, 20})
	if code, text, _ := back.judge(&Seen{State: history.State{Vault: id(1), Sequence: 20}, Index: 1}); code != "" {
		t.Errorf("one that was looked at, gone for a while: %q, %q", code, text)
	}
}

func TestAFaultIsNotedOnce(t *testing.T) {
	var g Guard
	g.blame(Fault{Withheld, "a", noon})
	before := g
	g.blame(Fault{Withheld, "a", noon.Add(time.Hour)})
	g.blame(Fault{Withheld, "b", noon})
	g.blame(Fault{SetBack, "a", noon})
	if len(g.Faults) != 3 || !g.Faults[0].Found.Equal(noon) || len(before.Faults) != 1 {
		t.Errorf("%+v", g.Faults)
	}
}

func TestAProofThatPassedIsNotedAndOneThatDidNotBlamesTheVault(t *testing.T) {
	for name, c := range map[string]struct {
		problems []string
		passed   bool
		faults   int
	}{
		"all was shown":             {nil, true, 0},
		"it could not be asked":     {[]string{"not_proven"}, false, 0},
		"it is behind":              {[]string{"behind"}, false, 0},
		"it lacks what it said":     {[]string{Withheld}, false, 1},
		"it is behind and lacks it": {[]string{"behind", Withheld}, false, 1},
	} {
		r := Result{At: noon}
		for _, code := range c.problems {
			r.Problems = append(r.Problems, Problem{Code: code, Message: "text"})
		}
		var v, d Guard
		v.Verified(&r)
		d.Restored(&r)
		if v.Proven.Equal(noon) != c.passed || d.Drilled.Equal(noon) != c.passed || len(v.Faults) != c.faults || len(d.Faults) != c.faults {
			t.Errorf("%s: %+v, %+v", name, v, d)
		}
		if !v.Drilled.IsZero() || !d.Proven.IsZero() {
			t.Errorf("%s: one was taken for the other", name)
		}
	}
}

func TestAPersonIsShownWhatIsWrong(t *testing.T) {
	day := time.Date(2026, 11, 20, 8, 0, 0, 0, time.Local)
	g := Guard{Full: true, Damaged: 3, Faults: []Fault{{Withheld, "it lacks 2 paths that it said it holds", day}}}
	want := []Problem{
		{"backup_stale", "nas lacks what has changed since 2026-11-20 08:00:00", "is it up, and on this network?"},
		{"withheld", "nas: it lacks 2 paths that it said it holds (found 2026-11-20 08:00:00)", "what is here is stored there anew; kith verify docs --accept ends this note"},
		{"vault_full", "nas takes nothing more: its quota or its disk is used up", "on it: kith retention docs --quota SIZE"},
		{"vault_damaged", "nas found 3 damaged blocks or versions in its store", "it heals them from devices that have them; kith verify docs"},
	}
	got := g.Problems("nas", "docs", day)
	for i, p := range want {
		if i >= len(got) || got[i] != p {
			t.Errorf("problem %d is not %+v: %+v", i, p, got)
		}
	}
	if none := (&Guard{}).Problems("nas", "docs", time.Time{}); len(none)+len(OwnProblems(time.Time{})) > 0 {
		t.Errorf("of a good one: %+v", none)
	}
	if own := OwnProblems(day); len(own) != 1 || own[0].Message != "not all of the folder's devices were met since 2026-11-20 08:00:00" {
		t.Errorf("of its own: %+v", own)
	}
}

package guard

import (
	"testing"
	"time"

	"github.com/kithmesh/kith/index/entry"
)

func TestAVaultIsLookedAtWhenSomethingHasChangedAndNowAndThen(t *testing.T) {
	var turns Turns
	one, two := entry.FolderID{1}, entry.FolderID{2}
	at := func(d time.Duration) time.Time { return noon.Add(d) }
	for i, c := range []struct {
		folder entry.FolderID
		head   entry.Sequence
		after  time.Duration
		want   bool
	}{
		{one, 5, 0, true},
		{one, 5, time.Second, false},
		{two, 5, time.Second, true},
		{one, 6, 2 * time.Second, true},
		{one, 6, 4 * time.Minute, false},
		{one, 6, 5*time.Minute + 2*time.Second, true},
	} {
		if got := turns.Inspect(c.folder, c.head, at(c.after)); got != c.want {
			t.Errorf("turn %d: %v", i, got)
		}
	}
	asked := at(time.Hour)
	if !turns.Inspect(one, 6, asked) {
		t.Fatal("after an hour")
	}
	turns.Unanswered(one, 6, asked)
	if turns.Inspect(one, 6, asked.Add(InspectAgain-1)) || !turns.Inspect(one, 6, asked.Add(InspectAgain)) {
		t.Error("one that did not answer is asked again at another time")
	}
}

func TestProofIsAskedForWhenTheDeviceHasRestedAndTheLastIsOld(t *testing.T) {
	f := entry.FolderID{1}
	hours := func(n int) time.Time { return noon.Add(-time.Duration(n) * time.Hour) }
	for name, c := range map[string]struct {
		guard         Guard
		verify, drill bool
	}{
		"it has never proven anything": {Guard{}, true, true},
		"it did both today":            {Guard{Proven: hours(2), Drilled: hours(2)}, false, false},
		"it did both yesterday":        {Guard{Proven: hours(25), Drilled: hours(25)}, true, false},
		"it did both a week ago":       {Guard{Proven: hours(24 * 7), Drilled: hours(24 * 7)}, true, true},
		"the drill is old":             {Guard{Proven: hours(1), Drilled: hours(24 * 8)}, false, true},
	} {
		var turns Turns
		ask := func(after time.Duration) [2]bool {
			verify, drill := turns.Prove(f, &c.guard, noon.Add(after))
			return [2]bool{verify, drill}
		}
		want := [2]bool{c.verify, c.drill}
		if got := ask(0); got != [2]bool{} {
			t.Errorf("%s: right after it has come: %v", name, got)
		}
		if got := ask(9 * time.Minute); got != [2]bool{} {
			t.Errorf("%s: before it has rested: %v", name, got)
		}
		if got := ask(10 * time.Minute); got != want {
			t.Errorf("%s: %v, not %v", name, got, want)
		}
		if got := ask(11 * time.Minute); c.verify != c.drill && got != [2]bool{} {
			t.Errorf("%s: right after it was asked: %v", name, got)
		}
		if got := ask(20 * time.Minute); got != want {
			t.Errorf("%s: when it has shown nothing: %v, not %v", name, got, want)
		}
	}
}

func TestASampleIsAboutAsMuchWhateverThereIs(t *testing.T) {
	for _, c := range []struct{ files, bytes int64 }{{0, 0}, {10, 1 << 20}, {1 << 20, 0}, {1, 1 << 50}, {1 << 40, 1 << 60}} {
		p, d := ProofSample(c.files, c.bytes), DrillSample(c.files)
		if p <= 0 || p > 1 || d <= 0 || d > 1 {
			t.Errorf("of %+v: %v and %v", c, p, d)
		}
		if want := float64(c.files) * p; want > 500 || float64(c.files)*d > 5 {
			t.Errorf("of %+v: %v files, and %v", c, want, float64(c.files)*d)
		}
	}
}

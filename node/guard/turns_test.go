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
	well := Guard{Sequence: 5, Told: 5}
	for i, c := range []struct {
		folder entry.FolderID
		head   entry.Sequence
		after  time.Duration
		in     time.Duration // 0: now
	}{
		{one, 5, 0, 0},
		{one, 5, time.Second, 5*time.Minute - time.Second},
		{two, 5, time.Second, 0},
		{one, 6, 2 * time.Second, 0},
		{one, 6, 4 * time.Minute, time.Minute + 2*time.Second},
		{one, 6, 5*time.Minute + 2*time.Second, 0},
	} {
		if due, in := turns.Inspect(c.folder, &well, View{Head: c.head}, at(c.after)); due != (c.in == 0) || in != c.in {
			t.Errorf("turn %d: %v, in %s", i, due, in)
		}
	}
	for _, g := range []Guard{well, {Full: true}, {Told: 6}} {
		asked := at(time.Hour)
		turns = Turns{}
		if due, _ := turns.Inspect(one, &g, View{Head: 6}, asked); !due {
			t.Fatal("one that has just come")
		}
		turns.Unanswered(one, 6, asked)
		if due, in := turns.Inspect(one, &g, View{Head: 6}, asked.Add(InspectAgain-1)); due || in != 1 {
			t.Errorf("%+v: one that did not answer is asked again in %s", g, in)
		}
		if due, _ := turns.Inspect(one, &g, View{Head: 6}, asked.Add(InspectAgain)); !due {
			t.Errorf("%+v: one that did not answer is not asked again", g)
		}
	}
}

func TestAVaultIsLookedAtSoonerWhereSomethingIsAboutIt(t *testing.T) {
	f := entry.FolderID{1}
	for name, c := range map[string]struct {
		guard  Guard
		behind bool
		want   time.Duration
	}{
		"nothing is":                         {Guard{Sequence: 7, Told: 7}, false, 5 * time.Minute},
		"it is full":                         {Guard{Sequence: 7, Told: 7, Full: true}, false, 30 * time.Second},
		"it is damaged":                      {Guard{Sequence: 7, Told: 7, Damaged: 1}, false, 30 * time.Second},
		"it lacks something":                 {Guard{Sequence: 7, Told: 7}, true, 30 * time.Second},
		"it takes that when its time comes":  {Guard{Sequence: 7, Told: 7, Schedule: "daily 02:00"}, true, 5 * time.Minute},
		"it has moved since":                 {Guard{Sequence: 7, Told: 8}, false, 5 * time.Second},
		"it is full, and has moved since":    {Guard{Sequence: 7, Told: 8, Full: true}, true, 5 * time.Second},
		"another vault has come in its turn": {Guard{Sequence: 7, Told: 2, WasTold: 7}, false, 5 * time.Second},
	} {
		var turns Turns
		v := View{Head: 3, Behind: c.behind}
		turns.Inspect(f, &c.guard, v, noon)
		if due, in := turns.Inspect(f, &c.guard, v, noon); due || in != c.want {
			t.Errorf("%s: again in %s, want %s", name, in, c.want)
		}
		if due, _ := turns.Inspect(f, &c.guard, v, noon.Add(c.want)); !due {
			t.Errorf("%s: not again", name)
		}
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

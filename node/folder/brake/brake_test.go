package brake

import (
	"fmt"
	"testing"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/version"
)

var start = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func doom(author string, n int) (out []Doomed) {
	for i := range n {
		out = append(out, Doomed{
			Path: entry.Path(fmt.Sprintf("%s%d", author, i)), Author: author, Deletes: i%2 == 0, Bytes: 10,
			Version: version.Version{}.Next(1, uint64(i+1), 1000),
		})
	}
	return out
}

func nobody(string) bool { return false }

func TestABatchIsHeldOnlyAboveShareAndCount(t *testing.T) {
	for _, c := range []struct {
		name          string
		doomed, files int
		held          bool
	}{
		{"nothing", 0, 1000, false},
		{"many files of a large folder", 400, 1000, false},
		{"half of a large folder", 500, 1000, true},
		{"all of a small folder", 99, 99, false},
		{"all of a folder that counts", 100, 100, true},
	} {
		m := Meter{Limits: Default}
		if got := m.Hold(doom("a", c.doomed), int64(c.files), nobody, start); (len(got) > 0) != c.held {
			t.Errorf("%s: held %v", c.name, got)
		}
	}
}

func TestWhatWasTakenLatelyCounts(t *testing.T) {
	m := Meter{Limits: Default}
	now := start
	held := 0
	for left := int64(1000); left > 0 && held == 0; left -= 5 {
		held = len(m.Hold(doom("a", 5), left, nobody, now))
		if held == 0 {
			for i := range 5 {
				m.Took("a", entry.Path(fmt.Sprint(left, i)), true, now)
			}
		}
		now = now.Add(time.Second)
	}
	if held == 0 {
		t.Error("five files a second go through, to the last one")
	}
	if got := m.Hold(doom("b", 5), 400, nobody, now); len(got) != 0 {
		t.Errorf("another author is held for it: %v", got)
	}
	if got := m.Hold(doom("a", 5), 400, nobody, now.Add(window+time.Hour)); len(got) != 0 {
		t.Errorf("it counts for ever: %v", got)
	}
	if got := m.Hold(doom("a", 5), 400, func(string) bool { return true }, now.Add(window+time.Hour)); len(got) != 0 {
		t.Errorf("it counts although it was forgotten: %v", got)
	}
	m.Excuse("a")
	if got := m.Hold(doom("a", 5), 400, nobody, now); len(got) != 0 {
		t.Errorf("it counts although it was approved: %v", got)
	}
}

func TestWhatIsHeldDoesNotPassByWaiting(t *testing.T) {
	m := Meter{Limits: Default}
	for i := range 490 {
		m.Took("a", entry.Path(fmt.Sprint("taken ", i)), false, start)
	}
	later := start.Add(window + time.Hour)
	held := func(author string) bool { return author == "a" }
	if got := m.Hold(doom("a", 10), 1000, held, later); len(got) != 1 {
		t.Error("it passes")
	}
	if got := m.Hold(doom("a", 9), 1000, held, later); len(got) != 0 {
		t.Error("what has become less is held for ever")
	}
	if got := m.Hold(doom("a", 10), 1000, nobody, later); len(got) != 0 {
		t.Error("what nobody holds counts for ever")
	}
}

func TestAFileThatIsRewrittenAllTheTimeCountsOnce(t *testing.T) {
	m := Meter{Limits: Limits{Files: 10, Share: 50}}
	now := start
	for range 1000 {
		for _, d := range doom("a", 9) {
			m.Took("a", d.Path, false, now)
		}
		if got := m.Hold(doom("a", 9), 10, nobody, now); len(got) != 0 {
			t.Fatalf("held: %v", got)
		}
		now = now.Add(time.Second)
	}
	if got := m.Hold(doom("a", 10), 10, nobody, now); len(got) != 1 {
		t.Error("one more is not held")
	}
}

func TestABatchHasAnIDOfItsContent(t *testing.T) {
	m := Meter{Limits: Default}
	id := func(d []Doomed) string { return m.Hold(d, 200, nobody, start)[0].ID }
	all := doom("a", 150)
	first := id(all)
	if again := id(doom("a", 150)); again != first {
		t.Errorf("%s and %s for one batch", first, again)
	}
	if grown := id(doom("a", 151)); grown == first {
		t.Error("a batch that grew has the same ID")
	}
	other := doom("a", 150)
	other[7].Version.Vector[0].Count++
	if changed := id(other); changed == first {
		t.Error("a batch of other versions has the same ID")
	}
	b := m.Hold(all, 200, nobody, start)[0]
	if b.Deletes != 75 || b.Rewrites != 75 || b.Bytes != 1500 || len(b.Files) != 150 {
		t.Errorf("%d deletes, %d rewrites, %d bytes", b.Deletes, b.Rewrites, b.Bytes)
	}
}

func TestAuthorsAreHeldApart(t *testing.T) {
	m := Meter{Limits: Default}
	got := m.Hold(append(doom("a", 150), doom("b", 20)...), 200, nobody, start)
	if len(got) != 1 || got[0].Author != "a" {
		t.Errorf("held %v", got)
	}
}

func TestWhatComesToRestWhereSomethingWentCountsForItself(t *testing.T) {
	m := Meter{Limits: Limits{Files: 10, Share: 50}}
	now := start
	for range 9 {
		m.Took("a", "once", true, now)
		m.Rests("once")
		now = now.Add(time.Second)
	}
	if got := m.Hold(doom("a", 1), 10, nobody, now); len(got) != 1 {
		t.Error("nine files that went from one path are not counted")
	}
	if got := m.Hold(doom("a", 9), 10, nobody, now.Add(window+time.Minute)); len(got) != 0 {
		t.Errorf("they count for ever: %v", got)
	}
	m.Took("a", "once", true, now)
	m.Rests("once")
	m.Excuse("a")
	if got := m.Hold(doom("a", 9), 10, nobody, now); len(got) != 0 {
		t.Errorf("they count although a person has judged them: %v", got)
	}
}

package brake

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"pgregory.net/rapid"
)

// flood has an author bring new files, and returns how many lie there then.
func (m *Meter) flood(author string, n int, files int64, now time.Time) int64 {
	for range n {
		m.Brought(author, entry.Path(fmt.Sprint("flood/", files)), false, now)
		files++
	}
	return files
}

func TestWhatItsAuthorBringsMakesNoChangeSmall(t *testing.T) {
	all := func(string) bool { return true }
	for _, c := range []struct {
		name string
		play func(m *Meter) []Batch
		held int
	}{
		{"a flood before", func(m *Meter) []Batch {
			return m.Hold(doom("a", 150), m.flood("a", 5000, 200, start), nobody, start)
		}, 1},
		{"a flood after", func(m *Meter) []Batch {
			m.Hold(doom("a", 150), 200, nobody, start)
			return m.Hold(doom("a", 150), m.flood("a", 5000, 200, start), all, start)
		}, 1},
		{"a flood after, and long waiting", func(m *Meter) []Batch {
			m.Hold(doom("a", 150), 200, nobody, start)
			return m.Hold(doom("a", 150), m.flood("a", 5000, 200, start), all, start.Add(24*time.Hour))
		}, 1},
		{"a flood long before", func(m *Meter) []Batch {
			files := m.flood("a", 5000, 200, start)
			return m.Hold(doom("a", 150), files, nobody, start.Add(window+time.Hour))
		}, 0},
		{"a flood by another", func(m *Meter) []Batch {
			return m.Hold(doom("a", 150), m.flood("b", 5000, 200, start), nobody, start)
		}, 0},
		{"a flood that was moved", func(m *Meter) []Batch {
			files := m.flood("a", 500, 200, start)
			for i := 200; i < 700; i++ {
				m.Moved(entry.Path(fmt.Sprint("flood/", i)), entry.Path(fmt.Sprint("moved/", i)))
			}
			return m.Hold(doom("a", 150), files, nobody, start)
		}, 1},
		{"a flood before what a person approved", func(m *Meter) []Batch {
			files := m.flood("a", 5000, 300, start)
			m.Excuse("a")
			return m.Hold(doom("a", 150), files, nobody, start)
		}, 1},
		{"a flood that others have made theirs", func(m *Meter) []Batch {
			files := m.flood("a", 500, 200, start)
			for i := 200; i < 700; i++ {
				if p := entry.Path(fmt.Sprint("flood/", i)); i%2 == 0 {
					m.Gone(p)
				} else {
					m.Rewrote("b", p, false)
				}
			}
			return m.Hold(doom("a", 150), files, nobody, start)
		}, 0},
		{"more than is remembered", func(m *Meter) []Batch {
			return m.Hold(doom("a", 150), m.flood("a", maxBrought+5000, 200, start), nobody, start)
		}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := Meter{Limits: Default}
			if got := c.play(&m); len(got) != c.held {
				t.Errorf("%d are held", len(got))
			}
			if len(m.brought) > maxBrought {
				t.Errorf("%d files are remembered", len(m.brought))
			}
		})
	}
}

func TestWhatAnAuthorBroughtIsMeasuredAgainstTheWholeFolder(t *testing.T) {
	for _, c := range []struct {
		name    string
		doomed  int
		copied  bool
		rewrote bool // before, with content that the folder had
		held    int
	}{
		{"some of what was brought", 400, false, false, 0},
		{"most of what was brought", 600, false, false, 1},
		{"some copies of the folder", 400, true, false, 1},
		{"some of what became copies of the folder", 400, false, true, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := Meter{Limits: Default}
			for i := range 1000 {
				m.Brought("a", entry.Path(fmt.Sprint("a", i)), c.copied, start)
				if c.rewrote {
					m.Rewrote("a", entry.Path(fmt.Sprint("a", i)), true)
				}
			}
			if got := m.Hold(doom("a", c.doomed), 1100, nobody, start); len(got) != c.held {
				t.Errorf("%d are held", len(got))
			}
		})
	}
}

func TestWhatWasBroughtIsForgotten(t *testing.T) {
	m := Meter{Limits: Default}
	m.flood("a", maxBrought+10, 0, start)
	m.Took("b", "f", true, start)
	m.Forget(nobody, start.Add(window+forgetEvery))
	if len(m.brought) != 0 || len(m.tolls) != 0 {
		t.Errorf("%d files, %d authors", len(m.brought), len(m.tolls))
	}
}

// A folder as the meter is told of it: who brought each file, if lately.
type folderOf struct {
	Meter
	files map[entry.Path]string
	now   time.Time
	next  int
	was   []Batch
}

func (f *folderOf) held(author string) bool {
	return slices.ContainsFunc(f.was, func(b Batch) bool { return b.Author == author })
}

func (f *folderOf) bring(author string, n int, copied bool) {
	for range n {
		p := entry.Path(fmt.Sprint("new/", f.next))
		f.next++
		f.files[p] = author
		f.Brought(author, p, copied, f.now)
	}
}

// hold judges; what is held stays, and all else of the doomed is taken away.
func (f *folderOf) hold(doomed []Doomed) {
	f.was = f.Hold(doomed, int64(len(f.files)), f.held, f.now)
	for _, d := range doomed {
		if f.held(d.Author) {
			continue
		}
		f.Took(d.Author, d.Path, d.Deletes, f.now)
		if d.Deletes {
			f.Gone(d.Path)
			delete(f.files, d.Path)
		} else {
			f.Rewrote(d.Author, d.Path, false)
		}
	}
}

// some are files that an author would take away: of the folder, and with own
// of what was brought, too.
func (f *folderOf) some(t *rapid.T, author string, own bool) (out []Doomed) {
	var paths []entry.Path
	for p, by := range f.files {
		if own || by != author {
			paths = append(paths, p)
		}
	}
	slices.Sort(paths)
	n := rapid.IntRange(0, len(paths)).Draw(t, "doomed")
	deletes := rapid.Bool().Draw(t, "deletes")
	for _, p := range paths[:n] {
		out = append(out, Doomed{Path: p, Author: author, Deletes: deletes})
	}
	return out
}

// Two folders live through the same, and in one of them an author brings more
// on the way. Who is held in the other is held there, too.
func TestNobodyIsLetGoForBringingMore(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limits := Limits{Files: int64(rapid.IntRange(1, 10).Draw(t, "files")), Share: int64(rapid.IntRange(1, 100).Draw(t, "share"))}
		plain := &folderOf{Meter: Meter{Limits: limits}, files: map[entry.Path]string{}, now: start}
		for i := range rapid.IntRange(1, 40).Draw(t, "size") {
			plain.files[entry.Path(fmt.Sprint(i))] = ""
		}
		more := &folderOf{Meter: Meter{Limits: limits}, files: map[entry.Path]string{}, now: start, next: 1 << 20}
		for p := range plain.files {
			more.files[p] = ""
		}
		for range rapid.IntRange(1, 6).Draw(t, "steps") {
			if rapid.Bool().Draw(t, "floods") {
				more.bring("a", rapid.IntRange(1, 60).Draw(t, "flood"), rapid.Bool().Draw(t, "copied"))
			}
			doomed := plain.some(t, "a", false)
			plain.hold(doomed)
			more.hold(doomed)
			if plain.held("a") && !more.held("a") {
				t.Fatalf("%d doomed of %d: held, and not of %d", len(doomed), len(plain.files), len(more.files))
			}
			if plain.held("a") != more.held("a") {
				return // from here on it is another story
			}
			step := time.Duration(rapid.IntRange(0, 60).Draw(t, "seconds")) * time.Second
			plain.now, more.now = plain.now.Add(step), more.now.Add(step)
		}
	})
}

// Who is held, for whatever it is, stays so however much is brought then.
func TestWhoIsHeldStaysHeldWhateverElseComes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := &folderOf{Meter: Meter{Limits: Limits{Files: 3, Share: 50}}, files: map[entry.Path]string{}, now: start}
		for i := range rapid.IntRange(1, 20).Draw(t, "size") {
			f.files[entry.Path(fmt.Sprint(i))] = ""
		}
		for range rapid.IntRange(1, 6).Draw(t, "steps") {
			f.bring("a", rapid.IntRange(0, 30).Draw(t, "brought"), rapid.Bool().Draw(t, "copied"))
			doomed := f.some(t, "a", true)
			f.hold(doomed)
			if !f.held("a") {
				continue
			}
			for range 3 {
				f.bring("a", rapid.IntRange(0, 300).Draw(t, "flood"), rapid.Bool().Draw(t, "copied"))
				f.now = f.now.Add(time.Duration(rapid.IntRange(0, 3600).Draw(t, "seconds")) * time.Second)
				if f.hold(doomed); !f.held("a") {
					t.Fatalf("%d doomed of %d are let go", len(doomed), len(f.files))
				}
			}
			return
		}
	})
}

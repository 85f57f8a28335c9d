package folder_test

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestWhatOneDeviceHasTheOthersGet(t *testing.T) {
	w := newWorld(t, "anna", "ben", "carla")
	a, b, c := w.all[0].up(), w.all[1].up(), w.all[2].up()
	w.linkAll()
	a.write("a.txt", "one")
	a.write("nothing", "")
	a.mkdir("empty")
	a.write("d/e/f", "two")
	a.symlink("link", "d/e")
	b.write("from b", "three")
	c.write("run", "#!")
	c.chmod("run", 0o755)
	w.settle()
	if f := w.agree(); len(f) != 9 || f["run"] != "file 755: #!" || f["link"] != "-> d/e" {
		t.Fatal(f)
	}
	b.remove("d")
	a.chmod("from b", 0o600)
	c.symlink("link", "a.txt")
	a.write("a.txt", "one more")
	w.settle()
	if f := w.agree(); len(f) != 6 || f["from b"] != "file 600: three" || f["link"] != "-> a.txt" || f["a.txt"] != "file 644: one more" {
		t.Fatal(f)
	}
}

func TestARenameCostsNoBlock(t *testing.T) {
	w, a, b := two(t)
	for i := range 20 {
		a.write(fmt.Sprintf("old/%02d", i), fmt.Sprint("content ", i))
	}
	w.settle()
	before := a.given()
	a.rename("old", "new/place")
	w.settle()
	if n := a.given() - before; n != 0 {
		t.Errorf("%d blocks were fetched", n)
	}
	if f := w.agree(); f["old"] != "" || f["new/place/07"] != "file 644: content 7" {
		t.Error(f)
	}
	_ = b
}

// given is how many blocks a device has given to others.
func (d *device) given() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.sealed
}

func TestAConflictHasOneOutcomeHoweverWrongTheClocksAre(t *testing.T) {
	for name, skew := range map[string]time.Duration{
		"right": 0, "an hour ahead": time.Hour, "an hour behind": -time.Hour,
		"ten years ahead": 87600 * time.Hour, "ten years behind": -87600 * time.Hour, "before 1970": -60 * 8766 * time.Hour,
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, "anna", "ben")
			a, b := w.all[0].up(), w.all[1]
			b.skew = skew
			b.up()
			w.link(a, b)
			a.write("report.odt", "first")
			w.settle()
			w.cut(a, b)
			a.write("report.odt", "anna's report")
			b.write("report.odt", "ben's own report")
			a.quiet()
			b.quiet()
			w.link(a, b)
			w.settle()
			w.holds("anna's report", "ben's own report")
			f := w.agree()
			if len(f) != 2 || f["report.odt"] == "" {
				t.Error(f)
			}
			for p, was := range f {
				loser := "anna"
				if strings.Contains(was, "ben's") {
					loser = "ben"
				}
				if p != "report.odt" && !strings.HasPrefix(p, "report (conflict, "+loser+", ") {
					t.Errorf("%q holds %q", p, was)
				}
			}
		})
	}
}

func TestALostIndexLosesAndRevivesNothing(t *testing.T) {
	w, a, b := two(t)
	a.write("same", "same")
	a.write("edited here", "before")
	a.write("edited there", "before")
	a.write("deleted there", "gone")
	a.mkdir("d")
	w.settle()
	b.loseIndex()
	b.write("edited here", "after, by ben")
	b.write("new", "new")
	a.write("edited there", "after, by anna")
	a.remove("deleted there")
	a.quiet()
	b.up()
	w.link(a, b)
	w.settle()
	w.holds("same", "after, by anna", "after, by ben", "new")
	if f := w.agree(); f["deleted there"] != "" || f["edited there"] != "file 644: after, by anna" {
		t.Error(f)
	}
}

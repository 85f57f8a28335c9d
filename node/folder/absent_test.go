package folder_test

import (
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/folder"
	"github.com/kithmesh/kith/node/folder/choice"
)

// freedTree is three devices of which the first has freed what all have.
func freedTree(t *testing.T, files int) (w *world, a, b, c *hand) {
	t.Helper()
	w, a, b, c = threeWith(t, files)
	a.frees("d", b.device, c.device)
	w.atRest()
	return w, a, b, c
}

// threeWith is three devices that all have some files.
func threeWith(t *testing.T, files int) (w *world, a, b, c *hand) {
	t.Helper()
	w, all := hands(t, "anna", "ben", "carla")
	a, b, c = all[0], all[1], all[2]
	for i := range files {
		b.write(fmt.Sprintf("d/%02d", i), fmt.Sprint("content ", i))
	}
	w.settle()
	return w, a, b, c
}

func TestAGetMovesJustTheFilesThatWereAskedFor(t *testing.T) {
	w, a, b, c := freedTree(t, 20)
	w.costs(1, "one file", func() { a.get("d/07"); w.atRest() })
	a.has("d/07", text("content 7"))
	if n := len(a.files()); n != 2 {
		t.Errorf("%d paths lie here: %v", n, a.files())
	}
	w.cut(a.device, b.device)
	before := b.given()
	w.costs(1, "from one who is not the author", func() { a.get("d/08"); w.atRest() })
	if b.given() != before {
		t.Error("a device gave a block that was not connected")
	}
	w.costs(18, "the rest", func() { a.get("d"); w.atRest() })
	if m := a.missing(""); m.NeedFiles != 0 {
		t.Errorf("%+v", m)
	}
	w.link(a.device, b.device)
	w.atRest()
	w.agree()
	_ = c
}

func TestAGetWithNobodyConnectedComesLaterByItself(t *testing.T) {
	for name, between := range map[string]func(a *hand){
		"in one go":             func(*hand) {},
		"over a restart":        func(a *hand) { a.down(); a.up() },
		"over a switch of role": func(a *hand) { a.become(entry.RoleSend); a.become(entry.RoleSync) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, a, b, c := freedTree(t, 3)
			w.cut(a.device, b.device)
			w.cut(a.device, c.device)
			a.get("d/01")
			a.await("an end of trying", func(folder.Status) bool { return a.missing("d/01").Idle })
			if m := a.missing(""); m.NeedFiles != 1 || m.NeedBytes != 9 {
				t.Errorf("missing %+v", m)
			}
			between(a)
			w.link(a.device, c.device)
			w.atRest()
			a.has("d/01", text("content 1"))
			a.has("d/02", "")
		})
	}
}

func TestAGetBringsWhatTheFileIsByThen(t *testing.T) {
	for name, c := range map[string]struct {
		change func(b *hand)
		want   string
	}{
		"edited":           {func(b *hand) { b.write("d/01", "edited") }, text("edited")},
		"edited twice":     {func(b *hand) { b.write("d/01", "once"); b.quiet(); b.write("d/01", "twice") }, text("twice")},
		"deleted":          {func(b *hand) { b.remove("d/01") }, ""},
		"a directory now":  {func(b *hand) { b.remove("d/01"); b.mkdir("d/01") }, "directory 755"},
		"edited, then old": {func(b *hand) { b.write("d/01", "edited"); b.quiet(); b.write("d/01", "content 1") }, text("content 1")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, a, b, third := freedTree(t, 3)
			w.cut(a.device, b.device)
			w.cut(a.device, third.device)
			a.get("d/01")
			c.change(b)
			b.quiet()
			w.link(a.device, b.device)
			w.link(a.device, third.device)
			w.atRest()
			a.has("d/01", c.want)
			a.has("d/02", "")
		})
	}
}

func TestWhatIsNewInAFreedSubtreeStaysElsewhere(t *testing.T) {
	w, a, b, _ := freedTree(t, 3)
	w.costs(1, "two new files, to the third device", func() {
		b.write("d/new", "new")
		b.write("d/deep/er", "")
		w.atRest()
	})
	a.has("d/new", "")
	if e := a.entries()["d/new"]; e == nil || !e.Absent {
		t.Errorf("known as %+v", e)
	}
	a.down()
	b.write("d/newer", "newer")
	b.quiet()
	a.up()
	w.linkAll()
	w.atRest()
	a.has("d/newer", "")
	w.known()
}

func TestTheNamesThatAFreedSubtreeLeavesCanGo(t *testing.T) {
	w, a, b, _ := freedTree(t, 3)
	b.write("d/sub/x", "deep")
	w.atRest()
	a.remove("d")
	w.atRest()
	for _, p := range []string{"d/00", "d/sub/x"} {
		if b.at(p) == "" {
			t.Fatalf("%q is gone elsewhere:%v", p, b.files())
		}
	}
	a.get("d/sub/x")
	w.atRest()
	a.has("d/sub/x", text("deep"))
	a.remove("d/sub/x") // which is a delete like any other
	w.atRest()
	b.has("d/sub/x", "")
	b.remove("d")
	w.atRest()
	w.known()
	if f := w.agree2(); len(f) != 0 {
		t.Error(f)
	}
}

// agree2 is [world.agree] where content may be absent.
func (w *world) agree2() files {
	w.t.Helper()
	first := w.all[0].files()
	for _, d := range w.all[1:] {
		if f := d.files(); fmt.Sprint(f) != fmt.Sprint(first) {
			w.t.Errorf("%s has:%v\n%s has:%v", w.all[0].name, first, d.name, f)
		}
	}
	return first
}

// Somebody makes a file where one is known and not here: neither of the two
// was before the eyes of who made the other.
func TestANewFileAtAnAbsentPathCostsNobodyTheirs(t *testing.T) {
	t.Parallel()
	for name, then := range map[string]func(w *world, a *hand){
		"and that is all":       func(*world, *hand) {},
		"and edits it again":    func(_ *world, a *hand) { a.quiet(); a.write("d/01", "mine, again") },
		"and changes its mode":  func(_ *world, a *hand) { a.quiet(); a.chmod("d/01", 0o600) },
		"and deletes it again":  func(_ *world, a *hand) { a.quiet(); a.remove("d/01") },
		"and makes it anew":     func(_ *world, a *hand) { a.quiet(); a.remove("d/01"); a.quiet(); a.write("d/01", "mine, again") },
		"and makes a directory": func(_ *world, a *hand) { a.quiet(); a.remove("d/01"); a.mkdir("d/01") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for online, cut := range map[string][]int{"all heard of it": {}, "one hears the last only": {2}, "all hear the last only": {1, 2}} {
				t.Run(online, func(t *testing.T) {
					t.Parallel()
					w, a, b, c := freedTree(t, 3)
					for _, i := range cut {
						w.cut(a.device, w.all[i])
						if i == 2 {
							w.cut(b.device, c.device)
						}
					}
					a.write("d/01", "mine, unseeing")
					then(w, a)
					a.quiet()
					w.linkAll()
					w.atRest()
					w.known()
					w.somewhere("content 1")
					if name == "and that is all" {
						w.somewhere("mine, unseeing")
					}
				})
			}
		})
	}
}

// Only one holds the old content, and it never hears of the version that
// superseded it unseen, but only of what followed on that.
func TestWhatWasSupersededUnseenIsKeptByWhoHearsOnlyOfLaterVersions(t *testing.T) {
	for name, later := range map[string]func(b *hand){
		"an edit":  func(b *hand) { b.write("d/01", "by ben, on top") },
		"a mode":   func(b *hand) { b.chmod("d/01", 0o600) },
		"a touch":  func(b *hand) { b.w.must(os.Chtimes(b.path("d/01"), time.Time{}, time.Unix(1e9, 0))) },
		"a delete": func(b *hand) { b.remove("d/01") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, a, b, c := threeWith(t, 3)
			a.frees("d", c.device)
			b.frees("d", c.device)
			w.atRest()
			for _, pair := range [][2]*hand{{a, c}, {b, c}} {
				w.cut(pair[0].device, pair[1].device)
			}
			a.write("d/01", "by anna, unseeing")
			a.quiet()
			b.get("d/01")
			w.settle()
			b.has("d/01", text("by anna, unseeing"))
			later(b)
			b.quiet()
			w.settle()
			w.cut(a.device, b.device)
			a.down() // nobody but ben is there to tell carla
			w.link(b.device, c.device)
			w.settle()
			if !slices.ContainsFunc(c.contents(), func(s string) bool { return s == text("content 1") }) {
				t.Errorf("carla lost what only she had:%v", c.files())
			}
			a.up()
			w.linkAll()
			w.atRest()
			w.known()
			w.somewhere("content 1")
		})
	}
}

func (d *device) contents() (out []string) {
	for _, f := range d.files() {
		out = append(out, f)
	}
	return out
}

func TestAFileWhereAFreedDirectoryWasCostsNothing(t *testing.T) {
	w, a, b, _ := freedTree(t, 3)
	a.remove("d")
	a.quiet()
	a.write("d", "a file of that name")
	w.atRest()
	w.somewhere("a file of that name", "content 0", "content 1", "content 2")
	w.known()
	if b.at("d/01") == "" {
		t.Errorf("on ben:%v", b.files())
	}
}

// What is here where nothing is chosen to lie is kept up to date, from those who
// are connected.
func TestWhatIsHereWhereNothingIsChosenWaitsForWhoIsAway(t *testing.T) {
	t.Parallel()
	w, all := hands(t, "anna", "ben")
	a, b := all[0], all[1]
	b.write("d/f", "content")
	w.settle()
	a.choose(choice.Rule{Path: "d"})
	w.cut(a.device, b.device)
	b.write("d/f", "edited")
	b.quiet()
	h := w.byHand(b.device, a.device)
	news := h.batch(100)
	h.gone = true // it tells, and gives nothing
	h.tell(news)
	h.leave()
	a.calm()
	if codes, _ := a.why("d/f"); !slices.Contains(codes, "waiting_for_device") {
		t.Errorf("%q", codes)
	}
	w.link(a.device, b.device)
	w.atRest()
	a.has("d/f", text("edited"))
}

// A directory has to be made where a file is known and not here: what comes
// below it is not worth more than the file.
func TestADirectoryThatIsNeededWhereAFileIsAbsentCostsNobodyTheFile(t *testing.T) {
	t.Parallel()
	for name, before := range map[string]func(w *world, b, c *hand){
		"and that is all": nothing,
		"and that has won over a directory meanwhile": func(w *world, b, c *hand) {
			h := w.byHand(b.device, c.device)
			h.tell(h.batch(1))
			h.leave()
			c.calm()
			if e := c.entries()["d"]; e == nil || e.Kind != entry.File || len(e.Version.Vector) != 2 {
				t.Errorf("carla has %+v", e)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, all := hands(t, "anna", "ben", "carla")
			a, b, c := all[0], all[1], all[2]
			w.settle()
			w.cut(a.device, b.device)
			w.cut(b.device, c.device)
			a.choose(choice.Rule{Path: "d"})
			b.symlink("d/link", "x")
			b.quiet()
			c.write("d", "a file of that name") // later than the directory
			c.quiet()
			w.heard(a.device, c.device)
			a.quiet()
			if e := a.entries()["d"]; e == nil || !e.Absent {
				t.Fatalf("known as %+v", e)
			}
			w.cut(a.device, c.device)
			before(w, b, c)
			w.link(a.device, b.device)
			w.heard(a.device, b.device)
			a.calm()
			w.heard(b.device, a.device) // and they are one
			w.link(b.device, c.device)
			w.heard(c.device, b.device)
			w.linkAll()
			w.atRest()
			w.known()
			w.somewhere("a file of that name")
		})
	}
}

func TestAFolderOfWhichNothingIsChosenKnowsAllNames(t *testing.T) {
	w := newWorld(t, "anna", "ben")
	a, b := handOf(w.all[0]), handOf(w.all[1])
	a.rules = choice.New([]choice.Rule{{Path: ""}})
	a.up()
	b.up()
	b.write("d/f", "content")
	b.write("empty", "")
	b.symlink("link", "d/f")
	w.link(a.device, b.device)
	w.costs(0, "knowing", func() { w.atRest() })
	w.known()
	if got := a.at("d/f"); got != "" {
		t.Errorf("%q came", got)
	}
	a.choose(choice.Rule{Path: "", Here: true})
	a.get("")
	w.atRest()
	w.agree()
}

// A holder that lost its index finds its file again, and so does everybody,
// whatever its clock says by then.
func TestAHolderThatLosesItsIndexIsStillAHolder(t *testing.T) {
	for name, skew := range map[string]time.Duration{"in time": 0, "an hour behind": -time.Hour} {
		t.Run(name, func(t *testing.T) {
			w, all := hands(t, "anna", "ben")
			a, b := all[0], all[1]
			b.write("d/f", "content")
			b.write("d/g", "other content")
			w.settle()
			a.frees("d", b.device)
			w.atRest()
			a.get("d/g")
			w.atRest()
			b.loseIndex()
			b.attach()
			b.skew = skew
			b.up()
			w.linkAll()
			w.atRest()
			w.known()
			a.get("d/f")
			w.atRest()
			a.has("d/f", text("content"))
			w.agree()
		})
	}
}

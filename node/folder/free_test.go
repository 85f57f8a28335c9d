package folder_test

import (
	"errors"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/folder"
	"github.com/kithmesh/kith/node/folder/choice"
)

func TestNothingIsFreedWithoutEnoughTrueProofs(t *testing.T) {
	big := noise(1<<20, 1)
	for name, c := range map[string]struct {
		copies int
		break_ func(b *hand)
		lie    func(honest proof) proof
	}{
		"nobody is asked":  {copies: 1},
		"one proof of two": {copies: 2, lie: func(honest proof) proof { return honest }},
		"a refusal": {copies: 1, lie: func(proof) proof {
			return func([32]byte, []entry.BlockID, time.Duration) ([][]byte, error) { return nil, errors.New("no") }
		}},
		"an empty answer": {copies: 1, lie: func(proof) proof {
			return func([32]byte, []entry.BlockID, time.Duration) ([][]byte, error) { return nil, nil }
		}},
		"a proof less":           {copies: 1, lie: changed(func(p [][]byte) [][]byte { return p[:len(p)-1] })},
		"a flipped bit":          {copies: 1, lie: changed(func(p [][]byte) [][]byte { p[len(p)-1][0] ^= 1; return p })},
		"proofs in wrong places": {copies: 1, lie: changed(func(p [][]byte) [][]byte { p[0], p[len(p)-1] = p[len(p)-1], p[0]; return p })},
		"of another nonce": {copies: 1, lie: func(honest proof) proof {
			return func(_ [32]byte, ids []entry.BlockID, hold time.Duration) ([][]byte, error) {
				return honest([32]byte{9}, ids, hold)
			}
		}},
		"a holder that lost a bit":   {copies: 1, break_: func(b *hand) { b.rot("d/big") }, lie: func(honest proof) proof { return honest }},
		"a holder that lost a file":  {copies: 1, break_: func(b *hand) { b.remove("d/big") }, lie: func(honest proof) proof { return honest }},
		"a holder that cut it short": {copies: 1, break_: func(b *hand) { b.w.must(os.Truncate(b.path("d/big"), 1000)) }, lie: func(honest proof) proof { return honest }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, all := hands(t, "anna", "ben")
			a, b := all[0], all[1]
			a.write("d/big", big)
			w.settle()
			w.cut(a.device, b.device)
			if c.break_ != nil {
				c.break_(b)
			}
			var holders []proof
			if c.lie != nil {
				holders = append(holders, c.lie(b.proves))
			}
			out := a.free("d", c.copies, nil, holders...)
			if len(out.dropped) > 0 || !slices.Equal(out.kept[folder.KeptCopies], []entry.Path{"d/big"}) {
				t.Errorf("%+v", out)
			}
			a.has("d/big", text(big))
			if e := a.entries()["d/big"]; e.Absent {
				t.Error("its row says that it does not lie here")
			}
		})
	}
}

// noise is text of so many bytes that is like no other; see [history.content].
func noise(n int, seed uint64) string {
	fill := rand.New(rand.NewPCG(seed, 2))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte('a' + fill.IntN(26))
	}
	return string(b)
}

func changed(how func([][]byte) [][]byte) func(proof) proof {
	return func(honest proof) proof {
		return func(nonce [32]byte, ids []entry.BlockID, hold time.Duration) ([][]byte, error) {
			p, err := honest(nonce, ids, hold)
			if err != nil {
				return nil, err
			}
			return how(p), nil
		}
	}
}

// rot changes a bit of a file in place, and nothing that a look would notice:
// size and times are as they were, as when a disk loses it.
func (d *device) rot(p string) {
	d.w.t.Helper()
	st, err := os.Stat(d.path(p))
	d.w.must(err)
	f, err := os.OpenFile(d.path(p), os.O_RDWR, 0)
	d.w.must(err)
	_, err = f.WriteAt([]byte{'?'}, st.Size()/2)
	d.w.must(err)
	d.w.must(f.Close())
	d.w.must(os.Chtimes(d.path(p), time.Time{}, st.ModTime()))
}

func TestAFileThatRottedHereIsNotFreed(t *testing.T) {
	w, all := hands(t, "anna", "ben")
	a, b := all[0], all[1]
	a.write("f", "content")
	w.settle()
	w.cut(a.device, b.device)
	a.rot("f")
	if out := a.free("", 1, nil, b.proves); len(out.dropped) > 0 {
		t.Errorf("%+v", out)
	}
}

func TestTwoWhoFreeTheSameFileLeaveACopy(t *testing.T) {
	for name, same := range map[string]bool{"at the same moment": true, "one after the other": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, all := hands(t, "anna", "ben")
			a, b := all[0], all[1]
			for _, p := range []string{"f", "g", "d/h"} {
				a.write(p, "content of "+p)
			}
			w.settle()
			ours := make(chan freed, 1)
			var theirs freed
			free := func() { theirs = b.free("", 1, nil, a.proves) }
			if same {
				ours <- a.free("", 1, free, b.proves) // b frees while a rests on its proofs
			} else {
				ours <- a.free("", 1, nil, b.proves)
				free()
			}
			if got := <-ours; len(got.dropped)+len(theirs.dropped) > 3 {
				t.Errorf("%v and %v", got.dropped, theirs.dropped)
			}
			w.atRest()
		})
	}
}

func TestARingOfThreeThatFreeOnEachOthersProofsLeavesACopy(t *testing.T) {
	w, all := hands(t, "anna", "ben", "carla")
	a, b, c := all[0], all[1], all[2]
	a.write("f", "content")
	w.settle()
	var second, third freed
	first := a.free("", 1, func() {
		second = b.free("", 1, func() { third = c.free("", 1, nil, a.proves) }, c.proves)
	}, b.proves)
	if n := len(first.dropped) + len(second.dropped) + len(third.dropped); n > 2 {
		t.Errorf("all three dropped it: %+v %+v %+v", first, second, third)
	}
	w.atRest()
}

// Who has the bytes for the sake of another file is no holder of this one.
func TestACopyAtAnotherPathIsNoCopy(t *testing.T) {
	t.Parallel()
	w, all := hands(t, "anna", "ben", "carla")
	a, b, c := all[0], all[1], all[2]
	for _, p := range []string{"f", "g", "d/f"} {
		a.write(p, "content")
	}
	w.settle()
	b.frees("f", c.device)
	w.settle()
	if out := a.free("f", 1, nil, b.proves); len(out.dropped) > 0 {
		t.Errorf("%+v", out)
	}
	c.w.must(os.WriteFile(c.path("g"), []byte("not yet recorded"), 0o644)) // no matter to f
	if out := a.free("f", 1, nil, c.proves); len(out.dropped) != 1 {
		t.Errorf("%+v", out)
	}
	b.write("g", "edited")
	b.write("d/f", "edited")
	w.atRest()
}

func TestFilesOfOneContentAreFreedTogether(t *testing.T) {
	t.Parallel()
	w, all := hands(t, "anna", "ben")
	a, b := all[0], all[1]
	big := noise(1<<20, 3)
	for _, p := range []string{"f", "g", "d/f", "d/g", "d/e/f"} {
		a.write(p, big)
	}
	a.write("other", big+"and more")
	w.settle()
	a.frees("", b.device)
	w.atRest()
	once := map[entry.BlockID]bool{}
	for _, e := range a.entries() {
		for _, b := range e.Blocks {
			once[b.ID] = true
		}
	}
	w.costs(len(once), "all of them again", func() { a.get(""); w.atRest() })
	a.has("d/e/f", text(big))
}

func TestAnEditBetweenProofAndDropIsKeptAndSynced(t *testing.T) {
	for name, edit := range map[string]func(a *hand){
		"written anew":     func(a *hand) { a.write("f", "edited") },
		"written in place": func(a *hand) { a.w.must(os.WriteFile(a.path("f"), []byte("edited"), 0o644)) },
		"of the same size": func(a *hand) { a.w.must(os.WriteFile(a.path("f"), []byte("edited!"), 0o644)) },
		"and recorded":     func(a *hand) { a.write("f", "edited"); a.quiet() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, all := hands(t, "anna", "ben")
			a, b := all[0], all[1]
			a.write("f", "content")
			w.settle()
			if out := a.free("f", 1, func() { edit(a) }, b.proves); len(out.dropped) > 0 {
				t.Errorf("%+v", out)
			}
			w.atRest()
			w.holds("edited")
			if f := w.agree(); len(f) != 1 {
				t.Errorf("an edit by who had the file before their eyes made a conflict:%v", f)
			}
		})
	}
}

func TestAFreedFileIsWhatOthersMakeOfIt(t *testing.T) {
	for name, c := range map[string]struct {
		then  func(b *hand)
		alive string // what is known to live in the end
	}{
		"edited elsewhere":            {func(b *hand) { b.write("d/f", "edited") }, "d/f"},
		"deleted elsewhere":           {func(b *hand) { b.remove("d/f") }, ""},
		"renamed elsewhere":           {func(b *hand) { b.rename("d/f", "d/g") }, "d/g"},
		"chmod elsewhere":             {func(b *hand) { b.chmod("d/f", 0o600) }, "d/f"},
		"deleted, with its directory": {func(b *hand) { b.remove("d") }, ""},
		"moved out of what was freed": {func(b *hand) { b.rename("d/f", "f") }, "f"},
		"replaced by a directory":     {func(b *hand) { b.remove("d/f"); b.write("d/f/x", "new") }, "d/f/x"},
		"replaced by a symlink":       {func(b *hand) { b.remove("d/f"); b.symlink("d/f", "x") }, "d/f"},
	} {
		for link, linked := range map[string]bool{"": true, ", unheard at first": false} {
			t.Run(name+link, func(t *testing.T) {
				t.Parallel()
				w, all := hands(t, "anna", "ben", "carla")
				a, b := all[0], all[1]
				a.write("d/f", "content")
				w.settle()
				a.frees("d", b.device)
				if linked {
					w.atRest()
				} else {
					w.cut(a.device, b.device)
				}
				if a.at("d/f") != "" || a.at("d") == "" {
					t.Errorf("freed:%v", a.files())
				}
				c.then(b)
				b.quiet()
				if !linked {
					w.link(a.device, b.device)
				}
				w.atRest()
				w.known()
				for p, e := range a.entries() {
					if e.Kind == entry.File && e.Path.Below("d") && a.at(string(p)) != "" {
						t.Errorf("%q came to where it is not chosen to lie", p)
					}
					if e.Kind != entry.Directory && e.Lives() && string(p) != c.alive {
						t.Errorf("%q lives", p)
					}
				}
				if c.alive != "" && !a.entries()[entry.Path(c.alive)].Lives() {
					t.Errorf("%q does not live", c.alive)
				}
			})
		}
	}
}

func TestWhatIsPinnedIsNotFreed(t *testing.T) {
	w, all := hands(t, "anna", "ben")
	a, b := all[0], all[1]
	a.write("d/keep", "keep")
	a.write("d/go", "go")
	w.settle()
	a.choose(choice.Rule{Path: "d/keep", Pinned: true})
	out := a.free("d", 1, nil, b.proves)
	if !slices.Equal(out.kept[folder.KeptPinned], []entry.Path{"d/keep"}) || !slices.Equal(out.dropped, []entry.Path{"d/go"}) {
		t.Errorf("%+v", out)
	}
	w.atRest()
	a.has("d/keep", text("keep"))
	b.write("d/keep", "kept up to date")
	w.atRest()
	a.has("d/keep", text("kept up to date"))
}

func TestWhatHasAChangeUnderWayIsNotFreed(t *testing.T) {
	w, all := hands(t, "anna", "ben")
	a, b := all[0], all[1]
	a.write("f", "content")
	w.settle()
	w.cut(a.device, b.device)
	a.w.must(os.WriteFile(a.path("f"), []byte("not yet recorded"), 0o644))
	if out := a.free("f", 1, nil, b.proves); len(out.dropped) > 0 {
		t.Errorf("%+v", out)
	}
	a.quiet()
	if out := a.free("f", 1, nil, b.proves); len(out.dropped) > 0 { // b has only what it was
		t.Errorf("%+v", out)
	}
	w.link(a.device, b.device)
	w.atRest()
	w.holds("not yet recorded")
}

// A crash leaves the row that says that the file is not here, and the file.
func TestAFileThatACrashLeftBehindIsHereAgain(t *testing.T) {
	for name, edit := range map[string]func(a *hand){
		"as it was": func(*hand) {},
		"edited":    func(a *hand) { a.write("f", "edited") },
		"touched":   func(a *hand) { a.w.must(os.Chtimes(a.path("f"), time.Time{}, time.Unix(1e9, 0))) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, all := hands(t, "anna", "ben")
			a, b := all[0], all[1]
			a.write("f", "content")
			w.settle()
			st, err := os.Stat(a.path("f"))
			w.must(err)
			a.frees("f", b.device)
			w.settle()
			w.cut(a.device, b.device)
			a.down()
			a.write("f", "content")
			w.must(os.Chtimes(a.path("f"), time.Time{}, st.ModTime()))
			edit(a)
			a.up()
			w.link(a.device, b.device)
			w.atRest()
			if e := a.entries()["f"]; e.Kind != entry.File || e.Absent {
				t.Errorf("%+v", e)
			}
			f := w.agree()
			if name == "as it was" && (len(f) != 1 || f["f"] != text("content")) {
				t.Error(f)
			}
		})
	}
}

func TestWhoFreedAFileIsNotAskedForIt(t *testing.T) {
	w := newWorld(t, "anna", "ben", "carla")
	a, b, c := handOf(w.all[0]), handOf(w.all[1]), handOf(w.all[2])
	a.up()
	b.up()
	c.up()
	w.link(a.device, b.device)
	a.write("f", "content")
	w.settle()
	a.frees("f", b.device)
	w.settle()
	before := a.given()
	w.link(c.device, a.device)
	w.settle()
	if codes, all := c.why("f"); len(all.Holders) != 0 {
		t.Errorf("%v: %v are taken for holders", codes, all.Holders)
	}
	w.link(c.device, b.device)
	w.atRest()
	c.has("f", text("content"))
	if n := a.given() - before; n != 0 {
		t.Errorf("%d blocks of who freed it", n)
	}
}

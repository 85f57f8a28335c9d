package folder_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/folder"
	"github.com/kithmesh/kith/node/folder/choice"
)

var roles = []entry.Role{entry.RoleSync, entry.RoleSend, entry.RoleReceive, entry.RoleArchive}

// changes are made on both sides while nobody hears of it: edits, deletes and
// new files, and one file is edited by both.
func changes(w *world, a, b *hand, round int) (made []string) {
	w.t.Helper()
	w.cut(a.device, b.device)
	for _, h := range []*hand{a, b} {
		text := func(what string) string {
			made = append(made, fmt.Sprintf("<%s of %s, round %d>", what, h.name, round))
			return made[len(made)-1]
		}
		h.write("edited by "+h.name, text("edit"))
		h.write("edited by both", text("both"))
		h.write(fmt.Sprintf("new/%s %d", h.name, round), text("new"))
		h.remove("deleted by " + h.name)
		h.quiet()
	}
	w.link(a.device, b.device)
	return made
}

// TestEachSwitchOfRoleMovesWhatIsNewAndNothingElse switches with changes
// pending in both directions, and back to sync in the end.
func TestEachSwitchOfRoleMovesWhatIsNewAndNothingElse(t *testing.T) {
	for _, from := range roles {
		for _, to := range roles {
			t.Run(from.String()+" to "+to.String(), func(t *testing.T) {
				t.Parallel()
				w, all := hands(t, "anna", "ben")
				a, b := all[0], all[1]
				for _, p := range []string{"edited by anna", "edited by ben", "edited by both", "deleted by anna", "deleted by ben"} {
					b.write(p, "first of "+p)
				}
				w.settle()
				before := w.given()
				a.become(from)
				made := changes(w, a, b, 1)
				w.settle()
				w.coherent()
				a.taken(from, b)
				a.become(to)
				w.settle()
				w.coherent()
				a.become(entry.RoleSync)
				w.settle()
				w.somewhere(made...)
				w.known()
				// Each of the six contents goes to the other device once.
				if n := w.given() - before; n != 6 {
					t.Errorf("%d blocks were given, not 6", n)
				}
				a.get("")
				w.atRest()
				w.agree()
				w.holds(made...)
				if n := w.given() - before; n > 7 {
					t.Errorf("%d blocks were given with the file that was deleted here alone", n)
				}
			})
		}
	}
}

// taken checks what a role has let through.
func (h *hand) taken(r entry.Role, other *hand) {
	h.w.t.Helper()
	in := r == entry.RoleSync || r == entry.RoleReceive
	if got := strings.Contains(h.at("edited by ben"), "<edit of ben"); got != in {
		h.w.t.Errorf("%s: an edit by another is taken: %v", r, got)
	}
	if got := h.at("deleted by ben") == ""; got != in {
		h.w.t.Errorf("%s: a delete by another is taken: %v", r, got)
	}
	out := r != entry.RoleReceive
	if got := strings.Contains(other.at("edited by anna"), "<edit of anna"); got != out {
		h.w.t.Errorf("%s: an edit is told: %v", r, got)
	}
	if got := other.at("deleted by anna") == ""; got != (out && r != entry.RoleArchive) {
		h.w.t.Errorf("%s: a delete is told: %v", r, got)
	}
	h.has("deleted by anna", "")
}

// TestAllSwitchesInARowLoseNothing goes through each switch that there is, with
// changes on both sides before each, and with restarts.
func TestAllSwitchesInARowLoseNothing(t *testing.T) {
	t.Parallel()
	w, all := hands(t, "anna", "ben")
	a, b := all[0], all[1]
	for _, p := range []string{"edited by anna", "edited by ben", "edited by both", "deleted by anna", "deleted by ben"} {
		b.write(p, "first of "+p)
	}
	w.settle()
	walk := "sync send sync receive sync archive send receive send archive receive archive sync"
	var new_ []string
	for i, name := range strings.Fields(walk) {
		r := roles[slices.IndexFunc(roles, func(r entry.Role) bool { return r.String() == name })]
		for _, m := range changes(w, a, b, i) {
			if strings.HasPrefix(m, "<new") {
				new_ = append(new_, m)
			}
		}
		a.become(r)
		if i%4 == 3 {
			a.down()
			a.up()
			w.link(a.device, b.device)
		}
		w.settle()
		w.coherent()
		w.somewhere(new_...)
	}
	w.settle()
	a.get("")
	w.atRest()
	w.agree()
	w.holds(new_...)
}

func TestADeleteOnAnArchiveIsNoneElsewhere(t *testing.T) {
	t.Parallel()
	w, all := hands(t, "phone", "laptop")
	a, b := all[0], all[1]
	a.become(entry.RoleArchive)
	for i := range 5 {
		a.write(fmt.Sprintf("dcim/%d.jpg", i), fmt.Sprint("photo ", i))
	}
	w.settle()
	a.remove("dcim/0.jpg")
	a.remove("dcim/1.jpg")
	w.settle()
	b.has("dcim/0.jpg", text("photo 0"))
	w.costs(1, "a photo that comes back", func() {
		a.get("dcim/0.jpg")
		a.await("the photo", func(folder.Status) bool { return a.missing("").NeedFiles == 0 })
		w.settle()
	})
	a.has("dcim/0.jpg", text("photo 0"))
	a.has("dcim/1.jpg", "")
	b.write("dcim/2.jpg", "edited elsewhere")
	b.remove("dcim/3.jpg")
	w.settle()
	a.has("dcim/2.jpg", text("photo 2"))
	a.has("dcim/3.jpg", text("photo 3"))
	a.remove("dcim") // the camera roll is emptied
	w.settle()
	w.coherent()
	b.has("dcim/2.jpg", text("edited elsewhere"))
	b.has("dcim/4.jpg", text("photo 4"))
	a.become(entry.RoleSync)
	w.atRest()
	if got := a.files(); len(got) > 1 {
		t.Errorf("what was deleted here came back by itself:%v", got)
	}
	a.get("")
	w.atRest()
	w.agree()
}

func TestAReceiverKeepsItsEditsToItselfAndRevertsThemExactly(t *testing.T) {
	for name, restart := range map[string]bool{"": false, " over a restart": true} {
		t.Run("receive"+name, func(t *testing.T) {
			t.Parallel()
			w, all := hands(t, "anna", "ben")
			a, b := all[0], all[1]
			b.write("edited", "theirs")
			b.write("deleted", "kept")
			b.write("d/inner", "inner")
			b.write("is a file", "a file")
			b.symlink("link", "edited")
			b.chmod("edited", 0o640)
			b.w.must(os.Chtimes(b.path("edited"), time.Time{}, time.Unix(1e9, 0)))
			w.settle()
			first := b.files()
			a.become(entry.RoleReceive)
			a.write("edited", "mine")
			a.remove("deleted")
			a.write("new", "new here")
			a.write("newdir/new", "new in a new directory")
			a.remove("d")
			a.remove("is a file")
			a.mkdir("is a file")
			a.symlink("link", "elsewhere")
			w.settle()
			if restart {
				a.down()
				a.up()
				w.link(a.device, b.device)
				w.settle()
			}
			w.coherent()
			if got := b.files(); fmt.Sprint(got) != fmt.Sprint(first) {
				t.Errorf("ben has:%v", got)
			}
			a.has("edited", text("mine"))
			a.has("new", text("new here"))
			if n := a.folder.Status().LocalEdits; n < 7 {
				t.Errorf("%d local edits are shown", n)
			}
			a.reverts("edited", "edited")
			a.has("edited", first["edited"])
			a.has("new", text("new here"))
			a.reverts("", "")
			w.settle()
			a.remove("newdir") // of which only the name is left
			w.atRest()
			if got := a.files(); fmt.Sprint(got) != fmt.Sprint(first) {
				t.Errorf("anna has, reverted:%v", got)
			}
			if st, err := os.Stat(a.path("edited")); err != nil || st.ModTime().Unix() != 1e9 {
				t.Errorf("%v, %v", st.ModTime(), err)
			}
			if s := a.folder.Status(); s.LocalEdits != 0 {
				t.Errorf("%d local edits are left", s.LocalEdits)
			}
		})
	}
}

// reverts gives up the edits at and below a path, which what names is one of.
func (h *hand) reverts(p, what entry.Path) {
	h.w.t.Helper()
	ctx, cancel := bounded()
	defer cancel()
	shown, err := h.folder.Revert(ctx, p, true)
	h.w.must(err)
	done, err := h.folder.Revert(ctx, p, false)
	h.w.must(err)
	if !slices.Equal(shown, done) || what != "" && !slices.Contains(done, what) {
		h.w.t.Errorf("%q were shown, %q reverted", shown, done)
	}
	h.w.settle()
}

// An edit that stayed here becomes a change with the role: of a file that its
// person saw, or at a path of which they saw nothing.
func TestALocalEditBecomesAChangeThatCostsNobodyWhatIsUnseen(t *testing.T) {
	for name, c := range map[string]struct {
		before func(w *world, a, b *hand)
		copies int
	}{
		"seen":           {func(*world, *hand, *hand) {}, 0},
		"freed before":   {func(w *world, a, b *hand) { a.frees("f", b.device); w.settle() }, 1},
		"deleted before": {func(w *world, a, _ *hand) { a.remove("f"); w.settle() }, 1},
		"not chosen": {func(w *world, a, b *hand) {
			a.choose(choice.Rule{})
			b.write("g", "new")
			w.settle()
			a.rename("f", "h")
		}, 1},
		"edited, reverted": {func(w *world, a, _ *hand) { a.write("f", "dropped"); w.settle(); a.reverts("f", "f") }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, all := hands(t, "anna", "ben")
			a, b := all[0], all[1]
			b.write("f", "content")
			w.settle()
			a.become(entry.RoleReceive)
			c.before(w, a, b)
			a.quiet()
			a.write("f", "mine")
			w.settle()
			b.has("f", text("content"))
			a.become(entry.RoleSync)
			w.atRest()
			b.has("f", text("mine"))
			if n := len(b.conflicts("")); n != c.copies {
				t.Errorf("%d conflicts:%v", n, b.files())
			}
			if c.copies > 0 {
				w.somewhere("content")
			}
		})
	}
}

// What is edited after its person gave up an earlier edit is another edit.
func TestARevertIsOfTheEditThatWasThere(t *testing.T) {
	t.Parallel()
	w, all := hands(t, "anna", "ben")
	a, b := all[0], all[1]
	b.write("f", "content")
	w.settle()
	a.become(entry.RoleReceive)
	a.write("f", "mine")
	w.settle()
	w.cut(a.device, b.device)
	a.does("revert", func(ctx context.Context) error { _, err := a.folder.Revert(ctx, "f", false); return err })
	a.calm()
	a.write("f", "mine, a day later")
	a.scan()
	w.link(a.device, b.device)
	w.settle()
	a.has("f", text("mine, a day later"))
	a.reverts("f", "f")
	a.has("f", text("content"))
}

func TestAChangeElsewhereMeetsALocalEdit(t *testing.T) {
	for name, c := range map[string]struct {
		here, there func(h *hand)
		want        func(f files) bool // on the device that only receives
	}{
		"edit and edit":   {edit("mine"), edit("theirs"), func(f files) bool { return f["f"] == text("theirs") && holds(f, "mine") }},
		"edit and delete": {edit("mine"), gone, func(f files) bool { return f["f"] == text("mine") }},
		"delete and edit": {gone, edit("theirs"), func(f files) bool { return f["f"] == "" }},
		"both delete":     {gone, gone, func(f files) bool { return len(f) == 0 }},
		"the same edit":   {edit("theirs"), edit("theirs"), func(f files) bool { return len(f) == 1 && f["f"] == text("theirs") }},
		"edit and directory": {edit("mine"), func(h *hand) { h.remove("f"); h.write("f/x", "theirs") },
			func(f files) bool { return f["f/x"] == text("theirs") && holds(f, "mine") }},
		"directory and edit": {func(h *hand) { h.remove("f"); h.write("f/x", "mine") }, edit("theirs"),
			func(f files) bool { return f["f/x"] == text("mine") || holds(f, "mine") }},
		"symlink and edit": {func(h *hand) { h.symlink("f", "mine") }, edit("theirs"),
			func(f files) bool { return f["f"] == text("theirs") && holds(f, "-> mine") }},
		"mode and edit": {func(h *hand) { h.chmod("f", 0o600) }, edit("theirs"), func(f files) bool { return holds(f, "theirs") }},
	} {
		for after, unheard := range map[string]bool{"": false, ", edited before it is heard": true} {
			t.Run(name+after, func(t *testing.T) {
				t.Parallel()
				w, all := hands(t, "anna", "ben")
				a, b := all[0], all[1]
				b.write("f", "first")
				w.settle()
				a.become(entry.RoleReceive)
				if unheard {
					w.cut(a.device, b.device)
					c.there(b)
					b.quiet()
					c.here(a)
					a.quiet()
					w.link(a.device, b.device)
				} else {
					c.here(a)
					w.settle()
					c.there(b)
					b.quiet()
				}
				w.heard(a.device, b.device)
				a.calm()
				if f := a.files(); !c.want(f) {
					t.Errorf("here:%v", f)
				}
				if f := b.files(); holds(f, "mine") {
					t.Errorf("an edit went out:%v", f)
				}
				a.become(entry.RoleSync)
				w.atRest()
				w.known()
			})
		}
	}
}

func edit(to string) func(h *hand) { return func(h *hand) { h.write("f", to) } }

func gone(h *hand) { h.remove("f") }

func holds(f files, what string) bool {
	for _, s := range f {
		if strings.Contains(s, what) {
			return true
		}
	}
	return false
}

// calm waits until a device has done all that it can do.
func (d *device) calm() {
	d.w.t.Helper()
	d.scan()
	d.await("calm", func(s folder.Status) bool {
		return s.State == folder.InSync || s.State == folder.Waiting || s.State == folder.Braked
	})
}

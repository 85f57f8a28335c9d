package node_test

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/kithmesh/kith/node/control"
)

func (d *device) isFenced() bool { return d.folder().State == control.StateFenced }

// fenced waits until a device is, and checks that it says so and what to do.
func (d *device) fenced() {
	d.t.Helper()
	until(d.t, d.name+" to be fenced", d.isFenced)
	if p := d.folder().Problems; len(p) == 0 || p[0].Code != "fenced" {
		d.t.Errorf("its problems are %v", p)
	}
	all, err := d.Examine(d.t.Context())
	if err != nil {
		d.t.Fatal(err)
	}
	for _, f := range all {
		if f.Code == "fenced" && !f.OK && strings.Contains(f.Hint, "kith doctor --go-on docs") {
			return
		}
	}
	d.t.Errorf("the doctor finds %v", all)
}

func (d *device) goOn() {
	d.t.Helper()
	if _, err := d.GoOn(d.t.Context(), "docs"); err != nil {
		d.t.Fatal(err)
	}
}

// knows tells whether a device has heard of a path, whether it is there or not.
func (d *device) knows(name string) bool {
	d.t.Helper()
	_, err := d.Why(d.t.Context(), control.Place{Text: d.at(name), Absolute: d.at(name)})
	if err != nil && !errors.Is(err, control.ErrNoPath) {
		d.t.Fatal(err)
	}
	return err == nil
}

// TestARestoredDeviceTellsNothingAndGoesOn: its disk is put back to what it was
// before it, and others, made changes; once all of it, once with the files as
// they came to be.
func TestARestoredDeviceTellsNothingAndGoesOn(t *testing.T) {
	for _, tree := range []bool{true, false} {
		t.Run(fmt.Sprintf("files as well: %t", tree), func(t *testing.T) {
			t.Parallel()
			all := circle(t, "anna", "bert", "cleo")
			a, b, c := all[0], all[1], all[2]
			for _, name := range []string{"edited by a", "edited by b", "edited by both", "deleted by a", "deleted by b", "renamed by a", "as it was"} {
				a.write("dir/"+name, "before")
			}
			exchange(t, "as members", all...)
			settled(t, all...)
			a.down()
			before := a.image()
			again([]*device{b, c}, a)
			a.write("dir/edited by a", "newer, by a")
			a.write("dir/edited by both", "newer, by a")
			a.write("dir/made by a", "new")
			if err := errors.Join(os.Remove(a.at("dir/deleted by a")), os.Rename(a.at("dir/renamed by a"), a.at("dir/renamed"))); err != nil {
				t.Fatal(err)
			}
			until(t, "an edit", func() bool { return b.holds("dir/edited by both", "newer, by a") })
			b.write("dir/edited by b", "newer, by b")
			b.write("dir/edited by both", "newest, by b")
			b.write("dir/made by b", "new")
			if err := os.Remove(b.at("dir/deleted by b")); err != nil {
				t.Fatal(err)
			}
			exchange(t, "later", all...)
			settled(t, all...)
			same(t, all...)
			want := listing(t, b.root)
			a.down()

			before.restoreHome()
			if tree {
				before.restoreTree()
			}
			a.write("made by the clone", "since")
			again([]*device{b, c}, a)
			a.fenced()
			for range 2 { // a restart makes no difference
				exchange(t, "without the clone", b, c)
				for _, d := range []*device{b, c} {
					if !d.gone("made by the clone") || d.knows("made by the clone") {
						t.Errorf("a record of the clone has reached %s", d.name)
					}
				}
				if !a.isFenced() {
					t.Error("it is fenced no longer")
				}
				a.down()
				again([]*device{b, c}, a)
			}
			a.fenced()
			a.goOn()
			meet(t, all...)
			exchange(t, "gone on", all...)
			settled(t, all...)
			same(t, all...)
			got := listing(t, c.root)
			for _, name := range []string{"without the clone", "gone on"} {
				for _, d := range all {
					delete(got, name+" of "+d.name)
				}
			}
			if !c.holds("made by the clone", "since") {
				t.Error("what was made on the clone is lost")
			}
			delete(got, "made by the clone")
			if d := difference(want, got); len(d) > 0 {
				t.Errorf("it has come to %q", d)
			}
			if _, err := a.GoOn(t.Context(), "docs"); !errors.Is(err, control.ErrInvalid) {
				t.Errorf("to go on once more: %v", err)
			}
			a.down()
			again([]*device{b, c}, a)
			exchange(t, "after a restart", all...)
			if a.isFenced() || b.isFenced() || c.isFenced() {
				t.Error("fenced again")
			}
		})
	}
}

// TestNoRecordOfACloneIsSent has a member watch what it is told on the wire.
func TestNoRecordOfACloneIsSent(t *testing.T) {
	t.Parallel()
	v := start(t, "anna")
	addFolder(t, v)
	v.write("file", "before")
	m := intrude(t, v)
	m.mu.Lock()
	m.honest = true
	m.mu.Unlock()
	until(t, "the file told", func() bool { _, ok := m.knows("file"); return ok })
	v.down()
	before := v.image()
	v.up()
	m.reconnect(v)
	v.write("later", "by the original")
	until(t, "the later file told", func() bool { _, ok := m.knows("later"); return ok })
	v.down()
	for round := range 5 {
		before.restoreHome()
		for i := range 50 {
			v.write(fmt.Sprintf("by the clone %d", i), fmt.Sprint(round)) // much to scan and to tell
		}
		m.mu.Lock()
		told := len(m.batches)
		m.mu.Unlock()
		v.up()
		m.reconnect(v)
		v.fenced()
		v.down()
		m.mu.Lock()
		if now := len(m.batches); now != told {
			t.Errorf("round %d: %d messages with records were sent", round, now-told)
		}
		m.mu.Unlock()
	}
}

// TestARestoredDeviceLearnsWhoWasPutOutMeanwhile: its home is from before a
// removal, and has neither the statement nor the new key.
func TestARestoredDeviceLearnsWhoWasPutOutMeanwhile(t *testing.T) {
	t.Parallel()
	all := circle(t, "anna", "bert", "cleo")
	a, b, c := all[0], all[1], all[2]
	a.write("old", "of the first epoch")
	a.write("edited", "before")
	exchange(t, "as members", all...)
	settled(t, all...)
	a.down()
	before := a.image()
	again([]*device{b, c}, a)
	meet(t, a, b, c)
	b.unshare(c)
	until(t, "it to have heard", func() bool { return !a.counts(c) })
	a.write("edited", "after, with the new key")
	a.write("new", "with the new key")
	exchange(t, "as those who remain", a, b)
	settled(t, a, b)
	a.down()

	before.restoreHome()
	before.restoreTree()
	a.write("of the clone", "since")
	a.finds(b, c)
	a.up()
	a.fenced()
	until(t, "it to have heard once more", func() bool { return !a.counts(c) })
	a.goOn()
	meet(t, a, b)
	exchange(t, "gone on", a, b)
	until(t, "what was made on the clone", func() bool { return b.holds("of the clone", "since") })
	settled(t, a, b)
	same(t, a, b)
	if !a.holds("edited", "after, with the new key") || !a.holds("new", "with the new key") || len(a.aside()) > 0 {
		t.Errorf("it has come to %q", listing(t, a.root))
	}
	// What was new on the clone it may have had before the clone had heard.
	if !c.gone("gone on of anna") || !c.gone("gone on of bert") {
		t.Error("the removed device was told of something")
	}
	sameKeys(t, 2, a, b)
}

// TestEditsOfARestoredDeviceAreNotTakenForOthers: on a restored device a person
// goes on before it meets anybody. Its changes have numbers that were used.
func TestEditsOfARestoredDeviceAreNotTakenForOthers(t *testing.T) {
	for what, edits := range map[string]int{"as many as were made": 3, "more than were made": 8} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			all := circle(t, "anna", "bert")
			a, b := all[0], all[1]
			a.write("file", "before")
			exchange(t, "as members", all...)
			settled(t, all...)
			a.down()
			before := a.image()
			again([]*device{b}, a)
			for i := range 3 {
				a.write("file", fmt.Sprintf("edit %d of the original", i))
				until(t, "the edit", func() bool { return b.holds("file", fmt.Sprintf("edit %d of the original", i)) })
			}
			settled(t, all...)
			down(a, b)

			before.restoreHome()
			before.restoreTree()
			a.up()
			for i := range edits {
				a.write("file", fmt.Sprintf("edit %d of the clone", i))
				if _, err := a.ScanFolders(t.Context(), "docs"); err != nil {
					t.Fatal(err)
				}
			}
			again([]*device{a}, b)
			a.fenced()
			if !b.holds("file", "edit 2 of the original") || len(b.aside()) > 0 {
				t.Error("something of the clone has reached the other device")
			}
			a.goOn()
			exchange(t, "gone on", all...)
			settled(t, all...)
			same(t, all...)
			var text string
			for name, what := range listing(t, b.root) {
				text += name + ": " + what + "\n"
			}
			for _, want := range []string{"edit 2 of the original", fmt.Sprintf("edit %d of the clone", edits-1)} {
				if !strings.Contains(text, want) {
					t.Errorf("%q is lost:\n%s", want, text)
				}
			}
		})
	}
}

// TestTwoClonesRunInTurn: a device and a copy of it, of which never both run.
func TestTwoClonesRunInTurn(t *testing.T) {
	t.Parallel()
	all := circle(t, "anna", "bert")
	a, b := all[0], all[1]
	a.write("file", "before")
	exchange(t, "as members", all...)
	settled(t, all...)
	a.down()
	parked := a.image()
	turn := func() {
		t.Helper()
		a.down()
		now := a.image()
		parked.restoreHome()
		parked.restoreTree()
		parked = now
	}
	fences := 0
	for round := range 3 {
		for _, who := range []string{"original", "clone"} {
			a.write("file", fmt.Sprintf("round %d of the %s", round, who))
			a.write(fmt.Sprintf("round %d of the %s", round, who), who)
			again([]*device{b}, a)
			told := func() bool { return b.holds(fmt.Sprintf("round %d of the %s", round, who), who) }
			until(t, "what was done, or the fence", func() bool { return told() || a.isFenced() })
			if a.isFenced() {
				fences++
				if told() {
					t.Errorf("round %d: the %s has told, and is fenced", round, who)
				}
				a.goOn()
			}
			exchange(t, fmt.Sprintf("round %d with the %s", round, who), a, b)
			settled(t, a, b)
			same(t, a, b)
			turn()
		}
	}
	if fences == 0 {
		t.Error("no clone was noticed")
	}
	again([]*device{b}, a)
	meet(t, a, b)
	exchange(t, "in the end", a, b)
	settled(t, a, b)
	same(t, a, b)
	var text string
	for name, what := range listing(t, b.root) {
		text += name + ": " + what + "\n"
	}
	for round := range 3 {
		for _, who := range []string{"original", "clone"} {
			if want := fmt.Sprintf("round %d of the %s", round, who); !b.holds(want, who) {
				t.Errorf("%q is lost:\n%s", want, text)
			}
		}
	}
	if !strings.Contains(text, "round 2 of the original") || !strings.Contains(text, "round 2 of the clone") {
		t.Errorf("the last edits are lost:\n%s", text)
	}
}

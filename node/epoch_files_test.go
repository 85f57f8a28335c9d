package node_test

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/kithmesh/kith/node/control"
)

// aside tells of the conflict copies in a folder.
func (d *device) aside() (out []string) {
	for name := range listing(d.t, d.root) {
		if strings.Contains(name, "(conflict, ") {
			out = append(out, name)
		}
	}
	return out
}

// TestFilesOfTheOldEpochLiveOn: what can be done to a file is done to files that
// are named under the keys of an epoch that has ended.
func TestFilesOfTheOldEpochLiveOn(t *testing.T) {
	t.Parallel()
	all := circle(t, "anna", "bert", "cleo", "dora")
	a, b, c, d := all[0], all[1], all[2], all[3]
	for _, name := range []string{"edited", "touched", "chmodded", "deleted", "renamed", "copied", "dir/one", "dir/two", "moved/one", "moved/two", "early", "late"} {
		a.write(name, "of old: "+name)
	}
	exchange(t, "as members", all...)
	a.write("early", "edited just before")
	a.unshare(d)
	a.write("late", "edited just after")
	b.write("edited", "anew")
	when := time.Date(2020, 2, 2, 2, 2, 2, 0, time.UTC)
	copied, err := os.ReadFile(c.at("copied"))
	if err := errors.Join(err,
		os.Chtimes(b.at("touched"), when, when), os.Chmod(c.at("chmodded"), 0o755), os.Remove(a.at("deleted")),
		os.Rename(b.at("renamed"), b.at("renamed too")), os.WriteFile(c.at("copied too"), copied, 0o644),
		os.Rename(c.at("moved"), c.at("elsewhere")), os.RemoveAll(a.at("dir")), os.WriteFile(a.at("dir"), []byte("a file"), 0o644),
	); err != nil {
		t.Fatal(err)
	}
	remain := []*device{a, b, c}
	exchange(t, "as those who remain", remain...)
	for _, x := range remain {
		until(t, "all changes on "+x.name, func() bool {
			touched, err := os.Stat(x.at("touched"))
			chmodded, err2 := os.Stat(x.at("chmodded"))
			return x.holds("edited", "anew") && err == nil && touched.ModTime().Equal(when) && err2 == nil && chmodded.Mode() == 0o755 &&
				x.gone("deleted") && x.gone("renamed") && x.holds("renamed too", "of old: renamed") && x.holds("copied too", "of old: copied") &&
				x.gone("moved") && x.holds("elsewhere/two", "of old: moved/two") && x.holds("dir", "a file") &&
				x.holds("early", "edited just before") && x.holds("late", "edited just after")
		})
	}
	// And once more, of what has been named anew, and of what has not.
	c.write("edited", "a third time")
	b.write("touched", "and edited")
	a.write("chmodded", "and edited")
	exchange(t, "once more", remain...)
	for _, x := range remain {
		until(t, "the later changes", func() bool {
			return x.holds("edited", "a third time") && x.holds("touched", "and edited") && x.holds("chmodded", "and edited")
		})
	}
	settled(t, remain...)
	same(t, remain...)
	if names := a.aside(); len(names) > 0 {
		t.Errorf("conflict copies: %q", names)
	}
}

// TestVersionsOfDifferentEpochsMeet: a member that has not heard of the new
// epoch edits what others edit under the new one.
func TestVersionsOfDifferentEpochsMeet(t *testing.T) {
	t.Parallel()
	all := circle(t, "anna", "bert", "cleo", "dora")
	a, b, c, d := all[0], all[1], all[2], all[3]
	for _, name := range []string{"both", "deleted", "touched"} {
		a.write(name, "of old: "+name)
	}
	exchange(t, "as members", all...)
	if err := c.Pause(t.Context(), control.PauseRequest{}); err != nil {
		t.Fatal(err)
	}
	a.unshare(d)
	when := time.Date(2020, 2, 2, 2, 2, 2, 0, time.UTC)
	for i, x := range []*device{a, c} {
		x.write("both", "by "+x.name)
		var err error
		if i == 0 {
			err = errors.Join(os.Remove(x.at("deleted")), os.Chtimes(x.at("touched"), when, when))
		} else {
			x.write("deleted", "edited by "+x.name)
			x.write("touched", "edited by "+x.name)
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, err := x.ScanFolders(t.Context(), "docs"); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Resume(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	remain := []*device{a, b, c}
	meet(t, remain...)
	exchange(t, "together", remain...)
	settled(t, remain...)
	same(t, remain...)
	var contents []string
	for name, what := range listing(t, b.root) {
		contents = append(contents, name+": "+what)
	}
	text := strings.Join(contents, "\n")
	for _, want := range []string{"by anna", "by cleo", "edited by cleo"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is lost:\n%s", want, text)
		}
	}
	if !b.holds("deleted", "edited by cleo") || !b.holds("touched", "edited by cleo") {
		t.Errorf("an edit has not won over what is none:\n%s", text)
	}
}

// TestALostIndexMeetsFilesOfAnOldEpoch: files of unknown history are the same
// as those that others know under the keys of an epoch that has ended.
func TestALostIndexMeetsFilesOfAnOldEpoch(t *testing.T) {
	t.Parallel()
	all := circle(t, "anna", "bert", "cleo")
	a, b, c := all[0], all[1], all[2]
	for i := range 5 {
		a.write(fmt.Sprintf("file %d", i), fmt.Sprint("of old ", i))
	}
	a.write("deleted", "while the other was away")
	exchange(t, "as members", all...)
	a.unshare(c)
	exchange(t, "as those who remain", a, b)
	b.down()
	if err := errors.Join(os.Remove(b.places.Index), os.Remove(a.at("deleted"))); err != nil {
		t.Fatal(err)
	}
	if _, err := a.ScanFolders(t.Context(), "docs"); err != nil {
		t.Fatal(err)
	}
	again([]*device{a}, b)
	meet(t, a, b)
	exchange(t, "with a new index", a, b)
	settled(t, a, b)
	same(t, a, b)
	if names := a.aside(); len(names) > 0 || !a.gone("deleted") {
		t.Errorf("conflict copies: %q, and the deleted file is gone: %t", names, a.gone("deleted"))
	}
}

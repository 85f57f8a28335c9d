package node_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// backedUp are a device with a folder of these files, and a backup that holds
// them all.
func backedUp(t testing.TB, files map[string]string) (laptop, nas *device) {
	t.Helper()
	laptop, nas = start(t, "laptop"), start(t, "nas")
	for name, text := range files {
		laptop.write(name, text)
	}
	addFolder(t, laptop)
	nas.backup(laptop, "docs")
	laptop.protected()
	return laptop, nas
}

// world is a device with a folder, an honest other member, a hostile one, and
// a directory outside that nobody may touch.
type world struct {
	t       testing.TB
	victim  *device
	honest  *device
	mallory *hostile
	canary  string
	outside map[string]string // what lies there
	n       int
}

// newWorld has a link to the canary in the victim's folder, made by its user.
func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{t: t, victim: start(t, "victim"), honest: start(t, "honest"), canary: t.TempDir()}
	for _, name := range []string{"passwd", "x", "inner.txt"} {
		if err := os.WriteFile(filepath.Join(w.canary, name), []byte("outside: "+name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	w.outside = listing(t, w.canary)
	w.victim.write("keep.txt", "mine")
	w.victim.write("dir/inner.txt", "inner")
	w.victim.write("empty/.keep", "")
	if err := os.Symlink(w.canary, w.victim.at("link")); err != nil {
		t.Fatal(err)
	}
	addFolder(t, w.victim)
	w.honest.join(w.victim)
	w.mallory = intrude(t, w.victim)
	until(t, "the folder on both devices", func() bool { return w.honest.holds("dir/inner.txt", "inner") && w.honest.holds("keep.txt", "mine") })
	until(t, "all of it told to the hostile", func() bool {
		_, a := w.mallory.knows("keep.txt")
		_, b := w.mallory.knows("dir/inner.txt")
		_, c := w.mallory.knows("link")
		return a && b && c
	})
	return w
}

// unharmed checks what must hold after every attack: nothing outside was
// touched, the folder is as it was but for the names given, and it still syncs
// in both directions.
func (w *world) unharmed(before map[string]string, but ...string) {
	w.t.Helper()
	if d := difference(w.outside, listing(w.t, w.canary)); len(d) > 0 {
		w.t.Errorf("outside the folder: %q", d)
	}
	now := listing(w.t, w.victim.root)
	for _, name := range but {
		delete(now, name)
		delete(before, name)
	}
	if d := difference(before, now); len(d) > 0 {
		w.t.Errorf("in the folder: %q", d)
	}
	w.syncs()
}

// syncs checks that the victim and the honest device still tell each other.
func (w *world) syncs() {
	w.t.Helper()
	w.n++
	to, from := fmt.Sprintf("zz-to-%d", w.n), fmt.Sprintf("zz-from-%d", w.n)
	w.victim.write(to, to)
	w.honest.write(from, from)
	until(w.t, "a file to the honest device", func() bool { return w.honest.holds(to, to) })
	until(w.t, "a file from the honest device", func() bool { return w.victim.holds(from, from) })
	select {
	case err := <-w.victim.ended:
		w.victim.ended <- err
		w.t.Fatalf("the victim has ended: %v", err)
	default:
	}
	for _, d := range []*device{w.victim, w.honest} {
		for _, name := range []string{to, from} {
			if err := os.Remove(d.at(name)); err != nil && !os.IsNotExist(err) {
				w.t.Error(err)
			}
		}
	}
	until(w.t, "the probes gone again", func() bool {
		for _, d := range []*device{w.victim, w.honest} {
			for _, name := range []string{to, from} {
				if _, err := os.Lstat(d.at(name)); err == nil {
					return false
				}
			}
		}
		return true
	})
}

// named checks that some line of the victim's log has all the words.
func (w *world) named(words ...string) {
	w.t.Helper()
	if len(w.victim.log.with(words...)) == 0 {
		w.t.Errorf("no line of the log names %q", words)
	}
}

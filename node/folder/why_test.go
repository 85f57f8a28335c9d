package folder_test

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/folder"
)

// A cause is one reason why a path is as it is: what leads to it, what is then
// said, and that to do what the hint says ends it.
type cause struct {
	path  entry.Path
	code  string
	names []string // words of the text
	where folder.Where
	do    func(w *world, a, b *hand) // a is asked
	hint  func(w *world, a, b *hand) // nil: there is nothing to do
}

func TestEveryCauseIsNamedAndEndsByItsHint(t *testing.T) {
	t.Parallel()
	for _, all := range []map[string]cause{ofDisk, ofRoles, ofChoices, ofOthers, ofTheFolder} {
		for name, c := range all {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				if os.Geteuid() == 0 && c.code == "no_permission" {
					t.Skip("root may read everything")
				}
				w, all := hands(t, "anna", "ben")
				a, b := all[0], all[1]
				b.write("d/f", "content")
				b.write("d/g", "other")
				w.settle()
				c.do(w, a, b)
				c.check(a)
				if c.hint == nil {
					return
				}
				c.hint(w, a, b)
				a.saysNoMore(c.path, c.code)
			})
		}
	}
}

// check waits until the cause is said; it may take a moment until it is known.
func (c *cause) check(h *hand) {
	h.w.t.Helper()
	_, all := h.says(c.path, c.code, true)
	for _, p := range all.Causes {
		if p.Code != c.code {
			continue
		}
		for _, n := range c.names {
			if !strings.Contains(p.Text, n) {
				h.w.t.Errorf("the text %q does not name %q", p.Text, n)
			}
		}
		if p.Text == "" || (p.Hint == "") != (c.hint == nil) {
			h.w.t.Errorf("text %q, hint %q", p.Text, p.Hint)
		}
	}
	if all.Where != c.where {
		h.w.t.Errorf("its content is at place %d, and not %d", all.Where, c.where)
	}
}

func (h *hand) saysNoMore(p entry.Path, code string) { h.w.t.Helper(); h.says(p, code, false) }

// says waits until a code is among the causes, or is not.
func (h *hand) says(p entry.Path, code string, yes bool) (codes []string, all folder.Explanation) {
	h.w.t.Helper()
	late, tick := time.After(deadline), time.NewTicker(5*time.Millisecond)
	defer tick.Stop()
	for {
		codes, all = h.why(h.spelledOut(p))
		if slices.Contains(codes, code) == yes {
			return codes, all
		}
		select {
		case <-tick.C:
		case <-late:
			h.w.t.Fatalf("%q of %q is said: %v, and not %v: %+v", code, p, codes, yes, h.folder.Status())
		}
	}
}

// spelledOut is the first path on disk that begins with p, where that is only a
// beginning: the name of a conflict copy is not known before.
func (h *hand) spelledOut(p entry.Path) entry.Path {
	if !strings.HasSuffix(string(p), "(conflict") {
		return p
	}
	for f := range h.files() {
		if strings.HasPrefix(f, string(p)) {
			return entry.Path(f)
		}
	}
	return p
}

// checks has a folder look whether its tree is there.
func (h *hand) checks() {
	h.w.t.Helper()
	h.does("check", h.folder.Check)
}

// TestWhoLacksAFileIsNamed: the members that do not have what is here.
func TestWhoLacksAFileIsNamed(t *testing.T) {
	t.Parallel()
	w, all := hands(t, "anna", "ben", "carla")
	a, b, c := all[0], all[1], all[2]
	a.write("f", "first")
	w.settle()
	w.cut(a.device, b.device)
	w.cut(b.device, c.device)
	a.write("f", "second")
	w.settle()
	if _, all := a.why("f"); !slices.Equal(all.Lacking, []entry.DeviceID{b.id}) {
		t.Errorf("%v lack it", all.Lacking)
	}
	w.linkAll()
	w.settle()
	if _, all := a.why("f"); len(all.Lacking) != 0 {
		t.Errorf("%v lack it", all.Lacking)
	}
}

package folder_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/folder"
	"github.com/kithmesh/kith/node/folder/choice"
	"github.com/kithmesh/kith/protocol/exchange"
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
	h.await(fmt.Sprintf("%q of %q: %v", code, p, yes), func(folder.Status) bool {
		codes, all = h.why(p)
		return slices.Contains(codes, code) == yes
	})
	return codes, all
}

var ofDisk = map[string]cause{
	"a path of kith's own": {path: ".kith/folder", code: "kiths_own", do: nothing},
	"a path that nobody had": {path: "d/nobody's", code: "not_known", do: nothing},
	"ignored by the shared rules": {
		path: "x.tmp", code: "ignored", names: []string{`"*.tmp"`, ".kithignore", "line 2"},
		do:   func(_ *world, a, _ *hand) { a.write(".kithignore", "# rules\n*.tmp\n"); a.write("x.tmp", "x"); a.quiet() },
		hint: func(w *world, a, _ *hand) { a.write(".kithignore", "# rules\n"); w.settle() },
	},
	"ignored by rules further down": {
		path: "d/sub/x.tmp", code: "ignored", names: []string{`"sub/"`, "d/.kithignore", "line 1"},
		do:   func(_ *world, a, _ *hand) { a.write("d/.kithignore", "sub/\n"); a.write("d/sub/x.tmp", "x"); a.quiet() },
		hint: func(w *world, a, _ *hand) { a.remove("d/.kithignore"); w.settle() },
	},
	"ignored by this device alone": {
		path: "d/h", code: "ignored", names: []string{`"/d/h"`, "line 1"},
		do: func(_ *world, a, _ *hand) {
			a.w.must(os.WriteFile(a.path(".kith/ignore"), []byte("/d/h\n"), 0o644))
			a.down()
			a.up()
			a.write("d/h", "x")
			a.quiet()
		},
		hint: func(w *world, a, b *hand) {
			a.w.must(os.Remove(a.path(".kith/ignore")))
			a.down()
			a.up()
			w.link(a.device, b.device)
			w.settle()
		},
	},
	"a fifo": {
		path: "d/pipe", code: "special_file",
		do:   func(_ *world, a, _ *hand) { a.w.must(unix.Mkfifo(a.path("d/pipe"), 0o644)); a.scan() },
		hint: func(w *world, a, _ *hand) { a.w.must(os.Remove(a.path("d/pipe"))); w.settle() },
	},
	"a directory that may not be read": {
		path: "d/secret", code: "no_permission", names: []string{"d/secret"},
		do:   func(_ *world, a, _ *hand) { a.mkdir("d/secret"); a.quiet(); a.chmod("d/secret", 0); a.scan() },
		hint: func(w *world, a, _ *hand) { a.chmod("d/secret", 0o755); w.settle() },
	},
	"a file that is being written": {
		path: "d/draft", code: "being_written",
		do: func(_ *world, a, _ *hand) {
			f, err := os.Create(a.path("d/draft"))
			a.w.must(err)
			_, err = f.WriteString("unfinished")
			a.w.must(err)
			a.w.t.Cleanup(func() { _ = f.Close() })
			opened.Store(a.device, f)
		},
		hint: func(w *world, a, _ *hand) { letGo(a); w.settle() },
	},
	"a file that a program has open while a change of it comes": {
		path: "d/f", code: "open_for_writing", where: folder.Coming,
		do: func(w *world, a, b *hand) {
			w.cut(a.device, b.device)
			b.write("d/f", "edited")
			b.quiet()
			f, err := os.OpenFile(a.path("d/f"), os.O_WRONLY, 0)
			a.w.must(err)
			a.w.t.Cleanup(func() { _ = f.Close() })
			opened.Store(a.device, f)
			w.link(a.device, b.device)
		},
		hint: func(w *world, a, _ *hand) { letGo(a); w.settle() },
	},
	"one of many that have just gone": {
		path: "many/150", code: "going",
		do: func(w *world, a, _ *hand) {
			for i := range 300 {
				a.write(fmt.Sprintf("many/%d", i), fmt.Sprint(i))
			}
			w.settle()
			a.remove("many")
		},
		hint: func(w *world, a, _ *hand) { a.write("many/150", "put back"); w.settle() },
	},
	"below what is a file here": {
		path: "d/f/x", code: "parent_not_directory", names: []string{"d/f", "file"}, where: folder.Coming,
		do: func(w *world, a, b *hand) {
			w.cut(a.device, b.device)
			h := a.w.byHand(b.device, a.device)
			b.remove("d/f")
			b.write("d/f/x", "below")
			b.quiet()
			news := h.batch(100)
			h.tell(h.only(news, "d/f/x"))
		},
		hint: func(w *world, a, b *hand) { a.rename("d/f", "elsewhere"); a.scan() },
	},
}

func nothing(*world, *hand, *hand) {}

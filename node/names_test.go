package node_test

import (
	"encoding/hex"
	"strings"
	"testing"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/version"
	"github.com/kithmesh/kith/node/control"
)

func addFolder(t testing.TB, d *device) {
	t.Helper()
	if _, err := d.AddFolder(t.Context(), control.AddRequest{Path: d.root, Label: "docs"}); err != nil {
		t.Fatal(err)
	}
}

// TestNoNameLeadsOutOfTheFolder announces, properly sealed, what no path may
// be, as a file, a directory, a symlink and a delete.
func TestNoNameLeadsOutOfTheFolder(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	m := w.mallory
	before := listing(t, w.victim.root)
	names := []string{
		"", ".", "..", "/", "//", "../x", "../../../../../../etc/x", "/etc/x", "a/../../x", "a//b", "a/", "./a", "a/./b", "a/..",
		"..//x", "nul\x00byte", strings.Repeat("x", 256), strings.Repeat("y/", 2048) + "z", strings.Repeat("n", 4097),
		".kith", ".kith/x", ".kith/folder", ".kith/tmp/x", ".kith/../x", w.canary + "/x",
	}
	for _, name := range names {
		for _, kind := range []entry.Kind{entry.File, entry.Directory, entry.Symlink, entry.Deleted} {
			var e *entry.Entry
			switch kind {
			case entry.File:
				e = m.file(entry.Path(name), version.Version{}, "evil")
			default:
				e = &entry.Entry{Path: entry.Path(name), Kind: kind, Mode: 0o755, Epoch: 1, Version: m.next(version.Version{})}
			}
			if kind == entry.Symlink {
				e.Target = w.canary
			}
			r := m.sealed(e)
			m.announce(r)
			if err := m.talk.ended(); err != nil {
				t.Fatalf("the victim gave up the stream at %q: %v", name, err)
			}
			w.named("refused a record", string(m.ID()), hex.EncodeToString(r.GetId()))
		}
	}
	b := m.barrier(w.victim)
	w.unharmed(before, b)
}

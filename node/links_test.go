package node_test

import (
	"encoding/hex"
	"os"
	"strings"
	"testing"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/version"
)

// link is an entry for a symlink.
func (h *hostile) link(p entry.Path, base version.Version, target string) *entry.Entry {
	return &entry.Entry{
		Path: p, Kind: entry.Symlink, Mode: 0o777, Target: target, Epoch: 1, AuthorName: hostileName, Version: h.next(base),
	}
}

// gone is the delete of a path.
func (h *hostile) gone(p entry.Path, base version.Version) *entry.Entry {
	return &entry.Entry{Path: p, Kind: entry.Deleted, Epoch: 1, AuthorName: hostileName, Version: h.next(base)}
}

// TestNothingGoesThroughALink announces files, directories, links and deletes
// below a link that the victim's user made, as if it were a directory.
func TestNothingGoesThroughALink(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	m := w.mallory
	before := listing(t, w.victim.root)
	m.announce(
		m.sealed(m.file("link/x", version.Version{}, "through the link")),
		m.sealed(m.file("link/new", version.Version{}, "new")),
		m.sealed(m.file("link/sub/deep", version.Version{}, "deep")),
		m.sealed(m.link("link/passwd", version.Version{}, "/etc/passwd")),
		m.sealed(&entry.Entry{Path: "link/dir", Kind: entry.Directory, Mode: 0o777, Epoch: 1, Version: m.next(version.Version{})}),
		m.sealed(m.gone("link/inner.txt", version.Version{})),
	)
	b := m.barrier(w.victim)
	w.unharmed(before, b)
	w.named("refused a path below a symlink", "path=link/x", string(m.ID()))
}

// TestALinkIsNeverADirectory announces a link of its own out of the folder,
// and files below it: in the same message, and in the next.
func TestALinkIsNeverADirectory(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	m := w.mallory
	before := listing(t, w.victim.root)
	m.announce(m.sealed(m.link("out", version.Version{}, w.canary)), m.sealed(m.file("out/x", version.Version{}, "same message")))
	m.announce(m.sealed(m.file("out/new", version.Version{}, "next message")), m.sealed(m.gone("out/passwd", version.Version{})))
	b := m.barrier(w.victim)
	w.unharmed(before, b, "out")
}

// TestADirectoryThatBecomesALinkLeadsNowhere replaces directories that the
// victim has by links to the canary, one with what lies in it deleted first,
// and then writes and deletes below them.
func TestADirectoryThatBecomesALinkLeadsNowhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	m := w.mallory
	before := listing(t, w.victim.root)
	dir, _ := m.knows("dir")
	inner, _ := m.knows("dir/inner.txt")
	empty, _ := m.knows("empty")
	keep, _ := m.knows("empty/.keep")

	m.announce(m.sealed(m.link("dir", dir.Version, w.canary))) // inner.txt lives in it
	m.announce(m.sealed(m.file("dir/x", version.Version{}, "through")), m.sealed(m.file("dir/inner.txt", inner.Version, "through")))

	m.announce(m.sealed(m.gone("empty/.keep", keep.Version)))
	m.announce(m.sealed(m.link("empty", empty.Version, w.canary)))
	until(t, "the empty directory replaced", func() bool {
		info, err := os.Lstat(w.victim.at("empty"))
		return err == nil && info.Mode()&os.ModeSymlink != 0
	})
	m.announce(m.sealed(m.file("empty/x", version.Version{}, "through")), m.sealed(m.gone("empty/passwd", version.Version{})))
	b := m.barrier(w.victim)
	until(t, "the file in the directory that stays", func() bool { return w.victim.holds("dir/inner.txt", "through") })
	// The directory stays, as something lives in it: the link is kept beside it.
	names := []string{b, "empty", "empty/.keep", "dir/inner.txt", "dir/x"}
	for name := range listing(t, w.victim.root) {
		if strings.HasPrefix(name, "dir (conflict, "+hostileName) {
			names = append(names, name)
		}
	}
	w.unharmed(before, names...)
}

// TestKithsOwnNamesAreNobodyElses announces what would be staged content.
func TestKithsOwnNamesAreNobodyElses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	m := w.mallory
	before := listing(t, w.victim.root)
	for _, name := range []entry.Path{".kith-tmp-x", "dir/.kith-tmp-x", ".kith-tmp-d/x", ".kith-tmp-"} {
		r := m.sealed(m.file(name, version.Version{}, "staged"))
		m.announce(r)
		w.named("refused a record", string(m.ID()), hex.EncodeToString(r.GetId()))
	}
	b := m.barrier(w.victim)
	w.unharmed(before, b)
}

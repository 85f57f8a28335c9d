//go:build linux

package meshtest

import (
	"maps"
	"math/rand/v2"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// grounds are finished trees, and a mesh that only judges them.
type grounds struct {
	*mesh
	tree listing
	// owed are the files that are owed just there, and whose content is nowhere
	// else; links are symlinks of that kind.
	owed, links []string
	rng         *rand.Rand
}

// owedOnce are the paths outside the relays of a kind, whose content is owed
// where it is and is nowhere else.
func (m *mesh) owedOnce(l listing, kind byte) []string {
	n := map[sum]int{}
	for _, o := range l {
		n[o.sum]++
	}
	var out []string
	for _, p := range slices.Sorted(maps.Keys(l)) {
		if o := l[p]; o.kind == kind && n[o.sum] == 1 && !m.inRelay(p) && !isCopy(p) && m.book.owedAt(p, o.sum) {
			out = append(out, p)
		}
	}
	return out
}

// owedAt tells whether a content is owed at just this path.
func (b *book) owedAt(p string, s sum) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.ContainsFunc(b.debts[s], func(d *debt) bool { return d.paid == "" && d.path == p })
}

func (g *grounds) pick(from []string) string {
	if len(from) == 0 {
		return ""
	}
	return from[g.rng.IntN(len(from))]
}

func (g *grounds) pickRelay() string {
	var all []string
	for _, p := range slices.Sorted(maps.Keys(g.tree)) {
		if g.tree[p].kind == 'f' && g.inRelay(p) {
			all = append(all, p)
		}
	}
	return g.pick(all)
}

// onAll and onOne take what is at a path out of the trees, if anything is, and
// have something else made there; the first tree is the one. Nil without a path.
func (g *grounds) onAll(p string, do func(full string) error) func() { return g.on(g.devices, p, do) }
func (g *grounds) onOne(p string, do func(full string) error) func() {
	return g.on(g.devices[1:2], p, do)
}

func (g *grounds) on(devices []*device, p string, do func(full string) error) func() {
	if p == "" {
		return nil
	}
	var undo []func()
	for _, d := range devices {
		full, held := filepath.Join(d.root, p), filepath.Join(d.hold, "proof")
		err := os.Rename(full, held)
		was := err == nil
		g.report(do(full))
		undo = append(undo, func() {
			_ = os.RemoveAll(full)
			if was {
				g.report(os.Rename(held, full))
			}
		})
	}
	return func() {
		for _, u := range undo {
			u()
		}
	}
}

// spread puts what is at a path to another one too, on all.
func (g *grounds) spread(p string, to func(string) string) func() {
	if p == "" {
		return nil
	}
	body := g.bytes(filepath.Join(g.devices[0].root, p))
	return g.onAll(to(p), func(full string) error { return os.WriteFile(full, body, 0o600) })
}

// bytes are those of the file that is, or was before it was taken out, at a
// path.
func (g *grounds) bytes(full string) []byte {
	body, err := os.ReadFile(full)
	for _, d := range g.devices {
		if err != nil && below(full, d.root) {
			body, err = os.ReadFile(filepath.Join(d.hold, "proof"))
		}
	}
	g.report(err)
	return body
}

// copyTo makes the file that was taken out anew, with a mode if it is to be
// another, and with a time.
func (g *grounds) copyTo(full string, mode os.FileMode, when time.Time) error {
	if mode == 0 {
		mode = 0o644
		for _, d := range g.devices {
			if rel, err := filepath.Rel(d.root, full); err == nil && g.tree[rel].exec {
				mode = 0o755
			}
		}
	}
	if err := os.WriteFile(full, g.bytes(full), mode); err != nil {
		return err
	}
	return os.Chtimes(full, when, when)
}

func flip(g *grounds) func(string) error {
	return func(full string) error {
		body := g.bytes(full)
		body[len(body)/2] ^= 1
		return os.WriteFile(full, body, 0o600)
	}
}

func otherMode(g *grounds) func(string) error {
	return func(full string) error {
		mode := os.FileMode(0o755)
		for _, d := range g.devices {
			if rel, err := filepath.Rel(d.root, full); err == nil && g.tree[rel].exec {
				mode = 0o644
			}
		}
		return g.copyTo(full, mode, time.Now())
	}
}

func leave(string) error { return nil }

func elsewhere(full string) error { return os.Symlink("/nowhere/planted", full) }

func spurious(p string) string {
	dir, name := path.Split(p)
	ext := path.Ext(name)
	return dir + strings.TrimSuffix(name, ext) + " (conflict, nobody, 2026-01-02 03.04.05 abcd)" + ext
}

// misplace gives a file another name on all.
func misplace(g *grounds) func() {
	p := g.pick(g.owed)
	if p == "" {
		return nil
	}
	there := g.spread(p, func(p string) string { return path.Join(path.Dir(p), "planted") })
	gone := g.onAll(p, leave)
	return func() {
		gone()
		there()
	}
}

// revive puts a content that a user has deleted, and kept, back to a path at
// which it was.
func revive(g *grounds) func() {
	have := map[sum]bool{}
	for _, n := range g.tree {
		have[n.sum] = true
	}
	for _, d := range g.devices {
		held, _ := look(d.hold)
		for _, p := range slices.Sorted(maps.Keys(held)) {
			if n := held[p]; n.kind == 'f' && !have[n.sum] {
				body, err := os.ReadFile(filepath.Join(d.hold, p))
				if at := g.wasAt(n.sum); err == nil && at != "" {
					return g.onAll(at, func(full string) error { return os.WriteFile(full, body, 0o600) })
				}
			}
		}
	}
	return nil
}

// wasAt is a path at which a content was, and at which something can be put
// now.
func (g *grounds) wasAt(s sum) string {
	g.book.mu.Lock()
	defer g.book.mu.Unlock()
	for _, d := range g.book.debts[s] {
		up := path.Dir(d.path)
		if d.paid != "" && g.tree[d.path].kind != 'd' && !g.inRelay(d.path) && (up == "." || g.tree[up].kind == 'd') {
			return d.path
		}
	}
	return ""
}

//go:build linux

package meshtest

import (
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
)

// manyCopies is from how many conflict copies on a user throws half of them
// away.
const manyCopies = 30

// tidy is what a person does about conflict copies: looks at one and deletes
// it, or writes what both come to and deletes it then, or takes it for another
// file.
func (u *user) tidy() string {
	copies := u.copies()
	if len(copies) == 0 {
		return ""
	}
	u.rng.Shuffle(len(copies), func(i, j int) { copies[i], copies[j] = copies[j], copies[i] })
	if len(copies) > manyCopies {
		n := 0
		for _, p := range copies[:len(copies)/2] {
			if u.throw(p) {
				n++
			}
		}
		return fmt.Sprintf("%d of %d conflict copies away", n, len(copies))
	}
	p := copies[0]
	q := plain(p)
	switch x := u.rng.IntN(10); {
	case x < 5:
	case x < 8 && !u.busy(q) && u.node(q).kind == 'f':
		size := u.size()
		text := u.inPlace(q, change{parts: 1, from: nothing, content: func([]byte) []byte { return u.m.book.content(size) }})
		if text == "" || !u.throw(p) {
			return text
		}
		return text + fmt.Sprintf(", for what %q was too", p)
	case x < 10:
		q := u.file()
		if u.busy(q) || !u.parents(q) {
			return ""
		}
		return u.stopped(func() string {
			if n := u.node(p); !n.content() || u.node(q).kind == 'd' || !u.m.book.mayCome(n.sum, q) {
				return ""
			}
			return u.renameTo(p, q)
		})
	}
	if !u.throw(p) {
		return ""
	}
	return fmt.Sprintf("%q away", p)
}

// throw deletes a file that the user has looked at.
func (u *user) throw(p string) bool {
	held, n, ok := u.take(p)
	switch {
	case !ok:
		return false
	case n.kind == 'd':
		u.dropAll(u.within(held, p))
	case n.content():
		u.m.book.erase(u, p, n.sum)
	}
	return true
}

// copies are the conflict copies there are, in order.
func (u *user) copies() []string {
	var out []string
	_ = filepath.WalkDir(u.d.root, func(full string, e fs.DirEntry, err error) error {
		rel, _ := filepath.Rel(u.d.root, full)
		if err != nil {
			return nil
		}
		if rel == ".kith" {
			return fs.SkipDir
		}
		if !e.IsDir() && isCopy(rel) {
			out = append(out, rel)
		}
		return nil
	})
	slices.Sort(out)
	return out
}

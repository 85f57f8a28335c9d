//go:build linux

package meshtest

import (
	"fmt"
	"os"
	"path"
)

func (u *user) renameDir() string {
	p, q := u.dir(), u.dir()
	if p == q || below(q, p) || below(p, q) || u.busy(p) || u.busy(q) || !u.parents(q) {
		return ""
	}
	return u.stopped(func() string {
		if u.node(p).kind != 'd' || u.node(q).kind != 0 {
			return ""
		}
		all := u.within(u.abs(p), p)
		for at, n := range all {
			if n.content() && !u.m.book.mayCome(n.sum, moved(at, p, q)) {
				return ""
			}
		}
		for at, n := range all {
			u.m.book.touch(u.d.name, moved(at, p, q))
			if n.content() {
				u.m.book.put(u, moved(at, p, q), n.sum)
			}
		}
		if err := os.Rename(u.abs(p), u.abs(q)); err != nil {
			for at, n := range all {
				u.m.book.unput(moved(at, p, q), n.sum)
			}
			return ""
		}
		u.m.book.touch(u.d.name, p)
		u.m.book.touch(u.d.name, q)
		u.dropAll(all)
		return fmt.Sprintf("%q to %q with %d in it", p, q, len(all))
	})
}

func (u *user) deleteDir() string {
	p := u.dir()
	if u.busy(p) || u.node(p).kind != 'd' {
		return ""
	}
	if u.chance(0.5) {
		return u.takeDir(p)
	}
	return u.stopped(func() string {
		all := u.within(u.abs(p), p)
		if os.RemoveAll(u.abs(p)) != nil {
			return ""
		}
		u.m.book.touch(u.d.name, p)
		u.dropAll(all)
		return fmt.Sprintf("%q with %d in it", p, len(all))
	})
}

// takeDir takes a directory out of the tree. What kith may still put in it
// before it notices is swept up in the end.
func (u *user) takeDir(p string) string {
	held, n, ok := u.take(p)
	if !ok || n.kind != 'd' {
		if ok && n.content() {
			u.m.book.erase(u, p, n.sum)
		}
		return ""
	}
	all := u.within(held, p)
	u.dropAll(all)
	u.m.sweep(sweep{*u, held, p})
	return fmt.Sprintf("%q out of the tree with %d in it", p, len(all))
}

func (u *user) mkdir() string {
	p := u.dir()
	if u.busy(p) || !u.parents(p) || os.Mkdir(u.abs(p), 0o755) != nil {
		return ""
	}
	u.m.book.touch(u.d.name, p)
	return fmt.Sprintf("%q", p)
}

// turn makes a directory of a file, or a file of a directory.
func (u *user) turn() string {
	p := u.dir()
	if u.busy(p) {
		return ""
	}
	body, s := u.fresh()
	switch n := u.node(p); n.kind {
	case 'f', 'l':
		held, n, ok := u.take(p)
		if !ok || !n.content() {
			if ok && n.kind == 'd' { // it has become one just now
				u.dropAll(u.within(held, p))
			}
			return ""
		}
		u.m.book.drop(u, p, n.sum)
		if os.Mkdir(u.abs(p), 0o755) != nil {
			return fmt.Sprintf("%q: %s went, but no directory came", p, u.known(n))
		}
		in := path.Join(p, "x")
		u.m.book.put(u, in, s)
		if !u.make(u.abs(in), body) {
			u.m.book.unput(in, s)
		}
		return fmt.Sprintf("%q: a directory with %s as x, instead of %s", p, u.m.book.label(s), u.known(n))
	case 'd':
		text := u.takeDir(p)
		if text == "" {
			return ""
		}
		u.m.book.put(u, p, s)
		if !u.make(u.abs(p), body) {
			u.m.book.unput(p, s)
			return text
		}
		return text + ", and now it is " + u.m.book.label(s)
	}
	return ""
}

//go:build linux

package meshtest

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// user is a person at one device, about to do one thing.
//
// What a user replaces or removes must be known exactly, or the book would
// hold kith to something it could not do, or let it off. So content is
// written over through an open file that was read first; what gives way to a
// rename is exchanged out of the tree and read then; and where only a plain
// rename or unlink will do, the device stands still for the moment, wherever
// it happens to be.
type user struct {
	m    *mesh
	d    *device
	rng  *rand.Rand
	step int
}

func (u *user) abs(p string) string { return filepath.Join(u.d.root, p) }

func (u *user) chance(share float64) bool { return u.rng.Float64() < share }

// busy tells whether a slow writer is at, above or below a path.
func (u *user) busy(p string) bool {
	u.m.mu.Lock()
	defer u.m.mu.Unlock()
	for q := range u.d.busy {
		if p == q || below(p, q) || below(q, p) {
			return true
		}
	}
	return false
}

// setBusy notes that a slow writer begins or ends at the names of a file.
func (u *user) setBusy(names []string, on bool) {
	u.m.mu.Lock()
	defer u.m.mu.Unlock()
	for _, p := range names {
		if on {
			u.d.busy[p] = true
		} else {
			delete(u.d.busy, p)
		}
	}
}

// stopped runs f while the device stands still.
func (u *user) stopped(f func() string) string {
	u.d.stop()
	defer u.d.cont()
	return f()
}

// node is what lies at a path; its kind is 0 if nothing does.
func (u *user) node(p string) node {
	n, err := nodeAt(u.abs(p))
	if err != nil {
		return node{}
	}
	return n
}

// content tells whether a node is a file or a symlink.
func (n node) content() bool { return n.kind == 'f' || n.kind == 'l' }

// parents makes the directories above a path; false if something else is in
// the way.
func (u *user) parents(p string) bool {
	dir := path.Dir(p)
	if dir == "." {
		return true
	}
	if !u.parents(dir) {
		return false
	}
	switch n := u.node(dir); n.kind {
	case 'd':
		return true
	case 0:
		u.m.book.touch(u.d.name, dir)
		return os.Mkdir(u.abs(dir), 0o755) == nil
	}
	return false
}

// size is how long a new content is: often the same, so that equal sizes meet.
func (u *user) size() int {
	switch x := u.rng.IntN(100); {
	case x < 60:
		return 64
	case x < 95:
		return 24 + u.rng.IntN(400)
	case x < 99 || u.m.lasting == 0:
		return 100_000 + u.rng.IntN(600_000)
	}
	return 1_000_000 + u.rng.IntN(9_000_000)
}

// hold is a fresh path outside the tree, on the same file system.
func (u *user) hold() string {
	return filepath.Join(u.d.hold, fmt.Sprintf("%d-%d", u.step, u.rng.Uint32()))
}

// take moves what lies at a path out of the tree, and says what it was.
func (u *user) take(p string) (held string, n node, ok bool) {
	held = u.hold()
	if os.Rename(u.abs(p), held) != nil {
		return "", node{}, false
	}
	u.m.book.touch(u.d.name, p)
	n, err := nodeAt(held)
	return held, n, err == nil
}

// displace puts what lies at held, outside the tree, at a path in it, and
// takes out what was there. A directory stays where it is.
func (u *user) displace(held, p string) (old node, ok bool) {
	for range 20 {
		err := unix.Renameat2(unix.AT_FDCWD, held, unix.AT_FDCWD, u.abs(p), unix.RENAME_NOREPLACE)
		if err == nil {
			return node{}, true
		}
		if !errors.Is(err, unix.EEXIST) {
			return node{}, false
		}
		err = unix.Renameat2(unix.AT_FDCWD, held, unix.AT_FDCWD, u.abs(p), unix.RENAME_EXCHANGE)
		if errors.Is(err, unix.ENOENT) {
			continue
		}
		if err != nil {
			return node{}, false
		}
		old, err = nodeAt(held)
		if err != nil || old.kind != 'd' {
			return old, err == nil
		}
		_ = unix.Renameat2(unix.AT_FDCWD, held, unix.AT_FDCWD, u.abs(p), unix.RENAME_EXCHANGE)
		return node{}, false
	}
	return node{}, false
}

// paths are all names of an inode in the tree.
func (u *user) paths(ino uint64) []string {
	var out []string
	_ = filepath.WalkDir(u.d.root, func(full string, e fs.DirEntry, err error) error {
		rel, _ := filepath.Rel(u.d.root, full)
		if err != nil {
			return nil
		}
		if rel == ".kith" {
			return fs.SkipDir
		}
		if st, err := e.Info(); err == nil && st.Mode().IsRegular() && st.Sys().(*syscall.Stat_t).Ino == ino {
			out = append(out, rel)
		}
		return nil
	})
	return out
}

// change is how a file is written in place.
type change struct {
	content func(old []byte) []byte
	from    func(old []byte) int // how much of the old stays where it is
	parts   int                  // 1 is at once
	apart   time.Duration        // between parts
	back    bool                 // the modification time
}

// inPlace opens the file at a path, makes it if it is not there, and writes.
func (u *user) inPlace(p string, c change) string {
	f, err := os.OpenFile(u.abs(p), os.O_RDWR|syscall.O_NOFOLLOW, 0)
	made := errors.Is(err, fs.ErrNotExist)
	if made {
		f, err = os.OpenFile(u.abs(p), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o644)
	}
	if err != nil {
		return ""
	}
	st, err := f.Stat()
	if err != nil || !st.Mode().IsRegular() {
		f.Close()
		return ""
	}
	ino := st.Sys().(*syscall.Stat_t).Ino
	u.m.book.begin(ino)
	old, err := io.ReadAll(f)
	if err != nil {
		u.m.book.end(ino)
		f.Close()
		return ""
	}
	names := []string{p}
	if st.Sys().(*syscall.Stat_t).Nlink > 1 {
		names = u.paths(ino)
	}
	body := c.content(old)
	was, is := u.m.book.note(old), u.m.book.note(body)
	if made {
		was = is
	}
	for _, name := range names {
		u.m.book.put(u, name, is)
	}
	write := func() {
		defer f.Close()
		defer u.m.book.end(ino)
		if !made {
			for _, name := range names {
				u.m.book.drop(u, name, was)
			}
		}
		u.write(f, body, c.from(old), c)
		if c.back {
			_ = os.Chtimes(u.abs(p), st.ModTime(), st.ModTime())
		}
		now, err := f.Stat()
		if err == nil && now.Sys().(*syscall.Stat_t).Nlink == 0 {
			u.m.note("  step %d: %s of %q on %s is nowhere any more as its writer closes it", u.step, u.m.book.label(is), p, u.d.name)
		}
	}
	text := fmt.Sprintf("%q: %s over %s", p, u.m.book.label(is), u.m.book.label(was))
	if made {
		text = fmt.Sprintf("%q: %s, new", p, u.m.book.label(is))
	}
	if len(names) > 1 {
		text += fmt.Sprintf(" as %q", names)
	}
	if c.parts == 1 {
		write()
		return text
	}
	u.setBusy(names, true)
	u.m.users.Go(func() {
		defer u.setBusy(names, false)
		write()
		u.m.note("  step %d: the slow write of %q on %s is complete", u.step, p, u.d.name)
	})
	return text + fmt.Sprintf(", in %d parts", c.parts)
}

// write writes body from an offset on, in parts.
func (u *user) write(f *os.File, body []byte, from int, c change) {
	if !c.back {
		_ = f.Truncate(int64(from))
	}
	rest := body[from:]
	for i := range c.parts {
		n := len(rest) / (c.parts - i)
		if _, err := f.WriteAt(rest[:n], int64(from)); err != nil {
			u.m.note("  write %s: %v", f.Name(), err)
		}
		from += n
		if rest = rest[n:]; len(rest) > 0 {
			pause(u.m.ctx, c.apart)
		}
	}
}

// fresh is a content of which nobody has seen the like.
func (u *user) fresh() (body []byte, s sum) {
	body = u.m.book.content(u.size())
	return body, u.m.book.note(body)
}

// make writes a file that must not be there.
func (u *user) make(full string, body []byte) bool {
	f, err := os.OpenFile(full, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return false
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return false
	}
	ino := st.Sys().(*syscall.Stat_t).Ino
	u.m.book.begin(ino)
	defer u.m.book.end(ino)
	_, err = f.Write(body)
	return err == nil
}

// known is the content of a node as the journal names it.
func (u *user) known(n node) string {
	if n.kind == 0 {
		return "nothing"
	}
	return u.m.book.describe(n)
}

// within lists what lies below a directory, by paths relative to the root.
func (u *user) within(dir, as string) listing {
	out := listing{}
	all, _ := look(dir)
	for p, n := range all {
		out[path.Join(as, p)] = n
	}
	return out
}

// dropAll notes that all of a tree was seen and removed.
func (u *user) dropAll(l listing) {
	for p, n := range l {
		u.m.book.touch(u.d.name, p)
		if n.content() {
			u.m.book.erase(u, p, n.sum)
		}
	}
}

// moved is a path after its directory was renamed.
func moved(p, from, to string) string { return to + strings.TrimPrefix(p, from) }

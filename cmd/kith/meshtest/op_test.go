//go:build linux

package meshtest

import (
	"fmt"
	"os"
	"path"
	"time"

	"golang.org/x/sys/unix"
)

// op does one thing and tells what; "" if it does not apply.
type op func(u *user) string

var ops = map[string]op{
	"write": func(u *user) string {
		return u.writeFile(change{parts: 1})
	},
	"write-slowly": func(u *user) string {
		return u.writeFile(change{parts: 2 + u.rng.IntN(4), apart: time.Duration(5+u.rng.IntN(120)) * time.Millisecond})
	},
	"append":    (*user).appendFile,
	"stealth":   (*user).stealth,
	"replace":   (*user).replace,
	"rename":    (*user).rename,
	"over":      (*user).renameOver,
	"rename-d":  (*user).renameDir,
	"delete":    (*user).deleteFile,
	"delete-d":  (*user).deleteDir,
	"mkdir":     (*user).mkdir,
	"turn":      (*user).turn,
	"symlink":   (*user).symlink,
	"chmod":     (*user).chmod,
	"touch":     (*user).touchFile,
	"exchange":  (*user).exchange,
	"hard-link": (*user).hardLink,
	"tidy":      (*user).tidy,
}

// file is one of the profile's paths for files, and dir one for directories.
func (u *user) file() string { return u.m.profile.files[u.rng.IntN(len(u.m.profile.files))] }
func (u *user) dir() string  { return u.m.profile.dirs[u.rng.IntN(len(u.m.profile.dirs))] }

func nothing([]byte) int { return 0 }

func (u *user) writeFile(c change) string {
	p := u.file()
	if u.busy(p) || !u.parents(p) {
		return ""
	}
	size := u.size()
	c.content, c.from = func([]byte) []byte { return u.m.book.content(size) }, nothing
	return u.inPlace(p, c)
}

func (u *user) appendFile() string {
	p := u.file()
	if u.busy(p) || u.node(p).kind != 'f' {
		return ""
	}
	more := u.m.book.content(24 + u.rng.IntN(60))
	return u.inPlace(p, change{
		content: func(old []byte) []byte { return append(append([]byte{}, old...), more...) },
		from:    func(old []byte) int { return len(old) },
		parts:   1 + u.rng.IntN(2), apart: 20 * time.Millisecond,
	})
}

// stealth changes bytes and leaves size and modification time as they were.
func (u *user) stealth() string {
	p := u.file()
	if u.busy(p) || u.node(p).kind != 'f' {
		return ""
	}
	return u.inPlace(p, change{
		content: func(old []byte) []byte { return u.m.book.content(max(24, len(old)))[:max(24, len(old))] },
		from:    nothing, parts: 1, back: true,
	})
}

// temporary is a name beside a path as programs use them.
func (u *user) temporary(p string) string {
	dir, name := path.Split(p)
	if len(name) > 200 {
		name = "long"
	}
	return dir + []string{"." + name + ".swp", name + "~", fmt.Sprintf("tmp%d", u.step), fmt.Sprintf(".%s.%d", name, u.step)}[u.rng.IntN(4)]
}

// replace is how careful programs write: beside the path, then over it.
func (u *user) replace() string {
	p := u.file()
	if u.busy(p) || !u.parents(p) {
		return ""
	}
	temp := u.temporary(p)
	body, s := u.fresh()
	u.m.book.put(u, temp, s)
	if !u.make(u.abs(temp), body) {
		u.m.book.unput(temp, s)
		return ""
	}
	if u.chance(0.5) {
		pause(u.m.ctx, time.Duration(u.rng.IntN(30))*time.Millisecond)
	}
	if u.chance(0.5) {
		return u.stopped(func() string { return u.renameTo(temp, p) })
	}
	held, n, ok := u.take(temp)
	if !ok {
		return "" // somebody else has it
	}
	u.m.book.put(u, p, n.sum)
	u.m.book.erase(u, temp, n.sum)
	old, ok := u.displace(held, p)
	if !ok {
		u.m.book.unput(p, n.sum)
		return ""
	}
	if old.content() {
		u.m.book.drop(u, p, old.sum)
	}
	return fmt.Sprintf("%q: %s over %s", p, u.known(n), u.known(old))
}

// renameTo renames a file over another or to a free path, while the device
// stands still. If that cannot be, the file goes.
func (u *user) renameTo(from, to string) string {
	n, old := u.node(from), u.node(to)
	if !n.content() || old.kind == 'd' || old.ino == n.ino || !u.m.book.mayCome(n.sum, to) {
		if n.content() && os.Remove(u.abs(from)) == nil {
			u.m.book.erase(u, from, n.sum)
		}
		return ""
	}
	u.m.book.put(u, to, n.sum)
	if os.Rename(u.abs(from), u.abs(to)) != nil {
		u.m.book.unput(to, n.sum)
		return ""
	}
	u.m.book.erase(u, from, n.sum)
	if old.content() {
		u.m.book.drop(u, to, old.sum)
	}
	return fmt.Sprintf("%q to %q: %s over %s", from, to, u.known(n), u.known(old))
}

// rename takes a file to a free path. Where the book is strict the device
// stands still meanwhile, so that nothing else is taken there than was seen.
func (u *user) rename() string {
	p, q := u.file(), u.file()
	if p == q || u.busy(p) || u.busy(q) || below(q, p) || !u.parents(q) {
		return ""
	}
	if u.m.book.strict {
		return u.stopped(func() string { return u.renameFree(p, q) })
	}
	return u.renameFree(p, q)
}

func (u *user) renameFree(p, q string) string {
	n := u.node(p)
	if !n.content() || !u.m.book.mayCome(n.sum, q) {
		return ""
	}
	u.m.book.put(u, q, n.sum)
	if unix.Renameat2(unix.AT_FDCWD, u.abs(p), unix.AT_FDCWD, u.abs(q), unix.RENAME_NOREPLACE) != nil {
		u.m.book.unput(q, n.sum)
		return ""
	}
	if now := u.node(q); now.content() && now.sum != n.sum { // kith was quicker
		u.m.book.unput(q, n.sum)
		u.m.book.put(u, q, now.sum)
		n = now
	}
	u.m.book.erase(u, p, n.sum)
	return fmt.Sprintf("%q to %q: %s", p, q, u.known(n))
}

func (u *user) renameOver() string {
	p, q := u.file(), u.file()
	if p == q || u.busy(p) || u.busy(q) {
		return ""
	}
	return u.stopped(func() string {
		n, old := u.node(p), u.node(q)
		if !n.content() || !old.content() || n.ino == old.ino || !u.m.book.mayCome(n.sum, q) {
			return ""
		}
		return u.renameTo(p, q)
	})
}

func (u *user) deleteFile() string {
	p := u.file()
	if u.busy(p) || !u.node(p).content() {
		return ""
	}
	if u.chance(0.5) {
		held, n, ok := u.take(p)
		if !ok {
			return ""
		}
		if n.kind == 'd' { // it has become one just now
			u.dropAll(u.within(held, p))
			return fmt.Sprintf("%q: a directory", p)
		}
		u.m.book.erase(u, p, n.sum)
		return fmt.Sprintf("%q: %s", p, u.known(n))
	}
	return u.stopped(func() string {
		n := u.node(p)
		if !n.content() || os.Remove(u.abs(p)) != nil {
			return ""
		}
		u.m.book.erase(u, p, n.sum)
		return fmt.Sprintf("%q: %s", p, u.known(n))
	})
}

// symlink makes or retargets one.
func (u *user) symlink() string {
	p := u.file()
	if u.busy(p) || !u.parents(p) {
		return ""
	}
	target, held := u.m.book.target(), u.hold()
	s := u.m.book.noteLink(target)
	if os.Symlink(target, held) != nil {
		return ""
	}
	u.m.book.put(u, p, s)
	old, ok := u.displace(held, p)
	if !ok {
		u.m.book.unput(p, s)
		return ""
	}
	if old.content() {
		u.m.book.drop(u, p, old.sum)
	}
	return fmt.Sprintf("%q: %s over %s", p, u.m.book.label(s), u.known(old))
}

func (u *user) chmod() string {
	p := u.file()
	n := u.node(p)
	if u.busy(p) || n.kind != 'f' {
		return ""
	}
	mode := os.FileMode(0o755)
	if n.exec {
		mode = 0o644
	}
	u.m.book.touch(u.d.name, p)
	f, err := os.OpenFile(u.abs(p), os.O_RDONLY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return ""
	}
	defer f.Close()
	if f.Chmod(mode) != nil {
		return ""
	}
	return fmt.Sprintf("%q to %o", p, mode)
}

func (u *user) touchFile() string {
	p := u.file()
	if u.busy(p) || u.node(p).kind != 'f' {
		return ""
	}
	u.m.book.touch(u.d.name, p)
	when := time.Unix(1_700_000_000+int64(u.step)*100+u.rng.Int64N(50), u.rng.Int64N(1e9))
	if os.Chtimes(u.abs(p), when, when) != nil {
		return ""
	}
	return fmt.Sprintf("%q to %s", p, when.UTC().Format(time.RFC3339Nano))
}

// exchange swaps two files of one size, within a tick of the clock.
func (u *user) exchange() string {
	p, q := u.file(), u.file()
	if p == q || u.busy(p) || u.busy(q) {
		return ""
	}
	return u.stopped(func() string {
		x, y := u.node(p), u.node(q)
		if !x.content() || !y.content() || x.ino == y.ino || !u.m.book.mayCome(x.sum, q) || !u.m.book.mayCome(y.sum, p) {
			return ""
		}
		u.m.book.put(u, q, x.sum)
		u.m.book.put(u, p, y.sum)
		if unix.Renameat2(unix.AT_FDCWD, u.abs(p), unix.AT_FDCWD, u.abs(q), unix.RENAME_EXCHANGE) != nil {
			u.m.book.unput(q, x.sum)
			u.m.book.unput(p, y.sum)
			return ""
		}
		u.m.book.drop(u, p, x.sum)
		u.m.book.drop(u, q, y.sum)
		return fmt.Sprintf("%q (%s) with %q (%s)", p, u.known(x), q, u.known(y))
	})
}

func (u *user) hardLink() string {
	p, q := u.file(), u.file()
	if p == q || u.busy(p) || u.busy(q) || !u.parents(q) {
		return ""
	}
	return u.stopped(func() string {
		n := u.node(p)
		if n.kind != 'f' || u.node(q).kind != 0 || !u.m.book.mayCome(n.sum, q) {
			return ""
		}
		u.m.book.put(u, q, n.sum)
		if os.Link(u.abs(p), u.abs(q)) != nil {
			u.m.book.unput(q, n.sum)
			return ""
		}
		return fmt.Sprintf("%q as %q too: %s", p, q, u.known(n))
	})
}

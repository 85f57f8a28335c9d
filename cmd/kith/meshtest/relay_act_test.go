//go:build linux

package meshtest

import (
	"fmt"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// act does something in the relay.
func (l *relay) act(u *user) (name string, made map[string]node) {
	type deed struct {
		name   string
		weight int
		do     func(*user) map[string]node
	}
	deeds := []deed{
		{"new", 22, l.create}, {"edit", 22, l.edit}, {"replace", 12, l.replace}, {"delete", 10, l.remove},
		{"rename", 10, l.rename}, {"exchange", 6, l.exchange}, {"chmod", 4, l.chmod}, {"touch", 4, l.touch},
		{"symlink", 6, l.symlink}, {"mkdir", 7, l.mkdir}, {"rename-d", 4, l.renameDir}, {"delete-d", 3, l.removeDir},
	}
	if len(l.want) > relayPaths {
		deeds[3].weight, deeds[11].weight = 60, 30
	}
	total := 0
	for _, d := range deeds {
		total += d.weight
	}
	x := u.rng.IntN(total)
	for _, d := range deeds {
		if x -= d.weight; x < 0 {
			return d.name, d.do(u)
		}
	}
	return "", nil
}

// pick is one of the paths of the relay that are of one of the kinds.
func (l *relay) pick(u *user, kinds string) (string, bool) {
	var all []string
	for p, n := range l.want {
		if strings.IndexByte(kinds, n.kind) >= 0 && (p != l.dir || kinds == "d.") {
			all = append(all, p)
		}
	}
	if len(all) == 0 {
		return "", false
	}
	slices.Sort(all)
	return all[u.rng.IntN(len(all))], true
}

// free is a path for something new: one that nobody has had, or now and then,
// for a file, one that this user has deleted.
func (l *relay) free(u *user, again bool) string {
	if again && u.chance(0.3) {
		var mine []string
		for p, d := range l.last {
			_, there := l.want[p]
			if d == u.d && !there && l.want[path.Dir(p)].kind == 'd' && path.Base(p)[0] != 'd' {
				mine = append(mine, p)
			}
		}
		if slices.Sort(mine); len(mine) > 0 {
			return mine[u.rng.IntN(len(mine))]
		}
	}
	dir, _ := l.pick(u, "d.")
	return path.Join(dir, fmt.Sprintf("f%d", u.step))
}

func (l *relay) create(u *user) map[string]node {
	p := l.free(u, true)
	body, s := u.fresh()
	u.m.book.put(u, p, s)
	if !u.make(u.abs(p), body) {
		u.m.book.unput(p, s)
		return nil
	}
	return map[string]node{p: {kind: 'f', sum: s}}
}

func (l *relay) edit(u *user) map[string]node {
	p, ok := l.pick(u, "f")
	if !ok {
		return nil
	}
	more, add := u.m.book.content(u.size()), u.chance(0.4)
	var s sum
	u.inPlace(p, change{parts: 1, from: func(old []byte) int {
		if add {
			return len(old)
		}
		return 0
	}, content: func(old []byte) []byte {
		body := more
		if add {
			body = append(slices.Clone(old), more...)
		}
		s = u.m.book.note(body)
		return body
	}})
	return map[string]node{p: {kind: 'f', sum: s}}
}

func (l *relay) replace(u *user) map[string]node {
	p, ok := l.pick(u, "fl")
	if !ok {
		return nil
	}
	temp := path.Join(path.Dir(p), fmt.Sprintf(".t%d", u.step))
	body, s := u.fresh()
	u.m.book.put(u, temp, s)
	if !u.make(u.abs(temp), body) {
		u.m.book.unput(temp, s)
		return nil
	}
	u.m.book.put(u, p, s)
	if err := os.Rename(u.abs(temp), u.abs(p)); err != nil {
		u.m.fail("rename %q to %q on %s: %v", temp, p, u.d.name, err)
		return nil
	}
	u.m.book.erase(u, temp, s)
	u.m.book.drop(u, p, l.want[p].sum)
	return map[string]node{p: {kind: 'f', sum: s}, temp: {}}
}

func (l *relay) symlink(u *user) map[string]node {
	p := l.free(u, true)
	target := u.m.book.target()
	s := u.m.book.noteLink(target)
	u.m.book.put(u, p, s)
	if os.Symlink(target, u.abs(p)) != nil {
		u.m.book.unput(p, s)
		return nil
	}
	return map[string]node{p: {kind: 'l', sum: s}}
}

func (l *relay) remove(u *user) map[string]node {
	p, ok := l.pick(u, "fl")
	if !ok || os.Remove(u.abs(p)) != nil {
		return nil
	}
	u.m.book.erase(u, p, l.want[p].sum)
	return map[string]node{p: {}}
}

func (l *relay) rename(u *user) map[string]node {
	p, ok := l.pick(u, "fl")
	q := l.free(u, false)
	if !ok {
		return nil
	}
	n := l.want[p]
	u.m.book.put(u, q, n.sum)
	if os.Rename(u.abs(p), u.abs(q)) != nil {
		u.m.book.unput(q, n.sum)
		return nil
	}
	u.m.book.erase(u, p, n.sum)
	return map[string]node{p: {}, q: n}
}

func (l *relay) exchange(u *user) map[string]node {
	p, ok := l.pick(u, "fl")
	q, _ := l.pick(u, "fl")
	x, y := l.want[p], l.want[q]
	if !ok || p == q || !u.m.book.mayCome(x.sum, q) || !u.m.book.mayCome(y.sum, p) {
		return nil
	}
	u.m.book.put(u, q, x.sum)
	u.m.book.put(u, p, y.sum)
	if unix.Renameat2(unix.AT_FDCWD, u.abs(p), unix.AT_FDCWD, u.abs(q), unix.RENAME_EXCHANGE) != nil {
		u.m.book.unput(q, x.sum)
		u.m.book.unput(p, y.sum)
		return nil
	}
	u.m.book.drop(u, p, x.sum)
	u.m.book.drop(u, q, y.sum)
	return map[string]node{p: y, q: x}
}

// chmod sets the execute bit, and never takes it off.
func (l *relay) chmod(u *user) map[string]node {
	p, ok := l.pick(u, "f")
	if !ok || l.want[p].exec || os.Chmod(u.abs(p), 0o755) != nil {
		return nil
	}
	u.m.book.touch(u.d.name, p)
	return map[string]node{p: l.want[p]}
}

func (l *relay) touch(u *user) map[string]node {
	p, ok := l.pick(u, "f")
	when := time.Unix(1_600_000_000+int64(u.step), u.rng.Int64N(1e9))
	if !ok || os.Chtimes(u.abs(p), when, when) != nil {
		return nil
	}
	u.m.book.touch(u.d.name, p)
	return map[string]node{p: l.want[p]}
}

func (l *relay) mkdir(u *user) map[string]node {
	up, _ := l.pick(u, "d.")
	p := path.Join(up, fmt.Sprintf("d%d", u.step))
	u.m.book.touch(u.d.name, p)
	if os.Mkdir(u.abs(p), 0o755) != nil {
		return nil
	}
	return map[string]node{p: {kind: 'd'}}
}

func (l *relay) renameDir(u *user) map[string]node {
	p, ok := l.pick(u, "d")
	up, _ := l.pick(u, "d.")
	if !ok || up == p || below(up, p) {
		return nil
	}
	q := path.Join(up, fmt.Sprintf("d%d", u.step))
	made := map[string]node{p: {}, q: {kind: 'd'}}
	u.m.book.touch(u.d.name, q)
	for at, n := range l.want {
		if below(at, p) {
			made[at], made[moved(at, p, q)] = node{}, n
			u.m.book.touch(u.d.name, moved(at, p, q))
			if n.content() {
				u.m.book.put(u, moved(at, p, q), n.sum)
			}
		}
	}
	if err := os.Rename(u.abs(p), u.abs(q)); err != nil {
		u.m.fail("rename %q to %q on %s: %v", p, q, u.d.name, err)
		return nil
	}
	l.eraseBelow(u, p)
	return made
}

func (l *relay) removeDir(u *user) map[string]node {
	p, ok := l.pick(u, "d")
	if !ok {
		return nil
	}
	made := map[string]node{p: {}}
	for at := range l.want {
		if below(at, p) {
			made[at] = node{}
		}
	}
	if err := os.RemoveAll(u.abs(p)); err != nil {
		u.m.fail("remove %q on %s: %v", p, u.d.name, err)
		return nil
	}
	l.eraseBelow(u, p)
	return made
}

// eraseBelow notes that a directory of the relay and all in it is gone.
func (l *relay) eraseBelow(u *user, p string) {
	u.m.book.touch(u.d.name, p)
	for at, n := range l.want {
		if !below(at, p) {
			continue
		}
		u.m.book.touch(u.d.name, at)
		if n.content() {
			u.m.book.erase(u, at, n.sum)
		}
	}
}

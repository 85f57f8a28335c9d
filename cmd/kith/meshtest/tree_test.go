//go:build linux

package meshtest

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"syscall"
)

// node is what lies at one path.
type node struct {
	kind   byte // f, d, l, or ? for anything else
	sum    sum
	target string
	exec   bool
	mtime  int64
	ino    uint64
}

// same tells whether two devices agree on a node.
func (n node) same(o node) bool { return n.kind == o.kind && n.sum == o.sum && n.exec == o.exec }

// listing is a tree.
type listing map[string]node

// look reads a tree without kith's own directory. What goes while it looks is
// left out.
func look(root string) (listing, error) {
	out := listing{}
	err := filepath.WalkDir(root, func(full string, e fs.DirEntry, err error) error {
		rel, _ := filepath.Rel(root, full)
		switch {
		case rel == ".kith":
			return fs.SkipDir
		case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
			return nil
		case err != nil:
			return err
		case rel == ".":
			return nil
		}
		n, err := nodeAt(full)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ELOOP) || errors.Is(err, syscall.ENOTDIR) {
			return nil
		}
		if err != nil {
			return err
		}
		out[rel] = n
		return nil
	})
	return out, err
}

// nodeAt reads what lies at a path.
func nodeAt(full string) (node, error) {
	st, err := os.Lstat(full)
	if err != nil {
		return node{}, err
	}
	sys := st.Sys().(*syscall.Stat_t)
	n := node{kind: '?', ino: sys.Ino, mtime: sys.Mtim.Nano()}
	switch {
	case st.IsDir():
		n.kind = 'd'
	case st.Mode()&fs.ModeSymlink != 0:
		n.kind = 'l'
		if n.target, err = os.Readlink(full); err != nil {
			return n, err
		}
		n.sum = linkSum(n.target)
	case st.Mode().IsRegular():
		n.kind, n.exec = 'f', st.Mode()&0o100 != 0
		f, err := os.OpenFile(full, os.O_RDONLY|syscall.O_NOFOLLOW, 0)
		if err != nil {
			return n, err
		}
		defer f.Close()
		if st, err = f.Stat(); err != nil {
			return n, err
		}
		n.ino = st.Sys().(*syscall.Stat_t).Ino
		body, err := io.ReadAll(f)
		if err != nil {
			return n, err
		}
		n.sum = sha256.Sum256(body)
	}
	return n, nil
}

// compare tells how two trees differ.
func (b *book) compare(x, y listing, xName, yName string) []string {
	var out []string
	for _, p := range slices.Sorted(maps.Keys(x)) {
		if m, ok := y[p]; !ok {
			out = append(out, fmt.Sprintf("%q is %s on %s and not on %s", p, b.describe(x[p]), xName, yName))
		} else if !x[p].same(m) {
			out = append(out, fmt.Sprintf("%q is %s on %s and %s on %s", p, b.describe(x[p]), xName, b.describe(m), yName))
		}
	}
	for _, p := range slices.Sorted(maps.Keys(y)) {
		if _, ok := x[p]; !ok {
			out = append(out, fmt.Sprintf("%q is %s on %s and not on %s", p, b.describe(y[p]), yName, xName))
		}
	}
	return out
}

func (b *book) describe(n node) string {
	switch n.kind {
	case 'd':
		return "a directory"
	case 'f', 'l':
		x := ""
		if n.exec {
			x = " +x"
		}
		return b.label(n.sum) + x
	}
	return "neither file, directory nor link"
}

// compareExactly tells how two trees differ, in the modification times of files
// too.
func (b *book) compareExactly(x, y listing, xName, yName string) []string {
	out := b.compare(x, y, xName, yName)
	for _, p := range slices.Sorted(maps.Keys(x)) {
		if m := y[p]; x[p].kind == 'f' && x[p].same(m) && x[p].mtime != m.mtime {
			out = append(out, fmt.Sprintf("%q has time %d on %s and %d on %s", p, x[p].mtime, xName, m.mtime, yName))
		}
	}
	return out
}

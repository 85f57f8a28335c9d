package entry

import (
	"errors"
	"fmt"
	"strings"
)

// Path names a file within a folder: bytes, slash-separated, relative to the
// folder's root, in no particular encoding. The valid ones are those that
// [ParsePath] accepts; the empty Path is the root itself.
type Path string

// Limits of a path, those of Linux.
const (
	MaxPath = 4096 // bytes of a path
	MaxName = 255  // bytes of one name in it
)

// Reserved is the name of kith's own directory at a folder's root, and
// Temporary what names of its temporary files begin with, anywhere.
const (
	Reserved  = ".kith"
	Temporary = ".kith-tmp-"
)

// ErrPath is wrapped by every refusal of [ParsePath].
var ErrPath = errors.New("not a path within a folder")

// ParsePath accepts a path that names something strictly beneath the root of
// a folder, and nothing of kith's own. It refuses empty, absolute and too long
// paths, empty names, "." and "..", NUL bytes, [Reserved] at the root, and names
// that begin with [Temporary].
func ParsePath(s string) (Path, error) {
	switch {
	case s == "":
		return "", fmt.Errorf("%w: empty", ErrPath)
	case len(s) > MaxPath:
		return "", fmt.Errorf("%w: %d bytes long", ErrPath, len(s))
	case strings.IndexByte(s, 0) >= 0:
		return "", fmt.Errorf("%w: %q holds a NUL byte", ErrPath, s)
	}
	for name := range strings.SplitSeq(s, "/") {
		if name == "" || name == "." || name == ".." {
			return "", fmt.Errorf("%w: %q", ErrPath, s)
		}
		if strings.HasPrefix(name, Temporary) {
			return "", fmt.Errorf("%w: %q is kith's own", ErrPath, s)
		}
		if len(name) > MaxName {
			return "", fmt.Errorf("%w: a name of %d bytes in %q", ErrPath, len(name), s)
		}
	}
	if s == Reserved || strings.HasPrefix(s, Reserved+"/") {
		return "", fmt.Errorf("%w: %q is kith's own", ErrPath, s)
	}
	return Path(s), nil
}

// Parent is the directory that holds p; the root's is the root.
func (p Path) Parent() Path {
	if i := strings.LastIndexByte(string(p), '/'); i >= 0 {
		return p[:i]
	}
	return ""
}

// Name is the last name of p.
func (p Path) Name() string { return string(p)[strings.LastIndexByte(string(p), '/')+1:] }

// Join is the path of name within directory p.
func (p Path) Join(name string) Path {
	if p == "" {
		return Path(name)
	}
	return p + "/" + Path(name)
}

// Below tells whether p lies strictly below directory d.
func (p Path) Below(d Path) bool {
	return d == "" && p != "" || len(p) > len(d) && p[len(d)] == '/' && p[:len(d)] == d
}

// Compare orders paths as a sorted walk meets them: a directory, then all
// below it, then its next sibling.
func (p Path) Compare(o Path) int {
	n := min(len(p), len(o))
	for i := range n {
		if a, b := p[i], o[i]; a != b {
			switch {
			case a == '/':
				return -1
			case b == '/':
				return 1
			case a < b:
				return -1
			}
			return 1
		}
	}
	return len(p) - len(o)
}

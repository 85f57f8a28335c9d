package pasttest

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/version"
)

// Step makes one random change, such as people make; what it leaves is a tree.
func (f *Folder) Step(r *rand.Rand) {
	f.T.Helper()
	f.As(version.ReplicaID(1 + r.IntN(3)))
	f.Pass(time.Duration(1+r.IntN(900)) * time.Second)
	switch p, ok := f.some(r); {
	case r.IntN(40) == 0:
		f.NewEpoch()
	case !ok || r.IntN(3) == 0:
		f.fresh(r)
	case r.IntN(5) == 0:
		f.remove(p)
	case r.IntN(6) == 0:
		f.Chmod(p, []uint32{0o600, 0o644, 0o755, 0o700, 0o555, 0o400}[r.IntN(6)])
	case f.Living[p].Kind == entry.File && r.IntN(4) == 0:
		f.rename(r, p)
	case f.Living[p].Kind == entry.File:
		f.Write(p, Text(r))
	case f.Living[p].Kind == entry.Symlink:
		f.Symlink(p, Text(r)[:1+r.IntN(20)])
	case !f.holds(p):
		f.remove(p)
		f.Write(p, Text(r)) // a file where a directory was
	}
}

// Text is the content of some file: none, little, or some blocks.
func Text(r *rand.Rand) string {
	b := make([]byte, 1+[]int{0, 40, 900, 6000}[r.IntN(4)]*r.IntN(10)/8)
	for i := range b {
		b[i] = "abcdefgh/\n"[r.IntN(10)]
	}
	if b[0] == '/' && len(b) == 1 {
		return ""
	}
	return string(bytes.ReplaceAll(b, []byte{0}, nil)) + "                    "
}

// some is a random path that lives.
func (f *Folder) some(r *rand.Rand) (entry.Path, bool) {
	var all []entry.Path
	for p := range f.Living {
		all = append(all, p)
	}
	if len(all) == 0 {
		return "", false
	}
	slices.Sort(all)
	p := all[r.IntN(len(all))]
	if f.Living[p].Kind == entry.Symlink {
		return p, r.IntN(2) == 0
	}
	return p, true
}

func (f *Folder) holds(p entry.Path) bool {
	for q := range f.Living {
		if q.Below(p) {
			return true
		}
	}
	return false
}

// fresh makes something at a path where nothing is.
func (f *Folder) fresh(r *rand.Rand) {
	p := f.free(r)
	switch r.IntN(6) {
	case 0, 1:
		f.Mkdir(p, []uint32{0o755, 0o700, 0o555}[r.IntN(3)])
	case 2:
		f.Symlink(p, "../"+strings.Repeat("x/", r.IntN(4))+"y")
	default:
		f.Write(p, Text(r))
	}
}

// free is a path where nothing is, in a directory that is there.
func (f *Folder) free(r *rand.Rand) entry.Path {
	var dirs []entry.Path
	for p, e := range f.Living {
		if e.Kind == entry.Directory && len(p) < 60 {
			dirs = append(dirs, p)
		}
	}
	slices.Sort(dirs)
	dirs = append(dirs, "")
	names := []string{"a", "b", "c d", "e.txt", "\xff\xfe", "ü.tar.gz", "a-b", "A"}
	p := dirs[r.IntN(len(dirs))].Join(names[r.IntN(len(names))])
	for f.Living[p] != nil {
		p += entry.Path("abcdefghij"[r.IntN(10)])
	}
	return p
}

// remove deletes a path and all below it, from below.
func (f *Folder) remove(p entry.Path) {
	var all []entry.Path
	for q := range f.Living {
		if q == p || q.Below(p) {
			all = append(all, q)
		}
	}
	slices.SortFunc(all, func(a, b entry.Path) int { return b.Compare(a) })
	for _, q := range all {
		f.Delete(q)
	}
}

func (f *Folder) rename(r *rand.Rand, p entry.Path) {
	to, was, content := f.free(r), *f.Living[p], string(f.Content[p])
	f.Delete(p)
	e := entry.Entry{Path: to, Kind: entry.File, Mode: was.Mode, ModTime: was.ModTime, Size: was.Size}
	f.Cut(&e, content)
	f.change(&e, content)
}

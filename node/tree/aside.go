package tree

import (
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"github.com/kithmesh/kith/index/entry"
)

// asideName is the name of a file that is out of place for the moment: a
// staged one about to be exchanged, then what it displaced; or one that is
// being removed. It tells the two apart by inode, and tells displaced content
// that was expected from content that was not, so that whatever a crash leaves
// can be judged with no other memory.
type asideName struct {
	staged uint64 // inode of what was staged; 0 when removing
	want   Stat   // what is to be displaced, without its target
	tag    string // makes the name unique
	base   string // the name it had, perhaps shortened
}

// maxAsideBase leaves room in a name for all other parts: 4 numbers of up to
// 16 digits, 2 of 3, the tag, 7 dashes and tempPrefix.
const maxAsideBase = entry.MaxName - (4*16 + 2*3 + 12 + 7 + len(tempPrefix))

func (a asideName) String() string {
	w := a.want
	return fmt.Sprintf("%x-%d-%o-%x-%x-%x-%s-%s", a.staged, w.Kind, w.Mode,
		w.Disk.Inode, uint64(w.Size), uint64(w.ModTime), a.tag, clip(a.base, maxAsideBase)) //nolint:gosec // bit patterns
}

// parseAside reads what String wrote.
func parseAside(name string) (asideName, bool) {
	f := strings.SplitN(name, "-", 8)
	if len(f) != 8 || f[6] == "" || f[7] == "" {
		return asideName{}, false
	}
	var n [6]uint64
	for i, base := range []int{16, 10, 8, 16, 16, 16} {
		bits := 64
		if i == 1 {
			bits = 8
		}
		if i == 2 {
			bits = 9
		}
		v, err := strconv.ParseUint(f[i], base, bits)
		if err != nil {
			return asideName{}, false
		}
		n[i] = v
	}
	return asideName{
		staged: n[0],
		want: Stat{
			Kind: entry.Kind(n[1]), Mode: uint32(n[2]), Disk: entry.Disk{Inode: n[3]},
			Size: int64(n[4]), ModTime: int64(n[5]), //nolint:gosec // bit patterns
		},
		tag: f[6], base: f[7],
	}, true
}

// asideSpot is a spot where displaced content lies for the moment.
func asideSpot(d dir, in entry.Path, prefix string, a asideName) spot {
	name := prefix + a.String()
	return spot{dir: d, name: name, path: in.Join(name)}
}

// known refuses displaced content that was not expected, or that is still
// being written, or a directory that holds something: [ErrChanged], [ErrBusy],
// [ErrNotEmpty].
//
// A writer who, between the caller's last look at the path and this one,
// changed the file and put back its modification time is not noticed: the
// rename has set the change time.
func known(out spot, want Stat) error {
	st, err := out.dir.lstat(out.name)
	switch {
	case err != nil:
		return err
	case !st.sameMoved(want):
		return ErrChanged
	case st.Kind == entry.Directory:
		return empty(out.dir, out.name)
	case st.Kind == entry.File && written(out.dir, out.name):
		return ErrBusy
	}
	return nil
}

// discard removes displaced content that is known. Only a directory can still
// refuse: [ErrNotEmpty]. A file that cannot be unlinked is left to the next
// Open, as what was to be done has been done.
func (t *Tree) discard(out spot, want Stat) error {
	if want.Kind == entry.Directory {
		return t.permitted(func() error { return out.dir.rmdir(out.name) }, out)
	}
	_ = t.permitted(func() error { return out.dir.unlink(out.name) }, out)
	return nil
}

// putBack returns displaced content to its path, which is free, and then
// returns cause. If something has come to the path meanwhile, it is kept
// beside.
func (t *Tree) putBack(at, out spot, cause error) error {
	t.at("put back")
	err := t.permitted(func() error { return out.dir.renameNew(out.name, at.dir, at.name) }, at, out)
	if errors.Is(err, ErrExists) {
		return t.keep(at, out)
	}
	if err != nil {
		return &KeptError{Path: at.path, Cause: errors.Join(cause, err)}
	}
	return cause
}

// keep gives displaced content a fresh name beside its path, and returns the
// [KeptError] that tells.
func (t *Tree) keep(at, out spot) error {
	for {
		name := beside(at.name)
		err := t.permitted(func() error { return out.dir.renameNew(out.name, at.dir, name) }, at, out)
		switch {
		case err == nil:
			t.touched(at)
			return &KeptError{Path: at.path, Kept: at.path.Parent().Join(name)}
		case !errors.Is(err, fs.ErrExist):
			return &KeptError{Path: at.path, Cause: err}
		}
	}
}

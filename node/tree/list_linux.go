//go:build !portable

package tree

import (
	"encoding/binary"
	"fmt"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/kithmesh/kith/index/entry"
)

// direntBuffers hold what one getdents64 call returns: about a thousand names.
var direntBuffers = sync.Pool{New: func() any { return new([64 << 10]byte) }}

// list looks at the names in d that p, its path, does not hide, in no order.
// It fails as a whole rather than leave out what it could not look at.
func (d dir) list(p entry.Path) (children []Child, err error) {
	var st unix.Stat_t
	err = d.eachName(func(name string) error {
		if hidden(p, name) {
			return nil
		}
		err := d.stat(name, &st)
		s := statOf(&st)
		if err == nil && s.Kind == entry.Symlink {
			s, err = d.lstat(name)
		}
		if err == unix.ENOENT { // gone since it was read: absent
			return nil
		}
		if err != nil {
			return fmt.Errorf("look at %q: %w", name, err)
		}
		children = append(children, Child{Name: name, Stat: s})
		return nil
	})
	if err != nil {
		return nil, err
	}
	return children, nil
}

// names are all names in d.
func (d dir) names() (names []string, err error) {
	err = d.eachName(func(name string) error {
		names = append(names, name)
		return nil
	})
	return names, err
}

// eachName reads the directory, which was opened for that just now.
func (d dir) eachName(each func(name string) error) error {
	buf := direntBuffers.Get().(*[64 << 10]byte)
	defer direntBuffers.Put(buf)
	for {
		n, err := unix.Getdents(d.fd, buf[:])
		switch {
		case err == unix.EINTR:
			continue
		case err != nil: // ENOENT too: it was removed since
			return err
		case n == 0:
			return nil
		}
		if err := eachRecord(buf[:n], each); err != nil {
			return err
		}
	}
}

// eachRecord goes through a buffer of struct linux_dirent64: inode, offset (8
// bytes each), record length (2), type (1), name and NUL.
func eachRecord(records []byte, each func(name string) error) error {
	const lengthAt, nameAt = 16, 19
	for len(records) > nameAt {
		length := int(binary.NativeEndian.Uint16(records[lengthAt:]))
		if length <= nameAt || length > len(records) {
			return fmt.Errorf("directory record of %d bytes: %w", length, unix.EIO)
		}
		name := unix.ByteSliceToString(records[nameAt:length])
		records = records[length:]
		if name == "" || name == "." || name == ".." {
			continue
		}
		if err := each(name); err != nil {
			return err
		}
	}
	return nil
}

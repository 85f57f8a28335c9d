package tree

import "github.com/kithmesh/kith/index/entry"

// Stat is what the file system says of one path. The zero Stat says that
// nothing is known.
type Stat struct {
	// Kind is 0 for what kith does not sync: a fifo, a socket, a device.
	Kind    entry.Kind
	Mode    uint32 // permission bits, within 0o777; 0o777 for every symlink
	Size    int64  // bytes; files only
	ModTime int64  // nanoseconds since 1970; files and symlinks only
	Disk    entry.Disk
	Target  string // symlinks only
}

// Meta is what can be set of a file beside its content. Symlinks have no mode
// and directories no modification time of their own: for them it is ignored.
type Meta struct {
	Mode    uint32 // permission bits, within 0o777
	ModTime int64  // nanoseconds since 1970
}

// Child is one name in a directory.
type Child struct {
	Name string
	Stat Stat
}

// linkMode is the mode of every symlink, whatever the platform says of it.
const linkMode = 0o777

// StatOf is what the disk looked like when e was written to the index.
func StatOf(e *entry.Entry) Stat {
	s := Stat{Kind: e.Kind, Mode: e.Mode, Disk: e.Disk}
	switch e.Kind {
	case entry.File:
		s.Size, s.ModTime = e.Size, e.ModTime
	case entry.Symlink:
		s.Mode, s.ModTime, s.Target = linkMode, e.ModTime, e.Target
	case entry.Deleted, entry.Directory:
	}
	return s
}

// Same tells whether s and o are one state of one file: equal in kind, mode,
// size, target, modification time, inode and change time. Directories need
// only be equal in kind and mode, as their times change with every child. What
// kith does not sync is never the same as anything.
func (s Stat) Same(o Stat) bool {
	if s.Kind == entry.File || s.Kind == entry.Symlink {
		return s.sameMoved(o) && s.Disk.ChangeTime == o.Disk.ChangeTime
	}
	return s.sameMoved(o)
}

// sameMoved is Same for a file that has been renamed since: a rename may set
// the change time.
func (s Stat) sameMoved(o Stat) bool {
	if s.Kind != o.Kind || s.Mode != o.Mode {
		return false
	}
	switch s.Kind {
	case entry.Directory:
		return true
	case entry.File, entry.Symlink:
		return s.Size == o.Size && s.ModTime == o.ModTime && s.Target == o.Target && s.Disk.Inode == o.Disk.Inode
	case entry.Deleted:
	}
	return false
}

// has tells whether a file in state s has the metadata m, as far as its kind
// has such metadata.
func (s Stat) has(m Meta) bool {
	return (s.Kind == entry.Symlink || s.Mode == m.Mode) && (s.Kind == entry.Directory || s.ModTime == m.ModTime)
}

// coarsened tells whether a file system with coarse times may have made got
// of a modification time that was set: NTFS counts 100 ns, others 1 us, exFAT
// 10 ms, many 1 s, FAT 2 s.
func coarsened(set, got int64) bool {
	const second = 1_000_000_000
	for _, unit := range []int64{100, 1000, 10_000_000, second, 2 * second} {
		if got%unit == 0 && set-got >= 0 && set-got < unit {
			return true
		}
	}
	return set == got
}

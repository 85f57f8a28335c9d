// Package entry is the vocabulary of kith: what a device says about one path
// of a folder, and the names by which it speaks of folders, devices and
// blocks.
//
// An entry is what an index holds and what a record carries. The package does
// no I/O; it knows which values are valid ([Entry.Check], [ParsePath]) and
// when two entries have the same content ([Entry.SameContent]). All values
// are plain data, safe to copy; slices in them are never changed in place.
package entry

import (
	"bytes"
	"encoding/binary"
	"time"

	"github.com/zeebo/blake3"

	"github.com/kithmesh/kith/index/version"
)

// Kind is what a path is.
type Kind uint8

// The kinds. They are written to disk and wire: never renumber them.
const (
	Deleted   Kind = 1
	File      Kind = 2
	Directory Kind = 3
	Symlink   Kind = 4
)

func (k Kind) String() string {
	switch k {
	case Deleted:
		return "deleted"
	case File:
		return "file"
	case Directory:
		return "directory"
	case Symlink:
		return "symlink"
	}
	return "invalid"
}

// Sequence numbers the changes of one index, from 1. Zero is before all.
type Sequence uint64

// Epoch numbers the keys of a folder, from 1.
type Epoch uint32

// Digest stands for the content of an entry: two entries of one folder and
// epoch have equal digests exactly if their content is equal.
type Digest [16]byte

// Block is one content-defined piece of a file.
type Block struct {
	ID     BlockID
	Length uint32 // bytes of plaintext
}

// Entry is what a device knows about one path.
type Entry struct {
	Path    Path
	Version version.Version
	// AuthorName is the name of the device that made the version, as it
	// called itself then. A conflict copy is named after it, so it travels
	// with the version.
	AuthorName string

	Kind    Kind
	Mode    uint32  // permission bits, within 0o777
	ModTime int64   // nanoseconds since 1970; files and symlinks only
	Size    int64   // bytes; files only
	Target  string  // symlinks only
	Epoch   Epoch   // whose keys name the blocks
	Blocks  []Block // files only, in order; their lengths add up to Size
	Gone    Digest  // Deleted only: the content that the delete removed
	// Unseen names versions that Version has superseded although its author
	// did not hold their content: a device that holds a version within it
	// keeps that as a conflict copy. Nil for almost all.
	Unseen version.Vector

	// What follows is local: it is never part of a record.

	// Sequence is the number of the change that wrote this entry here.
	Sequence Sequence
	// Unknown marks a file that was found here with no history: its version
	// is zero, and it yields to whatever a peer knows about the path.
	Unknown bool
	// Absent: the path is known, and what it is does not lie here. Peers are
	// told so beside the record. The row keeps all but Disk, to be had again.
	Absent bool
	// Disk is what the file system said of the path when the entry was
	// written; an unchanged Disk means an unchanged file.
	Disk Disk
}

// Disk identifies a state of a path on this device's file system.
type Disk struct {
	Inode      uint64
	ChangeTime int64 // nanoseconds since 1970
}

// Modified is the modification time.
func (e *Entry) Modified() time.Time { return time.Unix(0, e.ModTime) }

// Lives tells whether the path exists according to the entry.
func (e *Entry) Lives() bool { return e.Kind != Deleted && e.Kind != 0 }

// Digest is the digest of the content: of the blocks of a file, of the target
// of a symlink, of the bare kind for the others.
func (e *Entry) Digest() Digest {
	h := blake3.New()
	_, _ = h.Write([]byte{byte(e.Kind)})
	switch e.Kind {
	case File:
		var n [4]byte
		for i := range e.Blocks {
			_, _ = h.Write(e.Blocks[i].ID[:])
			binary.LittleEndian.PutUint32(n[:], e.Blocks[i].Length)
			_, _ = h.Write(n[:])
		}
	case Symlink:
		_, _ = h.Write([]byte(e.Target))
	case Deleted, Directory:
	}
	var d Digest
	copy(d[:], h.Sum(nil))
	return d
}

// SameContent tells whether e and o hold the same bytes, whatever their
// metadata says.
func (e *Entry) SameContent(o *Entry) bool {
	if e.Kind != o.Kind || e.Size != o.Size || e.Target != o.Target || len(e.Blocks) != len(o.Blocks) {
		return false
	}
	for i := range e.Blocks {
		if e.Blocks[i].Length != o.Blocks[i].Length || !bytes.Equal(e.Blocks[i].ID[:], o.Blocks[i].ID[:]) {
			return false
		}
	}
	return true
}

// SamePayload tells whether e and o describe the same state: the same content
// under the same metadata. Equal vectors imply it.
func (e *Entry) SamePayload(o *Entry) bool {
	return e.SameContent(o) && e.Mode == o.Mode && e.ModTime == o.ModTime && e.Gone == o.Gone
}

// Removes tells whether e is a delete that removed just the content of o: its
// author had these very bytes before its eyes.
func (e *Entry) Removes(o *Entry) bool {
	return e.Kind == Deleted && o.Lives() && e.Gone == o.Digest()
}

package entry

import (
	"errors"
	"fmt"
	"strings"

	"github.com/kithmesh/kith/index/version"
)

// Bounds on what a peer may claim about one path.
const (
	MaxBlocks     = 1 << 21 // blocks of one file: 8 TiB at the largest average size
	MaxBlock      = 16 << 20
	MaxSize       = 1 << 43 // bytes of one file
	MaxTarget     = 4095    // bytes of a symlink's target
	MaxAuthorName = 64      // bytes
)

// ErrEntry is wrapped by every refusal of [Entry.Check].
var ErrEntry = errors.New("not a valid entry")

// Check refuses what cannot be an entry: an invalid path or version, something
// unseen that its version has not superseded, a field that its kind does not
// have, sizes that do not add up or exceed the bounds.
// It wraps [ErrEntry], [ErrPath] or [version.ErrBounds]. Entries of unknown
// history have no version and do not pass: they stay local.
func (e *Entry) Check() error {
	if _, err := ParsePath(string(e.Path)); err != nil {
		return err
	}
	if err := e.Version.Check(); err != nil {
		return err
	}
	if err := e.checkUnseen(); err != nil {
		return err
	}
	if len(e.AuthorName) > MaxAuthorName {
		return fmt.Errorf("%w: author name of %d bytes", ErrEntry, len(e.AuthorName))
	}
	if e.Mode&^0o777 != 0 {
		return fmt.Errorf("%w: mode %#o", ErrEntry, e.Mode)
	}
	return e.checkKind()
}

// checkUnseen relies on the version: what lies within a valid vector is
// within its bounds.
func (e *Entry) checkUnseen() error {
	last := version.ReplicaID(0)
	for _, c := range e.Unseen {
		if c.Replica <= last || c.Count == 0 {
			return fmt.Errorf("%w: unseen %d of %s out of order", ErrEntry, c.Count, c.Replica)
		}
		last = c.Replica
	}
	if !e.Unseen.Within(e.Version.Vector) {
		return fmt.Errorf("%w: unseen beyond its version", ErrEntry)
	}
	return nil
}

func (e *Entry) checkKind() error {
	if e.Kind < Deleted || e.Kind > Symlink {
		return fmt.Errorf("%w: kind %d", ErrEntry, e.Kind)
	}
	if e.Kind != File && (e.Size != 0 || len(e.Blocks) != 0) {
		return fmt.Errorf("%w: a %s with content", ErrEntry, e.Kind)
	}
	if e.Kind != Deleted && e.Gone != (Digest{}) {
		return fmt.Errorf("%w: a %s that deletes", ErrEntry, e.Kind)
	}
	if e.Kind != Symlink && e.Target != "" {
		return fmt.Errorf("%w: a %s with a target", ErrEntry, e.Kind)
	}
	if e.Kind == Symlink && (e.Target == "" || len(e.Target) > MaxTarget || strings.IndexByte(e.Target, 0) >= 0) {
		return fmt.Errorf("%w: symlink target %q", ErrEntry, e.Target)
	}
	return e.checkBlocks()
}

func (e *Entry) checkBlocks() error {
	if e.Size < 0 || e.Size > MaxSize || len(e.Blocks) > MaxBlocks {
		return fmt.Errorf("%w: %d bytes in %d blocks", ErrEntry, e.Size, len(e.Blocks))
	}
	var sum int64
	for i := range e.Blocks {
		n := e.Blocks[i].Length
		if n == 0 || n > MaxBlock {
			return fmt.Errorf("%w: block %d of %d bytes", ErrEntry, i, n)
		}
		sum += int64(n)
	}
	if sum != e.Size {
		return fmt.Errorf("%w: blocks of %d bytes for a size of %d", ErrEntry, sum, e.Size)
	}
	return nil
}

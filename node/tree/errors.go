package tree

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/kithmesh/kith/index/entry"
)

// What [Create], [Open] and [Tree.Check] find wrong with a folder's root. None
// of them says anything about the files: unknown is not empty.
var (
	// ErrRootMissing: nothing is at the root's path; its disk may be away.
	ErrRootMissing = errors.New("the folder's root is missing")
	// ErrRootReplaced: something else is at the root's path: another
	// directory, an unmounted mount point, a file.
	ErrRootReplaced = errors.New("something else has taken the place of the folder's root")
	// ErrMarkerMissing: the root holds no readable marker of a folder.
	ErrMarkerMissing = errors.New("the folder's marker .kith/folder is missing")
	// ErrOtherFolder: the marker is that of another folder.
	ErrOtherFolder = errors.New("the marker is that of another folder")
	// ErrNested: a folder may neither lie in another one nor hold one.
	ErrNested = errors.New("folders cannot be nested")
	// ErrInUse: another process, or another Tree of this one, has it open.
	ErrInUse = errors.New("the folder is open elsewhere")
)

// What stands in the way of an operation on one path. After each of them the
// path holds what it held before.
var (
	// ErrChanged: the path does not hold what was expected there.
	ErrChanged = errors.New("changed since it was last seen")
	// ErrBusy: someone has the file open for writing.
	ErrBusy = errors.New("open for writing")
	// ErrExists: something is at a path that was to be new.
	ErrExists = fmt.Errorf("already there: %w", fs.ErrExist)
	// ErrNotEmpty: a directory to be removed or replaced holds something.
	ErrNotEmpty = errors.New("the directory is not empty")
	// ErrNotRegular: only regular files can be opened.
	ErrNotRegular = errors.New("not a regular file")
	// ErrReserved: the path is, or leads through, a name of kith's own.
	ErrReserved = errors.New("the name is kith's own")
	// ErrOtherDevice: from and to are on different file systems.
	ErrOtherDevice = errors.New("on another file system")
	// ErrName: a name of a staged file is not of the form [a-z0-9]+.
	ErrName = errors.New("not a name for a staged file")
)

// A path exists only if all its parents are directories, so both of these are
// fs.ErrNotExist too.
var (
	// ErrThroughLink: a parent of the path is a symlink.
	ErrThroughLink = fmt.Errorf("a parent is a symlink: %w", fs.ErrNotExist)
	// ErrNotDirectory: a parent, or what was to be listed, is not a directory.
	ErrNotDirectory = fmt.Errorf("not a directory: %w", fs.ErrNotExist)
)

// ErrCannotTell is wrapped by [File.Busy] where the platform or the file
// system has no way of knowing who writes to a file.
var ErrCannotTell = errors.New("cannot tell who has the file open")

// ErrKept matches every [KeptError].
var ErrKept = errors.New("kept beside")

// KeptError says that a path changed twice while it was being replaced or
// removed, and that content which belongs to the user could not go back. It
// is an [ErrChanged] and an [ErrKept].
type KeptError struct {
	Path entry.Path // that was to be replaced or removed
	// Kept is where the content lies now. Empty if even that was refused:
	// then it is safe in kith's own directory, and the next [Open] brings it
	// back.
	Kept entry.Path
	// Cause is what refused, where Kept is empty.
	Cause error
}

func (e *KeptError) Error() string {
	if e.Kept == "" {
		return fmt.Sprintf("%v; its content is held back until the folder is opened again: %v", ErrChanged, e.Cause)
	}
	return fmt.Sprintf("%v; its content was kept as %q", ErrChanged, e.Kept)
}

// Is makes a KeptError match [ErrKept] and [ErrChanged].
func (e *KeptError) Is(target error) bool { return target == ErrKept || target == ErrChanged }

func (e *KeptError) Unwrap() error { return e.Cause }

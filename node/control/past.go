package control

import (
	"context"
	"time"

	"github.com/kithmesh/kith/index/entry"
)

// Moment is a point of a folder's past, as a person means it: a time, or the
// label of a snapshot. The zero Moment is now.
type Moment struct {
	At    time.Time
	Label string // of a snapshot; the device resolves it. [ErrNoSnapshot]
}

// Past is about what folders were: what lies in the vaults of this device and
// of the connected members that keep one.
//
// A place is one of a folder of this device; its path need not exist now.
// Errors: [ErrNoPath], [ErrNoHistory] if no vault that can be asked goes back
// as far, or none is connected.
type Past interface {
	// Log calls each for what changed at a place and below it, newest first.
	Log(ctx context.Context, r LogRequest, each func(LogEvent) error) error

	// Diff calls each for every path that differs between two moments, in
	// tree order.
	Diff(ctx context.Context, r DiffRequest, each func(Difference) error) error

	// ListAt calls each for all that was at a place and below it at a moment,
	// in tree order.
	ListAt(ctx context.Context, r ListAtRequest, each func(PathEntry) error) error

	// Restore gives back what was at a place at a moment. What could not be
	// had is in the result, and the rest is restored.
	Restore(ctx context.Context, r RestoreRequest, progress func(RestoreProgress) error) (Restored, error)

	// Undo takes back a batch of changes: each path of it becomes what it was
	// before, unless it was changed again since. [ErrNoBatch].
	Undo(ctx context.Context, r UndoRequest, progress func(RestoreProgress) error) (Restored, error)
}

// LogRequest asks what changed.
type LogRequest struct {
	Place Place
	From  string    // a device whose vault is asked; empty: all that can be
	Since time.Time // zero: from the beginning
	Limit int       // events; 0: all
}

// What happened to a path, in the words of `kith log`.
type Happening string

// The happenings.
const (
	Created  Happening = "created"
	Edited   Happening = "edited"
	Deleted  Happening = "deleted"
	Renamed  Happening = "renamed" // OldPath says from where
	Revived  Happening = "revived" // it had been deleted
	Modified Happening = "mode"    // only its mode or time changed
)

// LogEvent is one change of a path.
type LogEvent struct {
	Folder   Folder
	Path     string // within the folder
	OldPath  string // of what was renamed
	What     Happening
	Kind     entry.Kind
	Device   Identity  // that made the change
	At       time.Time // by the clock of that device
	Received time.Time // by a vault, by its clock; zero if none has it yet
	Size     int64     // bytes after the change
	Before   int64     // and before
	Batch    string    // what `kith undo` takes back with it
	Kept     bool      // its content can be had
}

// DiffRequest asks what differs between two moments.
type DiffRequest struct {
	Place    Place
	Source   string // a device whose vault is asked; empty: the best
	From, To Moment
}

// Difference is a path that differs.
type Difference struct {
	Folder      Folder
	Path        string    // within the folder
	What        Happening // Created, Edited, Deleted or Modified
	Kind        entry.Kind
	Size        int64
	Before      int64
	OldKind     entry.Kind
	TimeChanged time.Time // what the newer one says; zero if deleted
}

// ListAtRequest asks what was.
type ListAtRequest struct {
	Place  Place
	Source string // a device whose vault is asked; empty: the best
	At     Moment
}

// Overwrite says what becomes of a path that is not what is restored to it.
type Overwrite string

// The ways to treat what is there.
const (
	OverwriteNever     Overwrite = "never"      // what is restored goes beside it
	OverwriteIfChanged Overwrite = "if-changed" // replaced if a vault or the index knows what is there, so that nothing is lost
	OverwriteAlways    Overwrite = "always"
)

// RestoreRequest asks for something of the past.
type RestoreRequest struct {
	Place     Place
	At        Moment
	Source    string // a device whose vault is asked; empty: the best
	To        string // absolute path of a directory, made if missing; empty: in place
	Overwrite Overwrite
	DryRun    bool
}

// UndoRequest asks to take back a batch.
type UndoRequest struct {
	Batch  string // of `kith log` or `kith held`
	DryRun bool
}

// RestoreProgress is how far a restore has come.
type RestoreProgress struct {
	Folder     Folder
	Files      int64
	Bytes      int64
	TotalFiles int64
	TotalBytes int64
}

// Restored is what a restore has done, or would do.
type Restored struct {
	Folder   Folder
	At       time.Time // by the clock of the vault
	Source   Identity  // whose vault
	To       string    // the directory, if not in place
	Snapshot string    // label of the snapshot that was made first, in place
	DryRun   bool

	Files, Bytes int64 // written
	Same         int64 // files that were right already
	Removed      int64 // by an undo: what the batch had made
	Paths        []RestoredPath
	More         int64 // of Paths, how many were left out
	Problems     []Problem
}

// RestoredPath is one path that a restore has written, or left.
type RestoredPath struct {
	Path string // within the folder
	As   string // where it was written, if elsewhere: beside what is there
	What Outcome
}

// Outcome is what a restore did to a path.
type Outcome string

// The outcomes. What was right already is only counted.
const (
	OutcomeWritten  Outcome = "written"  // nothing was there
	OutcomeReplaced Outcome = "replaced" // something else was
	OutcomeBeside   Outcome = "beside"   // under another name
	OutcomeRemoved  Outcome = "removed"  // by an undo
	OutcomeSkipped  Outcome = "skipped"  // changed since
	OutcomeMissing  Outcome = "missing"  // no vault has all of its blocks
)

// Snapshots is about moments that are kept whatever the retention says.
type Snapshots interface {
	// Snapshot pins this moment in all vaults that can be reached, this
	// device's own included. [ErrNoHistory] if there is none, [ErrNameTaken]
	// if a snapshot has the label.
	Snapshot(ctx context.Context, folder, label string) (Snapshot, error)

	// Snapshots lists them, newest first.
	Snapshots(ctx context.Context, folder string) ([]Snapshot, error)

	// DropSnapshot unpins one from this device's own vault: others are for
	// their owners to drop. [ErrNoSnapshot].
	DropSnapshot(ctx context.Context, folder, label string) (Snapshot, error)
}

// Snapshot is a moment that is kept.
type Snapshot struct {
	Folder Folder
	Label  string    // generated from the time if none was given
	At     time.Time // by the vaults' clocks
	Kept   []Identity
}

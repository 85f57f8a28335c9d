package control

import (
	"context"
	"time"

	"github.com/kithmesh/kith/index/entry"
)

// Place names a path for a person: as typed, and as it would be from where
// they stand. The device takes Absolute if that lies in a folder of its own,
// and else reads Text as FOLDER or FOLDER/PATH.
type Place struct {
	Text     string
	Absolute string // clean; symlinks above the last name are resolved
}

// Paths is about single paths: what exists, what of it lies here, and why one
// is as it is. Errors: [ErrNoPath] if a place is in no folder, or is a path
// that no member is known to have.
type Paths interface {
	// List calls each for everything at and below a place, in tree order:
	// what lies here, and with All what is only elsewhere too.
	List(ctx context.Context, r ListRequest, each func(PathEntry) error) error

	// Get chooses places to lie here, and calls progress until they do. It
	// returns nil once everything is here, or wraps [ErrWaiting] when what is
	// missing is held by nobody who is connected, or could not be placed: it
	// stays chosen and comes as soon as it can. The first progress comes when
	// the choice is kept, so that a caller who wants no more may end the call.
	Get(ctx context.Context, r GetRequest, progress func(GetProgress) error) error

	// Free drops the content of places here, once other members have proven
	// that they hold it; with DryRun it only asks. Files are judged one by
	// one: what could not be freed is in the result with why, and who said
	// what. An error says that nothing was freed.
	Free(ctx context.Context, r FreeRequest) (Freed, error)

	// Revert gives places of a `receive` folder the folder's own content
	// again: local edits there are dropped.
	Revert(ctx context.Context, r RevertRequest) (Reverted, error)

	// Why explains the state of one path.
	Why(ctx context.Context, p Place) (Explanation, error)
}

// ListRequest asks what exists.
type ListRequest struct {
	Place Place
	All   bool // also what lies elsewhere only
}

// Whereabouts is where the content of a path is, in the words of `kith ls`.
type Whereabouts string

// The whereabouts of a path.
const (
	Here      Whereabouts = "here"
	Elsewhere Whereabouts = "elsewhere" // known, and not chosen to lie here
	Coming    Whereabouts = "coming"    // wanted
	LocalEdit Whereabouts = "local"     // an edit that stays here (role receive)
)

// PathEntry is one path of a folder.
type PathEntry struct {
	Folder  Folder
	Path    string // within the folder, as bytes
	Kind    entry.Kind
	Size    int64 // bytes; files only
	ModTime time.Time
	Where   Whereabouts // empty in a list of the past
	Pinned  bool
	Holders []Identity // members that are known to hold it, if it is elsewhere
}

// GetRequest chooses places to lie here.
type GetRequest struct {
	Places []Place
	Pin    bool // and refuses to free them until they are unpinned
	Unpin  bool // ends that, and gets nothing
}

// GetProgress is how far a get has come.
type GetProgress struct {
	Files, NeedFiles int64 // all that were asked for; still missing
	Bytes, NeedBytes int64
	Problems         []Problem // why what is missing does not come
}

// FreeRequest asks to drop content.
type FreeRequest struct {
	Places []Place
	Copies int // that others must prove; at least 1
	DryRun bool
}

// Freed is what a free came to.
type Freed struct {
	Files   int64 // dropped; with DryRun: that would be
	Bytes   int64
	Kept    int64  // files not dropped
	Reasons []Kept // of those, each reason with the paths it holds for
	// Copies are the members that proved, with how many files.
	Copies []Proof
}

// Kept is why files were not freed.
type Kept struct {
	Code    string   // stable: not_enough_copies, pinned, changed, not_synced, in_use
	Message string   // names who said what
	Paths   []string // FOLDER/PATH; the first few
	Files   int64
}

// Proof says how many of the files a member proved to hold.
type Proof struct {
	Identity
	Files  int64
	Answer string // what it said where it proved less: "not connected", ...
}

// RevertRequest asks to undo local edits of a receive folder.
type RevertRequest struct {
	Places []Place
	DryRun bool
}

// Reverted is what a revert came to.
type Reverted struct {
	Paths []string // FOLDER/PATH
}

// Explanation is why a path is as it is.
type Explanation struct {
	Folder  Folder
	Path    string
	Kind    entry.Kind
	Where   Whereabouts
	Version string // who made what is here, and when, for people; may be empty
	Holders []Identity
	Causes  []Problem // nothing: it is in sync
}

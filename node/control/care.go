package control

import (
	"context"
	"time"

	"github.com/kithmesh/kith/index/entry"
)

// Care is about what needs a person's decision.
type Care interface {
	// Conflicts lists the paths that have conflict copies, of one folder or
	// of all for "".
	Conflicts(ctx context.Context, folder string) ([]Conflict, error)

	// Resolve ends conflicts: one version takes the path, the copies go (or,
	// with KeepBoth, get names of their own). Places may be paths, conflict
	// copies of them, directories, or contain * and ?. [ErrNoPath] if none of
	// them has a conflict.
	Resolve(ctx context.Context, r ResolveRequest) ([]Resolved, error)

	// Held lists the batches that the brake holds.
	Held(ctx context.Context, folder string) ([]HeldBatch, error)

	// Approve lets a batch be applied, Reject undoes it everywhere: what is
	// here becomes the newest version. [ErrNoBatch] if no batch has the ID, as
	// when it has changed since it was shown.
	Approve(ctx context.Context, batch string) (HeldBatch, error)
	Reject(ctx context.Context, batch string) (HeldBatch, error)
}

// Conflict is a path with its conflict copies.
type Conflict struct {
	Folder Folder
	Path   string
	Main   ConflictVersion   // at the path itself; its Path is empty if nothing is there
	Copies []ConflictVersion // oldest first
}

// ConflictVersion is one of the versions of a conflict.
type ConflictVersion struct {
	Path    string
	Device  string // name of the device that made it
	Mine    bool   // that is this one
	Kind    entry.Kind
	Size    int64
	ModTime time.Time
}

// Keep is which version of a conflict stays.
type Keep string

// What can be kept.
const (
	KeepMine   Keep = "mine"   // made by this device
	KeepTheirs Keep = "theirs" // made by another
	KeepBoth   Keep = "both"   // each under a name of its own
	KeepNewest Keep = "newest" // by modification time
	KeepMain   Keep = "main"   // what is at the path: the copies go (after a merge by a tool)
)

// ResolveRequest asks to end conflicts.
type ResolveRequest struct {
	Places []Place
	Keep   Keep
	// Copies, if any, are the conflict copies that the caller knows, as paths
	// within the folder: a conflict that has others by now is left as it is.
	Copies []string
}

// Resolved is a conflict that has ended, or why it has not.
type Resolved struct {
	Path    string // FOLDER/PATH
	Kept    string // path of what was kept, before; this and the next are FOLDER/PATH too
	Removed []string
	Renamed []string // new names, with KeepBoth
	Problem string   // empty: done
}

// HeldBatch is what the brake holds of one author.
type HeldBatch struct {
	ID       string // changes whenever the batch does
	Folder   Folder
	From     Identity
	Deletes  int64
	Rewrites int64
	Files    int64 // that the folder has
	Bytes    int64 // of the files here that would go or be rewritten
	Since    time.Time
	Paths    []string // the first few, within the folder
}

// Roles is about what devices do for folders.
type Roles interface {
	// SetRole changes this device's role in a folder, at once and with
	// nothing sent again. [ErrInvalid] where the role needs what this device
	// lacks, [ErrPathTaken] or [ErrNested] for the path of a new tree.
	SetRole(ctx context.Context, r RoleRequest) (Folder, error)

	// Revoke puts a device out of every folder in which this one may, with
	// new keys for what comes after, and ends the pairing.
	Revoke(ctx context.Context, device string) (Revoked, error)

	// Examine looks at everything that may be wrong, and says what to do.
	Examine(ctx context.Context) ([]Finding, error)

	// GoOn ends the fence of a folder: its index goes on as a new replica.
	// [ErrInvalid] if the folder is not fenced.
	GoOn(ctx context.Context, folder string) (Folder, error)

	// ExamineReach tries each way to a device, or to all and what this
	// device's network is like for "", and calls told with each thing as it is
	// known. It takes some 20 seconds at most. [ErrNoDevice], [ErrAmbiguous].
	ExamineReach(ctx context.Context, device string, told func(Reached) error) error
}

// RoleRequest asks for another role.
type RoleRequest struct {
	Folder string
	Role   entry.Role
	// Path is where the tree is to lie when a backup becomes a device with a
	// tree, absolute; else empty.
	Path string
}

// Revoked is what a revocation came to.
type Revoked struct {
	Identity
	Folders []Folder // that it was put out of
	Kept    []Folder // in which this device has no right to do so
}

// Reached is what an examination of ways to devices tells: one of the two.
type Reached struct {
	Trial   *Trial
	Finding *Finding
}

// Trial is one thing that was tried.
type Trial struct {
	Subject string // as of a finding
	What    string // such as "10.0.0.5:5484 by tcp"
	Result  string // such as "no answer in 5 s"
	OK      bool
}

// Finding is one thing that was examined.
type Finding struct {
	Subject string // "device", "clock", "folder Documents", "device phone"
	OK      bool
	Code    string
	Message string
	Hint    string
}

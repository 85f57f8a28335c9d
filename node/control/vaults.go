package control

import (
	"context"
	"math"
	"time"
)

// Vaults is about what this device itself keeps of the past: as a backup, or
// as the history beside a tree. [ErrNoVault] if the folder has none here.
type Vaults interface {
	// Retention is what rules a vault.
	Retention(ctx context.Context, folder string) (Retention, error)

	// SetRetention changes it. What a change would let go is dropped by the
	// prunes that follow, never at once.
	SetRetention(ctx context.Context, r RetentionRequest) (Retention, error)

	// SetSchedule says when this device asks the others for what is new.
	SetSchedule(ctx context.Context, r ScheduleRequest) (Schedule, error)

	// SetStore says where the packs of a backup lie. It finds out whether they
	// can; they move by and by. ErrInvalid if they cannot.
	SetStore(ctx context.Context, r StoreRequest) (Stored, error)

	// Prune drops what the retention no longer keeps, or only says what it
	// would drop, and why each of the rest is kept.
	Prune(ctx context.Context, r PruneRequest) (Pruned, error)
}

// Proofs is about showing that the past can be had.
type Proofs interface {
	// Verify has every connected vault of a folder prove that it holds the
	// blocks of what is here, and compares its records with the index. The
	// vault of this device itself is read and compared with its checksums.
	Verify(ctx context.Context, r VerifyRequest, progress func(VerifyProgress) error) ([]Verified, error)

	// Drill fetches a random sample from each vault, opens it and compares it.
	Drill(ctx context.Context, r VerifyRequest, progress func(VerifyProgress) error) ([]Verified, error)
}

// KeepAll, as a number, keeps all changes, hours, days, ..., and KeepForever, as
// a time, reaches back to the beginning.
const (
	KeepAll                   = -1
	KeepForever time.Duration = math.MaxInt64
)

// Keeping says which moments of the past are kept, in the words of restic. A
// field that is nil is as it was; zero keeps nothing by that rule.
type Keeping struct {
	Last, Hourly, Daily, Weekly, Monthly, Yearly *int // changes, hours, days, ...
	// Within keeps everything of a time, WithinHourly and so on the state at
	// the end of each hour (day, ...) of a time.
	Within, WithinHourly, WithinDaily         *time.Duration
	WithinWeekly, WithinMonthly, WithinYearly *time.Duration
	MinimumHold                               *time.Duration
	Quota                                     *int64 // bytes; 0: none
}

// RetentionRequest asks for another retention.
type RetentionRequest struct {
	Folder  string
	Keep    Keeping
	Default bool  // back to the default first
	History *bool // whether a device with a tree keeps a history at all
}

// Retention is what rules a vault. All fields of Keep are set.
type Retention struct {
	Folder   Folder
	Keep     Keeping
	History  bool // a vault is kept
	Versions int64
	Bytes    int64     // of the store on disk
	Since    time.Time // what it holds goes back to then
}

// ScheduleRequest asks for another schedule.
type ScheduleRequest struct {
	Folder string
	When   string // "continuous", "every 6h", "daily 02:00", "weekly sun 02:00", "monthly", "monthly 15 02:00"; empty only asks
	// Hook is a command that is run when the backup is stale, by the shell,
	// once for each time; nil: as it was; empty: none.
	Hook *string
}

// Schedule is when a backup is made.
type Schedule struct {
	Folder Folder
	When   string
	Hook   string
	Last   time.Time // when a run was last complete; zero for never
	Next   time.Time // when the next is due; zero for continuous
}

// StoreRequest asks to have packs elsewhere.
type StoreRequest struct {
	Folder string
	// URL is s3:https://HOST/BUCKET or an absolute directory; empty: back to the
	// vault's own directory; nil only asks.
	URL                          *string
	AccessKey, SecretKey, Region string // of a bucket
}

// Stored is where the packs of a vault lie.
type Stored struct {
	Folder Folder
	Store  *Store // nil: in its own directory
}

// Store is a place for packs beside a vault's own directory.
type Store struct {
	Where   string // the part of it that is this vault's
	Leaving bool   // all of it is on its way back
	Bytes   int64  // that lie there
	Waiting int64  // that have still to go there, or to come back
	// AsOf: all that the vault held then lies there; zero if that was not seen
	// since the device was started.
	AsOf   time.Time
	Failed string // why it could not be reached; empty if it could
}

// PruneRequest asks to prune.
type PruneRequest struct {
	Folder string
	DryRun bool
}

// Pruned is what a prune has done, or would do.
type Pruned struct {
	Folder   Folder
	DryRun   bool
	Versions int64     // that are held
	Dropped  int64     // versions that no kept moment needs
	Freed    int64     // bytes
	Waiting  int64     // marked, and dropped when the grace time is over
	Since    time.Time // from then on every moment is kept
	Moments  []KeptMoment
}

// KeptMoment is a moment that is kept, and why.
type KeptMoment struct {
	At      time.Time
	Reasons []string // "daily", "snapshot before"
}

// VerifyRequest asks for proof.
type VerifyRequest struct {
	Folder string
	// Percent of what is there; 0 is the default: all for Verify, a sample of
	// a few files for Drill.
	Percent float64
	// Accept ends the conditions that an earlier proof has raised: a person
	// has seen them.
	Accept bool
}

// VerifyProgress is how far a proof has come.
type VerifyProgress struct {
	Device     Identity
	Blocks     int64
	TotalBlock int64
}

// Verified is what a proof has shown of one vault.
type Verified struct {
	Folder   Folder
	Device   Identity
	At       time.Time
	Files    int64 // that were proven or compared
	Blocks   int64
	Bytes    int64
	Mended   int64 // blocks that were bad and are good again
	Problems []Problem
}

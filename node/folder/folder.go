// Package folder keeps one folder of this device the same as on its other
// members: it notices what changes on disk, tells it, hears what others
// changed, and applies that.
//
// # A change on its way
//
// A path changes on disk. Package watch says so, package look finds what is
// different from the index, and the change is committed to the index as a new
// version ([Folder] calls this recording). [Folder.Records] gives it to the
// members, sealed.
//
// On another member [Folder.Hear] opens the records and commits to the index
// what is wanted. A pass over what is wanted asks package merge what each path
// should become. Package gather brings the content together in staged files,
// and finishing puts them in place through package tree and commits what the
// path is now. That is a change of the index, so it is told in turn, and by
// telling it this member says that it holds it.
//
// # Promises
//
//   - The index says what was on disk before it says so: content and names are
//     durable before an entry is committed. A crash between the two leaves a
//     difference that the next look finds and that merges without a trace.
//   - A path is changed only if it is just what the index remembers of it. If
//     it is not, a person was there first: their change is recorded before
//     anything else happens to the path.
//   - A conflict copy is durable and committed before its version loses the path.
//   - Where there is a [History], what another device's change takes from the
//     tree is kept there, durably, before it goes; only a history that is full is
//     not waited for.
//   - A folder whose root or marker is not what it was stops, and says so. What
//     cannot be read is never taken for deleted.
//
// # Concurrency
//
// One goroutine, the actor in Run, owns all state and is the only one to
// change the index or the tree of the folder. Looking and gathering run
// beside it and hand it their results; everything they found is checked again
// before it counts. All methods of Folder may be called from any goroutine.
package folder

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/kithmesh/kith/index"
	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/version"
	"github.com/kithmesh/kith/node/folder/brake"
	"github.com/kithmesh/kith/node/folder/choice"
	"github.com/kithmesh/kith/protocol/exchange"
	"github.com/kithmesh/kith/protocol/seal"
)

// Options is what a folder is made of.
type Options struct {
	ID    entry.FolderID
	Root  string // absolute path of the tree, which package tree has marked
	Name  string // of this device: conflict copies are named after it
	Keys  map[entry.Epoch]seal.FolderKey
	DB    *index.DB
	Log   *slog.Logger
	Clock func() time.Time // nil: the wall clock

	// Device is this one's ID.
	Device entry.DeviceID
	// Role is what this device does for the folder; zero: sync.
	Role entry.Role
	// Choices say which paths are to lie here.
	Choices choice.Rules
	// Brake says when changes of others wait for a person.
	Brake brake.Limits

	// Begin: this device has just made the folder, so that whatever is in the
	// tree is new, and not of unknown history.
	Begin bool
	// Alone tells whether the folder has no other member that holds its key,
	// whom the history of a file could be learnt from.
	Alone func() bool
	// Claimed tells whether a member has said that a replica is its own. Nil:
	// all count as claimed.
	Claimed func(version.ReplicaID) bool
	// Blind tells whether a member keeps a vault and holds no key: it is told
	// records, and tells of one path as many versions as have not seen each
	// other. Nil: none does.
	Blind func(entry.DeviceID) bool
	// History keeps what goes from the tree because another device changed it.
	// Nil: nothing does.
	History History
	// Rescan is how often the whole tree is looked at, whatever the watcher
	// says. Zero: once an hour.
	Rescan time.Duration
	// Changed is called when there may be something new to tell, or to show.
	// It must not block nor call back.
	Changed func()
}

// ErrStopped is wrapped by methods called when Run has ended.
var ErrStopped = errors.New("the folder is not running")

// Folder is one folder of this device.
type Folder struct {
	Options
	around   around
	keys     atomic.Pointer[keyring]
	mail     chan func(*actor)
	ended    chan struct{}
	status   atomic.Pointer[Status]
	state    atomic.Pointer[exchange.FolderState]
	disk     atomic.Pointer[disk] // nil while the tree is away
	echoes   echoes
	promises promises
	silent   atomic.Bool // fenced: nothing is told

	historyFull atomic.Bool // the last that was to be kept had no room
	edited      edited
	asked       chan chan error // to tell the history now

	mu      sync.Mutex
	changed chan struct{} // closed at the next change
}

// New prepares a folder; nothing runs before [Folder.Run]. It makes the
// folder's part of the index if there is none.
func New(o Options) (*Folder, error) { return newFolder(o, world()) }

func newFolder(o Options, w around) (*Folder, error) {
	f := &Folder{
		Options: o, around: w, mail: make(chan func(*actor)),
		ended: make(chan struct{}), changed: make(chan struct{}), asked: make(chan chan error),
	}
	f.Log = o.Log.With("folder", o.ID.String()[:8])
	if f.Clock == nil {
		f.Clock = time.Now
	}
	if f.Role == 0 {
		f.Role = entry.RoleSync
	}
	if f.Brake == (brake.Limits{}) {
		f.Brake = brake.Default
	}
	if f.Rescan == 0 {
		f.Rescan = time.Hour
	}
	keys, err := (&keyring{}).with(o.ID, o.Keys)
	if err != nil {
		return nil, err
	}
	if keys.newest == 0 {
		return nil, fmt.Errorf("open folder %s: no key", o.ID)
	}
	f.keys.Store(keys)
	if err := f.prepare(); err != nil {
		return nil, fmt.Errorf("open the index of folder %s: %w", o.ID, err)
	}
	return f, nil
}

// prepare makes the folder's part of the index, or reads where it stands.
func (f *Folder) prepare() error {
	return f.around.update(f.DB, func(tx *index.Tx) error {
		x, err := tx.Folder(f.ID)
		if errors.Is(err, index.ErrNoFolder) {
			x, err = tx.CreateFolder(f.ID, version.ReplicaID(f.around.random()), f.around.random())
			if err == nil && f.Begin {
				err = x.SetJoined(true)
			}
		}
		if err != nil {
			return err
		}
		f.state.Store(stateOf(x))
		s := statusOf(x)
		s.State = Scanning
		f.status.Store(&s)
		return nil
	})
}

// Run runs the folder until ctx ends; it may be called once. It returns an
// error only if the index can no longer be trusted.
func (f *Folder) Run(ctx context.Context) error {
	defer close(f.ended)
	ctx, end := context.WithCancel(ctx)
	recording := f.recordBeside(ctx)
	defer func() { end(); <-recording }()
	a := newActor(f)
	defer a.stop()
	return a.run(ctx)
}

// do has the actor call fn, and waits until it has.
func (f *Folder) do(ctx context.Context, fn func(*actor)) error { return f.around.post(ctx, f, fn) }

func post(ctx context.Context, f *Folder, fn func(*actor)) error {
	done := make(chan struct{})
	select {
	case f.mail <- func(a *actor) { defer close(done); fn(a) }:
	case <-ctx.Done():
		return ctx.Err()
	case <-f.ended:
		return ErrStopped
	}
	select {
	case <-done:
		return nil
	case <-f.ended:
		return ErrStopped
	}
}

// Watch returns a channel that is closed at the next change of the status.
func (f *Folder) Watch() <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.changed
}

// announce tells all who watch.
func (f *Folder) announce() {
	f.mu.Lock()
	close(f.changed)
	f.changed = make(chan struct{})
	f.mu.Unlock()
	if f.Changed != nil {
		f.Changed()
	}
}

// Rename changes the name by which this device signs its changes.
func (f *Folder) Rename(name string) {
	_ = f.do(context.Background(), func(a *actor) { a.Name = name })
}

// Tune changes what counts as too much, and how often the whole tree is looked
// at. Changes of others that wait, or that are still to be applied, are judged
// anew.
func (f *Folder) Tune(ctx context.Context, limits brake.Limits, rescan time.Duration) error {
	return f.do(ctx, func(a *actor) {
		if a.Brake != limits {
			a.Brake, a.brake.meter.Limits = limits, limits
			a.brake.at, a.recount, a.pass.again, a.stale = time.Time{}, true, true, true
		}
		a.Rescan = rescan
	})
}

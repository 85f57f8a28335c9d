package vault

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/kithmesh/kith/index/entry"
)

// Options say where a vault lies and what it may take. Dir and Folder must be
// given.
type Options struct {
	Dir    string // made if it is not there; nothing else may lie in it
	Folder entry.FolderID

	// Quota bounds the bytes of all packs and, but in a rolling vault, of what
	// the index has beyond a mebibyte; 0 is none.
	Quota    int64
	KeepFree int64 // bytes that stay free on the file system
	PackSize int64 // bytes; 0 is 32 MiB

	// Partial: the vault lies beside a tree that holds what it lacks, as the
	// history of a device with files does. Records may come without their
	// blocks, before them or for good, and what is not there is no loss. It says
	// nothing of what lies on disk: the next opener may see it otherwise.
	Partial bool
	// Rolling: where there is no room for what is put, the oldest history goes;
	// see [Vault.MakeRoom]. Without it nothing ever goes to make room.
	Rolling bool

	// Grace is how long what a prune has marked waits until a later one sweeps
	// it; 0 is a day.
	Grace time.Duration

	// Scratch is an empty directory for the index of a vault that is only read:
	// nothing in Dir is changed, so it may lie on a disk that cannot be written
	// to, and nothing can be put. What is in Scratch when the vault is closed is
	// of no use to anybody.
	Scratch string

	// Store is where packs are to lie, nil for the directory; see [Vault.Stow].
	// What is appended to, and the index, stay in the directory. A rolling vault
	// has none.
	Store Store

	// Clock is the vault's clock; nil is the system's.
	Clock func() time.Time
	// Free tells how many bytes may still be written to the file system of a
	// directory; nil asks the system.
	Free func(dir string) (int64, error)
	Log  *slog.Logger // nil is none

	// noSync leaves it to the system when to write to disk, for tests that
	// would wait for it again and again.
	noSync bool
}

// Vault is an open vault.
type Vault struct {
	dir, packDir string
	packSize     int64
	grace        time.Duration
	clock        func() time.Time
	free         func(string) (int64, error)
	log          *slog.Logger
	noSync       bool
	partial      bool
	rolling      bool
	// life ends when the vault is about to be closed, and with it what waits for
	// the store on nobody's behalf; die ends it.
	life     context.Context
	die      context.CancelFunc
	segments segments        // of packs that lie in the store
	scratch  string          // empty unless the vault is only read
	replaced map[packID]bool // packs that do not count, and would be removed if it were not

	db    *db
	queue queue
	// caring is held by what goes through the whole vault: prune, scrub.
	caring sync.Mutex
	// writing is held by who changes the vault. What follows it is its.
	writing sync.Mutex
	writers map[class]*writer
	broken  error // what was written could not be taken back
	// shrunk is by how much the index was larger than was thought when it was
	// last written anew; 0 if it never was.
	shrunk float64
	// hook is told of each step, by tests, which may end it with an error.
	hook func(step string) error

	// moves counts the packs that went to the store or came back.
	moves atomic.Uint64
	// pinsMade counts the pins that were made since it was opened.
	pinsMade atomic.Uint64

	// lent is what must not go to make room, though no record may name it yet.
	lent lent

	// whole is held, for reading, by who reads, and for writing by who takes the
	// index away. reading is held, for reading, by who reads from packs what the index has
	// said lies there, and for writing by who removes packs or the index.
	whole   sync.RWMutex
	reading sync.RWMutex
	handles handles

	// mu is held for a moment, around what follows it. Only who holds writing
	// changes any of it but doubted.
	mu      sync.Mutex
	store   Store           // nil: there is none
	agreed  bool            // the index knows all packs that lie there
	skipped bool            // numbers were left out, as that is not known
	unsure  map[packID]bool // what lies here and there may not be the same
	st      state
	packs   map[packID]packRow
	givers  givers
	limits  Limits
	doubted map[entry.DeviceID]bool
	closed  bool
}

// Limits bound what a vault takes.
type Limits struct {
	Quota    int64 // bytes of all packs; 0 is none
	KeepFree int64 // bytes that stay free on the file system
}

// Open opens the vault in a directory, or makes one there. It reads the whole
// index, at some 500 MB a second once that is in memory, and takes in what
// a crash has left behind it in the packs. A missing or damaged index is
// rebuilt from the packs, which reads all records and the heads of all blocks.
//
// It returns [ErrLocked] if another process has the vault open, [ErrFolder] if
// it is another folder's, [ErrVersion] if a newer kith has written it, and
// [ErrStore] if packs that it needs lie where they cannot be had now: only a
// rebuild needs any.
func Open(o Options) (*Vault, error) {
	v := &Vault{
		dir: o.Dir, packDir: filepath.Join(o.Dir, "packs"), packSize: o.PackSize, grace: o.Grace,
		clock: o.Clock, free: o.Free, log: o.Log, noSync: o.noSync,
		partial: o.Partial, rolling: o.Rolling, store: o.Store, scratch: o.Scratch, replaced: map[packID]bool{},
		limits: Limits{o.Quota, o.KeepFree}, doubted: map[entry.DeviceID]bool{},
	}
	v.life, v.die = context.WithCancel(context.Background())
	v.st.folder = o.Folder
	v.setDefaults()
	if err := v.open(); err != nil {
		v.die()
		return nil, fmt.Errorf("open vault %q: %w", o.Dir, err)
	}
	return v, nil
}

func (v *Vault) setDefaults() {
	v.unsure = map[packID]bool{}
	if v.packSize == 0 {
		v.packSize = defaultPack
	}
	v.packSize = min(max(v.packSize, minPack), maxPack)
	if v.grace == 0 {
		v.grace = defaultGrace
	}
	if v.clock == nil {
		v.clock = time.Now
	}
	if v.free == nil {
		v.free = diskFree
	}
	if v.log == nil {
		v.log = slog.New(slog.DiscardHandler)
	}
}

func (v *Vault) open() error {
	if v.rolling && v.store != nil {
		return fmt.Errorf("%w: a rolling vault has no store", ErrRefused)
	}
	v.writing.Lock()
	defer v.writing.Unlock()
	err := v.prepare()
	if err == nil {
		err = v.load()
	}
	if errors.Is(err, ErrIndex) {
		err = v.rebuild()
	}
	if err == nil && v.partial {
		err = v.forgetLost()
	}
	if err != nil {
		v.letGo()
	}
	return err
}

// Close waits for what is under way and closes the vault, which answers
// [ErrClosed] from then on.
func (v *Vault) Close() error {
	v.Interrupt()
	v.caring.Lock()
	defer v.caring.Unlock()
	v.writing.Lock()
	defer v.writing.Unlock()
	v.whole.Lock()
	defer v.whole.Unlock()
	v.mu.Lock()
	closed := v.closed
	v.closed = true
	v.mu.Unlock()
	if closed {
		return nil
	}
	if err := v.letGo(); err != nil {
		return fmt.Errorf("close vault %q: %w", v.dir, err)
	}
	return nil
}

// letGo closes all files.
func (v *Vault) letGo() (err error) {
	v.reading.Lock()
	defer v.reading.Unlock()
	for _, w := range v.writers {
		err = errors.Join(err, w.close())
	}
	v.writers = map[class]*writer{}
	v.handles.closeAll()
	if v.db != nil {
		err = errors.Join(err, v.db.close())
		v.db = nil
	}
	return err
}

// Remove removes a vault that is not open, with all that it holds.
func Remove(dir string) error { return os.RemoveAll(dir) }

func (v *Vault) closedError() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.closed {
		return ErrClosed
	}
	return nil
}

// step is a point at which tests look in.
func (v *Vault) step(name string) error {
	if v.hook != nil {
		return v.hook(name)
	}
	return nil
}

// marker is what all entries begin with.
func (v *Vault) marker() marker {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.st.marker
}

// SetLimits changes what the vault may take. What it holds already stays.
func (v *Vault) SetLimits(l Limits) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.limits = l
}

// Doubt names all devices whose gifts are not to be relied on, such as those
// that are no longer members: a block that nobody else gave is not counted as
// held by [Vault.HasBlocks], so that it is given again, and is found by
// [Vault.Blocks] behind what others gave. Nothing is removed. It is not
// remembered over a Close.
func (v *Vault) Doubt(devices []entry.DeviceID) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.doubted = map[entry.DeviceID]bool{}
	for _, d := range devices {
		v.doubted[d] = true
	}
}

// Head tells how far a vault has come. Who remembers the last head it saw
// notices if the vault's disk is set back: the same ID with a lower sequence.
type Head struct {
	Vault    ID
	Sequence entry.Sequence // of the last version received
	Moment   time.Time      // the last one of the vault's clock that was used
}

// Head is the vault's.
func (v *Vault) Head() Head {
	v.whole.RLock()
	defer v.whole.RUnlock()
	v.mu.Lock()
	defer v.mu.Unlock()
	return Head{v.st.vault, entry.Sequence(v.st.head), v.st.moment.time()}
}

// Totals tell what a vault holds.
type Totals struct {
	Blocks     int64
	Variants   int64 // sealed forms of these: more than Blocks if some have two
	BlockBytes int64 // of all forms
	Records    int64 // record IDs
	Versions   int64 // of these
	Pins       int64
	Damaged    int64 // blocks and versions that are to be repaired
	Marked     int64 // blocks and versions that wait to be swept
	Packs      int64
	PackBytes  int64 // what counts against the quota
	DeadBytes  int64 // of these, what compaction can free
	Stowed     int64 // of PackBytes, what lies in the store
	// Exact is the moment from which on every moment can be restored; before
	// it, those that retention has kept. Zero if nothing was dropped yet.
	Exact          time.Time
	Oldest, Newest time.Time // received; zero if there is no version
}

// Totals counts what the vault holds.
func (v *Vault) Totals() (Totals, error) {
	oldest, newest, err := v.span()
	if err != nil {
		return Totals{}, fmt.Errorf("count vault %q: %w", v.dir, err)
	}
	v.whole.RLock()
	defer v.whole.RUnlock()
	v.mu.Lock()
	defer v.mu.Unlock()
	c := v.st.counts
	t := Totals{
		Blocks: int64(c.blocks), Variants: int64(c.variants), BlockBytes: int64(c.blockBytes),
		Records: int64(c.records), Versions: int64(c.versions), Pins: int64(c.pins),
		Damaged: int64(c.damaged), Marked: int64(v.st.marks),
		Oldest: oldest, Newest: newest,
	}
	if v.st.thinned > 0 {
		t.Exact = v.st.thinned.time()
	}
	for _, p := range v.packs {
		if !p.retired {
			t.Packs++
			t.PackBytes += p.length
			t.DeadBytes += p.dead
			if p.stowed {
				t.Stowed += p.length
			}
		}
	}
	return t, nil
}

// packIDs are the packs that are in use, ascending.
func (v *Vault) packIDs() []packID {
	v.mu.Lock()
	defer v.mu.Unlock()
	return slices.Sorted(maps.Keys(v.packs))
}

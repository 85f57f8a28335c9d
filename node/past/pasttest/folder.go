package pasttest

import (
	"iter"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/version"
	"github.com/kithmesh/kith/node/past"
	"github.com/kithmesh/kith/node/vault"
	"github.com/kithmesh/kith/protocol/seal"
)

// ID is the folder's.
var ID = entry.FolderID{7, 15: 9}

// Folder is a folder that has a past. Its paths are changed by its methods; what
// they do is in the vault, unless that is nil, by the next Moment, Past or
// Flush.
type Folder struct {
	T     testing.TB
	Vault *vault.Vault // nil: changes stay on the device
	Keys  map[entry.Epoch]*seal.Keys
	Epoch entry.Epoch
	Now   time.Time
	// Living is what is at each path now, and Content the bytes of the files.
	Living  map[entry.Path]*entry.Entry
	Content map[entry.Path][]byte
	// Block is how long blocks are.
	Block int

	last    map[entry.Path]*entry.Entry // of each path the newest version, deletes too
	replica version.ReplicaID
	count   map[version.ReplicaID]uint64
	names   map[version.ReplicaID]string
	blocks  []vault.Block // that are not in the vault yet
	records []vault.Received
}

// New is an empty folder, whose vault lies in a directory of the test.
func New(t testing.TB) *Folder {
	f := &Folder{
		T: t, Keys: map[entry.Epoch]*seal.Keys{}, Now: time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC), Block: 1000,
		Living: map[entry.Path]*entry.Entry{}, Content: map[entry.Path][]byte{}, last: map[entry.Path]*entry.Entry{},
		replica: 1, count: map[version.ReplicaID]uint64{}, names: map[version.ReplicaID]string{1: "laptop", 2: "phone", 3: "desk"},
	}
	f.NewEpoch()
	f.Vault = f.OpenVault()
	return f
}

// OpenVault opens a new vault that goes by the folder's time.
func (f *Folder) OpenVault() *vault.Vault {
	f.T.Helper()
	v, err := vault.Open(vault.Options{Dir: f.T.TempDir(), Folder: ID, Clock: func() time.Time { return f.Now }})
	f.must(err)
	f.T.Cleanup(func() { _ = v.Close() })
	return v
}

func (f *Folder) must(err error) {
	f.T.Helper()
	if err != nil {
		f.T.Fatal(err)
	}
}

// Past is the folder's past, from its vault and others.
func (f *Folder) Past(more ...past.Source) *past.Past {
	f.T.Helper()
	f.Flush()
	p := &past.Past{Keys: f.Keys, Spool: f.T.TempDir()}
	if f.Vault != nil {
		p.Sources = append(p.Sources, Vault{f.Vault})
	}
	p.Sources = append(p.Sources, more...)
	return p
}

// NewEpoch changes the keys.
func (f *Folder) NewEpoch() {
	f.T.Helper()
	f.Epoch++
	k, err := seal.Derive(ID, f.Epoch, seal.FolderKey{byte(f.Epoch), 31: 1})
	f.must(err)
	f.Keys[f.Epoch] = k
}

// As lets a replica make what follows: 1 is the laptop, 2 the phone.
func (f *Folder) As(r version.ReplicaID) *Folder {
	f.replica = r
	return f
}

// Pass lets time pass.
func (f *Folder) Pass(d time.Duration) *Folder {
	f.Now = f.Now.Add(d)
	return f
}

// Flush puts what was done into the vault.
func (f *Folder) Flush() {
	f.T.Helper()
	if f.Vault != nil && len(f.blocks)+len(f.records) > 0 {
		f.must(f.Vault.Put(f.T.Context(), f.blocks, f.records))
	}
	f.blocks, f.records = nil, nil
}

// Moment is a moment after all that was done, and before all that follows.
func (f *Folder) Moment() time.Time {
	f.T.Helper()
	f.Flush()
	t := f.Pass(time.Second).Now
	f.Pass(time.Second)
	return t
}

// Version makes an event of the replica on top of what is known of a path.
func (f *Folder) Version(was *entry.Entry) version.Version {
	f.count[f.replica]++
	var v version.Version
	if was != nil {
		v = was.Version
	}
	return v.Next(f.replica, f.count[f.replica], version.ClockAt(f.Now))
}

// Write gives a path bytes.
func (f *Folder) Write(p entry.Path, content string) *entry.Entry {
	f.T.Helper()
	e := &entry.Entry{Path: p, Kind: entry.File, Mode: 0o644, ModTime: f.Now.UnixNano() + 123, Size: int64(len(content))}
	if was := f.Living[p]; was != nil && was.Kind == entry.File {
		e.Mode = was.Mode
	}
	f.Cut(e, content)
	return f.change(e, content)
}

// Cut gives an entry the blocks of its content, which go to the vault.
func (f *Folder) Cut(e *entry.Entry, content string) {
	f.T.Helper()
	k := f.Keys[f.Epoch]
	for part := range slices.Chunk([]byte(content), f.Block) {
		id := k.BlockID(part)
		e.Blocks = append(e.Blocks, entry.Block{ID: id, Length: uint32(len(part))})
		sealed, err := k.SealBlock(nil, id, part, seal.Auto)
		f.must(err)
		f.blocks = append(f.blocks, vault.Block{ID: id, Epoch: f.Epoch, Sealed: sealed})
	}
}

// Mkdir makes a directory.
func (f *Folder) Mkdir(p entry.Path, mode uint32) *entry.Entry {
	f.T.Helper()
	return f.change(&entry.Entry{Path: p, Kind: entry.Directory, Mode: mode}, "")
}

// Symlink makes a symlink.
func (f *Folder) Symlink(p entry.Path, target string) *entry.Entry {
	f.T.Helper()
	return f.change(&entry.Entry{Path: p, Kind: entry.Symlink, Mode: 0o777, ModTime: f.Now.UnixNano() + 7, Target: target}, "")
}

// Chmod changes the permissions of a file or directory.
func (f *Folder) Chmod(p entry.Path, mode uint32) *entry.Entry {
	f.T.Helper()
	e := *f.Living[p]
	e.Mode, e.Blocks = mode, nil
	content := string(f.Content[p])
	f.Cut(&e, content)
	return f.change(&e, content)
}

// Delete deletes a path.
func (f *Folder) Delete(p entry.Path) *entry.Entry {
	f.T.Helper()
	return f.change(&entry.Entry{Path: p, Kind: entry.Deleted, Gone: f.Living[p].Digest()}, "")
}

// change records what a path is now, by the replica and under the keys of now.
func (f *Folder) change(e *entry.Entry, content string) *entry.Entry {
	f.T.Helper()
	f.Pass(time.Millisecond)
	e.Version = f.Version(f.last[e.Path])
	e.AuthorName, e.Epoch = f.names[f.replica], f.Epoch
	f.Put(e)
	f.last[e.Path] = e
	delete(f.Living, e.Path)
	delete(f.Content, e.Path)
	if e.Lives() {
		f.Living[e.Path] = e
	}
	if e.Kind == entry.File {
		f.Content[e.Path] = []byte(content)
	}
	return e
}

// Put puts a version into the vault.
func (f *Folder) Put(e *entry.Entry) {
	f.T.Helper()
	r, err := f.Keys[e.Epoch].SealRecord(e)
	f.must(err)
	f.records = append(f.records, vault.Received{Record: r})
}

// Entries are what an index of the device would hold, in tree order.
func (f *Folder) Entries() iter.Seq2[*entry.Entry, error] {
	return func(yield func(*entry.Entry, error) bool) {
		for _, p := range slices.SortedFunc(maps.Keys(f.last), entry.Path.Compare) {
			if !yield(f.last[p], nil) {
				return
			}
		}
	}
}

// State is a copy of what lives now, and of the bytes of the files.
func (f *Folder) State() (map[entry.Path]*entry.Entry, map[entry.Path][]byte) {
	return maps.Clone(f.Living), maps.Clone(f.Content)
}

package exchange

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/roster"
	"github.com/kithmesh/kith/index/version"
	"github.com/kithmesh/kith/proto/wirepb"
	"github.com/kithmesh/kith/protocol/seal"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// folderID is a folder that is called by one letter.
func folderID(letter byte) entry.FolderID { return entry.FolderID{letter} }

func keysOf(t testing.TB, folder entry.FolderID) *seal.Keys {
	t.Helper()
	k, err := seal.Derive(folder, 1, seal.FolderKey{1, 31: 2})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// record is a small one.
func record(t testing.TB, folder entry.FolderID, name string) *seal.Record {
	t.Helper()
	v := version.Version{}.Next(7, 1, 1_700_000_000_000_000)
	r, err := keysOf(t, folder).SealRecord(&entry.Entry{
		Path: entry.Path(name), Kind: entry.Directory, Mode: 0o755, Version: v, AuthorName: "laptop", Epoch: 1,
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// fakeBook is a book whose folders each have numbered changes.
type fakeBook struct {
	t     testing.TB
	batch int // changes in one batch

	mu      sync.Mutex
	news    News
	items   map[entry.FolderID][]Item
	absent  []int // positions in the first batch of each folder
	keys    map[entry.FolderID]map[entry.Epoch]seal.FolderKey
	replies []Reply
	refuse  error // what Replied returns
	broken  error // what Records returns
	asked   []string

	onRecords func() // called as a batch has been made, under the lock
}

func newBook(t testing.TB, batch int) *fakeBook {
	return &fakeBook{
		t: t, batch: batch, items: map[entry.FolderID][]Item{}, keys: map[entry.FolderID]map[entry.Epoch]seal.FolderKey{},
	}
}

// folder adds a folder with changes 1 to n.
func (b *fakeBook) folder(letter byte, n int) {
	id := folderID(letter)
	for i := range n {
		b.items[id] = append(b.items[id], Item{entry.Sequence(i + 1), record(b.t, id, fmt.Sprintf("%c%d", letter, i+1))})
	}
	b.news.Folders = append(b.news.Folders, FolderState{
		Folder: id, Index: uint64(letter), Head: entry.Sequence(n), Replica: 7, Roster: [16]byte{letter}, Settled: true,
	})
}

// change changes the book under its lock.
func (b *fakeBook) change(fn func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	fn()
}

func (b *fakeBook) News() News {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := b.news
	n.Folders, n.Offers, n.Contacts = slices.Clone(n.Folders), slices.Clone(n.Offers), slices.Clone(n.Contacts)
	b.news.Asks = nil
	return n
}

func (b *fakeBook) Statements(entry.FolderID) []roster.Statement { return nil }

func (b *fakeBook) Keys(id entry.FolderID) map[entry.Epoch]seal.FolderKey {
	b.mu.Lock()
	defer b.mu.Unlock()
	return maps.Clone(b.keys[id])
}

// key adds the key of an epoch to a folder.
func (b *fakeBook) key(letter byte, epochs ...entry.Epoch) {
	id := folderID(letter)
	if b.keys[id] == nil {
		b.keys[id] = map[entry.Epoch]seal.FolderKey{}
	}
	for _, e := range epochs {
		b.keys[id][e] = keyOf(e)
	}
}

// keyOf is the key of an epoch in these tests.
func keyOf(e entry.Epoch) seal.FolderKey { return seal.FolderKey{byte(e), byte(e >> 8), 31: 9} }

func (b *fakeBook) Records(_ context.Context, id entry.FolderID, after entry.Sequence, _ Limit) (Batch, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.broken != nil {
		return Batch{}, b.broken
	}
	b.asked = append(b.asked, fmt.Sprintf("%c%d", id[0], after))
	all := b.items[id]
	out := Batch{Folder: id, Index: uint64(id[0]), After: after, Through: after, Head: entry.Sequence(len(all))}
	for _, it := range all {
		if it.Sequence > after && len(out.Items) < b.batch {
			out.Items = append(out.Items, it)
			out.Through = it.Sequence
		}
	}
	if after == 0 {
		out.Absent = b.absent
	}
	if b.onRecords != nil {
		b.onRecords()
	}
	return out, nil
}

func (b *fakeBook) Replied(_ context.Context, r Reply) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.replies = append(b.replies, r)
	return b.refuse
}

func (b *fakeBook) said() []Reply {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.replies)
}

// fakeEar notes what it hears.
type fakeEar struct {
	mu     sync.Mutex
	events []string
	heard  []Heard
	on     func(what string) error // called for each event

	contacts []Contact // the last
}

// deaf is a listener to whom nobody listens.
func deaf() (Ear, Registry) {
	e := &fakeEar{}
	return e, e
}

func (e *fakeEar) note(format string, args ...any) error {
	e.mu.Lock()
	what := fmt.Sprintf(format, args...)
	e.events = append(e.events, what)
	on := e.on
	e.mu.Unlock()
	if on != nil {
		return on(what)
	}
	return nil
}

func (e *fakeEar) all() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.events)
}

func (e *fakeEar) Met(h Hello) { _ = e.note("met %s", h.Name) }

func (e *fakeEar) Folders(_ context.Context, states []FolderState) error {
	s := ""
	for _, f := range states {
		s += fmt.Sprintf(" %c@%d", f.Folder[0], f.Head)
	}
	return e.note("folders%s", s)
}

func (e *fakeEar) Invited(offers []Offer) error {
	s := ""
	for _, o := range offers {
		s += fmt.Sprintf(" %s as %s with %d keys", o.Label, o.Role, len(o.Keys))
	}
	return e.note("offers%s", s)
}

func (e *fakeEar) Joined(folder entry.FolderID, statements []roster.Statement) error {
	return e.note("%d statements of %c", len(statements), folder[0])
}

func (e *fakeEar) Keyed(_ context.Context, folder entry.FolderID, keys map[entry.Epoch]seal.FolderKey) error {
	s := ""
	for _, epoch := range slices.Sorted(maps.Keys(keys)) {
		s += fmt.Sprintf(" %d", epoch)
		if keys[epoch] != keyOf(epoch) {
			s += " with another key"
		}
	}
	if len(keys) > 50 {
		s = fmt.Sprintf(" %d of them", len(keys))
	}
	return e.note("keys of %c:%s", folder[0], s)
}

func (e *fakeEar) Acquainted(_ context.Context, contacts []Contact) error {
	e.mu.Lock()
	e.contacts = contacts
	e.mu.Unlock()
	s := ""
	for _, c := range contacts {
		s += fmt.Sprintf(" %s", c.Name)
	}
	return e.note("contacts%s", s)
}

func (e *fakeEar) Heard(_ context.Context, h Heard) error {
	e.mu.Lock()
	e.heard = append(e.heard, h)
	e.mu.Unlock()
	if h.Ask != nil {
		return e.note("ask %d of %c", h.Ask.Nonce, h.Ask.Folder[0])
	}
	return e.note("%c %d..%d of %d, %d refused", h.Batch.Folder[0], h.Batch.After, h.Batch.Through, h.Batch.Head, len(h.Refused))
}

// running is a teller or listener at work.
type running struct {
	cancel context.CancelFunc
	ended  chan error
}

func run(fn func(context.Context) error) *running {
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{cancel, make(chan error, 1)}
	go func() { r.ended <- fn(ctx) }()
	return r
}

func (r *running) stop(t testing.TB) {
	t.Helper()
	r.cancel()
	if err := <-r.ended; err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, errReset) {
		t.Errorf("it ended with %v", err)
	}
}

var (
	me   = Hello{Name: "laptop", Software: "kith test", Clock: 5}
	them = Hello{Name: "phone", Software: "kith test", Clock: 6}
)

func helloTell() *wirepb.Tell {
	return &wirepb.Tell{What: &wirepb.Tell_Hello{Hello: them.toWire()}}
}

func helloReply() *wirepb.Reply {
	return &wirepb.Reply{What: &wirepb.Reply_Hello{Hello: them.toWire()}}
}

func startReply(letter byte, after, index uint64) *wirepb.Reply {
	s := Start{Folder: folderID(letter), Index: index, After: entry.Sequence(after), Roster: [16]byte{letter}}
	return &wirepb.Reply{What: &wirepb.Reply_Start{Start: s.toWire()}}
}

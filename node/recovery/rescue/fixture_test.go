package rescue_test

import (
	"context"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/roster"
	"github.com/kithmesh/kith/node/identity"
	"github.com/kithmesh/kith/node/recovery/rescue"
	"github.com/kithmesh/kith/protocol/exchange"
	"github.com/kithmesh/kith/protocol/seal"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// pipe is one end of a stream.
type pipe struct{ net.Conn }

func (p pipe) Reset() error { return p.Close() }

// member is a device that knows the rosters of folders, and tells them to who
// has the words.
type member struct {
	id    entry.DeviceID
	name  string
	until chan struct{} // if there is one, it tells no statement before that is closed
	deaf  chan struct{} // if there is one, it takes none before that is closed

	mu      sync.Mutex
	rosters map[entry.FolderID]roster.Roster
	heard   map[entry.FolderID]bool // of which it was told by the rescue
	teller  *exchange.Teller
}

func newMember(id entry.DeviceID, knows ...roster.Roster) *member {
	m := &member{id: id, name: "name of " + string(id), rosters: map[entry.FolderID]roster.Roster{}, heard: map[entry.FolderID]bool{}}
	for _, r := range knows {
		m.rosters[r.Folder()] = r
	}
	m.teller = exchange.NewTeller(m)
	return m
}

func (m *member) knows(id entry.FolderID) roster.Roster {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.rosters[id]
}

func (m *member) was(id entry.FolderID) (told bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.heard[id]
}

// meet connects a member with the holder of words, until the test ends.
func (m *member) meet(ctx context.Context, t testing.TB, x *rescue.Rescue) {
	t.Helper()
	ctx, cancel := context.WithCancel(ctx)
	var g sync.WaitGroup
	here, there := net.Pipe()
	g.Go(func() { _ = m.teller.Run(ctx, pipe{there}, exchange.Hello{Name: m.name, Clock: 1}) })
	g.Go(func() { _ = x.Witness(m.id).Listen(ctx, pipe{here}, exchange.Hello{Name: "fresh", Clock: 1}) })
	back, forth := net.Pipe()
	g.Go(func() { _ = x.Witness(m.id).Tell(ctx, pipe{back}, exchange.Hello{Name: "fresh", Clock: 1}) })
	e := &memberEar{member: m}
	e.listener = exchange.NewListener(e, e)
	g.Go(func() { _ = e.listener.Run(ctx, pipe{forth}, exchange.Hello{Name: m.name, Clock: 1}) })
	t.Cleanup(func() {
		cancel()
		for _, c := range []net.Conn{here, there, back, forth} {
			_ = c.Close()
		}
		g.Wait()
	})
}

func (m *member) News() (n exchange.News) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for id, r := range m.rosters {
		n.Folders = append(n.Folders, exchange.FolderState{Folder: id, Index: 9, Replica: 9, Roster: r.Digest()})
	}
	return n
}

func (m *member) Statements(id entry.FolderID) []roster.Statement {
	if m.until != nil {
		<-m.until
	}
	return m.knows(id).Statements()
}

func (m *member) Keys(entry.FolderID) map[entry.Epoch]seal.FolderKey { return nil }

func (m *member) Records(_ context.Context, id entry.FolderID, after entry.Sequence, _ exchange.Limit) (exchange.Batch, error) {
	return exchange.Batch{Folder: id, After: after, Through: after, Head: after}, nil
}

func (m *member) Replied(context.Context, exchange.Reply) error { return nil }

// memberEar hears what the words have to say.
type memberEar struct {
	member   *member
	listener *exchange.Listener
}

func (e *memberEar) Met(exchange.Hello) {}

func (e *memberEar) Folders(_ context.Context, states []exchange.FolderState) error {
	for _, st := range states {
		e.member.mu.Lock()
		e.member.heard[st.Folder] = true
		e.member.mu.Unlock()
		e.listener.Start(exchange.Start{Folder: st.Folder, Index: st.Index, Roster: e.member.knows(st.Folder).Digest()})
	}
	return nil
}

func (e *memberEar) Joined(id entry.FolderID, statements []roster.Statement) error {
	m := e.member
	if m.deaf != nil {
		<-m.deaf
	}
	m.mu.Lock()
	r, known := m.rosters[id]
	if !known {
		r = roster.New(id, identity.Verify)
	}
	m.rosters[id], _, _ = r.Add(statements...)
	m.mu.Unlock()
	m.teller.Wake()
	return nil
}

func (e *memberEar) Heard(context.Context, exchange.Heard) error { return nil }

func (e *memberEar) Invited([]exchange.Offer) error { return nil }

func (e *memberEar) Keyed(context.Context, entry.FolderID, map[entry.Epoch]seal.FolderKey) error {
	panic("keys were told")
}

func (e *memberEar) Acquainted(context.Context, []exchange.Contact) error { return nil }

// in runs a test where time passes only while all wait.
func in(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, test)
}

// listed waits until so many have told all that they know.
func listed(t testing.TB, x *rescue.Rescue, n int) {
	t.Helper()
	if !x.Await(t.Context(), time.Minute, func() bool { return len(x.Listed()) == n && x.Ready() }) {
		t.Fatalf("%d devices have told what they know, ready: %v", len(x.Listed()), x.Ready())
	}
}

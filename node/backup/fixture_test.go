package backup

import (
	"context"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/version"
	"github.com/kithmesh/kith/node/vault/retention"
	"github.com/kithmesh/kith/protocol/exchange"
	"github.com/kithmesh/kith/protocol/seal"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var testFolder = entry.FolderID{1, 15: 2}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// box is a keeper that runs, with a real vault.
type box struct {
	*Keeper
	t     testing.TB
	dir   string
	set   Settings
	clock func() time.Time
	end   func()
}

// newBox runs a keeper in a directory of its own, until the test ends.
func newBox(t testing.TB, set Settings) *box {
	t.Helper()
	b := &box{t: t, dir: t.TempDir(), set: set}
	b.up()
	t.Cleanup(b.down)
	return b
}

func (b *box) up() {
	b.t.Helper()
	if b.clock == nil {
		b.clock = patient()
	}
	k, err := Open(Options{ID: testFolder, Dir: b.dir, Settings: b.set, Clock: b.clock})
	must(b.t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- k.Run(ctx) }()
	b.Keeper, b.end = k, func() {
		cancel()
		must(b.t, errors.Join(<-ended, k.Close()))
	}
}

// patient is a clock that sleeps if it is looked at too often: where somebody
// never waits, time would stand still in a test, and the test never end.
func patient() func() time.Time {
	var n atomic.Int64
	return func() time.Time {
		if n.Add(1)%20_000 == 0 {
			<-time.After(time.Second)
		}
		return time.Now()
	}
}

func (b *box) down() {
	if b.end != nil {
		b.end()
	}
	b.end = nil
}

// in runs a test where time passes only while all wait.
func in(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, test)
}

// pass lets time pass, and all that comes of it.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// holds is how many versions the vault has.
func (b *box) holds() int64 {
	b.t.Helper()
	t, err := b.Vault().Totals()
	must(b.t, err)
	return t.Versions
}

// teller is another member: an index, of which each record's newest version
// counts, and blocks. It tells as the exchange does: nothing before it is
// asked, and nothing at all where there is nothing new.
type teller struct {
	t     testing.TB
	id    entry.DeviceID
	index uint64

	mu      sync.Mutex
	head    entry.Sequence
	items   []exchange.Item
	absent  map[entry.Sequence]bool
	blocks  map[entry.BlockID][]byte
	asked   []exchange.Start
	acks    []exchange.Ack
	fetched map[entry.BlockID]int
	records map[seal.RecordID][]*seal.Record // that Versions gives
	give    func(entry.BlockID) ([]byte, error)

	news chan struct{}
	stop func()
}

func newTeller(t testing.TB, id entry.DeviceID) *teller {
	return &teller{
		t: t, id: id, index: uint64(len(id)) + uint64(id[len(id)-1])<<8, absent: map[entry.Sequence]bool{},
		blocks: map[entry.BlockID][]byte{}, fetched: map[entry.BlockID]int{}, records: map[seal.RecordID][]*seal.Record{}, news: make(chan struct{}, 1),
	}
}

func (m *teller) Device() entry.DeviceID { return m.id }

func (m *teller) Fetch(ctx context.Context, ids []entry.BlockID, got func(int, []byte) error) error {
	for i, id := range ids {
		m.mu.Lock()
		m.fetched[id]++
		sealed, give := m.blocks[id], m.give
		m.mu.Unlock()
		var err error
		if give != nil {
			sealed, err = give(id)
		}
		if err == nil {
			err = ctx.Err()
		}
		if err == nil {
			err = got(i, sealed)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (m *teller) Start(s exchange.Start) {
	m.mu.Lock()
	m.asked = append(m.asked, s)
	m.mu.Unlock()
	m.wake()
}

func (m *teller) wake() {
	select {
	case m.news <- struct{}{}:
	default:
	}
}

func (m *teller) Ack(k exchange.Ack) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.acks = append(m.acks, k)
}

func (m *teller) Versions(_ context.Context, ids []seal.RecordID, each func(*seal.Record) error) error {
	for _, id := range ids {
		for _, r := range m.records[id] {
			if err := each(r); err != nil {
				return err
			}
		}
	}
	return nil
}

// join connects the member to a keeper.
func (m *teller) join(b *box) {
	m.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var run sync.WaitGroup
	run.Go(func() { m.tell(ctx, b.Keeper) })
	m.mu.Lock()
	st := exchange.FolderState{Folder: testFolder, Index: m.index, Head: m.head, Settled: true}
	m.mu.Unlock()
	must(m.t, b.Attach(ctx, m, st))
	once := sync.Once{}
	m.stop = func() { once.Do(func() { cancel(); run.Wait() }) }
	m.t.Cleanup(m.stop)
}

// leave ends the connection.
func (m *teller) leave(b *box) {
	m.t.Helper()
	m.stop()
	must(m.t, b.Detach(context.Background(), m.id))
}

// tell tells what was asked for, a batch at a time.
func (m *teller) tell(ctx context.Context, k *Keeper) {
	starts, through, begun := 0, entry.Sequence(0), false
	for {
		m.mu.Lock()
		if n := len(m.asked); n > starts {
			starts, through, begun = n, m.asked[n-1].After, true
		}
		b := m.batch(through)
		m.mu.Unlock()
		if !begun || b.Through <= through {
			select {
			case <-m.news:
				continue
			case <-ctx.Done():
				return
			}
		}
		if err := k.Hear(ctx, m.id, b, nil); err != nil {
			if ctx.Err() == nil && !errors.Is(err, ErrStopped) {
				m.t.Errorf("%s tells: %v", m.id, err)
			}
			return
		}
		through = b.Through
	}
}

func (m *teller) batch(after entry.Sequence) exchange.Batch {
	b := exchange.Batch{Folder: testFolder, Index: m.index, After: after, Through: m.head, Head: m.head}
	at, _ := slices.BinarySearchFunc(m.items, after+1, func(i exchange.Item, s entry.Sequence) int { return int(i.Sequence) - int(s) })
	for _, it := range m.items[at:] {
		if len(b.Items) == 1000 {
			b.Through = b.Items[len(b.Items)-1].Sequence
			break
		}
		if m.absent[it.Sequence] {
			b.Absent = append(b.Absent, len(b.Items))
		}
		b.Items = append(b.Items, it)
	}
	return b
}

// has makes a record the newest of its path in the index, and tells of it.
func (m *teller) has(r *seal.Record, blocks ...block) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.head++
	m.items = slices.DeleteFunc(m.items, func(i exchange.Item) bool { return i.Record.ID == r.ID })
	m.items = append(m.items, exchange.Item{Sequence: m.head, Record: r})
	for _, b := range blocks {
		m.blocks[b.id] = b.sealed
	}
	m.wake()
}

func (m *teller) times(b block) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.fetched[b.id]
}

func (m *teller) ack() (k exchange.Ack) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if n := len(m.acks); n > 0 {
		k = m.acks[n-1]
	}
	return k
}

// block is a made-up sealed block: to a vault it is as good as any.
type block struct {
	id     entry.BlockID
	sealed []byte
}

func newBlock(seed uint64, n int) block {
	b := block{sealed: make([]byte, n)}
	var key [32]byte
	binary.LittleEndian.PutUint64(key[:], seed)
	r := rand.NewChaCha8(key)
	_, _ = r.Read(b.id[:])
	_, _ = r.Read(b.sealed)
	b.sealed[0] = byte(seal.Raw)
	return b
}

// newRecord is a made-up record of path number path, changed count times by one
// replica.
func newRecord(path, count uint64, blocks ...block) *seal.Record {
	r := &seal.Record{Epoch: 1, Sealed: make([]byte, 92), Version: version.Version{
		Author: 7, Clock: version.Clock(path<<16 + count), Vector: version.Vector{{Replica: 7, Count: path<<16 + count}},
	}}
	binary.LittleEndian.PutUint64(r.ID[:], path*0x9e3779b97f4a7c15)
	binary.LittleEndian.PutUint64(r.Sealed, path)
	binary.LittleEndian.PutUint64(r.Sealed[8:], count)
	for _, b := range blocks {
		r.Blocks = append(r.Blocks, seal.BlockRef{ID: b.id, SealedSize: uint32(len(b.sealed))})
	}
	return r
}

func defaults() Settings { return Settings{Policy: retention.Default()} }

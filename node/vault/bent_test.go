package vault

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/kithmesh/kith/node/vault/store"
)

// bent is a store whose answers a test bends.
type bent struct {
	Store
	dir    string // where it lies
	mu     sync.Mutex
	read   func(ctx context.Context, name string, p []byte, off int64) (answered bool, err error)
	put    func(name string) (answered bool, err error)
	listed func(name string) bool // false: it is left out
}

func (b *bent) ReadAt(ctx context.Context, name string, p []byte, off int64) error {
	b.mu.Lock()
	read := b.read
	b.mu.Unlock()
	if read != nil {
		if answered, err := read(ctx, name, p, off); answered {
			return err
		}
	}
	return b.Store.ReadAt(ctx, name, p, off)
}

func (b *bent) reads(fn func(ctx context.Context, name string, p []byte, off int64) (bool, error)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.read = fn
}

func (b *bent) Put(ctx context.Context, name string, content io.ReaderAt, size int64) error {
	if b.put != nil {
		if answered, err := b.put(name); answered {
			return err
		}
	}
	return b.Store.Put(ctx, name, content, size)
}

func (b *bent) List(ctx context.Context, each func(string, int64) error) error {
	return b.Store.List(ctx, func(name string, size int64) error {
		if b.listed != nil && !b.listed(name) {
			return nil
		}
		return each(name, size)
	})
}

// stowedVault is a vault with a few blocks that lie in a store which can be bent.
func stowedVault(t testing.TB, n uint64) (*Vault, *bent, *clock, []Block) {
	t.Helper()
	c := newClock()
	s := &bent{dir: t.TempDir()}
	s.Store = directoryAt(t, s.dir)
	v := testVaultOn(t, t.TempDir(), c, s)
	var all []Block
	for i := range n {
		b := testBlock(i, 9000, anna)
		all = append(all, b)
		put(t, v, []Block{b}, testRecord(i, ver(1, i+1), b))
	}
	stow(t, v)
	return v, s, c, all
}

func gives(t testing.TB, v *Vault, all []Block) {
	t.Helper()
	lost := 0
	var why error
	for _, b := range all {
		if got, err := v.Block(b.ID); err != nil || string(got) != string(b.Sealed) {
			lost, why = lost+1, err
		}
	}
	if lost > 0 {
		t.Errorf("%d of %d blocks: %v", lost, len(all), why)
	}
	if n, err := v.Totals(); err != nil || n.Damaged != 0 {
		t.Errorf("%d damages, %v", n.Damaged, err)
	}
}

// hangs has reads of blocks wait until they are given up, or the test lets go.
func hangs(t testing.TB, s *bent) (reached chan struct{}, free func()) {
	t.Helper()
	reached, let := make(chan struct{}), make(chan struct{})
	var first, last sync.Once
	free = func() { last.Do(func() { close(let) }) }
	t.Cleanup(free)
	s.reads(func(ctx context.Context, name string, _ []byte, _ int64) (bool, error) {
		if name > packName(2, classRecords) {
			return false, nil // what is put now is looked for
		}
		first.Do(func() { close(reached) })
		select {
		case <-let:
			return false, nil
		case <-ctx.Done():
			return true, ctx.Err()
		}
	})
	return reached, free
}

// soon fails the test if something takes long.
func soon(t testing.TB, what string, do func()) {
	t.Helper()
	done := make(chan struct{})
	go func() { defer close(done); do() }()
	t.Cleanup(func() { <-done })
	select {
	case <-done:
	case <-time.After(time.Second):
		t.Errorf("%s waits for the store", what)
	}
}

// impostor is an address at which something answers that is no bucket, or not
// in the way that one does.
func impostor(t testing.TB, answer http.HandlerFunc) Store {
	t.Helper()
	server := httptest.NewServer(answer)
	t.Cleanup(server.Close)
	p, err := store.Address{URL: "s3:" + server.URL + "/packs", AccessKey: "a", SecretKey: "b", Region: "us-east-1"}.Open("folder/device")
	must(t, err)
	return p
}

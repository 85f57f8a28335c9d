package blocks

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/kithmesh/kith/index/entry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// line in memory: both ends wait for each other.
type pipe struct{ net.Conn }

func (p pipe) Reset() error { return p.Close() }

// asker is who asks in these tests.
const asker = entry.DeviceID("asker")

var docs = entry.FolderID{'d', 'o', 'c', 's'}

// idOf is the name of a block that is called n.
func idOf(n int) entry.BlockID { return entry.BlockID{byte(n), byte(n >> 8), 31: 1} }

func idsOf(names ...int) (out []entry.BlockID) {
	for _, n := range names {
		out = append(out, idOf(n))
	}
	return out
}

// bytesOf is the sealed form of a block: of a length and content of its own.
func bytesOf(n int) []byte {
	b := make([]byte, 1+n%3000)
	for i := range b {
		b[i] = byte(n + i)
	}
	return b
}

// shelf is a source that holds blocks whose names are even.
type shelf struct {
	mu    sync.Mutex
	asked []Request
	by    []entry.DeviceID
	on    func(ctx context.Context, r Request, send func([]byte) error) error // instead, if set
}

func (s *shelf) Sealed(ctx context.Context, by entry.DeviceID, r Request, send func([]byte) error) error {
	s.mu.Lock()
	s.asked, s.by = append(s.asked, r), append(s.by, by)
	s.mu.Unlock()
	if s.on != nil {
		return s.on(ctx, r, send)
	}
	if r.Folder != docs {
		return fmt.Errorf("folder %s: %w", r.Folder, ErrRefused)
	}
	for _, id := range r.IDs {
		n := int(id[0]) | int(id[1])<<8
		var b []byte
		if n%2 == 0 {
			b = bytesOf(n)
		}
		if err := send(b); err != nil {
			return err
		}
	}
	return nil
}

// office opens streams to a server over a shelf.
type office struct {
	t      testing.TB
	shelf  *shelf
	server Server
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu     sync.Mutex
	opened []pipe  // the server's ends
	ended  []error // how the server's handling ended
}

func newOffice(t testing.TB, s *shelf) *office {
	o := &office{t: t, shelf: s, server: Server{Source: s}}
	o.ctx, o.cancel = context.WithCancel(context.Background())
	return o
}

func (o *office) open(context.Context) (Stream, error) {
	a, b := net.Pipe()
	o.mu.Lock()
	o.opened = append(o.opened, pipe{b})
	o.mu.Unlock()
	o.wg.Go(func() {
		err := o.server.Handle(o.ctx, asker, b)
		_ = b.Close()
		o.mu.Lock()
		o.ended = append(o.ended, err)
		o.mu.Unlock()
	})
	return pipe{a}, nil
}

// close ends all and waits for it.
func (o *office) close() {
	o.cancel()
	o.mu.Lock()
	for _, p := range o.opened {
		_ = p.Close()
	}
	o.mu.Unlock()
	o.wg.Wait()
}

func (o *office) streams() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.opened)
}

// fetched is what a fetch brought: a word for each block, in order.
func fetched(c *Client, r Request) (out []string, err error) {
	err = c.Fetch(context.Background(), r, func(i int, sealed []byte) error {
		if i != len(out) {
			return fmt.Errorf("block %d after %d", i, len(out))
		}
		n := int(r.IDs[i][0]) | int(r.IDs[i][1])<<8
		switch {
		case sealed == nil:
			out = append(out, "missing")
		case string(sealed) == string(bytesOf(n)):
			out = append(out, fmt.Sprint(n))
		default:
			out = append(out, fmt.Sprintf("%d other bytes", len(sealed)))
		}
		return nil
	})
	return out, err
}

var errBroken = errors.New("broken")

package history

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/version"
	"github.com/kithmesh/kith/protocol/frame"
	"github.com/kithmesh/kith/protocol/seal"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	asker = entry.DeviceID("asker")
	anna  = entry.DeviceID("12D3KooWAnna")
	ben   = entry.DeviceID("12D3KooWBen")
)

var (
	docs      = entry.FolderID{'d', 'o', 'c', 's'}
	nonce     = [32]byte{'n', 'o', 'n', 'c', 'e'}
	errBroken = errors.New("broken")
	keys      = sync.OnceValue(func() *seal.Keys {
		k, err := seal.Derive(docs, 1, seal.FolderKey{1})
		if err != nil {
			panic(err)
		}
		return k
	})
)

// at is a moment, n seconds after others.
func at(n int) time.Time { return time.UnixMicro(1_795_000_000_000_000 + int64(n)*1e6).UTC() }

// record is the record of a file that is called n, of so many blocks.
func record(n, blocks int) *seal.Record {
	e := &entry.Entry{
		Path: entry.Path(fmt.Sprint("file ", n)), Kind: entry.File, Epoch: 1,
		Version: version.Version{Vector: version.Vector{{Replica: 7, Count: uint64(n) + 1}}, Clock: 5, Author: 7},
	}
	for i := range blocks {
		e.Blocks = append(e.Blocks, entry.Block{ID: entry.BlockID{byte(i), byte(i >> 8), byte(i >> 16), 31: 1}, Length: 70})
		e.Size += 70
	}
	r, err := keys().SealRecord(e)
	if err != nil {
		panic(err)
	}
	return r
}

// held is version n.
func held(n int) Held {
	h := Held{Record: record(n, n%4), Sequence: entry.Sequence(n), Received: at(n)}
	if n%2 == 0 {
		h.From = anna
	}
	if n%3 == 0 {
		h.Until, h.From = at(n+n%2), ben
	}
	return h
}

// sameHeld tells whether two are the same in all that a peer is told.
func sameHeld(a, b Held) bool {
	return proto.Equal(a.Record.ToWire(), b.Record.ToWire()) && a.Sequence == b.Sequence && a.From == b.From &&
		a.Received.Equal(b.Received) && a.Until.Equal(b.Until)
}

// past is a Source and a Keeping that remembers what it was asked.
type past struct {
	mu    sync.Mutex
	asked []string
	held  []Held   // what versions are taken from, as they are
	state State    // what is told of it
	pin   Pin      // what is said of a pin
	forms []Proven // of every block
	mends int
	err   error                               // at the end
	on    func(context.Context) (again error) // first, if set
}

func (p *past) note(ctx context.Context, by Asker, format string, args ...any) error {
	p.mu.Lock()
	p.asked = append(p.asked, fmt.Sprintf("%s %s: ", by.Peer, by.Folder[:4])+fmt.Sprintf(format, args...))
	p.mu.Unlock()
	if p.on != nil {
		return p.on(ctx)
	}
	return nil
}

func (p *past) tell(each func(Held) error) error {
	for _, h := range p.held {
		if err := each(h); err != nil {
			return err
		}
	}
	return p.err
}

func (p *past) State(ctx context.Context, by Asker) (State, error) {
	if err := p.note(ctx, by, "state"); err != nil {
		return State{}, err
	}
	return p.state, p.err
}

func (p *past) AsOf(ctx context.Context, by Asker, t time.Time, each func(Held) error) error {
	if err := p.note(ctx, by, "as of %d", t.UnixMicro()); err != nil {
		return err
	}
	return p.tell(each)
}

func (p *past) Versions(ctx context.Context, by Asker, ids []seal.RecordID, each func(Held) error) error {
	if err := p.note(ctx, by, "versions %s", ids); err != nil {
		return err
	}
	return p.tell(each)
}

func (p *past) Received(ctx context.Context, by Asker, after entry.Sequence, each func(Held) error) error {
	if err := p.note(ctx, by, "received after %d", after); err != nil {
		return err
	}
	return p.tell(each)
}

func (p *past) Pin(ctx context.Context, by Asker, t time.Time, label []byte) (Pin, error) {
	if err := p.note(ctx, by, "pin %d %q", t.UnixMicro(), label); err != nil {
		return Pin{}, err
	}
	return p.pin, p.err
}

func (p *past) Prove(ctx context.Context, by Asker, nonce [32]byte, ids []entry.BlockID, each func([]Proven) error) error {
	if err := p.note(ctx, by, "prove %x %d", nonce[:5], len(ids)); err != nil {
		return err
	}
	for i := range ids {
		if err := each(p.forms[:min(i, len(p.forms))]); err != nil {
			return err
		}
	}
	return p.err
}

func (p *past) Mend(ctx context.Context, by Asker, ids []entry.BlockID) (int, error) {
	if err := p.note(ctx, by, "mend %d", len(ids)); err != nil {
		return 0, err
	}
	return p.mends, p.err
}

// pipe is a line in memory: both ends wait for each other.
type pipe struct{ net.Conn }

func (p pipe) Reset() error { return p.Close() }

// office opens streams to a server.
type office struct {
	server Server
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu     sync.Mutex
	opened []pipe  // the server's ends
	ended  []error // how the server's handling ended
}

func newOffice(t testing.TB, p *past) (*office, *Client) {
	o := &office{server: Server{Source: p, Keeping: p}}
	o.ctx, o.cancel = context.WithCancel(context.Background())
	c := NewClient(docs, o.open)
	t.Cleanup(func() { c.Close(); o.close() })
	return o, c
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

// duplex is a stream of which one direction has been written already.
type duplex struct {
	io.Reader
	written bytes.Buffer
}

func (d *duplex) Write(b []byte) (int, error) { return d.written.Write(b) }
func (d *duplex) Close() error                { return nil }
func (d *duplex) Reset() error                { return nil }

// answered is a client of a peer that has answered already.
func answered(answer []byte) *Client {
	return NewClient(docs, func(context.Context) (Stream, error) { return &duplex{Reader: bytes.NewReader(answer)}, nil })
}

// framed is messages as they cross the wire.
func framed(t testing.TB, messages ...proto.Message) []byte {
	t.Helper()
	var b bytes.Buffer
	w := frame.NewWriter(&b)
	for _, m := range messages {
		if err := w.Write(m); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// collected are the versions that a call brings.
func collected(call func(each func(Held) error) error) (out []Held, err error) {
	err = call(func(h Held) error { out = append(out, h); return nil })
	return out, err
}

// idsOf are the IDs of blocks that are called by numbers.
func idsOf(names ...byte) (out []entry.BlockID) {
	for _, n := range names {
		out = append(out, entry.BlockID{n, 31: 1})
	}
	return out
}

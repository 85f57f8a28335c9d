package protocol

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	libp2ptls "github.com/libp2p/go-libp2p/p2p/security/tls"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	"go.uber.org/goleak"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/protocol/blocks"
	"github.com/kithmesh/kith/protocol/exchange"
	"github.com/kithmesh/kith/protocol/frame"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// newHost is a libp2p host on loopback.
func newHost(t testing.TB) host.Host {
	t.Helper()
	h, err := libp2p.New(libp2p.ListenAddrStrings("/ip4/127.0.0.1/tcp/0"), libp2p.Transport(tcp.NewTCPTransport),
		libp2p.Security(libp2ptls.ID, libp2ptls.New), libp2p.DisableRelay(), libp2p.DisableMetrics(), libp2p.Ping(false))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.Close() })
	return h
}

// hall is a server on a host, with a peer that it trusts, connected.
type hall struct {
	t      testing.TB
	server *Server
	host   host.Host
	friend host.Host
	log    *bytes.Buffer // to be read after the server is closed
}

func newHall(t testing.TB) *hall {
	t.Helper()
	h := &hall{t: t, host: newHost(t), friend: newHost(t), log: &bytes.Buffer{}}
	trusted := h.friend.ID()
	h.server = NewServer(func(id peer.ID) bool { return id == trusted }, slog.New(slog.NewTextHandler(h.log, nil)))
	t.Cleanup(h.server.Close)
	h.connect(h.friend)
	return h
}

func (h *hall) connect(who host.Host) {
	h.t.Helper()
	if err := who.Connect(h.t.Context(), peer.AddrInfo{ID: h.host.ID(), Addrs: h.host.Addrs()}); err != nil {
		h.t.Fatal(err)
	}
}

type handler = func(context.Context, entry.DeviceID, *Stream) error

func (h *hall) serve(id ID, r Rule, fn handler) { h.host.SetStreamHandler(id, h.server.Serve(r, fn)) }

// called is a stream that a peer opened.
type called struct {
	network.Stream
	refused error // already when it was opened, or on the first byte
}

// call opens a stream and says a byte, so that the other side learns of it.
func (h *hall) call(who host.Host, id ID) called {
	h.t.Helper()
	s, err := who.NewStream(h.t.Context(), h.host.ID(), id)
	if err != nil {
		return called{refused: err}
	}
	h.t.Cleanup(func() { _ = s.Reset() })
	_, err = s.Write([]byte{1})
	return called{s, err}
}

// fate is how a stream ends for the one that opened it.
func fate(t testing.TB, s called) error {
	t.Helper()
	if s.refused != nil {
		return s.refused
	}
	if err := s.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return err
	}
	_, err := io.Copy(io.Discard, s)
	if late(err) {
		t.Fatal("the stream did not end")
	}
	return err
}

// late tells whether an error is that of a deadline; each transport has its own.
func late(err error) bool {
	var timed net.Error
	return errors.As(err, &timed) && timed.Timeout()
}

// echo says back what it hears.
func echo(_ context.Context, _ entry.DeviceID, s *Stream) error {
	_, err := io.Copy(s, s)
	return err
}

const test ID = "/kith/test/1"

// answers tells whether a stream is served.
func answers(s called) bool {
	if s.refused != nil {
		return false
	}
	_ = s.SetReadDeadline(time.Now().Add(10 * time.Second))
	_, err := io.ReadFull(s, make([]byte, 1))
	return err == nil
}

func TestAStrangerIsRefusedAndToldWhy(t *testing.T) {
	h := newHall(t)
	h.serve(test, Rule{Name: "test", Streams: 1, Memory: 1}, func(context.Context, entry.DeviceID, *Stream) error {
		t.Error("it was served")
		return nil
	})
	stranger := newHost(t)
	h.connect(stranger)
	for range 3 { // and takes up no slot
		if why := Explain(fate(t, h.call(stranger, test))); why != "the other device does not count this one as paired" {
			t.Errorf("told %q", why)
		}
	}
	h.server.Close()
	if n := strings.Count(h.log.String(), stranger.ID().String()); n != 3 {
		t.Errorf("logged %d times: %s", n, h.log)
	}
}

func TestAHandlerLearnsWhoAndEndsTheStreamInOrder(t *testing.T) {
	h := newHall(t)
	who := make(chan entry.DeviceID, 1)
	h.serve(test, Rule{Name: "test", Streams: 1, Memory: 1}, func(_ context.Context, id entry.DeviceID, s *Stream) error {
		who <- id
		_, err := s.Write([]byte("bye"))
		return err
	})
	s := h.call(h.friend, test)
	said, err := io.ReadAll(s)
	if err != nil || string(said) != "bye" {
		t.Errorf("it said %q: %v", said, err)
	}
	if id := <-who; id != entry.DeviceID(h.friend.ID().String()) {
		t.Errorf("the handler was told of %s", id)
	}
	h.server.Close()
	if h.log.Len() > 0 {
		t.Errorf("logged: %s", h.log)
	}
}

// TestAPeerHasSoManyStreamsOfAProtocol and no more, until one of them ends.
func TestAPeerHasSoManyStreamsOfAProtocol(t *testing.T) {
	h := newHall(t)
	other := newHost(t)
	h.server.trusted = func(peer.ID) bool { return true }
	h.connect(other)
	const second ID = "/kith/test/2"
	h.serve(test, Rule{Name: "test", Streams: 2, Memory: 1}, echo)
	h.serve(second, Rule{Name: "second", Streams: 1, Memory: 1}, echo)
	a, b := h.call(h.friend, test), h.call(h.friend, test)
	if !answers(a) || !answers(b) {
		t.Fatal("two streams are not served")
	}
	for range 3 {
		if why := Explain(fate(t, h.call(h.friend, test))); why != "the other device is too busy" {
			t.Errorf("a third was told %q", why)
		}
	}
	if !answers(h.call(other, test)) || !answers(h.call(h.friend, second)) {
		t.Error("the streams of one peer and protocol count for others")
	}
	_ = a.CloseWrite()
	if err := fate(t, a); err != nil {
		t.Errorf("the first ended with %v", err)
	}
	if !eventually(func() bool { return answers(h.call(h.friend, test)) }) {
		t.Error("its place is not free")
	}
}

// eventually waits for something that is about to become so.
func eventually(is func() bool) bool {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for range 1000 {
		if is() {
			return true
		}
		<-tick.C
	}
	return false
}

func TestMemoryIsReservedAndGivenBack(t *testing.T) {
	h := newHall(t)
	h.serve(test, Rule{Name: "test", Streams: 100, Memory: 1 << 40}, echo)
	if why := Explain(fate(t, h.call(h.friend, test))); why != "the other device is too busy" {
		t.Errorf("a stream of 1 TiB was told %q", why)
	}
	h.serve(test, Rule{Name: "test", Streams: 100, Memory: 2 << 20}, echo)
	for n := range 300 { // 600 MiB, if none were given back
		s := h.call(h.friend, test)
		if !answers(s) {
			t.Fatalf("stream %d is not served", n)
		}
		_ = s.CloseWrite()
		if err := fate(t, s); err != nil {
			t.Fatal(err)
		}
		_ = s.Close()
	}
}

// TestAStreamWithoutProgressEnds: one that is silent, one that is not read,
// but not one that trickles.
func TestAStreamWithoutProgressEnds(t *testing.T) {
	h := newHall(t)
	const idle = 200 * time.Millisecond
	ended := make(chan error, 1)
	read := func(_ context.Context, _ entry.DeviceID, s *Stream) error {
		_, err := io.Copy(io.Discard, s)
		ended <- err
		return err
	}
	write := func(_ context.Context, _ entry.DeviceID, s *Stream) error {
		_, err := io.Copy(s, endless{})
		ended <- err
		return err
	}
	for name, fn := range map[string]handler{"a read": read, "a write": write} {
		h.serve(test, Rule{Name: "test", Streams: 1, Memory: 1, Idle: idle}, fn)
		s := h.call(h.friend, test)
		began := time.Now()
		if err := <-ended; !late(err) {
			t.Errorf("%s ended with %v", name, err)
		}
		if took := time.Since(began); took > 20*idle {
			t.Errorf("%s ended after %v", name, took)
		}
		if err := fate(t, s); !errors.Is(err, network.ErrReset) {
			t.Errorf("%s: the peer saw %v", name, err)
		}
	}
	h.serve(test, Rule{Name: "test", Streams: 2, Memory: 1, Idle: idle}, read)
	s := h.call(h.friend, test)
	tick := time.NewTicker(idle / 4)
	defer tick.Stop()
	for range 12 {
		<-tick.C
		if _, err := s.Write([]byte{1}); err != nil {
			t.Fatalf("a stream that trickles: %v", err)
		}
	}
	_ = s.CloseWrite()
	if err := <-ended; err != nil {
		t.Errorf("a stream that trickled ended with %v", err)
	}
}

// nothing has none of the blocks that it is asked for.
type nothing struct{}

func (nothing) Sealed(_ context.Context, _ entry.DeviceID, r blocks.Request, send func([]byte) error) (err error) {
	for range r.IDs {
		err = errors.Join(err, send(nil))
	}
	return err
}

// TestAPeerThatHasNothingMoreToAskIsNoWarning, but one is that stops in the
// middle of a request.
func TestAPeerThatHasNothingMoreToAskIsNoWarning(t *testing.T) {
	h := newHall(t)
	give := &blocks.Server{Source: nothing{}}
	ended := make(chan error, 1)
	h.serve(test, Rule{Name: "test", Streams: 2, Memory: 1, Idle: 200 * time.Millisecond},
		func(ctx context.Context, id entry.DeviceID, s *Stream) error {
			err := give.Handle(ctx, id, s)
			ended <- err
			return err
		})
	asker := blocks.NewClient(func(ctx context.Context) (blocks.Stream, error) { return h.friend.NewStream(ctx, h.host.ID(), test) })
	t.Cleanup(asker.Close)
	ask := func() error {
		r := blocks.Request{Folder: entry.FolderID{1}, IDs: []entry.BlockID{{1}, {2}}}
		return asker.Fetch(t.Context(), r, func(int, []byte) error { return nil })
	}
	for range 2 { // the second time on a stream that is given up by then
		if err := ask(); err != nil {
			t.Fatal(err)
		}
		if err := <-ended; !errors.Is(err, frame.ErrIdle) || !late(err) {
			t.Errorf("it ended with %v", err)
		}
	}
	if err := h.call(h.friend, test).refused; err != nil {
		t.Fatal(err)
	}
	if err := <-ended; errors.Is(err, frame.ErrIdle) || !late(err) { // the first byte of a request has come
		t.Errorf("it ended with %v", err)
	}
	h.server.Close()
	if n := strings.Count(h.log.String(), "\n"); n != 1 || !strings.Contains(h.log.String(), "ended a stream") {
		t.Errorf("logged: %s", h.log)
	}
}

type endless struct{}

func (endless) Read(b []byte) (int, error) { return len(b), nil }

func TestAStreamWithoutIdleTimeWaitsForEver(t *testing.T) {
	h := newHall(t)
	h.serve(test, Rule{Name: "test", Streams: 1, Memory: 1}, echo)
	s := h.call(h.friend, test)
	if !answers(s) {
		t.Fatal("not served")
	}
	_ = s.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
	if _, err := s.Read(make([]byte, 1)); !late(err) {
		t.Errorf("it ended with %v", err)
	}
}

// TestCloseEndsAndAwaitsAllHandlers, and refuses whoever comes after.
func TestCloseEndsAndAwaitsAllHandlers(t *testing.T) {
	h := newHall(t)
	var mu sync.Mutex
	running := 0
	began := make(chan struct{}, 5)
	h.serve(test, Rule{Name: "test", Streams: 5, Memory: 1}, func(ctx context.Context, _ entry.DeviceID, s *Stream) error {
		mu.Lock()
		running++
		mu.Unlock()
		began <- struct{}{}
		_, err := io.Copy(io.Discard, s) // ends by the reset
		<-ctx.Done()
		mu.Lock()
		running--
		mu.Unlock()
		return err
	})
	var streams []called
	for range 5 {
		streams = append(streams, h.call(h.friend, test))
	}
	for range 5 {
		<-began
	}
	h.server.Close()
	mu.Lock()
	defer mu.Unlock()
	if running != 0 {
		t.Errorf("%d handlers run after Close", running)
	}
	for _, s := range streams {
		if err := fate(t, s); !errors.Is(err, network.ErrReset) {
			t.Errorf("a stream ended with %v", err)
		} else if why := Explain(err); why != "the other device is stopping" {
			t.Errorf("its peer was told %q", why)
		}
	}
	if why := Explain(fate(t, h.call(h.friend, test))); why != "the other device is stopping" {
		t.Errorf("who came after was told %q", why)
	}
	if strings.Contains(h.log.String(), "ended a stream") {
		t.Errorf("logged: %s", h.log)
	}
}

// TestWhyAStreamEndedCrossesTheWire for each error that has a code.
func TestWhyAStreamEndedCrossesTheWire(t *testing.T) {
	h := newHall(t)
	const malformed = "the other device did not understand what this one said"
	h.server.trusted = func(peer.ID) bool { return true }
	for _, c := range []struct {
		err error
		why string
	}{
		{exchange.ErrMessage, malformed}, {blocks.ErrRequest, malformed},
		{frame.ErrTooLarge, malformed}, {frame.ErrMalformed, malformed},
		{exchange.ErrProtocol, "the two devices run versions of kith that do not understand each other"},
		{ErrClosing, "the other device is stopping"}, {ErrTooMany, "the other device is too busy"},
		{ErrNotTrusted, "the other device does not count this one as paired"},
		{errors.New("a private matter"), ""},
	} {
		h.serve(test, Rule{Name: "test", Streams: 1, Memory: 1}, func(context.Context, entry.DeviceID, *Stream) error {
			return fmt.Errorf("handle: %w", c.err)
		})
		var err error
		if !eventually(func() bool { // the last stream's place may not be free yet
			err = fate(t, h.call(h.friend, test))
			return Explain(err) != "the other device is too busy" || c.err == ErrTooMany //nolint:errorlint // of the table
		}) || Explain(err) != c.why {
			t.Errorf("%v: told %q, not %q", c.err, Explain(err), c.why)
		}
	}
	h.server.Close()
	for _, once := range []string{"a private matter", exchange.ErrMessage.Error()} {
		if n := strings.Count(h.log.String(), once); n != 1 {
			t.Errorf("%q is logged %d times", once, n)
		}
	}
}

func TestTheEndOfAPeerIsNotLogged(t *testing.T) {
	h := newHall(t)
	began, ended := make(chan struct{}), make(chan struct{})
	h.serve(test, Rule{Name: "test", Streams: 1, Memory: 1}, func(ctx context.Context, id entry.DeviceID, s *Stream) error {
		close(began)
		defer close(ended)
		return echo(ctx, id, s)
	})
	if err := h.call(h.friend, test).refused; err != nil {
		t.Fatal(err)
	}
	<-began
	_ = h.friend.Network().ClosePeer(h.host.ID())
	<-ended
	h.server.Close()
	if h.log.Len() > 0 {
		t.Errorf("logged: %s", h.log)
	}
}

func TestWhatNobodySaidIsNotExplained(t *testing.T) {
	for _, err := range []error{nil, io.EOF, network.ErrReset, context.Canceled, &network.StreamError{ErrorCode: 7}} {
		if why := Explain(err); why != "" {
			t.Errorf("%v: %q", err, why)
		}
	}
}

// TestAFloodOfStreamsCostsLittle opens thousands, of which nearly all are
// refused, while one that was there before goes on.
func TestAFloodOfStreamsCostsLittle(t *testing.T) {
	h := newHall(t)
	h.serve(test, Rule{Name: "test", Streams: 4, Memory: 1 << 20}, echo)
	s := h.call(h.friend, test)
	if !answers(s) {
		t.Fatal("not served")
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 250 {
				f, err := h.friend.NewStream(h.t.Context(), h.host.ID(), test)
				if err != nil {
					continue // refused before it was one
				}
				_, _ = f.Write(bytes.Repeat([]byte("x"), 1000))
				_ = f.Reset()
			}
		})
	}
	wg.Wait()
	if _, err := s.Write([]byte{1}); err != nil || !answers(s) {
		t.Errorf("the stream that was there: %v", err)
	}
	if !eventually(func() bool {
		h.server.mu.Lock()
		defer h.server.mu.Unlock()
		return len(h.server.count) == 1
	}) {
		t.Errorf("streams are counted that are gone: %v", h.server.count)
	}
}

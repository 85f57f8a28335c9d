package rendezvous

import (
	"bufio"
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	pb "github.com/libp2p/go-libp2p-kad-dht/pb"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"google.golang.org/protobuf/encoding/protodelim"
)

const (
	answerWait = 8 * time.Second // for one node to be reached and to answer
	maxAnswer  = 256 << 10       // bytes of one answer
)

// courier carries the messages of the DHT, each on a stream of its own: a
// connection without streams is idle and can go, which the DHT's own sender,
// that keeps its streams, would not let it. It counts, and knows which records
// have been taken, which the DHT does not tell. It is safe for concurrent use.
type courier struct {
	host  host.Host
	sent  atomic.Uint64
	mu    sync.Mutex
	proto []protocol.ID
	puts  map[string]*tally // by the key of the record
}

// tally is how a record has fared.
type tally struct{ taken, refused, lost int }

func newCourier() *courier { return &courier{puts: map[string]*tally{}} }

// serve is called by the DHT as it is made.
func (c *courier) serve(h host.Host, protos []protocol.ID) pb.MessageSenderWithDisconnect {
	c.host, c.proto = h, protos
	return c
}

// SendRequest asks a node and waits for the answer.
func (c *courier) SendRequest(ctx context.Context, to peer.ID, m *pb.Message) (*pb.Message, error) {
	answer, reached, err := c.ask(ctx, to, m)
	if m.GetType() == pb.Message_PUT_VALUE {
		c.note(string(m.GetKey()), reached, err == nil)
	}
	return answer, err
}

func (c *courier) ask(ctx context.Context, to peer.ID, m *pb.Message) (answer *pb.Message, reached bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, answerWait)
	defer cancel()
	s, err := c.send(ctx, to, m)
	if err != nil {
		return nil, false, err
	}
	stop := context.AfterFunc(ctx, func() { _ = s.Reset() })
	defer stop()
	answer = new(pb.Message)
	if err := (protodelim.UnmarshalOptions{MaxSize: maxAnswer}).UnmarshalFrom(bufio.NewReader(s), answer); err != nil {
		_ = s.Reset()
		return nil, true, fmt.Errorf("ask a node: %w", err)
	}
	return answer, true, s.Close()
}

// SendMessage tells a node something that has no answer.
func (c *courier) SendMessage(ctx context.Context, to peer.ID, m *pb.Message) error {
	ctx, cancel := context.WithTimeout(ctx, answerWait)
	defer cancel()
	s, err := c.send(ctx, to, m)
	if err != nil {
		return err
	}
	return s.Close()
}

func (c *courier) send(ctx context.Context, to peer.ID, m *pb.Message) (network.Stream, error) {
	s, err := c.host.NewStream(ctx, to, c.proto...)
	if err != nil {
		return nil, fmt.Errorf("reach a node: %w", err)
	}
	c.sent.Add(1)
	if until, ok := ctx.Deadline(); ok {
		err = s.SetDeadline(until)
	}
	if err == nil {
		_, err = protodelim.MarshalTo(s, m)
	}
	if err != nil {
		_ = s.Reset()
		return nil, fmt.Errorf("write to a node: %w", err)
	}
	return s, nil
}

// OnDisconnect is told when a node is gone; no stream outlives its message.
func (c *courier) OnDisconnect(context.Context, peer.ID) {}

// watch begins to count how a record fares.
func (c *courier) watch(key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.puts[key] = &tally{}
}

// fared ends that and tells.
func (c *courier) fared(key string) tally {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.puts[key]
	delete(c.puts, key)
	if t == nil {
		return tally{}
	}
	return *t
}

func (c *courier) note(key string, reached, taken bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.puts[key]
	switch {
	case t == nil:
	case taken:
		t.taken++
	case reached:
		t.refused++
	default:
		t.lost++
	}
}

package discovery

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	ma "github.com/multiformats/go-multiaddr"
)

// callID asks a paired device to call back, which is how a device learns that
// it can be reached: it sends its addresses with TCP, a line each, and an empty
// line, and hears those back at which it was reached. Only addresses with the IP
// at which the asker is seen are called, so nobody is made to knock at the doors
// of others. UDP would prove nothing, as the asker has just opened its NAT.
//
// AutoNAT of libp2p does the same, but calls from an identity made up for the
// purpose, and strangers get no connection here.
const callID protocol.ID = "/kith/call/1"

const (
	callWait  = 10 * time.Second
	callPause = 5 * time.Second // between two calls for one device
	maxCalls  = 3               // devices that are asked at a time
)

// Call is what came of asking a device to call back.
type Call struct {
	By       peer.ID
	At       time.Time
	Asked    []string // addresses of this device, without /p2p
	Answered []string // those at which it was reached
	Err      error    // why the device could not be asked
}

// callAgain is how long to wait after so many times that nobody got through: 6 s
// and then three times as long each time, up to 10 min, spread by a sixth
// either way.
func callAgain(tries int, random float64) time.Duration {
	wait := 6 * time.Second
	for range min(tries, 6) {
		wait = min(3*wait, mirrorEvery)
	}
	return time.Duration(float64(wait) * (5 + 2*random) / 6)
}

// askCalls asks connected devices beyond the local network to call back, and
// tells whether one got through, or there is none to ask.
func (n *Net) askCalls(ctx context.Context) bool {
	conns := map[peer.ID]network.Conn{}
	n.mu.Lock()
	for id, d := range n.devices {
		if b := best(d.links); len(conns) < maxCalls && b != nil && b.confirmed && b.via == ViaDirect {
			conns[id] = b.conn
		}
	}
	n.mu.Unlock()
	var all sync.WaitGroup
	var through atomic.Bool
	for id, c := range conns {
		all.Go(func() {
			asked := n.callable()
			if len(asked) == 0 {
				return
			}
			answered, err := askCall(ctx, c, asked)
			if ctx.Err() != nil {
				return
			}
			n.far.called(Call{By: id, At: time.Now(), Asked: texts(asked), Answered: texts(answered), Err: err})
			if ip, ok := ipOf(c.LocalMultiaddr()); ok && len(answered) > 0 {
				through.Store(true)
				n.far.confirm(ip)
			}
		})
	}
	all.Wait()
	return len(conns) == 0 || through.Load()
}

func (f *far) called(c Call) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls[c.By] = c
	for id, old := range f.calls {
		if c.At.Sub(old.At) > time.Hour {
			delete(f.calls, id)
		}
	}
}

// callable are the addresses with TCP at which this device might be reached from
// beyond: what it has, what the router has promised, and its ports at the IP
// addresses that others see, where somebody may have forwarded them.
func (n *Net) callable() []ma.Multiaddr {
	own := ma.FilterAddrs(n.listening(), isTCP)
	out := ma.FilterAddrs(slices.Clone(own), func(a ma.Multiaddr) bool { return !near(a) })
	for _, a := range n.far.seen(time.Now()) {
		if isTCP(a) {
			out = append(out, a)
			continue
		}
		ip, _ := ma.SplitFirst(a)
		for _, o := range own {
			first, rest := ma.SplitFirst(o)
			if ip != nil && first != nil && ip.Protocol().Code == first.Protocol().Code {
				out = append(out, ma.Join(ip.Multiaddr(), rest))
			}
		}
	}
	out = ma.Unique(out)
	return out[:min(maxPunched, len(out))]
}

// askCall asks on one connection.
func askCall(ctx context.Context, c network.Conn, addrs []ma.Multiaddr) ([]ma.Multiaddr, error) {
	ctx, cancel := context.WithTimeout(ctx, callWait)
	defer cancel()
	s, err := c.NewStream(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { _ = s.Reset() }()
	stop := context.AfterFunc(ctx, func() { _ = s.Reset() })
	defer stop()
	if err := selectOn(s, callID); err != nil {
		return nil, fmt.Errorf("ask for a call: %w", err)
	}
	if err := sendAddrs(s, addrs); err != nil {
		return nil, fmt.Errorf("ask for a call: %w", err)
	}
	answered, err := readAddrs(bufio.NewReader(io.LimitReader(s, punchSize)))
	if err != nil {
		return nil, fmt.Errorf("wait for a call: %w", err)
	}
	return answered, nil
}

// callBack calls the asker.
func (n *Net) callBack(s network.Stream) {
	defer func() { _ = s.Close() }()
	_ = s.SetDeadline(time.Now().Add(callWait))
	id := s.Conn().RemotePeer()
	from, ok := ipOf(s.Conn().RemoteMultiaddr())
	asked, err := readAddrs(bufio.NewReader(io.LimitReader(s, punchSize)))
	if err != nil || !ok || isCircuit(s.Conn().RemoteMultiaddr()) || !n.mayCall(id, time.Now()) {
		_ = s.Reset()
		return
	}
	var mu sync.Mutex
	var all sync.WaitGroup
	var answered []ma.Multiaddr
	for _, a := range asked {
		if ip, ok := ipOf(a); !ok || ip != from || !isTCP(a) {
			continue
		}
		all.Go(func() {
			if n.answers(id, []ma.Multiaddr{a}) {
				mu.Lock()
				defer mu.Unlock()
				answered = append(answered, a)
			}
		})
	}
	all.Wait()
	_ = sendAddrs(s, answered)
}

// mayCall tells whether it is time to call a device again.
func (n *Net) mayCall(id peer.ID, now time.Time) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	d := n.devices[id]
	if d == nil || now.Sub(d.calledAt) < callPause {
		return false
	}
	d.calledAt = now
	return true
}

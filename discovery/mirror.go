package discovery

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
	msmux "github.com/multiformats/go-multistream"
)

// mirrorID tells whoever asks at which address it is seen: one line, a
// multiaddr. It is asked on a connection of its own, by QUIC from the socket on
// which this device listens, so that the answer is what NATs make of that
// socket. Observed addresses of libp2p's identify would be those of whatever
// connection there is, and are switched off.
const mirrorID protocol.ID = "/kith/mirror/1"

const (
	mirrorWait  = 3 * time.Second
	mirrorLasts = 15 * time.Minute // what is seen is told for so long
	mirrorFresh = 10 * time.Second // and is good for punching for so long
	mirrorEvery = 10 * time.Minute
	maxMirrors  = 3                      // devices that are asked at a time
	mirrorGrace = 200 * time.Millisecond // for the others, when one has answered
)

// mirrored is what one device says of this one.
type mirrored struct {
	by   peer.ID
	addr string
}

// showMirror answers. The connection was made for the question, so no keeper is
// to count on it.
func (n *Net) showMirror(s network.Stream) {
	c := s.Conn()
	n.mu.Lock()
	if d := n.devices[c.RemotePeer()]; d != nil {
		d.setAside(c)
	}
	n.mu.Unlock()
	defer func() { _ = c.Close() }()
	_ = s.SetDeadline(time.Now().Add(mirrorWait))
	_, _ = io.WriteString(s, c.RemoteMultiaddr().String()+"\n")
	_ = s.CloseWrite()
	_, _ = io.Copy(io.Discard, io.LimitReader(s, 1)) // until the other side has it
	_ = s.Close()
}

// setAside drops a connection that is not there to last, unless it is all there
// is.
func (d *device) setAside(c network.Conn) {
	if len(d.links) < 2 {
		return
	}
	for i, l := range d.links {
		if l.conn == c && !l.confirmed {
			d.links = append(d.links[:i:i], d.links[i+1:]...)
			return
		}
	}
}

// lookInMirrors keeps itself informed of how this device is seen, until ctx
// ends.
func (n *Net) lookInMirrors(ctx context.Context) error {
	for tries := 0; ; tries++ {
		n.askMirrors(ctx, mirrorFresh)
		wait := mirrorEvery
		if !n.askCalls(ctx) {
			wait = callAgain(tries, rand.Float64())
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-n.far.lookNews:
			tries = -1
		case <-timer.C:
		}
		timer.Stop()
	}
}

// askMirrors asks connected devices how they see this one, unless that was told
// within the time given, and gives what they say: addresses with QUIC. It waits
// for the first of them, and a moment for the others.
func (n *Net) askMirrors(ctx context.Context, within time.Duration) []ma.Multiaddr {
	now := time.Now()
	if fresh := n.far.seenSince(now.Add(-within)); len(fresh) > 0 {
		return fresh
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var all sync.WaitGroup
	for id, addrs := range n.mirrorsAround(now) {
		for _, a := range addrs {
			all.Go(func() {
				seen, err := n.askMirror(ctx, id, a)
				if err != nil {
					if ctx.Err() == nil {
						n.log.Debug("not seen in a mirror", "device", id, "addr", a, "error", err)
					}
					return
				}
				n.far.sawAt(mirrored{id, seen.String()}, time.Now())
				time.AfterFunc(mirrorGrace, cancel)
			})
		}
	}
	all.Wait()
	return n.far.seenSince(now.Add(-within))
}

// sawAt notes what a device says. It takes the place of what it said before of
// the same family of addresses: there is one socket of each.
func (f *far) sawAt(m mirrored, now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	_, known := f.mirrors[m]
	for old, at := range f.mirrors {
		if now.Sub(at) > mirrorLasts || old.by == m.by && family(old.addr) == family(m.addr) {
			delete(f.mirrors, old)
		}
	}
	f.mirrors[m] = now
	if !known {
		nudge(f.moved)
	}
}

func family(addr string) string { return addr[:min(4, len(addr))] } // /ip4 or /ip6

// seenSince are the addresses that devices have told since a time.
func (f *far) seenSince(since time.Time) []ma.Multiaddr {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []ma.Multiaddr
	for m, at := range f.mirrors {
		if a, err := ma.NewMultiaddr(m.addr); err == nil && !at.Before(since) && !ma.Contains(out, a) {
			out = append(out, a)
		}
	}
	return out
}

// mirrorsAround are connected devices that are beyond the local network, and
// where they are.
func (n *Net) mirrorsAround(now time.Time) map[peer.ID][]ma.Multiaddr {
	n.mu.Lock()
	defer n.mu.Unlock()
	out := map[peer.ID][]ma.Multiaddr{}
	for id, d := range n.devices {
		b := best(d.links)
		if len(out) == maxMirrors || b == nil || !b.confirmed || b.via != ViaDirect || b.punched {
			continue
		}
		at := d.book.all(now)
		if b.transport == QUIC {
			at = append([]ma.Multiaddr{b.conn.RemoteMultiaddr()}, at...)
		}
		addrs := ma.FilterAddrs(ma.Unique(at), func(a ma.Multiaddr) bool { return usableAddr(a) && !isTCP(a) && !n.gate.local(a) })
		if len(addrs) > 0 {
			out[id] = addrs[:min(2, len(addrs))]
		}
	}
	return out
}

// askMirror asks a device at an address.
func (n *Net) askMirror(ctx context.Context, id peer.ID, at ma.Multiaddr) (ma.Multiaddr, error) {
	t := n.swarm.TransportForDialing(at)
	if t == nil || !n.gate.InterceptAddrDial(id, at) {
		return nil, fmt.Errorf("%w: %q", ErrAddr, at.String())
	}
	ctx, cancel := context.WithTimeout(ctx, mirrorWait)
	defer cancel()
	defer n.becalm(id)()
	c, err := t.Dial(ctx, at, id)
	if err != nil {
		return nil, err
	}
	defer func() { _ = c.Close() }()
	s, err := c.OpenStream(ctx)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = s.Reset() })
	defer stop()
	// Asked in one go, while the other side may still take this for a
	// connection to keep.
	line, err := bufio.NewReader(io.LimitReader(msmux.NewMSSelect(s, mirrorID), 256)).ReadString('\n')
	if err != nil {
		return nil, err
	}
	seen, err := ma.NewMultiaddr(strings.TrimSpace(line))
	if err != nil || !mayShow(at, seen) {
		return nil, errors.Join(fmt.Errorf("%w: %q", ErrAddr, line), err)
	}
	return seen, nil
}

// mayShow tells whether a device that was asked at an address can have seen this
// one at another: from a public one it sees no private one, at which others would
// knock at doors in their own networks.
func mayShow(at, seen ma.Multiaddr) bool {
	return dialable(seen) && !isTCP(seen) && family(at.String()) == family(seen.String()) &&
		(manet.IsPublicAddr(seen) || !manet.IsPublicAddr(at))
}

// becalm lets QUIC be, until the function it gives is called; see insistOnTCP.
func (n *Net) becalm(id peer.ID) (release func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	d := n.devices[id]
	if d == nil {
		return func() {}
	}
	d.calm++
	d.dialledAt = time.Now()
	return func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		d.calm--
	}
}

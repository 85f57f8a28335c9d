package discovery

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peerstore"
	"github.com/libp2p/go-libp2p/core/protocol"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
	msmux "github.com/multiformats/go-multistream"
)

// punchID has two devices that are connected by a relay open a way through
// their NATs at the same moment. It goes as DCUtR of the libp2p specs does, and
// uses libp2p's simultaneous connect of QUIC, but the addresses are asked from
// mirrors at that moment, before the round trip is measured, and whoever keeps
// the connection says when to try: libp2p's own service dials beside the keeper.
//
// The one that begins sends its addresses, a line each, and an empty line; the
// other answers likewise; then "here" goes there and back, by which the round
// trip is known, and "now" goes there. The one that has sent it waits for half a
// round trip, and both dial: the one as server, which opens its NAT by packets
// that mean nothing, the other as client.
const punchID protocol.ID = "/kith/punch/1"

const (
	punchTalk  = 15 * time.Second        // for all that is said
	punchFor   = 4 * time.Second         // for the dial
	punchAfter = 1500 * time.Millisecond // which direct dials have before it
	punchFirst = 5 * time.Second         // after the first time that failed, and then twice as long each time
	punchLast  = 10 * time.Minute
	maxPunched = 8 // addresses of each side
)

// errNoMirror is why nothing can be punched.
var errNoMirror = errors.New("nobody tells how this device is seen from beyond its network")

// punch tries to replace the relay to a device by a direct connection.
func (n *Net) punch(ctx context.Context, d *device) {
	var via network.Conn
	n.mu.Lock()
	if b := best(d.links); b != nil && b.confirmed && b.via == ViaRelay {
		via = b.conn
	}
	n.mu.Unlock()
	if via == nil {
		return
	}
	err := n.holdLine(ctx, d, func(ctx context.Context) error { return n.punchOn(ctx, d, via) })
	n.mu.Lock()
	defer n.mu.Unlock()
	if err != nil && via.IsClosed() {
		return // that says nothing; it begins anew with the next relay
	}
	d.punches++
	wait := punchLast
	if d.punches < 12 {
		wait = min(punchLast, punchFirst<<(d.punches-1))
	}
	d.nextPunch = time.Now().Add(time.Duration(float64(wait) * (0.75 + rand.Float64()/2)))
	if err == nil {
		d.punches = 0
		n.log.Debug("punched through", "device", d.id)
		return
	}
	d.punchErr = err
	n.log.Debug("not punched through", "device", d.id, "tries", d.punches, "error", err)
}

// holdLine has the keeper of a device not dial while f runs.
func (n *Net) holdLine(ctx context.Context, d *device, f func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, punchTalk)
	defer cancel()
	n.mu.Lock()
	d.yield++
	n.mu.Unlock()
	nudge(d.wake)
	defer func() {
		n.mu.Lock()
		d.yield--
		n.mu.Unlock()
		nudge(d.wake)
	}()
	select {
	case d.line <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-d.line }()
	return f(ctx)
}

// punchOn is the side that begins.
func (n *Net) punchOn(ctx context.Context, d *device, via network.Conn) error {
	mine := n.punchAddrs(ctx)
	if len(mine) == 0 {
		return errNoMirror
	}
	s, err := via.NewStream(ctx)
	if err != nil {
		return fmt.Errorf("ask it: %w", err)
	}
	defer func() { _ = s.Reset() }()
	_ = s.SetDeadline(time.Now().Add(punchTalk))
	stop := context.AfterFunc(ctx, func() { _ = s.Reset() })
	defer stop()
	if err := s.SetProtocol(punchID); err != nil {
		return fmt.Errorf("ask it: %w", err)
	}
	// Agreed on with the first word: each round trip may wait behind what fills
	// the relay's way.
	talk := msmux.NewMSSelect(s, punchID)
	in := bufio.NewReader(io.LimitReader(talk, punchSize))
	if err := sendAddrs(talk, mine); err != nil {
		return fmt.Errorf("tell addresses: %w", err)
	}
	theirs, err := readAddrs(in)
	if err != nil {
		return fmt.Errorf("hear addresses: %w", err)
	}
	sent := time.Now()
	if err := say(talk, in, "here\n"); err != nil {
		return fmt.Errorf("measure the way: %w", err)
	}
	half := time.Since(sent) / 2
	if _, err := io.WriteString(talk, "now\n"); err != nil {
		return fmt.Errorf("say when: %w", err)
	}
	wait := time.NewTimer(half)
	defer wait.Stop()
	select {
	case <-wait.C:
	case <-ctx.Done():
		return ctx.Err()
	}
	return n.meet(ctx, d, theirs, false)
}

// punchAsked is the other side.
func (n *Net) punchAsked(s network.Stream) {
	defer func() { _ = s.Reset() }()
	n.mu.Lock()
	d := n.devices[s.Conn().RemotePeer()]
	n.mu.Unlock()
	if d == nil || d.larger || !isCircuit(s.Conn().RemoteMultiaddr()) || !n.gate.beyond.Load() {
		return
	}
	_ = s.SetDeadline(time.Now().Add(punchTalk))
	ctx, cancel := context.WithTimeout(context.Background(), punchTalk)
	defer cancel()
	err := n.holdLine(ctx, d, func(ctx context.Context) error {
		in := bufio.NewReader(io.LimitReader(s, punchSize))
		theirs, err := readAddrs(in)
		if err != nil {
			return err
		}
		n.mu.Lock()
		doubtful := d.directLinks() // the other side knows of none
		n.mu.Unlock()
		n.probe(ctx, doubtful, doubtWait)
		if err := sendAddrs(s, n.punchAddrs(ctx)); err != nil {
			return err
		}
		for _, word := range []string{"here\n", "now\n"} {
			if said, err := in.ReadString('\n'); err != nil || said != word {
				return errors.Join(errors.New("it has given up"), err)
			}
			if word == "here\n" {
				if _, err := io.WriteString(s, word); err != nil {
					return err
				}
			}
		}
		return n.meet(ctx, d, theirs, true)
	})
	n.log.Debug("asked to punch through", "device", d.id, "error", err)
}

// meet dials at the moment agreed on.
func (n *Net) meet(ctx context.Context, d *device, addrs []ma.Multiaddr, client bool) error {
	addrs = ma.FilterAddrs(addrs, func(a ma.Multiaddr) bool { return !isTCP(a) && n.gate.InterceptAddrDial(d.id, a) })
	if len(addrs) == 0 {
		return fmt.Errorf("%w: it told none to dial", ErrAddr)
	}
	defer n.becalm(d.id)()
	n.mu.Lock()
	d.punching++
	n.mu.Unlock()
	defer func() {
		n.mu.Lock()
		d.punching--
		n.mu.Unlock()
	}()
	n.host.Peerstore().ClearAddrs(d.id)
	n.host.Peerstore().AddAddrs(d.id, addrs, peerstore.TempAddrTTL)
	ctx, cancel := context.WithTimeout(ctx, punchFor)
	defer cancel()
	ctx = network.WithForceDirectDial(network.WithSimultaneousConnect(ctx, client, "punch"), "punch")
	_, err := n.swarm.DialPeer(ctx, d.id)
	n.mu.Lock()
	defer n.mu.Unlock()
	if d.direct() {
		return nil // whoever made it
	}
	return err
}

// punchAddrs are the addresses at which this device listens by QUIC, as others
// see it at this moment.
func (n *Net) punchAddrs(ctx context.Context) []ma.Multiaddr {
	out := n.askMirrors(ctx, mirrorFresh)
	for _, a := range append(n.listening(), n.far.seen(time.Now())...) {
		if !isTCP(a) && manet.IsPublicAddr(a) && !ma.Contains(out, a) {
			out = append(out, a)
		}
	}
	return out[:min(maxPunched, len(out))]
}

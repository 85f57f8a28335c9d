package discovery

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/sec"
	ma "github.com/multiformats/go-multiaddr"
)

// WhoIs finds out which device listens at a multiaddr: that of a /p2p part if
// there is one, without asking, or else the one that proves to be there. It is
// not admitted by that, and learns nothing but that somebody asked. It wraps
// [ErrAddr] if that is no address, [ErrNobody] if no device answers, [ErrKey]
// if what answers is not a device of ours.
func (n *Net) WhoIs(ctx context.Context, addr string) (peer.ID, error) {
	a, err := ma.NewMultiaddr(addr)
	if err != nil {
		return "", fmt.Errorf("%w: %q: %w", ErrAddr, addr, err)
	}
	bare, id := peer.SplitAddr(a)
	if bare == nil || !dialable(bare) {
		return "", fmt.Errorf("%w: %q", ErrAddr, addr)
	}
	if id == "" {
		if id, err = n.ask(ctx, bare); err != nil {
			return "", err
		}
	}
	if err := checkID(id); err != nil {
		return "", fmt.Errorf("at %q: %w", addr, err)
	}
	return id, nil
}

// ask dials a device under an ID that is nobody's. The handshake fails at the
// point where the other side has proved who it is.
func (n *Net) ask(ctx context.Context, addr ma.Multiaddr) (peer.ID, error) {
	_, pub, err := crypto.GenerateEd25519Key(rand.Reader)
	if err != nil {
		return "", fmt.Errorf("make a key: %w", err)
	}
	nobody, err := peer.IDFromPublicKey(pub)
	if err != nil {
		return "", fmt.Errorf("make an ID: %w", err)
	}
	t := n.swarm.TransportForDialing(addr)
	if t == nil || (n.gate.lanOnly && !n.gate.local(addr)) {
		return "", fmt.Errorf("%w: %q", ErrAddr, addr.String())
	}
	ctx, cancel := context.WithTimeout(ctx, dialFor)
	defer cancel()
	c, err := t.Dial(ctx, addr, nobody)
	if err == nil {
		// Somebody has proved to be whom we made up: cannot be.
		return "", errors.Join(fmt.Errorf("%w: at %q", ErrNobody, addr.String()), c.Close())
	}
	var other sec.ErrPeerIDMismatch
	if errors.As(err, &other) {
		return other.Actual, nil
	}
	return "", fmt.Errorf("%w: at %q: %w", ErrNobody, addr.String(), err)
}

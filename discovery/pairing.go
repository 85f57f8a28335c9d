package discovery

import (
	"fmt"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
)

// OpenDoor lets strangers connect, four at a time and each for a minute at
// most, to reach the protocols of [Net.HandlePairing].
func (n *Net) OpenDoor() { n.gate.setOpen(true) }

// CloseDoor ends that and closes the connections of those who came in and have
// not become trusted.
func (n *Net) CloseDoor() {
	n.gate.setOpen(false)
	for _, c := range n.gate.turnOut(func(_ peer.ID, inbound bool) bool { return inbound }) {
		_ = c.Close() // it is refused every stream already
	}
}

// AllowDial lets this device connect to one that is not trusted, to pair with
// it, until release is called. Release closes what connections there still are
// unless the device has become trusted. It wraps [ErrKey] if the ID is not of
// an Ed25519 key.
func (n *Net) AllowDial(id peer.ID) (release func(), err error) {
	if err := checkID(id); err != nil {
		return nil, err
	}
	n.gate.allowDial(id)
	return sync.OnceFunc(func() {
		n.gate.disallowDial(id)
		if n.gate.allowed(id) {
			return
		}
		for _, c := range n.gate.turnOut(func(it peer.ID, inbound bool) bool { return it == id && !inbound }) {
			_ = c.Close()
		}
	}), nil
}

// HandlePairing serves a protocol that strangers may speak, and trusted devices
// too. Everything else is set on [Net.Host] and closed to strangers.
func (n *Net) HandlePairing(id protocol.ID, handle network.StreamHandler) {
	n.strangers.AddHandler(id, nil)
	n.host.SetStreamHandler(id, handle)
	n.mu.Lock()
	defer n.mu.Unlock()
	n.pairing[id] = handle
}

// guard puts a check before every stream that comes in: libp2p has a gate for
// connections only, and would answer identify and all else to strangers.
func (n *Net) guard() error {
	serve := n.swarm.StreamHandler()
	if serve == nil {
		return fmt.Errorf("guard streams: the host has no stream handler")
	}
	n.swarm.SetStreamHandler(func(s network.Stream) {
		if n.gate.visiting(s.Conn()) {
			n.serveStranger(s)
			return
		}
		serve(s)
	})
	return nil
}

// serveStranger negotiates a stream among the pairing protocols alone.
func (n *Net) serveStranger(s network.Stream) {
	if len(s.Conn().GetStreams()) > strangerStreams || s.SetDeadline(time.Now().Add(strangerNegot)) != nil {
		_ = s.Reset()
		return
	}
	id, _, err := n.strangers.Negotiate(s)
	if err != nil {
		_ = s.ResetWithError(network.StreamProtocolNegotiationFailed)
		return
	}
	n.mu.Lock()
	handle := n.pairing[id]
	n.mu.Unlock()
	if handle == nil || s.SetDeadline(time.Time{}) != nil || s.SetProtocol(id) != nil {
		_ = s.Reset()
		return
	}
	handle(s)
}

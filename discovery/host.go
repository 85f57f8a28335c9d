package discovery

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/connmgr"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/p2p/host/eventbus"
	"github.com/libp2p/go-libp2p/p2p/muxer/yamux"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	libp2ptls "github.com/libp2p/go-libp2p/p2p/security/tls"
	quic "github.com/libp2p/go-libp2p/p2p/transport/quic"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	ma "github.com/multiformats/go-multiaddr"
)

// bufferWarning is quic-go's switch for a warning about UDP buffers, which it
// prints to the standard logger. Bulk goes by TCP here.
const bufferWarning = "QUIC_GO_DISABLE_RECEIVE_BUFFER_WARNING"

// build makes the host without listening.
//
// TLS is the only security offered: it has the post-quantum key exchange, Noise
// has not. Its certificates are timeless. Ports are not reused for dialling: two
// devices that dial each other from listening port to listening port meet in
// the middle as two TLS clients, and fail. There is no connection manager: the
// gate admits paired devices only, none of which is ever to be trimmed. The
// black-hole detectors would count attempts at devices that are off as proof
// that UDP does not work.
func (n *Net) build(o Options) error {
	if o.Key == nil || o.Key.Type() != crypto.Ed25519 {
		return ErrKey
	}
	if os.Getenv(bufferWarning) == "" {
		_ = os.Setenv(bufferWarning, "true")
	}
	limits, err := resources()
	if err != nil {
		return err
	}
	n.gate.worse = n.insistOnTCP
	n.gate.vouch = func(a ma.Multiaddr) { limits.doorman.vouch(a, time.Now()) }
	circuits := libp2p.EnableRelay() // to dial and be dialled through relays
	if o.LANOnly {
		circuits = libp2p.DisableRelay()
	}
	h, err := libp2p.New(
		libp2p.Identity(o.Key),
		libp2p.NoListenAddrs,
		libp2p.Transport(tcp.NewTCPTransport, tcp.DisableReuseport()),
		libp2p.Transport(quic.NewTransport, quic.WithTLSIdentityOption(timeless())),
		libp2p.Security(libp2ptls.ID, newSecurity),
		libp2p.Muxer(yamux.ID, newMuxer()),
		libp2p.ConnectionGater(n.gate),
		libp2p.ConnectionManager(connmgr.NullConnMgr{}),
		libp2p.ResourceManager(limits),
		libp2p.SwarmOpts(swarm.WithDialRanker(n.rank)),
		libp2p.AddrsFactory(n.addrsFactory),
		libp2p.MultiaddrResolver(nameless{}),
		libp2p.UserAgent(o.agent()),
		libp2p.ProtocolVersion("kith/1"),
		circuits,
		libp2p.DisableMetrics(),
		libp2p.DisableIdentifyAddressDiscovery(),
		libp2p.ForceReachabilityPrivate(), // no probing
		libp2p.Ping(false),
		libp2p.UDPBlackHoleSuccessCounter(nil),
		libp2p.IPv6BlackHoleSuccessCounter(nil),
	)
	if err != nil {
		return errors.Join(err, limits.Close())
	}
	s, ok := h.Network().(*swarm.Swarm)
	if !ok {
		return errors.Join(fmt.Errorf("the network is a %T", h.Network()), h.Close())
	}
	n.host, n.swarm = h, s
	n.built.Store(true)
	if err := n.guard(); err != nil {
		return errors.Join(err, h.Close())
	}
	n.identities, err = h.EventBus().Subscribe(
		[]any{new(event.EvtPeerIdentificationCompleted), new(event.EvtPeerProtocolsUpdated)}, eventbus.BufSize(64), eventbus.Name("discovery"))
	if err != nil {
		return errors.Join(err, h.Close())
	}
	h.SetStreamHandler(pulseID, func(s network.Stream) { _ = s.Close() })
	h.SetStreamHandler(doubtID, n.doubtHeard)
	h.SetStreamHandler(drainID, n.tellStreams)
	h.SetStreamHandler(mirrorID, n.showMirror)
	h.SetStreamHandler(punchID, n.punchAsked)
	h.SetStreamHandler(callID, n.callBack)
	s.Notify(&network.NotifyBundle{
		ConnectedF:    func(_ network.Network, c network.Conn) { n.connected(c) },
		DisconnectedF: func(_ network.Network, c network.Conn) { n.disconnected(c) },
	})
	return nil
}

// listen binds what can be bound.
func (n *Net) listen(places []place) error {
	bound := 0
	var errs []error
	for _, p := range places {
		err := n.swarm.AddListenAddr(p.addr)
		if err != nil && p.fallback != nil {
			err = n.swarm.AddListenAddr(p.fallback)
		}
		if err != nil {
			errs = append(errs, err)
			if p.fallback == nil {
				n.log.Warn("not listening there", "addr", p.addr, "error", err)
			}
			continue
		}
		bound++
	}
	if bound == 0 {
		return fmt.Errorf("%w: %w", ErrListen, errors.Join(errs...))
	}
	return nil
}

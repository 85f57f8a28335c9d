package rendezvous

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/libp2p/go-libp2p"
	dht "github.com/libp2p/go-libp2p-kad-dht"
	record "github.com/libp2p/go-libp2p-record"
	"github.com/libp2p/go-libp2p/core/connmgr"
	"github.com/libp2p/go-libp2p/core/control"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/muxer/yamux"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	"github.com/libp2p/go-libp2p/p2p/security/noise"
	libp2ptls "github.com/libp2p/go-libp2p/p2p/security/tls"
	quic "github.com/libp2p/go-libp2p/p2p/transport/quic"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
)

// privatePrefix makes the protocol of private boards /kith/kad/1.0.0.
const privatePrefix = "/kith"

// agent is what strangers are told of the program: what most say, so that it
// does not tell who runs kith.
const agent = "go-libp2p"

// build makes the host that the DHT speaks through, without listening. It is
// open to strangers, and there is nothing to be had from it but the DHT's
// protocol and identify, which belongs to it.
func (b *Board) build(key crypto.PrivKey) error {
	limits, err := resources()
	if err != nil {
		return fmt.Errorf("bound the board: %w", err)
	}
	opts := []libp2p.Option{
		libp2p.Identity(key),
		libp2p.NoListenAddrs,
		libp2p.Transport(tcp.NewTCPTransport, tcp.DisableReuseport()),
		libp2p.Security(libp2ptls.ID, libp2ptls.New),
		libp2p.Muxer(yamux.ID, multiplexer()),
		libp2p.ConnectionGater(gate{b.reach, b.o.Mode}),
		libp2p.ConnectionManager(connmgr.NullConnMgr{}), // see Board.thin
		libp2p.ResourceManager(limits),
		libp2p.AddrsFactory(b.addrsFactory),
		libp2p.UserAgent(agent),
		libp2p.DisableRelay(),
		libp2p.DisableMetrics(),
		libp2p.DisableIdentifyAddressDiscovery(),
		libp2p.ForceReachabilityPrivate(), // no probing
		libp2p.Ping(false),
		libp2p.WithDialTimeout(dialFor),
		libp2p.SwarmOpts(swarm.WithDialTimeoutLocal(dialForNear)),
		libp2p.UDPBlackHoleSuccessCounter(nil),
		libp2p.IPv6BlackHoleSuccessCounter(nil),
	}
	if b.o.Mode == Public {
		opts = append(opts, libp2p.Transport(quic.NewTransport), libp2p.Security(noise.ID, noise.New))
	}
	if b.o.Mode == Private && b.o.PortMapping {
		opts = append(opts, libp2p.NATPortMap())
	}
	h, err := libp2p.New(opts...)
	if err != nil {
		return errors.Join(fmt.Errorf("make the board's host: %w", err), limits.Close())
	}
	s, ok := h.Network().(*swarm.Swarm)
	if !ok {
		return errors.Join(fmt.Errorf("make the board's host: the network is a %T", h.Network()), h.Close())
	}
	b.host, b.swarm = h, s
	b.built.Store(true)
	s.Notify(&network.NotifyBundle{ConnectedF: func(network.Network, network.Conn) { b.worked() }})
	return nil
}

// listen binds what can be bound.
func (b *Board) listen() error {
	if b.o.Mode == Public {
		return nil
	}
	places, fallback := b.o.Listen, []string(nil)
	if len(places) == 0 {
		places = []string{fmt.Sprintf("/ip4/0.0.0.0/tcp/%d", DefaultPort), fmt.Sprintf("/ip6/::/tcp/%d", DefaultPort)}
		fallback = []string{"/ip4/0.0.0.0/tcp/0", "/ip6/::/tcp/0"}
	}
	bound := 0
	var errs []error
	for i, text := range places {
		a, err := ma.NewMultiaddr(text)
		if err == nil {
			err = b.swarm.AddListenAddr(a)
		}
		if err != nil && fallback != nil {
			err = b.swarm.AddListenAddr(ma.StringCast(fallback[i]))
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("listen on %q: %w", text, err))
			continue
		}
		bound++
	}
	if bound == 0 {
		return errors.Join(errs...)
	}
	return nil
}

// takePart makes this node one of the DHT.
//
// A private node serves others whenever it listens: who cannot reach it leaves
// it out (see the filters), so one behind a NAT serves those on its network.
// There, a record goes to 8 nodes and not 20, which is more than most have. The
// tables are not refreshed on a schedule: that would be constant traffic, and
// [Board.enter] does it when there is something to do.
func (b *Board) takePart() error {
	opts := []dht.Option{
		dht.Datastore(b.shelf),
		dht.ProviderStore(noProviders{}),
		dht.WithCustomMessageSender(b.courier.serve),
		dht.DisableAutoRefresh(),
		dht.MaxRecordAge(noticeLife),
		dht.LookupCheckConcurrency(16),
		dht.AddressFilter(b.filter),
		dht.QueryFilter(func(_ any, n peer.AddrInfo) bool { return b.connected(n.ID) || b.reach.any(n) }),
		dht.RoutingTableFilter(func(_ any, id peer.ID) bool { return b.worthKeeping(id) }),
	}
	if b.o.Mode == Public {
		opts = append(opts, dht.Mode(dht.ModeClient))
		if !b.o.everywhere {
			opts = append(opts, dht.RoutingTablePeerDiversityFilter(dht.NewRTPeerDiversityFilter(b.host, 2, 3)))
		}
	} else {
		opts = append(opts,
			dht.Mode(dht.ModeServer),
			dht.ProtocolPrefix(privatePrefix),
			dht.BucketSize(8), dht.Concurrency(6),
			dht.DisableProviders(),
			dht.Validator(record.NamespacedValidator{"ipns": validator{}}))
	}
	d, err := dht.New(context.Background(), b.host, opts...)
	if err != nil {
		return fmt.Errorf("join the DHT: %w", err)
	}
	b.dht = d
	return nil
}

// filter picks the addresses of others that are remembered.
func (b *Board) filter(addrs []ma.Multiaddr) []ma.Multiaddr {
	out := ma.FilterAddrs(slices.Clone(addrs), func(a ma.Multiaddr) bool {
		return direct(a) && (b.o.everywhere || b.o.Mode == Private || manet.IsPublicAddr(a))
	})
	return out[:min(len(out), 8)]
}

// worthKeeping tells whether a node is one to ask: it has been reached, or is
// at an address that can be dialled. A node that others cannot reach does not
// get into their tables.
func (b *Board) worthKeeping(id peer.ID) bool {
	for _, c := range b.swarm.ConnsToPeer(id) {
		if c.Stat().Direction == network.DirOutbound {
			return true
		}
	}
	return b.reach.any(b.host.Peerstore().PeerInfo(id))
}

func (b *Board) connected(id peer.ID) bool { return len(b.swarm.ConnsToPeer(id)) > 0 }

// addrsFactory is what others are told of where this node is. Loopback is left
// out unless there is nothing else. The interfaces are looked at each time:
// libp2p does so once a minute, and would tell for so long where this node was.
// What it knows beside them, a router's port, counts too.
func (b *Board) addrsFactory(given []ma.Multiaddr) []ma.Multiaddr {
	all := given
	if b.built.Load() {
		all = b.listening()
		if b.o.PortMapping {
			all = append(all, given...)
		}
	}
	out := ma.FilterAddrs(slices.Clone(all), func(a ma.Multiaddr) bool {
		return direct(a) && !manet.IsIPLoopback(a) && !manet.IsIP6LinkLocal(a)
	})
	if len(out) == 0 {
		return all
	}
	return ma.Unique(out)
}

// listening is where this node listens, by the interfaces of this moment.
func (b *Board) listening() []ma.Multiaddr {
	ips, err := manet.InterfaceMultiaddrs()
	if err != nil {
		return nil
	}
	out, err := manet.ResolveUnspecifiedAddresses(b.swarm.ListenAddresses(), ips)
	if err != nil {
		return nil // no interface of that kind
	}
	return out
}

// gate is open for strangers who come in, in private mode, and lets this device
// dial what it may.
type gate struct {
	reach *reach
	mode  Mode
}

// InterceptPeerDial is asked before the addresses of a node are looked at.
func (g gate) InterceptPeerDial(peer.ID) bool { return true }

// InterceptAddrDial is asked about each address that is to be dialled.
func (g gate) InterceptAddrDial(id peer.ID, a ma.Multiaddr) bool { return g.reach.may(id, a) }

// InterceptAccept is asked before a handshake.
func (g gate) InterceptAccept(network.ConnMultiaddrs) bool { return g.mode == Private }

// InterceptSecured is asked when the other side has proved who it is.
func (g gate) InterceptSecured(network.Direction, peer.ID, network.ConnMultiaddrs) bool { return true }

// InterceptUpgraded is asked last.
func (g gate) InterceptUpgraded(network.Conn) (bool, control.DisconnectReason) { return true, 0 }

// noProviders has no providers: kith has no use for them, and nothing is stored
// for others of that kind.
type noProviders struct{}

// AddProvider stores nothing.
func (noProviders) AddProvider(context.Context, []byte, peer.AddrInfo) error { return nil }

// GetProviders finds nothing.
func (noProviders) GetProviders(context.Context, []byte) ([]peer.AddrInfo, error) { return nil, nil }

// Close has nothing to do.
func (noProviders) Close() error { return nil }

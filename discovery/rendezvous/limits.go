package rendezvous

import (
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/network"
	rcmgr "github.com/libp2p/go-libp2p/p2p/host/resource-manager"
	"github.com/libp2p/go-libp2p/p2p/muxer/yamux"
	"github.com/libp2p/go-libp2p/x/rate"
)

// How many connections a board has. A look-up in the public DHT makes some
// fifty; when it is over, all that this side made are closed after idleAfter.
const (
	maxConns   = 96
	maxInbound = 48
	manyConns  = 64 // from here on, idle ones are closed at once
	fewConns   = 32 // down to so many
)

const (
	idleAfter   = 20 * time.Second // without anything to do, until connections are closed
	settle      = 300 * time.Millisecond
	dialForNear = 2 * time.Second
	dialFor     = 5 * time.Second // to enter the DHT at one node

	publishFor = time.Minute      // one notice
	findFor    = 30 * time.Second // all of one search
	maxTasks   = 4                // notices and searches at once

	entryFirst = 2 * time.Second // between two attempts to enter the DHT
	entryLast  = 2 * time.Minute
)

// multiplexer is yamux with small windows: no message is large.
func multiplexer() *yamux.Transport {
	c := *yamux.DefaultTransport
	c.MaxStreamWindowSize = 256 << 10
	c.AcceptBacklog = 32
	return &c
}

// resources bounds what the DHT costs, whoever takes part: some 32 MB, less
// than a hundred connections, four of one node.
func resources() (network.ResourceManager, error) {
	limits := rcmgr.DefaultLimits
	libp2p.SetDefaultServiceLimits(&limits)
	system := &limits.SystemBaseLimit
	system.Conns, system.ConnsInbound, system.ConnsOutbound = maxConns, maxInbound, maxConns
	system.Streams, system.StreamsInbound, system.StreamsOutbound = 512, 256, 256
	system.Memory, system.FD = 32<<20, maxConns
	limits.TransientBaseLimit.Conns = 48
	limits.TransientBaseLimit.ConnsInbound = 16
	limits.TransientBaseLimit.ConnsOutbound = 48
	limits.TransientBaseLimit.FD = 48
	limits.TransientBaseLimit.Memory = 8 << 20
	limits.PeerBaseLimit.Conns, limits.PeerBaseLimit.ConnsInbound, limits.PeerBaseLimit.ConnsOutbound = 4, 2, 4
	limits.PeerBaseLimit.Streams, limits.PeerBaseLimit.StreamsInbound, limits.PeerBaseLimit.StreamsOutbound = 64, 32, 32
	limits.PeerBaseLimit.Memory, limits.PeerBaseLimit.FD = 8<<20, 4
	return rcmgr.NewResourceManager(rcmgr.NewFixedLimiter(limits.Scale(0, 0)),
		// A household behind one address has many devices.
		rcmgr.WithLimitPerSubnet(
			[]rcmgr.ConnLimitPerSubnet{{PrefixLength: 32, ConnCount: 32}},
			[]rcmgr.ConnLimitPerSubnet{{PrefixLength: 64, ConnCount: 32}, {PrefixLength: 48, ConnCount: 48}}),
		rcmgr.WithConnRateLimiters(&rate.Limiter{SubnetRateLimiter: rate.SubnetLimiter{
			IPv4SubnetLimits: []rate.SubnetLimit{{PrefixLength: 32, Limit: rate.Limit{RPS: 4, Burst: 64}}},
			IPv6SubnetLimits: []rate.SubnetLimit{{PrefixLength: 64, Limit: rate.Limit{RPS: 4, Burst: 64}}},
			GracePeriod:      time.Minute,
		}}),
		rcmgr.WithMetricsDisabled())
}

package discovery

import (
	"time"

	"github.com/libp2p/go-libp2p"
	rcmgr "github.com/libp2p/go-libp2p/p2p/host/resource-manager"
	"github.com/libp2p/go-libp2p/p2p/muxer/yamux"
	"github.com/libp2p/go-libp2p/x/rate"
)

// How a dead connection is noticed. Yamux (TCP) asks for a sign of life when it
// has heard nothing for keepAlive, and gives up after writeTimeout. QUIC as
// libp2p sets it up takes 30 s, so [Net.pulse] does the same on top of it.
// 10 s is not less because a ping waits behind what fills a slow upstream.
const (
	keepAlive    = 4 * time.Second
	writeTimeout = 10 * time.Second
)

// What strangers may have.
const (
	maxStrangers  = 4                // connections at once, while the door is open
	strangerLife  = time.Minute      // of one such connection
	strangerNegot = 10 * time.Second // to name a protocol on a stream

	strangerStreams = 8 // on one such connection
)

// How long a connection from the time of pairing stays: until it has had no
// stream for pairedQuiet, but no longer than pairedLinger.
const (
	pairedLinger = 2 * time.Second
	pairedQuiet  = 200 * time.Millisecond
	retireStep   = 50 * time.Millisecond // how often that is looked at
)

const (
	windowStart = 512 << 10 // bytes in flight on a new yamux stream
	windowMax   = 32 << 20  // 320 MiB/s at 100 ms, so the path is the limit
)

// multiplexer is yamux with windows for long fast paths.
func multiplexer() *yamux.Transport {
	c := *yamux.DefaultTransport
	c.InitialStreamWindowSize = windowStart
	c.MaxStreamWindowSize = windowMax
	c.KeepAliveInterval = keepAlive
	c.ConnectionWriteTimeout = writeTimeout
	c.MeasureRTTInterval = 5 * time.Minute // only windows want it, and it wakes up both ends
	return &c
}

// resources bounds what connections cost, scaled to the machine. Between the
// limits for all and those for one device, no single device starves the others.
func resources() (*admission, error) {
	limits := rcmgr.DefaultLimits
	libp2p.SetDefaultServiceLimits(&limits)
	limits.SystemBaseLimit.ConnsInbound = 256
	limits.SystemBaseLimit.Conns = 384
	// Handshakes at once; those that others begin leave room for our own.
	limits.TransientBaseLimit.ConnsInbound = 64
	limits.TransientBaseLimit.Conns = 128
	limits.TransientBaseLimit.FD = 128
	limits.TransientBaseLimit.Memory = 16 << 20
	limits.TransientLimitIncrease.Memory = 16 << 20
	// Streams that nobody has named a protocol on yet: more than one device may
	// have at all, so that none of them keeps the others from beginning any.
	limits.TransientBaseLimit.StreamsInbound = 4 * limits.PeerBaseLimit.StreamsInbound
	limits.TransientBaseLimit.StreamsOutbound = 4 * limits.PeerBaseLimit.StreamsOutbound
	limits.TransientBaseLimit.Streams = 4 * limits.PeerBaseLimit.Streams
	limits.TransientLimitIncrease.StreamsInbound = 4 * limits.PeerLimitIncrease.StreamsInbound
	limits.TransientLimitIncrease.StreamsOutbound = 4 * limits.PeerLimitIncrease.StreamsOutbound
	limits.TransientLimitIncrease.Streams = 4 * limits.PeerLimitIncrease.Streams
	limits.SystemBaseLimit.StreamsInbound = 8 * limits.PeerBaseLimit.StreamsInbound
	limits.SystemBaseLimit.StreamsOutbound = 8 * limits.PeerBaseLimit.StreamsOutbound
	limits.SystemBaseLimit.Streams = 8 * limits.PeerBaseLimit.Streams
	// Devices that are members of many folders have many streams.
	limits.ProtocolPeerBaseLimit.StreamsInbound = 256
	limits.ProtocolPeerBaseLimit.StreamsOutbound = 256
	limits.ProtocolPeerBaseLimit.Streams = 512
	limits.PeerBaseLimit.Memory = 128 << 20
	limits.PeerBaseLimit.FD = 8
	limits.ConnBaseLimit.Memory = 96 << 20
	limits.StreamBaseLimit.Memory = windowMax
	inner, err := rcmgr.NewResourceManager(rcmgr.NewFixedLimiter(limits.AutoScale()),
		// Handshakes from one address at once; a household behind one
		// address has many devices. The library's limit of 16 new
		// connections in 80 s would hit paired devices: see admission.
		rcmgr.WithLimitPerSubnet(
			[]rcmgr.ConnLimitPerSubnet{{PrefixLength: 32, ConnCount: 32}},
			[]rcmgr.ConnLimitPerSubnet{{PrefixLength: 64, ConnCount: 32}, {PrefixLength: 48, ConnCount: 128}}),
		rcmgr.WithConnRateLimiters(&rate.Limiter{}),
		rcmgr.WithMetricsDisabled())
	if err != nil {
		return nil, err
	}
	return &admission{ResourceManager: inner, doorman: newDoorman(), now: time.Now}, nil
}

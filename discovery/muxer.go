package discovery

import (
	"net"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/p2p/muxer/yamux"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/client"
)

// relayedWait is how long a connection through a relay may stand still. A relay
// that is held to a low rate takes its time, which is no sign of death: that one
// of the two connections with it has died the relay or this side notices, and
// then the one through it ends too.
const relayedWait = 2 * time.Minute

// muxer is yamux, with more patience where a relay is in between.
type muxer struct{ direct, relayed *yamux.Transport }

func newMuxer() muxer {
	m := muxer{multiplexer(), multiplexer()}
	m.relayed.KeepAliveInterval, m.relayed.ConnectionWriteTimeout = relayedWait/4, relayedWait
	return m
}

// NewConn implements network.Multiplexer.
func (m muxer) NewConn(c net.Conn, server bool, scope network.PeerScope) (network.MuxedConn, error) {
	if _, relayed := c.RemoteAddr().(*client.NetAddr); relayed {
		return m.relayed.NewConn(c, server, scope)
	}
	return m.direct.NewConn(c, server, scope)
}

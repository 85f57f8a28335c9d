package discovery

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"net"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/core/sec"
	"github.com/libp2p/go-libp2p/p2p/net/upgrader"
	libp2ptls "github.com/libp2p/go-libp2p/p2p/security/tls"
)

// plainALPN is agreed on with peers that choose the multiplexer after the
// handshake.
const plainALPN = "libp2p"

// timeless has a certificate made that holds at any time, as a device is its
// key, and no clock is asked who it is. Every side checks the dates by its own
// clock, and libp2p's begin when the program does: a device without a battery
// behind its clock, which wakes up in 1970, would believe nobody.
//
// It begins with 1970, as some checks cannot read an earlier date, and ends with
// the date by which RFC 5280 (4.1.2.5) says that there is no end. The template
// is good for one identity, which adds the proof of its key.
func timeless() libp2ptls.IdentityOption {
	return libp2ptls.WithCertTemplate(&x509.Certificate{
		NotBefore: time.Unix(0, 0).UTC(),
		NotAfter:  time.Date(9999, time.December, 31, 23, 59, 59, 0, time.UTC),
		Subject:   pkix.Name{SerialNumber: rand.Text()}, // an issuer must have a name
	})
}

// security is libp2p's TLS for TCP with a timeless certificate, which libp2p's
// own transport cannot be given. On the wire the two are the same (libp2p's
// specs, tls/tls.md), except that here, of several multiplexers, the server
// chooses; kith has one.
type security struct {
	id       protocol.ID
	self     peer.ID
	identity *libp2ptls.Identity
	muxers   []string
}

var _ sec.SecureTransport = (*security)(nil)

// newSecurity is called by libp2p as the host is made.
func newSecurity(id protocol.ID, key crypto.PrivKey, muxers []upgrader.StreamMuxer) (*security, error) {
	self, err := peer.IDFromPrivateKey(key)
	if err != nil {
		return nil, err
	}
	identity, err := libp2ptls.NewIdentity(key, timeless())
	if err != nil {
		return nil, err
	}
	s := &security{id: id, self: self, identity: identity}
	for _, m := range muxers {
		s.muxers = append(s.muxers, string(m.ID))
	}
	return s, nil
}

// ID is what is negotiated before the handshake.
func (s *security) ID() protocol.ID { return s.id }

// SecureInbound is the handshake of the side that was called. It fails if the
// other is not p; an empty p is anybody.
func (s *security) SecureInbound(ctx context.Context, raw net.Conn, p peer.ID) (sec.SecureConn, error) {
	return s.handshake(ctx, raw, p, tls.Server)
}

// SecureOutbound is the handshake of the side that calls p. That the other
// refuses this device is not known until the first read.
func (s *security) SecureOutbound(ctx context.Context, raw net.Conn, p peer.ID) (sec.SecureConn, error) {
	return s.handshake(ctx, raw, p, tls.Client)
}

func (s *security) handshake(ctx context.Context, raw net.Conn, p peer.ID, side func(net.Conn, *tls.Config) *tls.Conn) (sec.SecureConn, error) {
	conf, proven := s.identity.ConfigForPeer(p)
	conf.NextProtos = append(slices.Clone(s.muxers), conf.NextProtos...)
	c := &secured{Conn: side(raw, conf), self: s.self}
	err := c.HandshakeContext(ctx)
	if err == nil {
		c.key, c.other, err = owner(proven)
	}
	if err != nil {
		_ = raw.Close()
		return nil, err
	}
	return c, nil
}

// owner takes the key that the check of a certificate has left, which has run
// before a handshake ends.
func owner(proven <-chan crypto.PubKey) (crypto.PubKey, peer.ID, error) {
	select {
	case key, ok := <-proven:
		if ok {
			id, err := peer.IDFromPublicKey(key)
			return key, id, err
		}
	default:
	}
	return nil, "", errors.New("the handshake has ended without a proof of the key")
}

// secured is a connection on which both sides have proved their keys.
type secured struct {
	*tls.Conn
	self, other peer.ID
	key         crypto.PubKey
}

func (c *secured) LocalPeer() peer.ID             { return c.self }
func (c *secured) RemotePeer() peer.ID            { return c.other }
func (c *secured) RemotePublicKey() crypto.PubKey { return c.key }

// ConnState tells the multiplexer, if the handshake has agreed on it.
func (c *secured) ConnState() network.ConnectionState {
	muxer := c.ConnectionState().NegotiatedProtocol
	if muxer == plainALPN {
		muxer = ""
	}
	return network.ConnectionState{StreamMultiplexer: protocol.ID(muxer), UsedEarlyMuxerNegotiation: muxer != ""}
}

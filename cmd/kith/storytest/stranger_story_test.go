package storytest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
)

// pairing is the one protocol that strangers may speak, while a code is shown.
const pairing protocol.ID = "/kith/pair/1"

// spoken are protocols that a device speaks with those it has paired with, or
// that libp2p would offer to anyone.
var spoken = []protocol.ID{
	"/kith/exchange/1", "/kith/blocks/1", "/kith/history/1",
	"/ipfs/id/1.0.0", "/ipfs/id/push/1.0.0", "/ipfs/ping/1.0.0",
	"/libp2p/circuit/relay/0.2.0/hop", "/libp2p/circuit/relay/0.2.0/stop", "/libp2p/dcutr", "/libp2p/autonat/1.0.0",
}

func TestAStrangerIsRefusedEveryProtocol(t *testing.T) {
	t.Parallel()
	for _, transport := range []string{"tcp", "quic"} {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			laptop := newDevice(t, "laptop", nil, "--listen", freeAddress(t, transport), "--lan-only", "--mdns=false")
			write(t, laptop.at("secret"), "not for strangers")
			laptop.start()
			laptop.do(nil, "add", laptop.files, "--name", label)
			for _, p := range append(slices.Clone(spoken), pairing) {
				h := stranger(t) // a new one each time: none remembers that it was refused
				if got, err := speak(t, h, laptop, p); err == nil {
					t.Errorf("%s: a stranger gets %q", p, got)
				}
			}
			laptop.stop() // it has had many strangers; none of that is to count
			laptop.start()
			laptop.show()
			h := stranger(t)
			// Were pairing refused too, all that is refused would say nothing.
			for _, p := range slices.Concat([]protocol.ID{pairing}, spoken, []protocol.ID{pairing}) {
				got, err := speak(t, h, laptop, p)
				switch {
				case p == pairing && err != nil:
					t.Errorf("%s, while a code is shown: %v", p, err)
				case p != pairing && err == nil:
					t.Errorf("%s, while a code is shown: a stranger gets %q", p, got)
				}
			}
		})
	}
}

// stranger makes a libp2p host that no device has ever heard of.
func stranger(t *testing.T) host.Host {
	t.Helper()
	h, err := libp2p.New(libp2p.NoListenAddrs)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.Close() })
	return h
}

// speak has a host say something to a device in a protocol. It returns an
// error if that is refused, and otherwise what the device answers within a
// short time, which may be nothing. Pairing is not refused if it can be begun.
func speak(t *testing.T, h host.Host, d *device, p protocol.ID) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	info, err := peer.AddrInfoFromString(d.ready.Listen[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Connect(ctx, *info); err != nil {
		return "", fmt.Errorf("connect: %w", err)
	}
	s, err := h.NewStream(ctx, info.ID, p)
	if err != nil {
		return "", fmt.Errorf("open a stream: %w", err)
	}
	defer func() { _ = s.Reset() }()
	if p == pairing {
		return "", nil
	}
	_ = s.SetDeadline(time.Now().Add(2 * time.Second))
	if _, err := s.Write(bytes.Repeat([]byte{' '}, 32)); err != nil {
		return "", fmt.Errorf("write: %w", err)
	}
	answer := make([]byte, 1024)
	n, err := s.Read(answer)
	if n == 0 && err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		return "", fmt.Errorf("read: %w", err)
	}
	return string(answer[:n]), nil // silence on an open stream is not a refusal
}

// freeAddress is a multiaddr on the loopback where nobody listens.
func freeAddress(t *testing.T, transport string) string {
	t.Helper()
	if transport == "tcp" {
		return loopback(t)[1]
	}
	c, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	_, port, _ := strings.Cut(c.LocalAddr().String(), ":")
	return "/ip4/127.0.0.1/udp/" + port + "/quic-v1"
}

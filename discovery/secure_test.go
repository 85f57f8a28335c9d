package discovery

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/core/sec"
	"github.com/libp2p/go-libp2p/p2p/muxer/yamux"
	"github.com/libp2p/go-libp2p/p2p/net/upgrader"
	libp2ptls "github.com/libp2p/go-libp2p/p2p/security/tls"
	ma "github.com/multiformats/go-multiaddr"
)

// yearEnv makes TestADeviceOfAnotherYear a device: "YEAR ID ADDR...", where it
// trusts the device ID and dials it at each ADDR.
const yearEnv = "KITH_TEST_YEAR"

func TestDevicesWhoseClocksDifferByYearsReachEachOther(t *testing.T) {
	for _, year := range []int{2000, 2200} {
		t.Run(strconv.Itoa(year), func(t *testing.T) {
			key, err := keyOf("y")
			if err != nil {
				t.Fatal(err)
			}
			n, id := start(t, Options{}), idOf(t, key)
			if err := n.Trust(id); err != nil {
				t.Fatal(err)
			}
			var addrs []string
			says := deviceOf(t, year, n)
			for len(addrs) == 0 && says.Scan() {
				switch what, rest, _ := strings.Cut(says.Text(), " "); what {
				case "unreachable":
					t.Errorf("the device of %d does not reach ours: %s", year, rest)
				case "listen":
					addrs = strings.Fields(rest)
				}
			}
			if len(addrs) != len(loopback) {
				t.Fatalf("the device of %d listens at %q", year, addrs)
			}
			for _, a := range addrs {
				if err := reach(t.Context(), n, id, a); err != nil {
					t.Errorf("the device of %d is not reached: %v", year, err)
				}
			}
		})
	}
}

// deviceOf starts a process for which it is another year, and tells what it
// says. It ends with the test.
func deviceOf(t *testing.T, year int, n *Net) *bufio.Scanner {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	cmd := exec.CommandContext(ctx, self, "-test.run=^TestADeviceOfAnotherYear$")
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%d %s %s", yearEnv, year, n.ID(), strings.Join(bare(n), " ")))
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		defer cancel()
		_ = in.Close()
		rest, _ := io.ReadAll(out)
		if err := cmd.Wait(); err != nil {
			t.Errorf("the device of %d: %v: %s", year, err, rest)
		}
	})
	return bufio.NewScanner(out)
}

// TestADeviceOfAnotherYear runs in a process of its own, as all of libp2p has to
// live by the same clock. While there are sockets that clock stands still, so
// what takes too long is ended from without.
func TestADeviceOfAnotherYear(t *testing.T) {
	args := strings.Fields(os.Getenv(yearEnv))
	if len(args) == 0 {
		t.Skip("is for TestDevicesWhoseClocksDifferByYearsReachEachOther")
	}
	key, err := keyOf("y")
	if err != nil {
		t.Fatal(err)
	}
	year, err := strconv.Atoi(args[0])
	if err != nil {
		t.Fatal(err)
	}
	other, err := peer.Decode(args[1])
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		<-time.After(time.Until(time.Date(year, time.June, 1, 0, 0, 0, 0, time.UTC)))
		n, err := New(Options{Key: key, Listen: loopback})
		if err != nil {
			t.Fatal(err)
		}
		if err := n.Trust(other); err != nil {
			t.Error(err)
		}
		for _, a := range args[2:] {
			if err := reach(t.Context(), n, other, a); err != nil {
				fmt.Println("unreachable", strings.ReplaceAll(err.Error(), "\n", " "))
			}
		}
		fmt.Println("listen", strings.Join(bare(n), " "))
		_, _ = io.Copy(io.Discard, os.Stdin)
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
}

// reach dials a device at one address, hears from it and hangs up.
func reach(ctx context.Context, n *Net, id peer.ID, addr string) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	a, err := ma.NewMultiaddr(addr)
	if err != nil {
		return err
	}
	for {
		// The other device may be dialling, too, and a connection that has just
		// ended may still tell of other addresses: those are not what is asked.
		if err := n.swarm.ClosePeer(id); err != nil {
			return err
		}
		n.host.Peerstore().ClearAddrs(id)
		n.host.Peerstore().AddAddr(id, a, time.Hour)
		c, err := n.swarm.DialPeer(network.WithForceDirectDial(ctx, "test"), id)
		if err != nil {
			return err
		}
		if got := c.RemoteMultiaddr(); !got.Equal(a) || c.Stat().Direction != network.DirOutbound {
			if ctx.Err() != nil {
				return fmt.Errorf("at %s: reached at %s, %s", addr, got, c.Stat().Direction)
			}
			continue
		}
		if !alive(ctx, c) {
			return fmt.Errorf("at %s: no answer", addr)
		}
		return n.swarm.ClosePeer(id)
	}
}

func TestACertificateHoldsAtAnyTime(t *testing.T) {
	identity, err := libp2ptls.NewIdentity(newKey(t), timeless())
	if err != nil {
		t.Fatal(err)
	}
	conf, _ := identity.ConfigForPeer("")
	cert, err := x509.ParseCertificate(conf.Certificates[0].Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(cert)
	for _, now := range []time.Time{
		time.Unix(0, 0),
		time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
		time.Unix(1<<31, 0),
		time.Date(2050, 1, 1, 0, 0, 0, 0, time.UTC),
		time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC),
	} {
		if _, err := cert.Verify(x509.VerifyOptions{Roots: roots, CurrentTime: now}); err != nil {
			t.Errorf("at %s: %v", now.UTC(), err)
		}
	}
}

// side is one end of a handshake.
type side struct {
	sec.SecureTransport
	key crypto.PrivKey
}

var yamuxOnly = []upgrader.StreamMuxer{{ID: yamux.ID, Muxer: yamux.DefaultTransport}}

// ours is as the host has it.
func ours(t *testing.T) side {
	key := newKey(t)
	s, err := newSecurity(libp2ptls.ID, key, yamuxOnly)
	if err != nil {
		t.Fatal(err)
	}
	return side{s, key}
}

// libp2ps is libp2p's own, with these multiplexers.
func libp2ps(t *testing.T, muxers []upgrader.StreamMuxer) side {
	key := newKey(t)
	s, err := libp2ptls.New(libp2ptls.ID, key, muxers)
	if err != nil {
		t.Fatal(err)
	}
	return side{s, key}
}

func idOf(t *testing.T, key crypto.PrivKey) peer.ID {
	t.Helper()
	id, err := peer.IDFromPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// wire is a TCP connection within this machine.
func wire(t *testing.T) (client, server net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	if client, err = net.Dial("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if server, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []net.Conn{client, server} {
		_ = c.SetDeadline(time.Now().Add(patience))
		t.Cleanup(func() { _ = c.Close() })
	}
	return client, server
}

// met is what a handshake came to on one side.
type met struct {
	conn sec.SecureConn
	err  error
}

// shake has a call b. Each is to find the other of a given ID.
func shake(t *testing.T, a, b side, wantB, wantA peer.ID) (out, in met) {
	t.Helper()
	client, server := wire(t)
	done := make(chan met)
	go func() {
		c, err := b.SecureInbound(context.Background(), server, wantA)
		done <- met{c, err}
	}()
	out.conn, out.err = a.SecureOutbound(t.Context(), client, wantB)
	return out, <-done
}

// TestTheHandshakeIsThatOfLibp2p, with libp2p's own too: TLS 1.3 with a
// post-quantum key exchange, both keys proved, the multiplexer agreed on.
func TestTheHandshakeIsThatOfLibp2p(t *testing.T) {
	for name, c := range map[string]struct {
		out, in side
		muxer   protocol.ID
	}{
		"ours to ours":     {ours(t), ours(t), yamux.ID},
		"ours to libp2p's": {ours(t), libp2ps(t, yamuxOnly), yamux.ID},
		"libp2p's to ours": {libp2ps(t, yamuxOnly), ours(t), yamux.ID},
		"ours to one that agrees on the multiplexer later": {ours(t), libp2ps(t, nil), ""},
		"one that agrees on the multiplexer later to ours": {libp2ps(t, nil), ours(t), ""},
	} {
		t.Run(name, func(t *testing.T) {
			caller, called := idOf(t, c.out.key), idOf(t, c.in.key)
			for whom, anybody := range map[string]bool{"known": false, "anybody": true} {
				wantCaller := caller
				if anybody {
					wantCaller = ""
				}
				out, in := shake(t, c.out, c.in, called, wantCaller)
				if out.err != nil || in.err != nil {
					t.Fatalf("%s: %v, %v", whom, out.err, in.err)
				}
				agreed(t, out.conn, caller, called, c.muxer)
				agreed(t, in.conn, called, caller, c.muxer)
			}
		})
	}
}

// agreed checks one side's view of a handshake.
func agreed(t *testing.T, c sec.SecureConn, self, other peer.ID, muxer protocol.ID) {
	t.Helper()
	state := c.(interface{ ConnectionState() tls.ConnectionState }).ConnectionState()
	if state.Version != tls.VersionTLS13 || state.CurveID != tls.X25519MLKEM768 {
		t.Errorf("%s with %s", tls.VersionName(state.Version), state.CurveID)
	}
	if c.LocalPeer() != self || c.RemotePeer() != other || !other.MatchesPublicKey(c.RemotePublicKey()) {
		t.Errorf("%s has met %s, want %s and %s", c.LocalPeer(), c.RemotePeer(), self, other)
	}
	if got, want := c.ConnState(), (network.ConnectionState{StreamMultiplexer: muxer, UsedEarlyMuxerNegotiation: muxer != ""}); got != want {
		t.Errorf("agreed on %+v, want %+v", got, want)
	}
}

func TestWhoIsNotWhoIsExpectedIsRefused(t *testing.T) {
	a, b, other := ours(t), ours(t), idOf(t, newKey(t))
	var mismatch sec.ErrPeerIDMismatch
	out, _ := shake(t, a, b, other, "")
	if !errors.As(out.err, &mismatch) || mismatch.Actual != idOf(t, b.key) || out.conn != nil {
		t.Errorf("the caller got %v", out.err)
	}
	_, in := shake(t, a, b, idOf(t, b.key), other)
	if !errors.As(in.err, &mismatch) || mismatch.Actual != idOf(t, a.key) || in.conn != nil {
		t.Errorf("the called got %v", in.err)
	}
}

// TestACertificateWithoutAProofIsRefused: one without libp2p's extension, one
// with that of another's certificate, and one that another has signed.
func TestACertificateWithoutAProofIsRefused(t *testing.T) {
	victim := newKey(t)
	stolen, _ := proof(t, victim)
	extension, key := proof(t, victim)
	for name, conf := range map[string]*tls.Config{
		"no proof":            forged(t, key),
		"the proof of others": forged(t, key, stolen),
		"a sound one":         forged(t, key, extension),
	} {
		a, sound := ours(t), name == "a sound one"
		client, server := wire(t)
		go func() { _ = tls.Client(client, conf).HandshakeContext(context.Background()) }()
		if c, err := a.SecureInbound(t.Context(), server, ""); (err == nil) != sound {
			t.Errorf("%s: called: %v, %v", name, c, err)
		}
		client, server = wire(t)
		go func() { _ = tls.Server(server, conf).HandshakeContext(context.Background()) }()
		if c, err := a.SecureOutbound(t.Context(), client, idOf(t, victim)); (err == nil) != sound {
			t.Errorf("%s: caller: %v, %v", name, c, err)
		}
	}
}

// proof makes a key for a certificate and has it signed by a device key.
func proof(t *testing.T, device crypto.PrivKey) (pkix.Extension, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	extension, err := libp2ptls.GenerateSignedExtension(device, key.Public())
	if err != nil {
		t.Fatal(err)
	}
	return extension, key
}

// forged is a side that shows a certificate of its own making, and believes
// everybody.
func forged(t *testing.T, key *ecdsa.PrivateKey, extensions ...pkix.Extension) *tls.Config {
	t.Helper()
	template := &x509.Certificate{NotBefore: time.Unix(0, 0), NotAfter: time.Unix(1<<33, 0), Subject: pkix.Name{SerialNumber: "1"}, ExtraExtensions: extensions}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{
		MinVersion:         tls.VersionTLS13,
		InsecureSkipVerify: true,
		ClientAuth:         tls.RequireAnyClientCert,
		Certificates:       []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}},
		NextProtos:         []string{plainALPN},
	}
}

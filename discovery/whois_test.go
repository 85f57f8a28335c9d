package discovery

import (
	"errors"
	"testing"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/crypto"
)

func TestWhoIsTellsWhoListens(t *testing.T) {
	a, b := start(t, Options{}), start(t, Options{})
	for _, addr := range append(bare(b), b.Addrs()...) {
		got, err := a.WhoIs(t.Context(), addr)
		if err != nil || got != b.ID() {
			t.Errorf("%s: %s, %v, want %s", addr, got, err, b.ID())
		}
	}
	if len(a.Host().Network().Conns())+len(b.Host().Network().Conns()) != 0 {
		t.Error("asking made a connection")
	}
}

func TestWhoIsTellsWhatIsWrong(t *testing.T) {
	a, b := start(t, Options{}), start(t, Options{})
	where := bare(b)
	if err := b.Host().Network().Close(); err != nil {
		t.Fatal(err)
	}
	for _, addr := range having(where, "tcp") {
		if _, err := a.WhoIs(t.Context(), addr); !errors.Is(err, ErrNobody) {
			t.Errorf("%s: %v, want that nobody is there", addr, err)
		}
	}
	for _, addr := range []string{"", "x", "/ip4/127.0.0.1", "/dns4/localhost/tcp/1", "/ip4/0.0.0.0/tcp/1", "/ip4/127.0.0.1/tcp/0",
		"/ip4/127.0.0.1/udp/1", "/p2p/" + a.ID().String(), "/ip4/1.2.3.4/tcp/1/p2p/" + a.ID().String() + "/p2p-circuit"} {
		if _, err := a.WhoIs(t.Context(), addr); !errors.Is(err, ErrAddr) {
			t.Errorf("%q: %v, want that it is no address", addr, err)
		}
	}
	key, _, err := crypto.GenerateKeyPair(crypto.RSA, 2048)
	if err != nil {
		t.Fatal(err)
	}
	h := stranger(t, libp2p.Identity(key), libp2p.ListenAddrStrings("/ip4/127.0.0.1/tcp/0"))
	addr := h.Network().ListenAddresses()[0].String()
	if _, err := a.WhoIs(t.Context(), addr); !errors.Is(err, ErrKey) {
		t.Errorf("an RSA key: %v", err)
	}
}

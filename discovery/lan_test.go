package discovery

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/kithmesh/kith/discovery/mdns"
)

// needMulticast skips where packets to a group do not come back, as in some
// containers.
func needMulticast(t *testing.T) {
	t.Helper()
	s := mdns.New(nil)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	other := mdns.New(nil)
	heard := make(chan struct{}, 1)
	name := "_kith-probe-" + strings.ToLower(rune36(os.Getpid(), t.Name())) + "._udp"
	done := make(chan error, 2)
	go func() { done <- s.Run(ctx) }()
	go func() { done <- other.Run(ctx) }()
	other.Browse(name, nil, func(mdns.Answer) { nudge(heard) })
	s.Announce(mdns.Offer{Service: name, Instance: "probe", Port: 1, Text: func([]netip.Addr) []string { return nil }})
	ok := false
	select {
	case <-heard:
		ok = true
	case <-ctx.Done():
	}
	cancel()
	<-done
	<-done
	if !ok {
		t.Skip("multicast does not work here")
	}
}

func TestTrustedDevicesFindEachOtherOnTheLAN(t *testing.T) {
	t.Parallel()
	needMulticast(t)
	a, b := run(t, start(t, Options{MDNS: true})), run(t, start(t, Options{MDNS: true}))
	c := run(t, start(t, Options{MDNS: true})) // nobody trusts it
	trust(t, a.Net, b.Net)
	trust(t, b.Net, a.Net)
	a.expect(t, Connected, b.ID())
	b.expect(t, Connected, a.ID())
	c.quiet(t)
	if a.searching() {
		t.Error("a searches though nobody is missing")
	}
}

func TestANameplateIsFoundOnTheLAN(t *testing.T) {
	t.Parallel()
	needMulticast(t)
	a, b := run(t, start(t, Options{MDNS: true})), run(t, start(t, Options{MDNS: true}))
	nameplate := 1000 + os.Getpid()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	announced := make(chan error, 1)
	go func() { announced <- b.AnnouncePairing(ctx, nameplate) }()
	var got peer.AddrInfo
	err := a.FindPairing(ctx, nameplate, func(i peer.AddrInfo) { got = i; cancel() })
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("not found: %v", err)
	}
	if got.ID != b.ID() || len(got.Addrs) != 2 {
		t.Errorf("found %v", got)
	}
	if err := <-announced; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestPairingOnTheLANNeedsMDNSAndANumber(t *testing.T) {
	off, on := start(t, Options{}), start(t, Options{MDNS: true})
	if err := off.AnnouncePairing(t.Context(), 48); !errors.Is(err, ErrNoLAN) {
		t.Error(err)
	}
	if err := off.FindPairing(t.Context(), 48, nil); !errors.Is(err, ErrNoLAN) {
		t.Error(err)
	}
	for _, bad := range []int{-1, maxNameplate + 1} {
		if err := on.FindPairing(t.Context(), bad, nil); !errors.Is(err, ErrNameplate) {
			t.Errorf("%d: %v", bad, err)
		}
	}
}

func TestWhatIsAnnouncedDoesNotNameTheDevice(t *testing.T) {
	a := start(t, Options{MDNS: true})
	nonces := map[string]bool{}
	for range 3 {
		nonce := []byte(randomLabel())[:nonceSize]
		said := token(a.ID(), nonce)
		if nonces[said] || strings.Contains(said, a.ID().String()) {
			t.Errorf("%q", said)
		}
		nonces[said] = true
	}
}

func TestGarbageFromTheLANIsIgnored(t *testing.T) {
	a, b := start(t, Options{}), start(t, Options{})
	trust(t, a, b)
	nonce := strings.Repeat("ab", nonceSize)
	for _, text := range [][]string{
		nil, {""}, {"n="}, {"n=zz", "t=" + strings.Repeat("0", 32)}, {"n=" + nonce, "t="}, {"n=" + nonce, "t=" + strings.Repeat("0", 32), "a=/ip4/10.0.0.1/tcp/1"},
		{"n=ab", "t=" + token(b.ID(), []byte{0xab}), "a=/ip4/10.0.0.1/tcp/1"},
	} {
		a.heardOf(mdns.Answer{Text: text})
	}
	if got := a.devices[b.ID()].book.all(time.Now()); len(got) != 0 {
		t.Errorf("believed %v", got)
	}
}

func rune36(pid int, name string) string {
	sum := sha256.Sum256(binary.AppendVarint([]byte(name), int64(pid)))
	const digits = "0123456789abcdefghijklmnopqrstuvwxyz"
	var b strings.Builder
	for _, c := range sum[:10] {
		b.WriteByte(digits[int(c)%len(digits)])
	}
	return b.String()
}

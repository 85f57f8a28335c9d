package discovery

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/kithmesh/kith/discovery/mdns"
)

// The strings of a TXT record, as key=value. A nonce and a token stand for the
// device: the token is HMAC-SHA256 under the ID, so those who know the ID see
// who it is, and nobody else can tell that two nonces are of one device. While
// it is being paired, a device says its ID.
const (
	keyNonce = "n="
	keyToken = "t="
	keyID    = "id="
	keyAddr  = "a="

	tokenLabel = "kith lan 1\x00"
	nonceSize  = 16
	tokenSize  = 16
)

const (
	service = "_kith._udp"

	maxNameplate = 999_999_999
	maxFound     = 32 // candidates that one search for a nameplate tells of
)

// announcer is what this device is at present called on the local network.
type announcer struct {
	mu       sync.Mutex
	withdraw func()
}

// joinLAN announces this device and looks for others until leave is called.
func (n *Net) joinLAN() (leave func()) {
	search := n.speech.Browse(service, n.searching, n.heardOf)
	n.mu.Lock()
	n.search = search
	n.mu.Unlock()
	n.announce()
	return func() {
		n.mu.Lock()
		n.search = nil
		n.mu.Unlock()
		search.Stop()
		n.announced.replace(nil)
	}
}

// renew announces under a new nonce and looks again, because the network is
// another one.
func (n *Net) renew() {
	n.announce()
	n.speech.Refresh()
}

// renewDaily announces under a new nonce every day, so that nobody can follow a
// device by it for longer, until ctx ends.
func (n *Net) renewDaily(ctx context.Context) error {
	day := time.NewTicker(24 * time.Hour)
	defer day.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-day.C:
			n.announce()
		}
	}
}

func (n *Net) announce() {
	nonce := make([]byte, nonceSize)
	_, _ = rand.Read(nonce) // never fails
	n.announced.replace(n.speech.Announce(mdns.Offer{
		Service:  service,
		Instance: randomLabel(),
		Port:     n.servicePort(),
		Text: func(addrs []netip.Addr) []string {
			out := []string{keyNonce + hex.EncodeToString(nonce), keyToken + token(n.ID(), nonce)}
			return append(out, n.textAddrs(addrs)...)
		},
	}))
}

// replace withdraws what was announced before.
func (a *announcer) replace(withdraw func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.withdraw != nil {
		a.withdraw()
	}
	a.withdraw = withdraw
}

func token(id peer.ID, nonce []byte) string {
	m := hmac.New(sha256.New, []byte(id))
	_, _ = m.Write([]byte(tokenLabel))
	_, _ = m.Write(nonce)
	return hex.EncodeToString(m.Sum(nil)[:tokenSize])
}

func randomLabel() string {
	b := make([]byte, 10)
	_, _ = rand.Read(b)
	return hex.EncodeToString(b)
}

// servicePort is the TCP port, or any, for the SRV record.
func (n *Net) servicePort() uint16 {
	for _, a := range n.swarm.ListenAddresses() {
		if p, ok := portOf(a); ok {
			if v, err := strconv.ParseUint(p, 10, 16); err == nil {
				return uint16(v)
			}
		}
	}
	return DefaultPort
}

// textAddrs are the addresses to announce on an interface that has these.
func (n *Net) textAddrs(addrs []netip.Addr) []string {
	var out []string
	for _, a := range n.listening() {
		ip, ok := ipOf(a)
		if !ok || !dialable(a) {
			continue
		}
		for _, here := range addrs {
			if here == ip {
				out = append(out, keyAddr+a.String())
			}
		}
	}
	return out
}

// heardOf takes in what somebody on the local network announces.
func (n *Net) heardOf(a mdns.Answer) {
	nonce, err := hex.DecodeString(value(a.Text, keyNonce))
	said := value(a.Text, keyToken)
	if err != nil || len(nonce) != nonceSize || len(said) != 2*tokenSize {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for id, d := range n.devices {
		if token(id, nonce) != said {
			continue
		}
		now := time.Now()
		d.heard(now, d.book.hear(believable(values(a.Text, keyAddr), a.From), now))
		return
	}
}

// FindPairing looks on the local network for devices that show a code with
// this nameplate, and calls found for each until ctx ends, whose error it
// returns. What it finds is not verified. It works while [Net.Run] runs; it
// returns [ErrNoLAN] without mDNS, and wraps [ErrNameplate].
func (n *Net) FindPairing(ctx context.Context, nameplate int, found func(peer.AddrInfo)) error {
	name, err := n.pairingService(nameplate)
	if err != nil {
		return err
	}
	seen := map[string]bool{}
	browse := n.speech.Browse(name, nil, func(a mdns.Answer) {
		id, err := peer.Decode(value(a.Text, keyID))
		addrs := believable(values(a.Text, keyAddr), a.From)
		if err != nil || checkID(id) != nil || id == n.ID() || len(addrs) == 0 {
			return
		}
		key := string(id) + strings.Join(texts(addrs), " ")
		if seen[key] || len(seen) >= maxFound || ctx.Err() != nil {
			return
		}
		seen[key] = true
		found(peer.AddrInfo{ID: id, Addrs: addrs})
	})
	defer browse.Stop()
	<-ctx.Done()
	return ctx.Err()
}

// AnnouncePairing tells the local network until ctx ends that this device shows
// a code with this nameplate, and where it is. Unlike all else that is announced
// it names the device. It returns the error of ctx; [ErrNoLAN] without mDNS,
// and wraps [ErrNameplate].
func (n *Net) AnnouncePairing(ctx context.Context, nameplate int) error {
	name, err := n.pairingService(nameplate)
	if err != nil {
		return err
	}
	withdraw := n.speech.Announce(mdns.Offer{
		Service:  name,
		Instance: randomLabel(),
		Port:     n.servicePort(),
		Text: func(addrs []netip.Addr) []string {
			return append([]string{keyID + n.ID().String()}, n.textAddrs(addrs)...)
		},
	})
	defer withdraw()
	<-ctx.Done()
	return ctx.Err()
}

func (n *Net) pairingService(nameplate int) (string, error) {
	if nameplate < 0 || nameplate > maxNameplate {
		return "", fmt.Errorf("%w: %d", ErrNameplate, nameplate)
	}
	if n.speech == nil {
		return "", ErrNoLAN
	}
	return fmt.Sprintf("_kith-pair-%d._udp", nameplate), nil
}

func value(text []string, key string) string {
	for _, t := range text {
		if v, ok := strings.CutPrefix(t, key); ok {
			return v
		}
	}
	return ""
}

func values(text []string, key string) []string {
	var out []string
	for _, t := range text {
		if v, ok := strings.CutPrefix(t, key); ok {
			out = append(out, v)
		}
	}
	return out
}

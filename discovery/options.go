package discovery

import (
	"fmt"
	"log/slog"
	"strings"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/network"
	ma "github.com/multiformats/go-multiaddr"
)

// DefaultPort is where a device listens if it may, by TCP and UDP: K-I-T-H on
// a telephone's keys. A fixed port lets paired devices find each other again
// after a restart where nothing announces them, and firewalls be opened. If it
// is taken, any other is used.
const DefaultPort = 5484

// Options make a [Net]. Only Key is needed.
type Options struct {
	Key crypto.PrivKey // the device key, Ed25519

	// Listen holds multiaddrs such as /ip4/0.0.0.0/tcp/5484. Those that cannot
	// be bound are logged and left out; it is an error if none can. Empty
	// means every interface, TCP and QUIC, at [DefaultPort] or any other port.
	Listen []string

	LANOnly bool // neither dial nor accept beyond the local network, whatever else is asked
	MDNS    bool // announce and find devices on the local network

	// Beyond lets this device look for paired ones beyond the local network,
	// and help them: addresses everywhere, relays, hole punching. Without it
	// only what [Net.Vouch] names is dialled there. LANOnly overrides it.
	Beyond      bool
	Relay       RelayMode // whether to relay for paired devices; needs Beyond
	PortMapping bool      // ask the router for a port (UPnP, NAT-PMP); needs Beyond

	// Board has paired devices found on a DHT, wherever they are; needs Beyond.
	// Nil is none.
	Board *BoardOptions

	// Relayed wraps each stream that carries what is relayed for others, to
	// hold it to the limits of this device. Nil leaves them as they are.
	Relayed func(network.Stream) network.Stream

	Log       *slog.Logger // nil is quiet
	UserAgent string       // what trusted devices are told of the program
}

// RelayMode says whether a device relays for those it is paired with.
type RelayMode string

// The values of [RelayMode]; empty is RelayAuto.
const (
	RelayAuto RelayMode = "auto" // while it can be reached from beyond its own network
	RelayOn   RelayMode = "on"
	RelayOff  RelayMode = "off"
)

// Wide is what a device may do beyond the local network; see [Options].
type Wide struct {
	Relay       RelayMode
	PortMapping bool
	Board       *BoardOptions
}

func (o *Options) wide() *Wide {
	if !o.Beyond || o.LANOnly {
		return nil
	}
	return &Wide{Relay: o.Relay, PortMapping: o.PortMapping, Board: o.Board}
}

func (o *Options) logger() *slog.Logger {
	if o.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return o.Log
}

// place is an address to listen on, and what to do if it is taken.
type place struct {
	addr     ma.Multiaddr
	fallback ma.Multiaddr // nil if there is none
}

func (o *Options) listen() ([]place, error) {
	if len(o.Listen) == 0 {
		return defaultPlaces(), nil
	}
	var out []place
	for _, s := range o.Listen {
		a, err := ma.NewMultiaddr(s)
		if err != nil {
			return nil, fmt.Errorf("listen on %q: %w", s, err)
		}
		if !usableAddr(a) {
			return nil, fmt.Errorf("listen on %q: %w", s, ErrAddr)
		}
		out = append(out, place{addr: a})
	}
	return out, nil
}

func defaultPlaces() []place {
	var out []place
	for _, form := range []string{"/ip4/0.0.0.0/tcp/%d", "/ip6/::/tcp/%d", "/ip4/0.0.0.0/udp/%d/quic-v1", "/ip6/::/udp/%d/quic-v1"} {
		out = append(out, place{addr: ma.StringCast(fmt.Sprintf(form, DefaultPort)), fallback: ma.StringCast(fmt.Sprintf(form, 0))})
	}
	return out
}

func (o *Options) agent() string {
	if o.UserAgent == "" {
		return "kith"
	}
	return strings.ToValidUTF8(o.UserAgent, "")
}

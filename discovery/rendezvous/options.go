package rendezvous

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	dht "github.com/libp2p/go-libp2p-kad-dht"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
)

// Mode is which DHT a board is on.
type Mode string

// The values of [Mode]. There is no value for off: then there is no board.
const (
	// Private is a DHT of kith's own, /kith/kad/1.0.0, that consists of the
	// boards of devices.
	Private Mode = "private"
	// Public is the DHT of libp2p, /ipfs/kad/1.0.0, in which a board takes
	// part as a client: it stores nothing for others.
	Public Mode = "public"
)

// DefaultPort is where the board of a private DHT listens by TCP if it may. If
// it is taken, any other is used. A fixed port lets others find the DHT again.
const DefaultPort = 5485

// Options make a [Board]. Key and Mode are needed.
type Options struct {
	Key  crypto.PrivKey // the device key, Ed25519; the pair secrets come of it
	Mode Mode

	// Dir is where the ID of a private board and the nodes it knows are kept;
	// it must exist. Empty keeps nothing.
	Dir string

	// Bootstrap says where the DHT is entered: multiaddrs that end in
	// /p2p/ID, of nodes of the DHT, not of devices. Empty means the nodes that
	// libp2p names in public mode, and in private mode what [Board.Meet] and
	// the file tell.
	Bootstrap []string

	// Listen holds multiaddrs such as /ip4/0.0.0.0/tcp/5485, of TCP, for
	// private mode. Empty means every interface at [DefaultPort] or any other
	// port. In public mode a board listens nowhere.
	Listen []string

	// PortMapping has the router asked, by UPnP or NAT-PMP, to let others reach
	// a private board.
	PortMapping bool

	Log *slog.Logger // nil is quiet

	everywhere bool // for tests: any address may be dialled in any mode
}

func (o *Options) check() (ed25519.PrivateKey, error) {
	if o.Mode != Private && o.Mode != Public {
		return nil, fmt.Errorf("%w: %q", ErrMode, o.Mode)
	}
	return ownKey(o.Key)
}

func (o *Options) logger() *slog.Logger {
	if o.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return o.Log
}

// bootstrap is where the DHT is entered.
func (o *Options) bootstrap() ([]peer.AddrInfo, error) {
	if len(o.Bootstrap) == 0 && o.Mode == Public {
		return dht.GetDefaultBootstrapPeerAddrInfos(), nil
	}
	var out []peer.AddrInfo
	for _, text := range o.Bootstrap {
		n, err := parseNode(text, true)
		if err != nil {
			return nil, fmt.Errorf("enter the DHT at %q: %w", text, err)
		}
		out = append(out, n)
	}
	return out, nil
}

const identityFile = "board-key"

// identity is who the board is in the DHT: nobody that is known elsewhere. A
// private board stays the same, so that others find it again by what they
// remember; a public one is somebody new at each start.
func (o *Options) identity() (crypto.PrivKey, error) {
	path := filepath.Join(o.Dir, identityFile)
	kept := o.Mode == Private && o.Dir != ""
	if kept {
		raw, err := os.ReadFile(path)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, fmt.Errorf("read the board's key: %w", err)
		}
		key, bad := crypto.UnmarshalPrivateKey(raw)
		if err == nil && bad == nil && key.Type() == crypto.Ed25519 {
			return key, nil
		}
		if err == nil {
			o.logger().Warn("the board's key cannot be read, another is made", "file", path, "error", bad)
		}
	}
	key, _, err := crypto.GenerateEd25519Key(nil)
	if err != nil {
		return nil, fmt.Errorf("make the board's key: %w", err)
	}
	if !kept {
		return key, nil
	}
	raw, err := crypto.MarshalPrivateKey(key)
	if err == nil {
		err = replace(path, raw)
	}
	if err != nil {
		return nil, fmt.Errorf("keep the board's key: %w", err)
	}
	return key, nil
}

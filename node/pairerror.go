package node

import (
	"errors"
	"fmt"
	"strings"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multiaddr"

	"github.com/kithmesh/kith/discovery"
	"github.com/kithmesh/kith/node/control"
	"github.com/kithmesh/kith/protocol/pair"
)

// pairingError gives an error of pairing the meaning that scripts count on.
func pairingError(err error) error {
	for _, known := range []struct{ is, means error }{
		{pair.ErrBurnt, control.ErrCodeBurnt},
		{pair.ErrWrongCode, control.ErrWrongCode},
		{pair.ErrSpent, control.ErrWrongCode},
		{pair.ErrExpired, control.ErrCodeExpired},
		{pair.ErrPaused, control.ErrPairingPaused},
	} {
		if errors.Is(err, known.is) {
			return fmt.Errorf("%w: %w", known.means, err)
		}
	}
	return err
}

// notReached is the error where no device took a code.
func notReached(err error) error {
	switch {
	case err == nil, errors.Is(err, discovery.ErrNobody), errors.Is(err, pair.ErrNoWindow):
		return control.WithHint(fmt.Errorf("a device that shows this code: %w%s", control.ErrNotFound, because(err)),
			"see that both devices are on the same network and the code is still shown, or say where the other device is with --at")
	case errors.Is(err, discovery.ErrAddr):
		return fmt.Errorf("%w: %w", control.ErrInvalid, err)
	}
	return pairingError(err)
}

// addrInfo is where a device is; /p2p parts are taken off.
func addrInfo(who peer.ID, addrs []string) (peer.AddrInfo, error) {
	info := peer.AddrInfo{ID: who}
	var failed error
	for _, text := range addrs {
		a, err := multiaddr.NewMultiaddr(text)
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("%w: %q: %w", control.ErrInvalid, text, err))
			continue
		}
		if bare, _ := peer.SplitAddr(a); bare != nil {
			info.Addrs = append(info.Addrs, bare)
		}
	}
	if len(info.Addrs) == 0 {
		return info, errors.Join(fmt.Errorf("no address of %s", who), failed)
	}
	return info, nil
}

// because is the end of a sentence about an error, if there is one.
func because(err error) string {
	if err == nil {
		return ""
	}
	return " (" + strings.ReplaceAll(err.Error(), "\n", "; ") + ")"
}

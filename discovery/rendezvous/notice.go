package rendezvous

import (
	"crypto/ed25519"
	"encoding/binary"
	"fmt"

	ma "github.com/multiformats/go-multiaddr"
)

const (
	noticeVersion = 1
	noticeSize    = 512 // always, so that the size tells nothing
	noticeHead    = 2 + 8 + ed25519.PublicKeySize
	maxAddrs      = 16
	maxAddrSize   = 128
)

// notice is what one device tells of itself. Its form, before it is sealed, is
// version, number of addresses, sequence (8 bytes, big-endian), public key of
// the device (32 bytes), the addresses in binary form with their length in a
// byte before each, and zeros up to 512 bytes.
type notice struct {
	sequence uint64 // milliseconds since 1970 when it was written, or more
	device   ed25519.PublicKey
	addrs    []ma.Multiaddr
}

// newNotice takes as many addresses as fit, in their order: 16 at most, each of
// 128 bytes at most, and of a form that others can dial.
func newNotice(device ed25519.PublicKey, addrs []ma.Multiaddr) (notice, error) {
	n := notice{device: device}
	left := noticeSize - noticeHead
	for _, a := range addrs {
		size := len(a.Bytes())
		if len(n.addrs) == maxAddrs || size > maxAddrSize || 1+size > left || !usable(a) || ma.Contains(n.addrs, a) {
			continue
		}
		n.addrs = append(n.addrs, a)
		left -= 1 + size
	}
	if len(n.addrs) == 0 {
		return n, ErrAddr
	}
	return n, nil
}

func (n notice) encode() []byte {
	out := make([]byte, 0, noticeSize)
	out = append(out, noticeVersion, byte(len(n.addrs)))
	out = binary.BigEndian.AppendUint64(out, n.sequence)
	out = append(out, n.device...)
	for _, a := range n.addrs {
		b := a.Bytes()
		out = append(append(out, byte(len(b))), b...)
	}
	return out[:noticeSize]
}

// decodeNotice reads what was sealed. Addresses that are well-formed but of
// kinds that are not known here are left out: a later version may tell them.
func decodeNotice(b []byte) (notice, error) {
	if len(b) != noticeSize {
		return notice{}, fmt.Errorf("%w: %d bytes (want %d)", ErrNotice, len(b), noticeSize)
	}
	if b[0] != noticeVersion {
		return notice{}, fmt.Errorf("%w: version %d", ErrNotice, b[0])
	}
	count := int(b[1])
	if count > maxAddrs {
		return notice{}, fmt.Errorf("%w: %d addresses (at most %d)", ErrNotice, count, maxAddrs)
	}
	n := notice{sequence: binary.BigEndian.Uint64(b[2:10]), device: ed25519.PublicKey(b[10:noticeHead:noticeHead])}
	rest := b[noticeHead:]
	for i := range count {
		if len(rest) == 0 || int(rest[0]) > maxAddrSize || int(rest[0]) > len(rest)-1 {
			return notice{}, fmt.Errorf("%w: address %d is longer than it may be", ErrNotice, i)
		}
		a, err := ma.NewMultiaddrBytes(rest[1 : 1+rest[0]])
		if err != nil {
			return notice{}, fmt.Errorf("%w: address %d: %w", ErrNotice, i, err)
		}
		if usable(a) && !ma.Contains(n.addrs, a) {
			n.addrs = append(n.addrs, a)
		}
		rest = rest[1+rest[0]:]
	}
	for _, c := range rest {
		if c != 0 {
			return notice{}, fmt.Errorf("%w: the padding is not of zeros", ErrNotice)
		}
	}
	return n, nil
}

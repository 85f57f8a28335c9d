package discovery

import "errors"

var (
	// ErrKey is wrapped when a key or the ID of a key is not one of a device:
	// those are Ed25519 keys.
	ErrKey = errors.New("not an Ed25519 key")

	// ErrAddr is wrapped when a text is not an address that kith can use: an
	// IP address with TCP or QUIC.
	ErrAddr = errors.New("not an address with tcp or quic-v1")

	// ErrListen is wrapped when none of the addresses to listen on could be
	// bound.
	ErrListen = errors.New("no address to listen on is free")

	// ErrNobody is wrapped when no device of ours answers at an address.
	ErrNobody = errors.New("no device answers there")

	// ErrNoLAN is returned when the local network is asked for and mDNS is off.
	ErrNoLAN = errors.New("discovery on the local network is switched off")

	// ErrNameplate is wrapped when a number cannot be a nameplate.
	ErrNameplate = errors.New("not a nameplate")
)

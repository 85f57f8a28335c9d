package protocol

import (
	"context"
	"errors"
	"io"

	"github.com/libp2p/go-libp2p/core/network"

	"github.com/kithmesh/kith/protocol/blocks"
	"github.com/kithmesh/kith/protocol/exchange"
	"github.com/kithmesh/kith/protocol/frame"
	"github.com/kithmesh/kith/protocol/history"
)

var (
	// ErrNotTrusted: the peer is not paired with this device.
	ErrNotTrusted = errors.New("not paired")
	// ErrTooMany: the peer has more streams, or takes more memory, than it may.
	ErrTooMany = errors.New("too many streams")
	// ErrClosing: this device is about to stop.
	ErrClosing = errors.New("stopping")
)

// The codes by which a reset tells the peer why. They are part of the wire:
// never renumber them.
const (
	codeFailed     network.StreamErrorCode = 0x6b00
	codeNotTrusted network.StreamErrorCode = 0x6b01
	codeTooMany    network.StreamErrorCode = 0x6b02
	codeClosing    network.StreamErrorCode = 0x6b03
	codeMalformed  network.StreamErrorCode = 0x6b04
	codeVersion    network.StreamErrorCode = 0x6b05
)

// code is the one place where errors become codes of the wire.
func code(err error) network.StreamErrorCode {
	for _, known := range []struct {
		err  error
		code network.StreamErrorCode
	}{
		{ErrNotTrusted, codeNotTrusted},
		{ErrTooMany, codeTooMany},
		{ErrClosing, codeClosing},
		{exchange.ErrProtocol, codeVersion},
		{exchange.ErrMessage, codeMalformed},
		{blocks.ErrRequest, codeMalformed},
		{history.ErrRequest, codeMalformed},
		{frame.ErrTooLarge, codeMalformed},
		{frame.ErrMalformed, codeMalformed},
	} {
		if errors.Is(err, known.err) {
			return known.code
		}
	}
	return codeFailed
}

// Reason is the error of this package, or [exchange.ErrProtocol], that a peer
// has given as the reason for resetting a stream; nil if it did not, or gave
// none of these.
func Reason(err error) error {
	var reset *network.StreamError
	if !errors.As(err, &reset) {
		return nil
	}
	return map[network.StreamErrorCode]error{
		codeNotTrusted: ErrNotTrusted, codeTooMany: ErrTooMany, codeClosing: ErrClosing, codeVersion: exchange.ErrProtocol,
	}[reset.ErrorCode]
}

// Explain says in words why a peer reset a stream, if it did and said so.
func Explain(err error) string {
	var reset *network.StreamError
	if !errors.As(err, &reset) {
		return ""
	}
	switch reset.ErrorCode {
	case codeNotTrusted:
		return "the other device does not count this one as paired"
	case codeTooMany:
		return "the other device is too busy"
	case codeClosing:
		return "the other device is stopping"
	case codeMalformed:
		return "the other device did not understand what this one said"
	case codeVersion:
		return "the two devices run versions of kith that do not understand each other"
	}
	return ""
}

// harmless tells whether an error is only the end of a stream or connection.
func harmless(err error) bool {
	return errors.Is(err, network.ErrReset) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, context.Canceled) || errors.Is(err, io.ErrClosedPipe)
}

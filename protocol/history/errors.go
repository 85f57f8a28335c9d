package history

import "errors"

var (
	// ErrRefused: the other side keeps no vault of the folder, or does not count
	// this device as a member that may ask.
	ErrRefused = errors.New("no vault here that this device may ask")
	// ErrFuture: a moment that has not come yet by the vault's clock.
	ErrFuture = errors.New("the moment has not come yet by the clock of the vault")
	// ErrFull: the vault does not take on more: it has as many pins, or blocks
	// to fetch, as it may.
	ErrFull = errors.New("the vault takes no more")
	// ErrRequest: a request that breaks the protocol.
	ErrRequest = errors.New("malformed history request")
	// ErrAnswer: an answer that breaks the protocol, or answers another request.
	ErrAnswer = errors.New("malformed history answer")
)

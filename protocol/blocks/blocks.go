// Package blocks moves sealed blocks between two devices: one side sends
// want-lists, the other streams the blocks back.
//
// Nothing here knows keys or files. A [Server] answers from a [Source], a
// [Client] fetches over streams that it is given and hands each sealed block
// on as it arrives; opening and checking a block is the caller's part, since
// only it knows the key. Answers come in the order of the request, so no block
// needs to carry its name.
//
// A Server's Handle may run for many streams at once. A Client is safe for
// concurrent use and keeps idle streams for later requests.
package blocks

import (
	"errors"

	"github.com/kithmesh/kith/index/entry"
)

// Bounds of one request and answer.
const (
	// MaxWants is how many blocks one request may ask for.
	MaxWants = 4096
	// MaxSealed bounds one sealed block in bytes.
	MaxSealed = entry.MaxBlock + 64

	maxRequest = MaxWants*32 + 256
	maxHeader  = 64
)

var (
	// ErrMissing: the device does not hold the block, or not any more.
	ErrMissing = errors.New("block is not there")
	// ErrRefused: the other side does not count this device as a member.
	ErrRefused = errors.New("not a member of the folder")
	// ErrRequest: a request that breaks the protocol.
	ErrRequest = errors.New("malformed block request")
	// ErrAnswer: an answer that breaks the protocol.
	ErrAnswer = errors.New("malformed block answer")
)

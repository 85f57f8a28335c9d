// Package blocks moves sealed blocks between two devices: one side sends
// want-lists, the other streams the blocks back.
//
// Nothing here knows keys or files. A [Server] answers from a [Source], a
// [Client] fetches over streams that it is given and hands each sealed block
// on as it arrives; opening and checking a block is the caller's part, since
// only it knows the key. Answers come in the order of the request, so no block
// needs to carry its name.
//
// Instead of blocks a request may ask for proofs that they are there ([Proof]):
// the Server makes them of what its Source gives, and comparing them with what
// they must be is again the caller's part.
//
// A stream that has a method Serve(entry.FolderID) is told by it which folder it
// serves from then on.
//
// A Server's Handle may run for many streams at once. A Client is safe for
// concurrent use and keeps idle streams for later requests.
package blocks

import (
	"errors"
	"time"

	"github.com/kithmesh/kith/index/entry"
)

// Bounds of one request and answer.
const (
	// MaxWants is how many blocks one request may ask for.
	MaxWants = 4096
	// MaxSealed bounds one sealed block in bytes.
	MaxSealed = entry.MaxBlock + 64
	// MaxHold bounds for how long the other side may be asked to keep what it
	// proves.
	MaxHold = time.Hour
	// MaxForms is how many sealed forms of one block can be told apart.
	MaxForms = 4

	proofSize  = 32
	maxRequest = MaxWants*32 + 256
	maxHeader  = 64
)

var (
	// ErrMissing: the device does not hold the block, or not any more.
	ErrMissing = errors.New("block is not there")
	// ErrRefused: the other side does not count this device as a member.
	ErrRefused = errors.New("not a member of the folder")
	// ErrNotHeld: the other side does not promise to keep the blocks for as
	// long as it was asked to.
	ErrNotHeld = errors.New("not held for that long")
	// ErrRequest: a request that breaks the protocol.
	ErrRequest = errors.New("malformed block request")
	// ErrAnswer: an answer that breaks the protocol.
	ErrAnswer = errors.New("malformed block answer")
)

// servesOf is how a stream that wants to know is told which folder it serves.
func servesOf(stream any) func(entry.FolderID) {
	if s, ok := stream.(interface{ Serve(entry.FolderID) }); ok {
		return s.Serve
	}
	return func(entry.FolderID) {}
}

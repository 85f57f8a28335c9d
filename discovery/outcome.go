package discovery

import (
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/sec"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	circuitpb "github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/pb"
	"github.com/quic-go/quic-go"
)

// Outcome is what became of an attempt to reach a device at one address.
type Outcome string

// The outcomes.
const (
	Answers     Outcome = "answers"      // it is there, and takes this device in
	TurnedAway  Outcome = "turned_away"  // it is there, and wants nothing of this device
	Refused     Outcome = "refused"      // the machine says that nothing listens there
	TimedOut    Outcome = "timed_out"    // nothing came back
	Unreachable Outcome = "unreachable"  // the network says that there is no such machine
	NoRoute     Outcome = "no_route"     // this machine has no way to that network
	Forbidden   Outcome = "forbidden"    // this machine does not let kith send that
	HungUp      Outcome = "hung_up"      // a connection was made, and closed before anything was said
	NotKith     Outcome = "not_kith"     // something takes connections there, but does not speak as kith does
	OtherDevice Outcome = "other_device" // another device of ours answers
	NotTried    Outcome = "not_tried"    // the settings forbid to dial it
)

// errTurnedAway is the failure of a dial whose connection was closed by the
// other side before it had said anything.
var errTurnedAway = errors.New("the device has closed the connection at once")

// telling are the outcomes from the one that says most about a device to the
// one that says least.
var telling = []Outcome{
	Answers, TurnedAway, OtherDevice, NotKith, HungUp, Refused, Forbidden, Unreachable, TimedOut, NoRoute, NotTried,
}

// OutcomeOf says in one word why a dial has failed; of one to several addresses,
// the word that says most.
func OutcomeOf(err error) Outcome {
	var all *swarm.DialError
	if !errors.As(err, &all) || len(all.DialErrors) == 0 {
		out, _ := outcomeOf(err)
		return out
	}
	best := len(telling) - 1
	for _, e := range all.DialErrors {
		out, _ := outcomeOf(e.Cause)
		best = min(best, slices.Index(telling, out))
	}
	return telling[best]
}

// outcomeOf says in one word why a dial has failed.
func outcomeOf(err error) (Outcome, peer.ID) {
	var other sec.ErrPeerIDMismatch
	switch {
	case errors.Is(err, swarm.ErrGaterDisallowedConnection):
		return NotTried, ""
	case errors.Is(err, errTurnedAway):
		return TurnedAway, ""
	case errors.As(err, &other):
		if checkID(other.Actual) != nil {
			return NotKith, ""
		}
		return OtherDevice, other.Actual
	case isErrno(err, refusedErrors):
		return Refused, ""
	case isErrno(err, nobodyErrors):
		return Unreachable, ""
	case isErrno(err, routeErrors):
		return NoRoute, ""
	case isErrno(err, forbiddenErrors):
		return Forbidden, ""
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, network.ErrReset), isErrno(err, resetErrors):
		return HungUp, ""
	case timedOut(err) && !strings.Contains(err.Error(), "negotiate"): // libp2p has no type for how far it came
		return TimedOut, ""
	}
	return unwrapped(err), ""
}

// unwrapped says why a dial has failed whose error says so in words alone: QUIC
// loses what the system has said of a packet that did not leave.
func unwrapped(err error) Outcome {
	var quicked *quic.TransportError
	if !errors.As(err, &quicked) {
		return NotKith // a connection was made, and what came by it made no sense
	}
	says := func(all []syscall.Errno) bool {
		return slices.ContainsFunc(all, func(e syscall.Errno) bool { return strings.Contains(quicked.ErrorMessage, e.Error()) })
	}
	switch {
	case quicked.Remote:
		return NotKith
	case says(routeErrors):
		return NoRoute
	case says(nobodyErrors):
		return Unreachable
	case says(forbiddenErrors):
		return Forbidden
	}
	return TimedOut // whatever it was, nothing came back
}

// relayed says why a relay has not led to a device: it says so with a status of
// the protocol, for which libp2p has no error.
func relayed(err error) Outcome {
	switch {
	case RelayRefusal(err):
		return Refused
	case timedOut(err):
		return TimedOut
	}
	return Unreachable
}

// RelayRefusal tells whether a relay would not do what it was asked for, rather
// than could not.
func RelayRefusal(err error) bool {
	for _, refusal := range []circuitpb.Status{circuitpb.Status_PERMISSION_DENIED, circuitpb.Status_RESOURCE_LIMIT_EXCEEDED, circuitpb.Status_RESERVATION_REFUSED} {
		if strings.Contains(err.Error(), refusal.String()) {
			return true
		}
	}
	return false
}

func timedOut(err error) bool {
	var t net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &t) && t.Timeout()
}

// LastAttempts is how the dials ended that were made last to a trusted device
// that is not connected, and when; nothing if none has failed since it was.
func (n *Net) LastAttempts(id peer.ID) ([]Attempt, time.Time) {
	n.mu.Lock()
	d := n.devices[id]
	if d == nil || d.failure == nil {
		n.mu.Unlock()
		return nil, time.Time{}
	}
	err, at := d.failure, d.failedAt
	n.mu.Unlock()
	var out []Attempt
	if errors.Is(err, errTurnedAway) {
		return append(out, Attempt{Outcome: TurnedAway}), at
	}
	var all *swarm.DialError
	if !errors.As(err, &all) {
		return nil, at
	}
	for _, e := range all.DialErrors {
		a := n.attemptAt(e.Address)
		a.Outcome, a.Other = outcomeOf(e.Cause)
		out = append(out, a)
	}
	return out, at
}

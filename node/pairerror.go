package node

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"

	"github.com/kithmesh/kith/discovery"
	"github.com/kithmesh/kith/node/config"
	"github.com/kithmesh/kith/node/control"
	"github.com/kithmesh/kith/protocol/pair"
)

// errNobody is returned by a search that has found no device that takes a code.
var errNobody = errors.New("nobody shows this code")

// errShut is wrapped when a device is there and does not let strangers in.
var errShut = errors.New("it answers, but shows no code now")

// verdicts are what a device says about a code, and what that means to scripts.
var verdicts = []struct{ is, means error }{
	{pair.ErrBurnt, control.ErrCodeBurnt},
	{pair.ErrWrongCode, control.ErrWrongCode},
	{pair.ErrSpent, control.ErrWrongCode},
	{pair.ErrExpired, control.ErrCodeExpired},
	{pair.ErrPaused, control.ErrPairingPaused},
	{pair.ErrSelf, control.ErrInvalid},
}

// pairingError gives an error of pairing the meaning that scripts count on.
func pairingError(err error) error {
	for _, v := range verdicts {
		if errors.Is(err, v.is) && !errors.Is(err, v.means) {
			return fmt.Errorf("%w: %w", v.means, err)
		}
	}
	return err
}

// verdictAmong is the first error that says more than that nobody was there.
func verdictAmong(errs []error) error {
	for _, err := range errs {
		for _, v := range verdicts {
			if errors.Is(err, v.is) {
				return err
			}
		}
	}
	return nil
}

// Hints, each one sentence.
const (
	hintTicket = "a ticket is good for one use within ten minutes: run kith pair on the other device for a new one"
	hintReach  = "see that the other device runs; from another network it can be reached only at a public address, through a port that its router lets in, " +
		"or through a device that both are paired with: if it cannot, show the code on this one and use it there"
	hintNear  = "see that both devices are on the same network and the code is still shown, or say where the other device is with --at, or use its ticket"
	hintFar   = "see that the code is still shown, by kith pair --anywhere, and try again: nothing has been used up"
	hintWiden = "kith pair --anywhere CODE looks further, once you have said yes to what that means; --at or a ticket needs no search"
	hintNodes = "see that this device reaches the internet (or the nodes in its setting bootstrap), or use a ticket or --at"
)

// offTicket is the error for a ticket that did not lead to a pairing.
func offTicket(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errShut), errors.Is(err, pair.ErrNoWindow):
		return control.WithHint(fmt.Errorf("a code that fits the ticket: %w%s", control.ErrNotFound, because(err)), hintTicket)
	case errors.Is(err, pair.ErrExpired), errors.Is(err, pair.ErrBurnt):
		return control.WithHint(pairingError(err), hintTicket)
	case errors.Is(err, control.ErrUnreachable):
		return control.WithHint(err, hintReach)
	}
	return err
}

// offAddresses is the error where no device at given addresses took a code.
func offAddresses(failed []error) error {
	all := errors.Join(failed...)
	switch {
	case verdictAmong(failed) != nil:
		return verdictAmong(failed)
	case all == nil, errors.Is(all, errShut), errors.Is(all, pair.ErrNoWindow):
		return control.WithHint(fmt.Errorf("a device that shows this code: %w%s", control.ErrNotFound, because(all)),
			"see that the code is still shown: it is good for ten minutes and one guess")
	case errors.Is(all, discovery.ErrNobody), errors.Is(all, control.ErrUnreachable):
		return control.WithHint(fmt.Errorf("the other device is %w there%s", control.ErrUnreachable, because(all)), hintReach)
	case errors.Is(all, discovery.ErrAddr):
		return fmt.Errorf("%w: %w", control.ErrInvalid, all)
	}
	return all
}

// notReached is the error where nobody was at the addresses at which a person
// has said that a device is.
func notReached(err error) error { return offAddresses([]error{err}) }

// offSearch is the error where no device that was found took a code.
func offSearch(plate pair.Plate, mode config.Discovery, t *trial) error {
	tried := errors.Join(t.tried...)
	ended := errors.Join(t.ended...)
	far := plate.Reach() == pair.Far
	switch {
	case verdictAmong(t.tried) != nil:
		return verdictAmong(t.tried)
	case errors.Is(ended, discovery.ErrNoLAN) && !far:
		return control.WithHint(fmt.Errorf("a device that shows this code: %w (%w)", control.ErrNotFound, discovery.ErrNoLAN), hintNear)
	case !far:
		return control.WithHint(fmt.Errorf("a device on this network that shows this code: %w%s", control.ErrNotFound, because(tried)), hintNear)
	case mode == config.DiscoveryOff:
		return control.WithHint(fmt.Errorf("no device on this network shows this code%s, and this one looks no further: %w",
			because(tried), control.ErrDiscoveryOff), hintWiden)
	case nobodyOnBoard(ended):
		return control.WithHint(fmt.Errorf("no device on this network shows this code%s, and %w", because(tried), control.ErrNoNodes), hintNodes)
	}
	return control.WithHint(fmt.Errorf("a device that shows this code, on this network or on the %s DHT: %w%s", mode, control.ErrNotFound, because(tried)), hintFar)
}

// unreached is the error of a device that cannot be connected with. It tells of
// each address why.
func unreached(k known, err error) error {
	var reasons []string
	var dials *swarm.DialError
	if errors.As(err, &dials) {
		for _, e := range dials.DialErrors {
			if discovery.OutcomeOf(e.Cause) == discovery.TurnedAway {
				return shut(k, e.Cause)
			}
			why := whyNot(e.Cause)
			if isRelayed(e.Address) && discovery.OutcomeOf(e.Cause) == discovery.NotTried {
				why = "not tried, since this device is not paired with that relay, or discovery is off"
			}
			reasons = append(reasons, fmt.Sprintf("%s: %s", e.Address, why))
		}
	}
	if len(reasons) == 0 {
		reasons = []string{whyNot(err)}
	}
	slices.Sort(reasons)
	return fmt.Errorf("device %s is %w (%s)", called(k.id), control.ErrUnreachable, strings.Join(reasons, "; "))
}

// unanswered is the error of an address at which no device was found. It is a
// [control.ErrUnreachable].
type unanswered struct{ addr, why string }

func (u *unanswered) Error() string        { return u.addr + ": " + u.why }
func (u *unanswered) Is(target error) bool { return target == control.ErrUnreachable }

// shut is the error of a device that is there and does not listen, whatever the
// way in which it hung up.
func shut(k known, err error) error {
	if errors.Is(err, context.Canceled) {
		return err
	}
	return fmt.Errorf("device %s: %w", called(k.id), errShut)
}

// called is an ID as people are shown it.
func called(id peer.ID) string {
	s := id.String()
	return "…" + s[max(0, len(s)-8):]
}

// whyNot says in words why an address did not answer.
func whyNot(err error) string {
	switch discovery.OutcomeOf(err) {
	case discovery.OtherDevice:
		return "another device is there"
	case discovery.Refused:
		return "nothing listens there"
	case discovery.Unreachable:
		return "there is no such machine"
	case discovery.NoRoute:
		return "there is no way to that network from here"
	case discovery.Forbidden:
		return "this machine does not let kith send there"
	case discovery.NotTried:
		return "not tried, since this device stays within its own network"
	case discovery.TimedOut:
		return "no answer"
	case discovery.HungUp:
		return "somebody is there who hangs up"
	}
	return strings.ReplaceAll(err.Error(), "\n", ", ")
}

// because is the end of a sentence about an error, if there is one.
func because(err error) string {
	if err == nil {
		return ""
	}
	return " (" + strings.ReplaceAll(err.Error(), "\n", "; ") + ")"
}

package pair

import (
	"errors"
	"fmt"
	"io"

	"filippo.io/cpace"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/proto/wirepb"
)

// Show answers a stream of [Protocol] from a device that wants to prove the
// code being shown, over a connection that has authenticated both IDs. Once
// the codes agree it calls keep, which stores the peer durably; the other
// device hears of success only after that. If that last word may have been
// lost, the error wraps [ErrUnfinished] and comes with the peer, which stays
// stored; with any other error keep was not called or has failed.
//
// Wrapped errors: [ErrBurnt] if the code was spent without success, along with
// [ErrWrongCode] if a wrong one was tried; [ErrNoWindow], [ErrExpired],
// [ErrBusy] or [ErrPaused] if the gate let nobody in, all of which the other
// device is told; [ErrProtocol] or [ErrVersion] for a stranger that speaks
// something else, which costs no code; [ErrSelf], [ErrDevice] or [ErrName] if
// nothing was read; and what the stream says, such as a deadline.
//
// The last message may be a refusal that the other person should read, so the
// caller closes the stream after an error and does not reset it.
func (g *Gate) Show(stream io.ReadWriter, self Self, remote entry.DeviceID, keep func(Peer) error) (Peer, error) {
	if err := checkSides(self, remote); err != nil {
		return Peer{}, fmt.Errorf("answer pairing of %s: %w", remote.Short(), err)
	}
	c := newConversation(stream, self, remote, shower)
	peer, err := c.show(g, keep)
	if err != nil {
		return peer, fmt.Errorf("answer pairing of %s: %w", remote.Short(), err)
	}
	return peer, nil
}

// show reads what a stranger may say for free, and only then asks the gate.
func (c *conversation) show(g *Gate, keep func(Peer) error) (Peer, error) {
	plate, kind, err := c.showHellos()
	if err != nil {
		c.refuse(err)
		return Peer{}, err
	}
	share, body, err := c.receiveShare(saltSize + shareSize)
	if err != nil {
		c.refuse(err)
		return Peer{}, err
	}
	c.entererShare = body
	a, err := g.begin(plate)
	if err != nil {
		c.refuse(err)
		return Peer{}, err
	}
	// Should anything below panic, this is what the attempt ends with.
	peer, err := Peer{}, fmt.Errorf("the conversation was cut short: %w", ErrUnfinished)
	defer func() { a.end(peer, err) }()
	peer, err = c.attempt(a, kind, share, keep)
	return peer, err
}

func (c *conversation) showHellos() (Plate, kind, error) {
	hello, body, err := c.receiveHello()
	if err != nil {
		return 0, 0, err
	}
	kind, err := kindFromWire(hello.GetSecret())
	if err != nil {
		return 0, 0, err
	}
	c.entererHello = body
	c.showerHello, err = c.send(&wirepb.PairMessage{Body: &wirepb.PairMessage_Hello{Hello: &wirepb.PairHello{
		Version: version,
	}}})
	return Plate(hello.GetNameplate()), kind, err
}

// attempt runs messages 4 to 8 for the one device that has the window.
func (c *conversation) attempt(a *attempt, k kind, share []byte, keep func(Peer) error) (Peer, error) {
	ours, err := c.exchange(a, k, share)
	if err != nil {
		c.refuse(err)
		return Peer{}, err
	}
	a.commit()
	if err := c.judge(ours); err != nil {
		c.refuse(err)
		return Peer{}, burnt(err)
	}
	if err := a.prove(); err != nil {
		c.refuse(err)
		return Peer{}, err
	}
	return c.settle(keep)
}

// exchange computes our share and the session, and sends nothing yet.
func (c *conversation) exchange(a *attempt, k kind, share []byte) ([]byte, error) {
	ours, key, err := cpace.Exchange(a.window.secret(k).password, c.context(), share)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrProtocol, err)
	}
	c.session = &session{key: key}
	return ours, nil
}

// judge sends our share and demands the other side's proof.
func (c *conversation) judge(ours []byte) (err error) {
	c.showerShare, err = c.send(&wirepb.PairMessage{Body: &wirepb.PairMessage_Share{Share: ours}})
	if err != nil {
		return err
	}
	c.session.digest = c.digest()
	return c.receiveConfirm()
}

// burnt words what happened to a code that was spent for nothing.
func burnt(err error) error {
	if errors.Is(err, ErrWrongCode) {
		return fmt.Errorf("a %w was tried; %w", ErrWrongCode, ErrBurnt)
	}
	return fmt.Errorf("the other device did not prove the code: %w; %w", err, ErrBurnt)
}

// settle proves the code in turn, swaps names and stores the peer.
func (c *conversation) settle(keep func(Peer) error) (Peer, error) {
	if err := c.sendConfirm(); err != nil {
		return Peer{}, fmt.Errorf("the code was right and is used up: %w", err)
	}
	peer, err := c.receiveCard()
	if err != nil {
		c.refuse(err)
		return Peer{}, fmt.Errorf("the code was right and is used up: %w", err)
	}
	if err := keep(peer); err != nil {
		c.refuse(ErrNotStored)
		return Peer{}, fmt.Errorf("store %q: %w", peer.Name, err)
	}
	if err := c.sendCard(); err != nil {
		return peer, fmt.Errorf("%w: %w", ErrUnfinished, err)
	}
	return peer, nil
}

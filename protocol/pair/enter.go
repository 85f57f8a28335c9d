package pair

import (
	"errors"
	"fmt"
	"io"

	"filippo.io/cpace"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/proto/wirepb"
)

// Enter proves a secret to the device that shows it, at the other end of a
// fresh stream of [Protocol] over a connection that has authenticated both
// IDs. When it returns without an error the other device has stored this one,
// and the caller may store the peer; otherwise nothing may be stored.
//
// While [Secret.Spent] is false, after whatever error, the secret may be tried
// on another device. Once it is true Enter returns [ErrSpent]. Of the other
// errors it wraps [ErrWrongCode], [ErrBurnt], [ErrExpired], [ErrNoWindow],
// [ErrBusy], [ErrPaused] and [ErrNotStored] as the other device says,
// [ErrProtocol] or [ErrVersion] if the two do not understand each other,
// [ErrUnfinished] if the other device may have stored this one, [ErrSelf],
// [ErrOtherDevice], [ErrDevice], [ErrName] or [ErrCode] if nothing was tried,
// and what the stream says, such as a deadline.
func Enter(stream io.ReadWriter, self Self, remote entry.DeviceID, secret *Secret) (Peer, error) {
	if err := checkSecret(secret, remote); err != nil {
		return Peer{}, fmt.Errorf("pair with %s: %w", remote.Short(), err)
	}
	if err := checkSides(self, remote); err != nil {
		return Peer{}, fmt.Errorf("pair with %s: %w", remote.Short(), err)
	}
	c := newConversation(stream, self, remote, enterer)
	peer, err := c.enter(secret)
	if err != nil {
		return Peer{}, fmt.Errorf("pair with %s: %w", remote.Short(), err)
	}
	return peer, nil
}

func checkSecret(s *Secret, remote entry.DeviceID) error {
	switch {
	case s.plate == 0 || s.plate > MaxPlate:
		return fmt.Errorf("%w: nameplate %d", ErrCode, s.plate)
	case s.device != "" && s.device != remote:
		return fmt.Errorf("%w: %s", ErrOtherDevice, s.device.Short())
	case s.Spent():
		return ErrSpent
	}
	return nil
}

// enter refuses whatever does not fit while the other side waits for an
// answer, which is always but after the last message.
func (c *conversation) enter(secret *Secret) (Peer, error) {
	if err := c.prove(secret); err != nil {
		c.refuse(err)
		return Peer{}, err
	}
	if err := c.sendCard(); err != nil {
		return Peer{}, fmt.Errorf("%w: %w", ErrUnfinished, err)
	}
	peer, err := c.receiveCard()
	if r := (*refusal)(nil); errors.As(err, &r) {
		return Peer{}, err // it says that it has stored nothing
	}
	if err != nil {
		return Peer{}, fmt.Errorf("%w: %w", ErrUnfinished, err)
	}
	return peer, nil
}

// prove runs messages 1 to 6: when it returns nil both sides have proven the
// secret to each other.
func (c *conversation) prove(secret *Secret) error {
	if err := c.enterHellos(secret); err != nil {
		return err
	}
	key, err := c.enterShares(secret)
	if err != nil {
		return err
	}
	c.session = newSession(key, &c.transcript)
	// The confirmation is what a false shower could hold against its guess.
	if !secret.spend() {
		return ErrSpent
	}
	if err := c.sendConfirm(); err != nil {
		return err
	}
	return c.receiveConfirm()
}

func (c *conversation) enterHellos(secret *Secret) (err error) {
	c.entererHello, err = c.send(&wirepb.PairMessage{Body: &wirepb.PairMessage_Hello{Hello: &wirepb.PairHello{
		Version:   version,
		Secret:    wirepb.PairSecret(secret.kind),
		Nameplate: uint32(secret.plate),
	}}})
	if err != nil {
		return err
	}
	hello, body, err := c.receiveHello()
	if err != nil {
		return err
	}
	if hello.GetVersion() != version {
		return fmt.Errorf("%w: %d", ErrVersion, hello.GetVersion())
	}
	c.showerHello = body
	return nil
}

func (c *conversation) enterShares(secret *Secret) ([]byte, error) {
	share, state, err := cpace.Start(secret.password, c.context())
	if err != nil {
		return nil, fmt.Errorf("start key exchange: %w", err)
	}
	c.entererShare, err = c.send(&wirepb.PairMessage{Body: &wirepb.PairMessage_Share{Share: share}})
	if err != nil {
		return nil, err
	}
	theirs, body, err := c.receiveShare(shareSize)
	if err != nil {
		return nil, err
	}
	key, err := state.Finish(theirs)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrProtocol, err)
	}
	c.showerShare = body
	return key, nil
}

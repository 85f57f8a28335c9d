package pair

import (
	"errors"
	"fmt"
	"time"
)

// What can go wrong while two devices pair. Each is worded for the person in
// front of the device that returns it.
var (
	// ErrWrongCode is wrapped on both sides when a code has been tried and was
	// not the one shown, or when someone stands in between. The enterer must
	// ask for a new code.
	ErrWrongCode = errors.New("wrong code")
	// ErrBurnt is wrapped on the showing side when its code has been spent
	// without success, and on the entering side when that happened before.
	ErrBurnt = errors.New("this code is burnt")
	// ErrSpent is returned by [Enter] for a secret that it has proven before:
	// a second proof would be a second guess for whoever faked the first
	// device.
	ErrSpent = errors.New("this code has been tried once; ask for a new one")
	// ErrExpired is wrapped when the code was shown more than [Validity] ago.
	ErrExpired = errors.New("this code has expired")
	// ErrNoWindow is wrapped when no code, or only one with another nameplate,
	// is being shown, and by [Window.Result] when the window was closed.
	ErrNoWindow = errors.New("this code is not being shown")
	// ErrOpen is returned by [Gate.Open] while another code is being shown.
	ErrOpen = errors.New("another code is already being shown")
	// ErrBusy is wrapped while another device is using the code.
	ErrBusy = errors.New("another device is pairing right now")
	// ErrPaused is wrapped while pairing is paused after burnt codes. On the
	// showing side a [PausedError] tells until when.
	ErrPaused = errors.New("pairing is paused after too many wrong codes")
	// ErrUnfinished is wrapped when the codes agreed but the conversation broke
	// off, so that one device may list the other while that does not.
	ErrUnfinished = errors.New("pairing broke off before both devices had stored it")
	// ErrNotStored is wrapped on the entering side when the codes agreed and
	// the other device could not store the result.
	ErrNotStored = errors.New("the other device could not store the pairing")
	// ErrProtocol is wrapped when a message is malformed, too long or out of
	// turn, or when the other device says that of one of ours.
	ErrProtocol = errors.New("not the pairing protocol")
	// ErrVersion is wrapped when the devices have no version in common.
	ErrVersion = errors.New("the other device speaks another version of the pairing protocol")

	// ErrSelf is wrapped when a device is about to pair with itself.
	ErrSelf = errors.New("a device cannot pair with itself")
	// ErrOtherDevice is wrapped by [Enter] when a ticket names another device
	// than the one reached.
	ErrOtherDevice = errors.New("the ticket is for another device")
	// ErrDevice is wrapped when a text cannot be a device ID.
	ErrDevice = errors.New("not a device ID")
	// ErrName is wrapped by [CheckName].
	ErrName = errors.New("not a device name")
	// ErrCode is wrapped by [ParseCode].
	ErrCode = errors.New("not a pairing code")
	// ErrTicket is wrapped by [ParseTicket].
	ErrTicket = errors.New("not a pairing ticket")
)

// PausedError tells until when pairing is paused. It wraps [ErrPaused].
type PausedError struct {
	Until time.Time
}

func (e *PausedError) Error() string {
	return fmt.Sprintf("%v, until %s", ErrPaused, e.Until.Local().Format("15:04:05"))
}

func (e *PausedError) Unwrap() error { return ErrPaused }

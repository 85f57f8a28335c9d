package pair

import (
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/kithmesh/kith/index/entry"
)

// Window is one code being shown, from [Gate.Open] until it is used, burnt,
// closed or too old.
type Window struct {
	gate    *Gate
	opened  time.Time
	secrets *secrets
	ended   chan struct{} // closed when state leaves windowOpen

	// Guarded by the gate's mutex.
	state windowState
	peer  Peer
	err   error
}

// secrets is what a window shows. It lies behind a pointer, so that printing a
// window prints none of it.
type secrets struct {
	code   Code
	ticket [ticketSize]byte
}

type windowState uint8

const (
	windowOpen windowState = iota
	windowUsed
	windowBurnt
	windowClosed
	windowExpired
)

// draw makes the secrets. Two windows in a row have different nameplates, so
// that a code left over from the last does not burn this one.
func (w *Window) draw(random io.Reader, reach Reach, last *Window) (err error) {
	for {
		w.secrets.code, err = NewCode(random, reach)
		if err != nil {
			return err
		}
		if last == nil || last.code().plate != w.code().plate {
			break
		}
	}
	if _, err := io.ReadFull(random, w.secrets.ticket[:]); err != nil {
		return fmt.Errorf("draw a ticket: %w", err)
	}
	return nil
}

func (w *Window) code() Code { return w.secrets.code }

// Code is what to show to the person.
func (w *Window) Code() Code { return w.code() }

// Ticket is what to show as a QR: the window's secret for machines, with the
// device that shows it and where it may be reached, at most [MaxAddresses]
// addresses. It wraps [ErrTicket] if the parts make no ticket.
func (w *Window) Ticket(device entry.DeviceID, addresses []string) (Ticket, error) {
	t := Ticket{Device: device, Addresses: addresses, plate: w.code().plate, secret: w.secrets.ticket}
	if err := t.check(); err != nil {
		return Ticket{}, fmt.Errorf("make ticket: %w", err)
	}
	return t, nil
}

// secret is what the other device should prove, if it said which kind.
func (w *Window) secret(k kind) *Secret {
	if k == kindTicket {
		return ticketSecret(w.code().plate, w.secrets.ticket)
	}
	return w.code().Secret()
}

// Expires is when the code stops being of use.
func (w *Window) Expires() time.Time { return w.opened.Add(Validity) }

// Done is closed once the window has been used, burnt or closed; that it has
// expired is for the caller's own timer to say.
func (w *Window) Done() <-chan struct{} { return w.ended }

// Result is how the window ended: with the peer and error that [Gate.Show]
// returned for the device that used or burnt it, or with [ErrNoWindow] if it
// was closed. Before [Window.Done] it is [ErrBusy] while a device is using the
// window, [ErrExpired] if that has happened, and otherwise nil and no peer.
func (w *Window) Result() (Peer, error) {
	w.gate.mu.Lock()
	defer w.gate.mu.Unlock()
	if w.state != windowOpen {
		return w.peer, w.err
	}
	if a := w.gate.attempt; a != nil && a.window == w {
		return Peer{}, ErrBusy
	}
	return Peer{}, w.check(w.gate.now())
}

// Close ends the window, unless it has ended. A device that is using it right
// now is refused, unless it has proven the code: then Close comes too late and
// does nothing.
func (w *Window) Close() {
	w.gate.mu.Lock()
	defer w.gate.mu.Unlock()
	if a := w.gate.attempt; a != nil && a.window == w && a.phase == phaseProven {
		return
	}
	w.finish(windowClosed, Peer{}, ErrNoWindow)
}

// check tells why the window can not be used, nil if it can.
func (w *Window) check(now time.Time) error {
	switch w.state {
	case windowBurnt:
		return ErrBurnt
	case windowUsed, windowClosed:
		return ErrNoWindow
	case windowExpired:
		return ErrExpired
	case windowOpen:
	}
	if age(w.opened, now) >= Validity {
		return ErrExpired
	}
	return nil
}

// age is how long ago a time was, by the monotonic clock or the wall clock,
// whichever says longer: on some systems the first stands still while the
// machine sleeps, and no code should outlive a night in a bag.
func age(then, now time.Time) time.Duration {
	return max(now.Sub(then), now.Round(0).Sub(then.Round(0)))
}

func (w *Window) finish(s windowState, p Peer, err error) {
	if w.state != windowOpen {
		return
	}
	w.state, w.peer, w.err = s, p, err
	close(w.ended)
}

// Format hides the code from package fmt, whatever the verb.
func (w *Window) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "pair.Window(%d-...)", w.code().plate)
}

// LogValue hides the code from logs.
func (w *Window) LogValue() slog.Value {
	return slog.StringValue(fmt.Sprintf("pair.Window(%d-...)", w.code().plate))
}

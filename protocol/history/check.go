package history

import (
	"fmt"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/protocol/seal"
)

// What is checked here is so on both sides: before it is sent, and after it was
// received. All errors wrap ErrAnswer.

func wrong(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrAnswer, fmt.Errorf(format, args...))
}

// asked knows which versions answer a request. The zero value takes all.
type asked struct {
	kind   kind
	moment time.Time
	ids    map[seal.RecordID]struct{}
	last   entry.Sequence // before the next
}

func (r *request) asked() *asked {
	a := &asked{kind: r.kind, moment: r.moment, last: r.after}
	if r.kind == askVersions {
		a.ids = make(map[seal.RecordID]struct{}, len(r.ids))
		for _, id := range r.ids {
			a.ids[id] = struct{}{}
		}
	}
	return a
}

// admit refuses a version that cannot be, or does not answer the request.
func (a *asked) admit(h *Held) error {
	if err := h.check(); err != nil {
		return err
	}
	switch a.kind {
	case askAsOf:
		if h.Received.After(a.moment) {
			return wrong("version %d was received at %d, after %d", h.Sequence, momentToWire(h.Received), momentToWire(a.moment))
		}
	case askVersions:
		if _, ok := a.ids[h.Record.ID]; !ok {
			return wrong("version %d of record %s, which was not asked for", h.Sequence, h.Record.ID)
		}
	case askReceived:
		if h.Sequence <= a.last || !h.Until.IsZero() {
			return wrong("version %d until %d after %d", h.Sequence, momentToWire(h.Until), a.last)
		}
		a.last = h.Sequence
	}
	return nil
}

func (h *Held) check() error {
	if h.Record == nil || h.Sequence == 0 {
		return wrong("version %d without a record", h.Sequence)
	}
	if h.Received.IsZero() {
		return wrong("version %d was never received", h.Sequence)
	}
	if err := checkMoments(h.Received, h.Until); err != nil {
		return err
	}
	if !h.Until.IsZero() && h.Until.Before(h.Received) {
		return wrong("version %d from %d until %d", h.Sequence, momentToWire(h.Received), momentToWire(h.Until))
	}
	return checkDevice(h.From)
}

// check keeps the bounds of a state, but those of its pins.
func (s *State) check() error {
	for _, n := range []int64{s.Versions, s.Blocks, s.Bytes, s.Quota, s.Damaged, s.Untold} {
		if n < 0 || n > maxNumber {
			return wrong("a vault that counts %d", n)
		}
	}
	for _, text := range []string{s.Policy, s.Schedule} {
		if err := checkText("text", text, MaxText); err != nil {
			return err
		}
	}
	return checkMoments(s.Moment, s.Begins, s.Complete, s.Scrubbed, s.LastRun, s.NextRun, s.SetBack)
}

func (p *Pin) check() error {
	if len(p.Label) > MaxLabel {
		return wrong("a label of %d bytes", len(p.Label))
	}
	if p.At.IsZero() {
		return wrong("a pin of no moment")
	}
	if err := checkMoments(p.At); err != nil {
		return err
	}
	return checkDevice(p.By)
}

func checkForms(forms []Proven) error {
	if len(forms) > MaxForms {
		return wrong("%d forms of a block", len(forms))
	}
	for i := range forms {
		if n := forms[i].Size; n < 1 || n > maxSealed {
			return wrong("a form of %d bytes", n)
		}
	}
	return nil
}

// checkMoments lets none pass for a moment: it is the zero time.
func checkMoments(moments ...time.Time) error {
	for _, t := range moments {
		if !t.IsZero() && !tellable(t) {
			return wrong("the moment %d", t.Unix())
		}
	}
	return nil
}

// tellable tells of a moment that can be told, rounded down to microseconds.
func tellable(t time.Time) bool {
	return !t.Before(time.UnixMicro(1)) && t.Before(time.UnixMicro(maxMoment+1))
}

func checkDevice(d entry.DeviceID) error { return checkText("device ID", string(d), maxDevice) }

func checkText(what, s string, limit int) error {
	if len(s) > limit || !utf8.ValidString(s) {
		return wrong("a %s of %d bytes", what, len(s))
	}
	for _, r := range s {
		if upsets(r) {
			return wrong("%s %q", what, s)
		}
	}
	return nil
}

// upsets tells of characters that would change how a terminal shows what
// surrounds them.
func upsets(r rune) bool {
	if ' ' <= r && r <= '~' {
		return false // as most are: the tables take their time
	}
	return unicode.In(r, unicode.Cc, unicode.Zl, unicode.Zp, unicode.Bidi_Control)
}

package pair

import (
	"errors"

	"github.com/kithmesh/kith/proto/wirepb"
)

// refusal is what the other side gave as its reason to stop.
type refusal struct {
	reason error
}

func (r *refusal) Error() string { return r.reason.Error() }

func (r *refusal) Unwrap() error { return r.reason }

// reasons pairs each reason with the error that stands for it here. They are
// searched in this order, so the wrong code comes before the burnt one.
var reasons = []struct {
	code wirepb.PairReason
	err  error
}{
	{wirepb.PairReason_PAIR_REASON_WRONG_CODE, ErrWrongCode},
	{wirepb.PairReason_PAIR_REASON_NO_WINDOW, ErrNoWindow},
	{wirepb.PairReason_PAIR_REASON_EXPIRED, ErrExpired},
	{wirepb.PairReason_PAIR_REASON_BURNT, ErrBurnt},
	{wirepb.PairReason_PAIR_REASON_BUSY, ErrBusy},
	{wirepb.PairReason_PAIR_REASON_PAUSED, ErrPaused},
	{wirepb.PairReason_PAIR_REASON_VERSION, ErrVersion},
	{wirepb.PairReason_PAIR_REASON_FAILED, ErrNotStored},
	{wirepb.PairReason_PAIR_REASON_PROTOCOL, ErrProtocol},
}

// reasonToError is what a reason means; an unknown one is [ErrProtocol].
func reasonToError(code wirepb.PairReason) error {
	for _, r := range reasons {
		if r.code == code {
			return r.err
		}
	}
	return ErrProtocol
}

// errorToReason finds the reason to give for an error, if there is one that
// concerns the other side. A stream that broke has nobody left to be told, and
// a refusal is not answered.
func errorToReason(err error) (wirepb.PairReason, bool) {
	if r := (*refusal)(nil); errors.As(err, &r) {
		return 0, false
	}
	for _, r := range reasons {
		if errors.Is(err, r.err) {
			return r.code, true
		}
	}
	return 0, false
}

// refuse tells the other side, which is reading, why this one stops. That it
// may not get through changes nothing here.
func (c *conversation) refuse(err error) {
	code, ok := errorToReason(err)
	if !ok {
		return
	}
	_, _ = c.send(&wirepb.PairMessage{
		Body: &wirepb.PairMessage_Refusal{Refusal: &wirepb.PairRefusal{Reason: code}},
	})
}

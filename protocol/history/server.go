package history

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/proto/wirepb"
	"github.com/kithmesh/kith/protocol/frame"
)

// Server answers what is asked of the vaults of this device.
type Server struct {
	Source Source
	// Keeping may be nil: what it would be asked is refused then.
	Keeping Keeping
}

// Handle answers the requests of one peer on one stream until the peer closes
// it. It returns nil at the end of the stream, an error wrapping
// [frame.ErrIdle] if the peer asks for nothing more in time, one wrapping
// [ErrRequest] or a frame error for what no well-meaning peer sends, and any error of the
// Source or the Keeping that has no status of its own, such as [ErrRefused] has.
// What it has sent then has no end, and the stream is to be reset.
func (s *Server) Handle(ctx context.Context, peer entry.DeviceID, stream io.ReadWriter) error {
	in, out := frame.NewReader(stream, maxRequest), frame.NewWriter(stream)
	for {
		if err := in.Await(); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		var m wirepb.HistoryRequest
		if err := in.Read(&m); err != nil {
			return err
		}
		r, err := requestFromWire(&m)
		if err != nil {
			return err
		}
		a := newAnswerer(r, out)
		if err := a.end(s.answer(ctx, peer, r, a)); err != nil {
			return err
		}
	}
}

// answer asks this device, and sends all but the end.
func (s *Server) answer(ctx context.Context, peer entry.DeviceID, r *request, a *answerer) error {
	if s.Keeping == nil && slices.Contains([]kind{askPin, askProve, askMend}, r.kind) {
		return ErrRefused
	}
	switch r.kind {
	case askState:
		st, err := s.Source.State(ctx, Asker{peer, r.folder})
		if err != nil {
			return err
		}
		return a.state(st)
	case askAsOf:
		return s.Source.AsOf(ctx, Asker{peer, r.folder}, r.moment, a.version)
	case askVersions:
		return s.Source.Versions(ctx, Asker{peer, r.folder}, r.ids, a.version)
	case askReceived:
		return s.Source.Received(ctx, Asker{peer, r.folder}, r.after, a.version)
	case askPin:
		p, err := s.Keeping.Pin(ctx, Asker{peer, r.folder}, r.moment, r.label)
		if err != nil {
			return err
		}
		return a.pin(p)
	case askProve:
		if err := s.Keeping.Prove(ctx, Asker{peer, r.folder}, r.nonce, r.blocks, a.proofs); err != nil {
			return err
		}
		return a.proven()
	default:
		n, err := s.Keeping.Mend(ctx, Asker{peer, r.folder}, r.blocks)
		if err != nil {
			return err
		}
		return a.mended(n)
	}
}

// statuses are the errors that an answer may end with.
var statuses = []struct {
	err    error
	status wirepb.HistoryEnd_Status
	kinds  []kind // of requests; none is all
}{
	{ErrRefused, wirepb.HistoryEnd_STATUS_REFUSED, nil},
	{ErrFuture, wirepb.HistoryEnd_STATUS_FUTURE, []kind{askAsOf, askPin}},
	{ErrFull, wirepb.HistoryEnd_STATUS_FULL, []kind{askPin, askMend}},
}

// statusOf is the status for the end of an answer; none for an error that has
// none.
func statusOf(k kind, err error) wirepb.HistoryEnd_Status {
	if err == nil {
		return wirepb.HistoryEnd_STATUS_OK
	}
	for _, s := range statuses {
		if errors.Is(err, s.err) && (s.kinds == nil || slices.Contains(s.kinds, k)) {
			return s.status
		}
	}
	return wirepb.HistoryEnd_STATUS_UNSPECIFIED
}

// errorOf is what the end of an answer says.
func errorOf(k kind, status wirepb.HistoryEnd_Status) error {
	if status == wirepb.HistoryEnd_STATUS_OK {
		return nil
	}
	for _, s := range statuses {
		if status == s.status && (s.kinds == nil || slices.Contains(s.kinds, k)) {
			return s.err
		}
	}
	return fmt.Errorf("%w: status %d", ErrAnswer, status)
}

package blocks

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/proto/wirepb"
	"github.com/kithmesh/kith/protocol/frame"
)

// Source finds sealed blocks on this device.
type Source interface {
	// Sealed calls send for each block of the request, in its order, with
	// the sealed bytes (valid only during the call) or nil where the block
	// is not there in the Form that is asked for. It does so as well where the
	// request has a Nonce: the Server makes the proofs. It returns an error
	// wrapping [ErrRefused], having sent nothing, if the peer is no member of the
	// folder, one wrapping [ErrNotHeld], having sent nothing, if it will not keep
	// the blocks for as long as Hold says, and any error of send as it is.
	Sealed(ctx context.Context, peer entry.DeviceID, r Request, send func(sealed []byte) error) error
}

// Server answers requests for blocks.
type Server struct {
	Source Source
}

// Handle answers the requests of one peer on one stream until the peer closes
// it. It returns nil at the end of the stream, an error wrapping
// [frame.ErrIdle] if the peer asks for nothing more in time, and one wrapping
// [ErrRequest] or a frame error for what no well-meaning peer sends.
func (s *Server) Handle(ctx context.Context, peer entry.DeviceID, stream io.ReadWriter) error {
	in, out := frame.NewReader(stream, maxRequest), frame.NewWriter(stream)
	tell := servesOf(stream)
	for {
		if err := in.Await(); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		var m wirepb.BlockRequest
		if err := in.Read(&m); err != nil {
			return err
		}
		r, err := requestFromWire(&m)
		if err != nil {
			return err
		}
		if err := s.answer(ctx, peer, r, out, tell); err != nil {
			return err
		}
		if in.Buffered() == 0 {
			if err := out.Flush(); err != nil {
				return err
			}
		}
	}
}

func (s *Server) answer(ctx context.Context, peer entry.DeviceID, r Request, out *frame.Writer, tell func(entry.FolderID)) error {
	a := answerer{request: &r, out: out, tell: tell}
	err := s.Source.Sealed(ctx, peer, r, a.send)
	switch {
	case errors.Is(err, ErrRefused) && a.sent == 0:
		return a.all(wirepb.BlockHeader_STATUS_REFUSED)
	case errors.Is(err, ErrNotHeld) && a.sent == 0 && r.Hold > 0:
		return a.all(wirepb.BlockHeader_STATUS_NOT_HELD)
	case err != nil:
		return err
	case a.sent != len(r.IDs):
		return fmt.Errorf("answered %d of %d blocks", a.sent, len(r.IDs))
	}
	return nil
}

// answerer writes the answers to one request.
type answerer struct {
	request *Request
	out     *frame.Writer
	tell    func(entry.FolderID)
	sent    int
	proven  int // bytes since the last flush
}

// flushEvery is how many bytes are proven before the proofs leave. They fill
// the buffer so slowly that the asker would take the stream for dead.
const flushEvery = 16 << 20

func (a *answerer) send(sealed []byte) error {
	if a.sent == 0 { // the source has let it in: anybody can name folders
		a.tell(a.request.Folder)
	}
	a.sent++
	if sealed == nil {
		return a.out.Write(&wirepb.BlockHeader{Status: wirepb.BlockHeader_STATUS_MISSING})
	}
	if !a.request.proves() {
		return a.write(sealed)
	}
	proof := Proof(a.request.Nonce, sealed)
	if err := a.write(proof[:]); err != nil {
		return err
	}
	if a.proven += len(sealed); a.proven < flushEvery {
		return nil
	}
	a.proven = 0
	return a.out.Flush()
}

func (a *answerer) write(b []byte) error {
	if err := a.out.Write(&wirepb.BlockHeader{Status: wirepb.BlockHeader_STATUS_OK, Size: uint32(len(b))}); err != nil {
		return err
	}
	return a.out.WriteRaw(b)
}

// all answers each block alike.
func (a *answerer) all(status wirepb.BlockHeader_Status) error {
	for range a.request.IDs {
		if err := a.out.Write(&wirepb.BlockHeader{Status: status}); err != nil {
			return err
		}
	}
	return nil
}

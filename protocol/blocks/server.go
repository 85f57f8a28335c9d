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

// Request is one want-list.
type Request struct {
	Folder entry.FolderID
	IDs    []entry.BlockID
	// Compress asks for blocks that are small on the wire rather than quick
	// to make.
	Compress bool
}

// Source finds sealed blocks on this device.
type Source interface {
	// Sealed calls send for each block of the request, in its order, with
	// the sealed bytes (valid only during the call) or nil where the block
	// is not there. It returns an error wrapping [ErrRefused], having sent
	// nothing, if the peer is no member of the folder, and any error of send
	// as it is.
	Sealed(ctx context.Context, peer entry.DeviceID, r Request, send func(sealed []byte) error) error
}

// Server answers requests for blocks.
type Server struct {
	Source Source
}

// Handle answers the requests of one peer on one stream until the peer closes
// it. It returns nil at the end of the stream, and an error wrapping
// [ErrRequest] or a frame error for what no well-meaning peer sends.
func (s *Server) Handle(ctx context.Context, peer entry.DeviceID, stream io.ReadWriter) error {
	in, out := frame.NewReader(stream, maxRequest), frame.NewWriter(stream)
	for {
		var m wirepb.BlockRequest
		if err := in.Read(&m); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		r, err := requestFromWire(&m)
		if err != nil {
			return err
		}
		if err := s.answer(ctx, peer, r, out); err != nil {
			return err
		}
		if in.Buffered() == 0 {
			if err := out.Flush(); err != nil {
				return err
			}
		}
	}
}

func (s *Server) answer(ctx context.Context, peer entry.DeviceID, r Request, out *frame.Writer) error {
	sent := 0
	err := s.Source.Sealed(ctx, peer, r, func(sealed []byte) error {
		sent++
		if sealed == nil {
			return out.Write(&wirepb.BlockHeader{Status: wirepb.BlockHeader_STATUS_MISSING})
		}
		h := &wirepb.BlockHeader{Status: wirepb.BlockHeader_STATUS_OK, Size: uint32(len(sealed))}
		if err := out.Write(h); err != nil {
			return err
		}
		return out.WriteRaw(sealed)
	})
	switch {
	case errors.Is(err, ErrRefused) && sent == 0:
		for range r.IDs {
			if err := out.Write(&wirepb.BlockHeader{Status: wirepb.BlockHeader_STATUS_REFUSED}); err != nil {
				return err
			}
		}
		return nil
	case err != nil:
		return err
	case sent != len(r.IDs):
		return fmt.Errorf("answered %d of %d blocks", sent, len(r.IDs))
	}
	return nil
}

func requestFromWire(m *wirepb.BlockRequest) (Request, error) {
	n := len(m.GetIds()) / len(entry.BlockID{})
	switch {
	case len(m.GetFolder()) != len(entry.FolderID{}):
		return Request{}, fmt.Errorf("%w: a folder ID of %d bytes", ErrRequest, len(m.GetFolder()))
	case len(m.GetIds())%len(entry.BlockID{}) != 0:
		return Request{}, fmt.Errorf("%w: %d bytes of block IDs", ErrRequest, len(m.GetIds()))
	case n == 0 || n > MaxWants:
		return Request{}, fmt.Errorf("%w: %d blocks", ErrRequest, n)
	}
	r := Request{Folder: entry.FolderID(m.GetFolder()), IDs: make([]entry.BlockID, n), Compress: m.GetCompress()}
	for i := range r.IDs {
		copy(r.IDs[i][:], m.GetIds()[i*32:])
	}
	return r, nil
}

func (r *Request) toWire() *wirepb.BlockRequest {
	ids := make([]byte, 0, len(r.IDs)*len(entry.BlockID{}))
	for i := range r.IDs {
		ids = append(ids, r.IDs[i][:]...)
	}
	return &wirepb.BlockRequest{Folder: r.Folder[:], Ids: ids, Compress: r.Compress}
}

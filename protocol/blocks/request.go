package blocks

import (
	"fmt"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/proto/wirepb"
)

// Request is one want-list.
type Request struct {
	Folder entry.FolderID
	IDs    []entry.BlockID
	// Compress asks for blocks that are small on the wire rather than quick
	// to make.
	Compress bool
	// Nonce, if it is not zero, asks for the [Proof] of each block by it
	// instead of the block. It is drawn at random for each request; not
	// together with Compress, since a proof is over the raw encoding.
	Nonce [32]byte
	// Hold, with a Nonce only, asks the other side to keep what it proves for
	// so long: up to [MaxHold], counted in whole seconds, begun ones included.
	Hold time.Duration
	// Form says which of several sealed forms is meant, from 0, the likeliest,
	// up to below [MaxForms]. A vault may hold some of a block; a device with
	// files has form 0 alone.
	Form int
}

// proves tells whether proofs are asked for.
func (r *Request) proves() bool { return r.Nonce != [32]byte{} }

// check keeps the bounds, for both sides.
func (r *Request) check() error {
	switch {
	case len(r.IDs) == 0 || len(r.IDs) > MaxWants:
		return fmt.Errorf("%w: %d blocks", ErrRequest, len(r.IDs))
	case r.proves() && r.Compress:
		return fmt.Errorf("%w: proofs of compressed blocks", ErrRequest)
	case !r.proves() && r.Hold != 0:
		return fmt.Errorf("%w: blocks to be held without a proof", ErrRequest)
	case r.Hold < 0 || r.Hold > MaxHold:
		return fmt.Errorf("%w: blocks to be held for %s", ErrRequest, r.Hold)
	case r.Form < 0 || r.Form >= MaxForms:
		return fmt.Errorf("%w: form %d", ErrRequest, r.Form)
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
	case n > MaxWants:
		return Request{}, fmt.Errorf("%w: %d blocks", ErrRequest, n)
	case len(m.GetNonce()) != 0 && len(m.GetNonce()) != len(Request{}.Nonce):
		return Request{}, fmt.Errorf("%w: a nonce of %d bytes", ErrRequest, len(m.GetNonce()))
	}
	r := Request{
		Folder: entry.FolderID(m.GetFolder()), IDs: make([]entry.BlockID, n), Compress: m.GetCompress(),
		Hold: time.Duration(m.GetHold()) * time.Second, Form: int(m.GetForm()),
	}
	for i := range r.IDs {
		copy(r.IDs[i][:], m.GetIds()[i*32:])
	}
	copy(r.Nonce[:], m.GetNonce())
	if len(m.GetNonce()) > 0 && !r.proves() {
		return Request{}, fmt.Errorf("%w: a nonce of zeros", ErrRequest)
	}
	return r, r.check()
}

func (r *Request) toWire() *wirepb.BlockRequest {
	ids := make([]byte, 0, len(r.IDs)*len(entry.BlockID{}))
	for i := range r.IDs {
		ids = append(ids, r.IDs[i][:]...)
	}
	m := &wirepb.BlockRequest{Folder: r.Folder[:], Ids: ids, Compress: r.Compress, Form: uint32(r.Form)}
	if r.proves() {
		m.Nonce = r.Nonce[:]
		m.Hold = uint32((r.Hold + time.Second - 1) / time.Second)
	}
	return m
}

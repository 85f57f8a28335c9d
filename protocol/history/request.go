package history

import (
	"fmt"
	"slices"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/proto/wirepb"
	"github.com/kithmesh/kith/protocol/seal"
)

// request is one request, on either side. Of its fields only those count that
// its kind has.
type request struct {
	folder entry.FolderID
	kind   kind
	moment time.Time       // askAsOf, askPin
	ids    []seal.RecordID // askVersions
	after  entry.Sequence  // askReceived
	label  []byte          // askPin
	nonce  [32]byte        // askProve
	blocks []entry.BlockID // askProve, askMend
}

// kind is what a request asks for.
type kind int

const (
	askState kind = iota + 1
	askAsOf
	askVersions
	askReceived
	askPin
	askProve
	askMend
)

// check keeps the bounds, for both sides.
func (r *request) check() error {
	switch r.kind {
	case askAsOf, askPin:
		if !tellable(r.moment) {
			return fmt.Errorf("%w: the moment %d", ErrRequest, r.moment.Unix())
		}
		if len(r.label) > MaxLabel {
			return fmt.Errorf("%w: a label of %d bytes", ErrRequest, len(r.label))
		}
	case askVersions:
		return checkCount(len(r.ids))
	case askProve, askMend:
		if r.kind == askProve && r.nonce == [32]byte{} {
			return fmt.Errorf("%w: a nonce of zeros", ErrRequest)
		}
		return checkCount(len(r.blocks))
	}
	return nil
}

func checkCount(n int) error {
	if n == 0 || n > MaxIDs {
		return fmt.Errorf("%w: %d IDs", ErrRequest, n)
	}
	return nil
}

func (r *request) toWire() *wirepb.HistoryRequest {
	m := &wirepb.HistoryRequest{Folder: r.folder[:]}
	switch r.kind {
	case askState:
		m.What = &wirepb.HistoryRequest_State_{State: &wirepb.HistoryRequest_State{}}
	case askAsOf:
		m.What = &wirepb.HistoryRequest_AsOf_{AsOf: &wirepb.HistoryRequest_AsOf{Moment: uint64(r.moment.UnixMicro())}}
	case askVersions:
		m.What = &wirepb.HistoryRequest_Versions_{Versions: &wirepb.HistoryRequest_Versions{Ids: recordIDsToWire(r.ids)}}
	case askReceived:
		m.What = &wirepb.HistoryRequest_Received_{Received: &wirepb.HistoryRequest_Received{After: uint64(r.after)}}
	case askPin:
		m.What = &wirepb.HistoryRequest_Pin_{Pin: &wirepb.HistoryRequest_Pin{Moment: uint64(r.moment.UnixMicro()), Label: r.label}}
	case askProve:
		m.What = &wirepb.HistoryRequest_Prove_{Prove: &wirepb.HistoryRequest_Prove{Nonce: r.nonce[:], Ids: blockIDsToWire(r.blocks)}}
	case askMend:
		m.What = &wirepb.HistoryRequest_Mend_{Mend: &wirepb.HistoryRequest_Mend{Ids: blockIDsToWire(r.blocks)}}
	}
	return m
}

func requestFromWire(m *wirepb.HistoryRequest) (*request, error) {
	if len(m.GetFolder()) != len(entry.FolderID{}) {
		return nil, fmt.Errorf("%w: a folder ID of %d bytes", ErrRequest, len(m.GetFolder()))
	}
	r := &request{folder: entry.FolderID(m.GetFolder())}
	var err error
	switch what := m.GetWhat().(type) {
	case *wirepb.HistoryRequest_State_:
		r.kind = askState
	case *wirepb.HistoryRequest_AsOf_:
		r.kind = askAsOf
		r.moment, err = askedMoment(what.AsOf.GetMoment())
	case *wirepb.HistoryRequest_Versions_:
		r.kind = askVersions
		r.ids, err = recordIDsFromWire(what.Versions.GetIds())
	case *wirepb.HistoryRequest_Received_:
		r.kind, r.after = askReceived, entry.Sequence(what.Received.GetAfter())
	case *wirepb.HistoryRequest_Pin_:
		r.kind, r.label = askPin, what.Pin.GetLabel()
		r.moment, err = askedMoment(what.Pin.GetMoment())
	case *wirepb.HistoryRequest_Prove_:
		r.kind = askProve
		err = r.proveFromWire(what.Prove)
	case *wirepb.HistoryRequest_Mend_:
		r.kind = askMend
		r.blocks, err = blockIDsFromWire(what.Mend.GetIds())
	default:
		err = fmt.Errorf("%w: it asks for nothing", ErrRequest)
	}
	if err != nil {
		return nil, err
	}
	if err := r.check(); err != nil {
		return nil, err
	}
	return r, nil
}

func (r *request) proveFromWire(m *wirepb.HistoryRequest_Prove) (err error) {
	if len(m.GetNonce()) != len(r.nonce) {
		return fmt.Errorf("%w: a nonce of %d bytes", ErrRequest, len(m.GetNonce()))
	}
	r.nonce = [32]byte(m.GetNonce())
	r.blocks, err = blockIDsFromWire(m.GetIds())
	return err
}

func askedMoment(n uint64) (time.Time, error) {
	if n > maxMoment {
		return time.Time{}, fmt.Errorf("%w: the moment %d", ErrRequest, n)
	}
	return time.UnixMicro(int64(n)).UTC(), nil
}

func recordIDsToWire(ids []seal.RecordID) []byte {
	out := make([]byte, 0, len(ids)*len(seal.RecordID{}))
	for i := range ids {
		out = append(out, ids[i][:]...)
	}
	return out
}

func recordIDsFromWire(b []byte) ([]seal.RecordID, error) {
	if err := checkIDs(len(b), len(seal.RecordID{})); err != nil {
		return nil, err
	}
	var out []seal.RecordID
	for id := range slices.Chunk(b, len(seal.RecordID{})) {
		out = append(out, seal.RecordID(id))
	}
	return out, nil
}

func blockIDsToWire(ids []entry.BlockID) []byte {
	out := make([]byte, 0, len(ids)*len(entry.BlockID{}))
	for i := range ids {
		out = append(out, ids[i][:]...)
	}
	return out
}

func blockIDsFromWire(b []byte) ([]entry.BlockID, error) {
	if err := checkIDs(len(b), len(entry.BlockID{})); err != nil {
		return nil, err
	}
	var out []entry.BlockID
	for id := range slices.Chunk(b, len(entry.BlockID{})) {
		out = append(out, entry.BlockID(id))
	}
	return out, nil
}

// checkIDs refuses bytes that are no IDs of a size. How many there may be is
// for check to say.
func checkIDs(bytes, size int) error {
	if bytes%size != 0 {
		return fmt.Errorf("%w: %d bytes of IDs", ErrRequest, bytes)
	}
	return nil
}

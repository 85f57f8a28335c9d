package index

import (
	"errors"
	"fmt"
	"iter"

	"google.golang.org/protobuf/proto"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/proto/diskpb"
)

// Peer is how far a peer and this device know each other's index of a folder.
type Peer struct {
	Epoch    uint64         // of the peer's index
	Received entry.Sequence // the last of theirs that this device has read

	Ours         uint64         // the epoch of our index to which the next two belong
	TheyReceived entry.Sequence // the last of ours that they have read
	TheyHold     entry.Sequence // they hold all of ours up to here, durably

	// Session is the last in which the peer told events of its own, and
	// SessionSeen the highest number that it told then; see [Folder.Remembers].
	Session     uint64
	SessionSeen uint64

	NeedFiles int64 // what they last said they need
	NeedBytes int64
	LastSeen  int64 // nanoseconds since 1970
}

// Peer is what SetPeer wrote for d, the zero Peer if it wrote nothing.
func (f *Folder) Peer(d entry.DeviceID) (Peer, error) {
	if d == "" {
		return Peer{}, nil
	}
	row, err := f.peers.get([]byte(d))
	if err != nil || row == nil {
		return Peer{}, err
	}
	return f.parsePeer(row)
}

var errNoDevice = errors.New("a device without an ID")

// SetPeer replaces what is known of d, which must not be empty. Needs below
// zero are kept as zero.
func (f *Folder) SetPeer(d entry.DeviceID, p Peer) error {
	if err := f.setPeer(d, p); err != nil {
		return fmt.Errorf("set peer %s: %w", d, err)
	}
	return nil
}

func (f *Folder) setPeer(d entry.DeviceID, p Peer) error {
	if err := f.tx.mayWrite(); err != nil {
		return err
	}
	if d == "" {
		return errNoDevice
	}
	row, err := proto.Marshal(&diskpb.IndexPeer{
		Epoch: p.Epoch, Received: uint64(p.Received), Ours: p.Ours,
		TheyReceived: uint64(p.TheyReceived), TheyHold: uint64(p.TheyHold),
		NeedFiles: uint64(max(0, p.NeedFiles)), NeedBytes: uint64(max(0, p.NeedBytes)), LastSeen: p.LastSeen,
		Session: p.Session, SessionSeen: p.SessionSeen,
	})
	if err != nil {
		return err
	}
	return f.peers.put([]byte(d), row)
}

// DropPeer forgets d. There is nothing to do if it is not known.
func (f *Folder) DropPeer(d entry.DeviceID) error {
	if d == "" {
		return nil
	}
	if err := f.peers.delete([]byte(d)); err != nil {
		return fmt.Errorf("drop peer %s: %w", d, err)
	}
	return nil
}

// Peers yields what SetPeer wrote, by ascending ID. It ends early at damage,
// and the transaction then fails.
func (f *Folder) Peers() iter.Seq2[entry.DeviceID, Peer] {
	return func(yield func(entry.DeviceID, Peer) bool) {
		c := f.peers.cursor()
		for err := c.seek(nil); err == nil && c.key != nil; err = c.next() {
			p, err := f.parsePeer(c.body)
			if err != nil || !yield(entry.DeviceID(c.key), p) {
				return
			}
		}
	}
}

func (f *Folder) parsePeer(row []byte) (Peer, error) {
	var m diskpb.IndexPeer
	if err := proto.Unmarshal(row, &m); err != nil {
		return Peer{}, f.tx.damaged("peer: %v", err)
	}
	return Peer{
		Epoch: m.GetEpoch(), Received: entry.Sequence(m.GetReceived()), Ours: m.GetOurs(),
		TheyReceived: entry.Sequence(m.GetTheyReceived()), TheyHold: entry.Sequence(m.GetTheyHold()),
		NeedFiles: int64(m.GetNeedFiles()), NeedBytes: int64(m.GetNeedBytes()), LastSeen: m.GetLastSeen(),
		Session: m.GetSession(), SessionSeen: m.GetSessionSeen(),
	}, nil
}

package index

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/kithmesh/kith/index/version"
)

// sighting is the highest event number seen of one replica.
type sighting struct {
	count   uint64
	written uint64 // what the row says, 0 if there is none
}

// Saw remembers the event numbers of v, which came with some version of this
// folder, and raises what [Folder.Seen] tells. It returns [version.ErrBounds]
// for numbers that no replica can have reached.
func (f *Folder) Saw(v version.Vector) error {
	if err := f.tx.mayWrite(); err != nil {
		return err
	}
	for _, c := range v {
		if c.Count > version.MaxCount {
			return fmt.Errorf("replica %s at %d: %w", c.Replica, c.Count, version.ErrBounds)
		}
		s, err := f.sighting(c.Replica)
		if err != nil {
			return err
		}
		s.count = max(s.count, c.Count)
	}
	return nil
}

// Seen is the highest event number of r that Saw was told, 0 if none.
func (f *Folder) Seen(r version.ReplicaID) uint64 {
	s, err := f.sighting(r)
	if err != nil {
		return 0 // the transaction fails
	}
	return s.count
}

func (f *Folder) sighting(r version.ReplicaID) (*sighting, error) {
	if s := f.seen[r]; s != nil {
		return s, nil
	}
	row, err := f.seenRows.get(replicaBytes(r))
	if err != nil {
		return nil, err
	}
	s := &sighting{}
	if row != nil {
		if len(row) != 8 {
			return nil, f.tx.damaged("a count of %d bytes", len(row))
		}
		s.written = binary.BigEndian.Uint64(row)
		s.count = s.written
	}
	if f.seen == nil {
		f.seen = make(map[version.ReplicaID]*sighting)
	}
	f.seen[r] = s
	return s, nil
}

func (f *Folder) flushSeen() error {
	var raised []version.ReplicaID
	for r, s := range f.seen {
		if s.count > s.written {
			raised = append(raised, r)
		}
	}
	slices.SortFunc(raised, cmp.Compare[version.ReplicaID])
	for _, r := range raised {
		s := f.seen[r]
		if err := f.seenRows.put(replicaBytes(r), binary.BigEndian.AppendUint64(nil, s.count)); err != nil {
			return err
		}
		s.written = s.count
	}
	return nil
}

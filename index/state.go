package index

import (
	"bytes"
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/version"
	"github.com/kithmesh/kith/proto/diskpb"
)

// Totals counts the entries of a folder.
type Totals struct {
	Files       int64 // regular files that live, the unknown ones among them
	Bytes       int64 // of those
	Directories int64
	Symlinks    int64
	Deleted     int64
	Unknown     int64 // entries with no history
	Absent      int64 // of the files, those whose content does not lie here
	AbsentBytes int64 // of those
}

// count adds n times e.
func (t *Totals) count(e *entry.Entry, n int64) {
	switch e.Kind {
	case entry.File:
		t.Files += n
		t.Bytes += n * e.Size
		if e.Absent {
			t.Absent += n
			t.AbsentBytes += n * e.Size
		}
	case entry.Directory:
		t.Directories += n
	case entry.Symlink:
		t.Symlinks += n
	case entry.Deleted:
		t.Deleted += n
	}
	if e.Unknown {
		t.Unknown += n
	}
}

// WantedTotals counts what is known and not held.
type WantedTotals struct {
	Paths int64
	Bytes int64 // of the version of each path that beats its others
}

// state is the row "state" of a folder.
type state struct {
	id       entry.FolderID
	replica  version.ReplicaID
	epoch    uint64
	head     entry.Sequence
	count    uint64
	joined   bool
	numbered fileNumber
	totals   Totals
	wanted   WantedTotals
	local    int64 // rows of the table of that name
	sessions sessions

	replicas, authors, devices uint64 // codes

	// sum is that of the checksums of all rows in the tables.
	sum uint64
}

func (s *state) toDisk() ([]byte, error) {
	var ran []*diskpb.IndexSession
	for _, one := range s.sessions.all() {
		ran = append(ran, &diskpb.IndexSession{Name: one.name, From: one.from, Head: uint64(one.head)})
	}
	return proto.Marshal(&diskpb.IndexFolder{
		Sessions: ran,
		Id:       s.id[:], Replica: uint64(s.replica), Epoch: s.epoch, Head: uint64(s.head), Count: s.count,
		Joined: s.joined, Numbered: uint64(s.numbered),
		Files: uint64(s.totals.Files), Bytes: uint64(s.totals.Bytes),
		Directories: uint64(s.totals.Directories), Symlinks: uint64(s.totals.Symlinks),
		Deleted: uint64(s.totals.Deleted), Unknown: uint64(s.totals.Unknown),
		Absent: uint64(s.totals.Absent), AbsentBytes: uint64(s.totals.AbsentBytes), Local: uint64(s.local),
		WantedPaths: uint64(s.wanted.Paths), WantedBytes: uint64(s.wanted.Bytes),
		Replicas: s.replicas, Authors: s.authors, Devices: s.devices, Sum: s.sum,
	})
}

// stateFromDisk reads the state of folder id.
func stateFromDisk(id entry.FolderID, row []byte) (s state, err error) {
	var m diskpb.IndexFolder
	if err := proto.Unmarshal(row, &m); err != nil {
		return s, fmt.Errorf("state: %w", err)
	}
	if !bytes.Equal(id[:], m.Id) {
		return s, fmt.Errorf("state of another folder, %x", m.Id)
	}
	s = state{
		id: id, replica: version.ReplicaID(m.Replica), epoch: m.Epoch, head: entry.Sequence(m.Head), count: m.Count,
		joined: m.Joined, numbered: fileNumber(m.Numbered),
		totals: Totals{
			Files: int64(m.Files), Bytes: int64(m.Bytes), Directories: int64(m.Directories),
			Symlinks: int64(m.Symlinks), Deleted: int64(m.Deleted), Unknown: int64(m.Unknown),
			Absent: int64(m.Absent), AbsentBytes: int64(m.AbsentBytes),
		},
		local:    int64(m.Local),
		wanted:   WantedTotals{Paths: int64(m.WantedPaths), Bytes: int64(m.WantedBytes)},
		replicas: m.Replicas, authors: m.Authors, devices: m.Devices, sum: m.Sum,
	}
	for _, one := range m.GetSessions() {
		s.sessions.add(session{one.GetName(), one.GetFrom(), entry.Sequence(one.GetHead())})
	}
	if s.replica == 0 || !checkSessions(s.sessions.all(), s.count, s.head) || max(s.replicas, s.authors, s.devices) > maxNames || s.numbered > maxFileNumber {
		return s, fmt.Errorf("state with values that are never written")
	}
	return s, nil
}

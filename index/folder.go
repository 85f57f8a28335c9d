package index

import (
	"encoding/binary"
	"fmt"

	"go.etcd.io/bbolt"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/version"
)

// Folder is one folder of the index within a transaction.
type Folder struct {
	tx    *Tx
	id    entry.FolderID
	state state
	// written is what the row of the state says.
	written state

	row      *table // of the state
	entries  *table
	files    *table
	wanted   *table
	peers    *table
	seenRows *table
	local    *table
	sequence *pairSet
	blocks   *pairSet
	unknown  *pairSet

	codec   rowCodec
	devices *names[entry.DeviceID]
	seen    map[version.ReplicaID]*sighting
}

func newFolder(tx *Tx, id entry.FolderID, b *bbolt.Bucket) *Folder {
	f := &Folder{tx: tx, id: id, state: state{id: id}}
	table := func(name string) *table { return newTable(tx, b, name, &f.state.sum) }
	f.entries, f.files = table(tableEntries), table(tableFiles)
	f.wanted, f.peers, f.seenRows = table(tableWanted), table(tablePeers), table(tableSeen)
	f.local = table(tableLocal)
	f.sequence = newPairSet(table(tableSequence))
	f.blocks = newPairSet(table(tableBlocks))
	f.unknown = newPairSet(table(tableUnknown))
	f.row = newTable(tx, nil, rowState, new(uint64))
	f.row.bolt = b // the row lies beside the tables
	rows := table(tableNames)
	f.codec.replicas = &names[version.ReplicaID]{
		kind: 'r', rows: rows, used: &f.state.replicas,
		encode: replicaBytes, decode: parseReplica,
	}
	f.codec.authors = &names[string]{
		kind: 'a', rows: rows, used: &f.state.authors,
		encode: func(s string) []byte { return []byte(s) },
		decode: func(b []byte) (string, bool) { return string(b), true },
	}
	f.devices = &names[entry.DeviceID]{
		kind: 'd', rows: rows, used: &f.state.devices,
		encode: func(d entry.DeviceID) []byte { return []byte(d) },
		decode: func(b []byte) (entry.DeviceID, bool) { return entry.DeviceID(b), true },
	}
	return f
}

func replicaBytes(r version.ReplicaID) []byte {
	return binary.BigEndian.AppendUint64(nil, uint64(r))
}

func parseReplica(b []byte) (version.ReplicaID, bool) {
	if len(b) != 8 {
		return 0, false
	}
	return version.ReplicaID(binary.BigEndian.Uint64(b)), true
}

func (f *Folder) load() error {
	row, err := f.row.get([]byte(rowState))
	if err != nil {
		return fmt.Errorf("folder %s: %w", f.id, err)
	}
	if row == nil {
		return f.tx.damaged("folder %s has no state", f.id)
	}
	if f.state, err = stateFromDisk(f.id, row); err != nil {
		return f.tx.damaged("folder %s: %v", f.id, err)
	}
	f.written = f.state
	return nil
}

// flush writes what the transaction has kept in memory.
func (f *Folder) flush() error {
	if err := f.sequence.flush(); err != nil {
		return err
	}
	if err := f.unknown.flush(); err != nil {
		return err
	}
	if err := f.blocks.flush(); err != nil {
		return err
	}
	if err := f.flushSeen(); err != nil {
		return err
	}
	if f.state == f.written {
		return nil
	}
	row, err := f.state.toDisk()
	if err != nil {
		return fmt.Errorf("folder %s: %w", f.id, err)
	}
	f.written = f.state
	return f.row.put([]byte(rowState), row)
}

// ID is the folder's ID.
func (f *Folder) ID() entry.FolderID { return f.id }

// Replica is the incarnation of this index: the replica of local changes.
func (f *Folder) Replica() version.ReplicaID { return f.state.replica }

// Epoch is the random number by which peers notice that the sequence of this
// index began anew.
func (f *Folder) Epoch() uint64 { return f.state.epoch }

// Head is the sequence of the last change, zero before the first.
func (f *Folder) Head() entry.Sequence { return f.state.head }

// Count is the highest event number that this replica has used.
func (f *Folder) Count() uint64 { return f.state.count }

// NextCount is a new event number of this replica, from 1. It is durable with
// the transaction, and once that is committed it is never given out again. It
// returns [ErrFenced] if others have seen higher numbers than this index knows
// of, as told by [Folder.Saw]: the next number may have been used already.
func (f *Folder) NextCount() (uint64, error) {
	if err := f.tx.mayWrite(); err != nil {
		return 0, err
	}
	if seen := f.Seen(f.state.replica); seen > f.state.count {
		return 0, fmt.Errorf("number an event after %d: seen %d: %w", f.state.count, seen, ErrFenced)
	}
	if f.state.count >= version.MaxCount {
		return 0, fmt.Errorf("number an event after %d: %w", f.state.count, version.ErrBounds)
	}
	f.state.count++
	return f.state.count, nil
}

// Renew makes this index a new replica with a new epoch, as after a restore
// from a backup: events are numbered from 1 again, entries stay, and peers
// read the whole index anew. The replica must never have been used before.
func (f *Folder) Renew(replica version.ReplicaID, epoch uint64) error {
	if err := f.tx.mayWrite(); err != nil {
		return err
	}
	if replica == 0 || replica == f.state.replica || f.Seen(replica) != 0 {
		return fmt.Errorf("renew folder %s: replica %s is not new", f.id, replica)
	}
	f.state.replica, f.state.epoch, f.state.count, f.state.sessions = replica, epoch, 0, sessions{}
	return nil
}

// Joined tells whether unknown history has been settled once.
func (f *Folder) Joined() bool { return f.state.joined }

// SetJoined sets what Joined tells.
func (f *Folder) SetJoined(joined bool) error {
	if err := f.tx.mayWrite(); err != nil {
		return err
	}
	f.state.joined = joined
	return nil
}

// Totals counts the entries.
func (f *Folder) Totals() Totals { return f.state.totals }

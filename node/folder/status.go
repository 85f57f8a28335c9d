package folder

import (
	"github.com/kithmesh/kith/index"
	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/protocol/exchange"
)

// State is what a folder is doing.
type State int

// The states of a folder.
const (
	InSync   State = iota // nothing is wanted, and all on disk is recorded
	Scanning              // looking at the tree
	Syncing               // getting what is wanted
	Waiting               // something is wanted that nobody connected has
	Braked                // changes that take much away wait for a person
	Fenced                // the index is older than what others remember of it
	Failed                // a problem of the whole folder; see Problems
)

// Problem is a condition that lasts until its cause is gone.
type Problem struct {
	Path entry.Path // empty: the whole folder
	Code string     // stable, for programs
	Text string     // what is so
	Hint string     // what to do
}

// Status is how a folder is.
type Status struct {
	State     State
	Head      entry.Sequence
	Files     int64 // regular files that live
	Bytes     int64 // of them
	NeedFiles int64
	NeedBytes int64
	Conflicts int64 // conflict copies that lie in the folder
	Held      int64 // batches that wait for a person
	// LocalEdits are those that stay here, in role receive.
	LocalEdits int64
	// Untaken are changes of others that the role does not take.
	Untaken int64
	// AbsentFiles are known and do not lie here; they count among Files.
	AbsentFiles int64
	AbsentBytes int64
	Problems    []Problem
	Members     map[entry.DeviceID]MemberStatus
	// Quiet: nothing is left to look at, to record or to apply.
	Quiet bool
}

// MemberStatus is how another member is, as far as this device knows.
type MemberStatus struct {
	Connected bool
	// NeedFiles and NeedBytes are what it last said that it wants.
	NeedFiles int64
	NeedBytes int64
	// Same: it holds all that this device has told, and this device has heard
	// all that it has to tell.
	Same bool
	// Held is up to which change of this device it holds all, as it has said
	// since it was connected.
	Held entry.Sequence
}

// Status is how the folder is now.
func (f *Folder) Status() Status { return *f.status.Load() }

// State is where the index stands, for telling others.
func (f *Folder) State() exchange.FolderState { return *f.state.Load() }

func stateOf(x *index.Folder) *exchange.FolderState {
	return &exchange.FolderState{
		Folder: x.ID(), Index: x.Epoch(), Head: x.Head(), Replica: x.Replica(), Settled: x.Joined(),
	}
}

func statusOf(x *index.Folder) Status {
	t, w := x.Totals(), x.WantedTotals()
	return Status{
		Head: x.Head(), Files: t.Files, Bytes: t.Bytes, NeedFiles: w.Paths, NeedBytes: w.Bytes, AbsentFiles: t.Absent, AbsentBytes: t.AbsentBytes,
		Members: map[entry.DeviceID]MemberStatus{},
	}
}

// Package guard knows how far each member that keeps a vault of a folder is to
// be relied on.
//
// A [Guard] is what is known of one of them: until when it held all that is
// here, how far its vault was seen, what it has proven, and what was found
// wrong with it. What follows from that is decided without a disk or a
// connection: whether it is stale, whether it has less than it had, when it is
// to be asked for proof, and what a person is shown. A [Store] remembers the
// guards of all folders. An [Inspection] looks at a vault, and a [Proof] has it
// show that it holds what it says, by interfaces that whoever owns the
// connection fills in.
//
// # Promises
//
//   - A vault that has less than it said is noticed, over a restart of this
//     device too, and shown until a person has seen it.
//   - What was proven or found wrong is on disk as soon as it is noted, where
//     the disk takes it; what it does not take is tried again.
//   - While nothing happens nothing is written but until when the vaults held
//     everything, four times an hour.
//   - No answer of a vault is taken for more than it shows: blocks are compared
//     with what lies here, or with their names.
//
// A [Store] and [Turns] are safe for concurrent use; a [Guard] is a value, and
// a [Proof] is used once.
package guard

import (
	"slices"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/backup/schedule"
	"github.com/kithmesh/kith/protocol/history"
)

// Guard is what this device knows of a member that keeps a vault of a folder.
// Its fields are those of the file in which it is remembered.
type Guard struct {
	// Since is when the member was first known to be a backup.
	Since time.Time `json:"since"`
	// AsOf is the last moment at which it held all that was here; Index and
	// Head say what that was.
	AsOf  time.Time      `json:"as_of"`
	Index uint64         `json:"index"`
	Head  entry.Sequence `json:"head"`

	// Vault, Sequence and Moment are the furthest that its vault was seen.
	Vault    history.VaultID `json:"vault"`
	Sequence entry.Sequence  `json:"sequence"`
	Moment   time.Time       `json:"moment"`
	// Told is how far it said that the vault of this index was, while it was
	// connected; its clock is not known of that.
	ToldIndex uint64         `json:"told_index"`
	Told      entry.Sequence `json:"told"`
	// WasIndex and WasTold are those of the vault before, until it is looked
	// into.
	WasIndex uint64         `json:"was_index"`
	WasTold  entry.Sequence `json:"was_told"`
	// SetBack is when it noted itself that it was set back, as last shown.
	SetBack time.Time `json:"set_back"`

	Schedule string    `json:"schedule"`
	LastRun  time.Time `json:"last_run"`
	Full     bool      `json:"full"`
	Damaged  int64     `json:"damaged"`

	Proven  time.Time `json:"proven"` // all that was asked for was proven
	Drilled time.Time `json:"drilled"`
	// Faults are what was found wrong, until a person has seen it.
	Faults []Fault `json:"faults"`
	// What was here at a moment, to be noted when the member says that it holds
	// that: where something changes all the time it never holds just what is.
	nextAt time.Time
	next   Mark

	// Warned is for which stale moment the hook has been called.
	Warned time.Time `json:"warned"`
}

// Mark is how far an index of this device is with a folder.
type Mark struct {
	Index uint64
	Head  entry.Sequence
}

// Fault is something that a vault did which it should not; the zero Fault is
// none.
type Fault struct {
	Code  string    `json:"code"`
	Text  string    `json:"text"`
	Found time.Time `json:"found"`
}

// The codes of faults.
const (
	SetBack  = "rolled_back" // it has less than it had
	Anew     = "vault_lost"  // it began anew, with nothing
	Withheld = "withheld"    // it does not have what it says
)

// Known tells whether anything is known of the member.
func (g *Guard) Known() bool { return !g.Since.IsZero() }

// Holds notes, at a moment, what a connected vault says that it holds of this
// device's changes: all up to held, or the same as what is here now.
func (g *Guard) Holds(held entry.Sequence, same bool, now Mark, at time.Time) {
	switch {
	case same:
		g.AsOf, g.Index, g.Head = at, now.Index, now.Head
	case g.next.Index == now.Index && held >= g.next.Head:
		g.AsOf, g.Index, g.Head = g.nextAt, g.next.Index, g.next.Head
	case g.next.Index == now.Index:
		if g.Index == now.Index && g.Head > held {
			g.Index, g.Head = 0, 0 // it does not hold any more what it said
		}
		return
	}
	g.nextAt, g.next = at, now
}

// HeldAll tells whether the vault held all that is here where an index of this
// device is so far, when it was last known to hold anything.
func (g *Guard) HeldAll(now Mark) bool {
	return !g.AsOf.IsZero() && g.Index == now.Index && g.Head == now.Head
}

// Says notes how far the vault says that it is, under the number that it counts
// as in the exchange. If that is less than before it was set back; that is
// looked into when it is inspected.
func (g *Guard) Says(vault Mark) {
	if g.ToldIndex != vault.Index {
		if g.Told > 0 {
			g.WasIndex, g.WasTold = g.ToldIndex, g.Told
		}
		g.ToldIndex, g.Told = vault.Index, 0
	}
	g.Told = max(g.Told, vault.Head)
}

// Stale is since when the vault lacks something that it should have by now,
// where an index of this device is so far; zero if it does not.
func (g *Guard) Stale(now Mark, at time.Time) time.Time {
	if !g.Known() || g.HeldAll(now) {
		return time.Time{} // nothing has changed since
	}
	last := g.AsOf
	if last.IsZero() {
		last = g.Since
	}
	return Overdue(g.Schedule, last, at)
}

// Overdue is last, if a backup that was made then and has this schedule should
// have been made again by now; else zero. What is no schedule is continuous.
func Overdue(text string, last, now time.Time) time.Time {
	plan, _ := schedule.Parse(text)
	if !plan.Stale(last, now) {
		return time.Time{}
	}
	return last
}

// blame notes a fault, once.
func (g *Guard) blame(f Fault) {
	same := func(old Fault) bool { return old.Code == f.Code && old.Text == f.Text }
	if !slices.ContainsFunc(g.Faults, same) {
		g.Faults = append(slices.Clip(g.Faults), f)
	}
}

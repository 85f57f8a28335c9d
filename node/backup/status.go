package backup

import (
	"fmt"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/vault"
)

// Status is how a keeper is.
type Status struct {
	Totals      vault.Totals
	Head        entry.Sequence
	NeedRecords int64 // told and not in the vault
	NeedBytes   int64
	Problems    []Problem
	Members     map[entry.DeviceID]MemberStatus
	// Quiet: nothing is on its way.
	Quiet bool
	// Waiting: something is wanted that nobody connected gives.
	Waiting  bool
	LastRun  time.Time // when all that connected members had to tell was in
	NextRun  time.Time // zero if the schedule is continuous, or a run is open
	Scrubbed time.Time
	Store    *StoreStatus // nil: the packs lie in the directory alone
}

// Problem is a condition that lasts until its cause is gone.
type Problem struct{ Code, Text, Hint string }

// MemberStatus is how another member is, as far as this device knows.
type MemberStatus struct {
	Connected bool
	// NeedFiles and NeedBytes are what it last said that it wants.
	NeedFiles, NeedBytes int64
	// Same: it holds all that the vault has to tell, and the vault all that it
	// has to tell.
	Same bool
	// Held is up to where it holds all that the vault has told.
	Held entry.Sequence
}

// publish shows how things are, if that has changed since it last did.
func (a *actor) publish() {
	st := a.statusNow()
	old := a.status.Load()
	a.status.Store(&st)
	if old == nil || a.differs(old, &st) {
		a.Changed()
	}
}

func (a *actor) differs(old, now *Status) bool {
	if old.Head != now.Head || old.Quiet != now.Quiet || old.NeedRecords != now.NeedRecords || len(old.Problems) != len(now.Problems) ||
		len(old.Members) != len(now.Members) || old.Waiting != now.Waiting || old.NextRun != now.NextRun || old.Scrubbed != now.Scrubbed ||
		!sameStore(old.Store, now.Store) {
		return true
	}
	for d, m := range now.Members {
		if old.Members[d] != m {
			return true
		}
	}
	return false
}

func (a *actor) statusNow() Status {
	st := Status{Head: a.vault.Head().Sequence, Members: map[entry.DeviceID]MemberStatus{}, LastRun: a.notes.LastRun, Quiet: true}
	st.Totals, _ = a.vault.Totals()
	st.Scrubbed = a.vault.LastRound()
	if !a.runs.plan.Continuous() && !a.runs.open {
		st.NextRun = a.runs.plan.Next(a.runs.last)
	}
	now := a.State()
	trying := false
	for d, m := range a.roll {
		records, bytes := m.needs()
		st.NeedRecords = max(st.NeedRecords, int64(records))
		st.NeedBytes = max(st.NeedBytes, int64(bytes))
		caughtUp := m.caughtUp()
		if a.runs.open && !caughtUp {
			st.Quiet = false
		}
		trying = trying || m.jobs > 0 || len(m.queue) > 0 || m.asked && m.anew && m.head > m.heard
		st.Members[d] = MemberStatus{
			Connected: true, NeedFiles: int64(m.theirs.NeedFiles), NeedBytes: int64(m.theirs.NeedBytes),
			Held: m.theirs.Held, Same: caughtUp && m.theirs.Index == now.Index && m.theirs.Held >= now.Head,
		}
	}
	st.Waiting = !st.Quiet && !trying
	st.Store = a.storeStatus(st.Totals)
	st.Problems = a.problems(&st)
	return st
}

func (a *actor) problems(st *Status) (out []Problem) {
	if a.full != nil {
		code, hint := "vault_full", "make room, or raise it: kith retention FOLDER --quota SIZE"
		if a.broken != nil {
			code, hint = "vault_failed", ""
		}
		out = append(out, Problem{Code: code, Text: a.full.Error(), Hint: hint})
	}
	if n := st.Totals.Damaged; n > 0 {
		out = append(out, Problem{
			Code: "vault_damaged", Text: fmt.Sprintf("%d blocks or versions in the vault are damaged", n),
			Hint: "they are fetched again from any device that has them; kith verify tells more",
		})
	}
	if s := st.Store; s != nil && s.Failed != nil {
		out = append(out, Problem{
			Code: "store_failed", Text: fmt.Sprintf("what is stored cannot be moved to %s: %v", s.Where, s.Failed),
			Hint: "it is tried again every minute; until then it stays on this disk",
		})
	}
	if b := a.notes.SetBack; b != nil {
		out = append(out, Problem{
			Code: "rolled_back",
			Text: fmt.Sprintf("the vault was set back to an older state: a device remembers %d changes of it, it had %d on %s",
				b.Sequence, b.Had, b.Found.Local().Format(time.DateTime)),
			Hint: "what the devices hold is taken in again, the versions between are lost; kith verify --accept ends this note",
		})
	}
	return out
}

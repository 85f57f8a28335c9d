package guard

import (
	"fmt"
	"time"
)

// Problem is something about a vault that a person is to see.
type Problem struct {
	Code    string // stable
	Message string // what is so
	Hint    string // what to do; may be empty
}

// Problems are the conditions of a member's vault: it is called name, the folder
// label, and stale is what [Guard.Stale] says.
func (g *Guard) Problems(name, label string, stale time.Time) (out []Problem) {
	if !stale.IsZero() {
		out = append(out, Problem{
			Code: "backup_stale", Message: fmt.Sprintf("%s lacks what has changed since %s", name, stale.Local().Format(time.DateTime)),
			Hint: "is it up, and on this network?",
		})
	}
	for _, f := range g.Faults {
		out = append(out, Problem{
			Code: f.Code, Message: fmt.Sprintf("%s: %s (found %s)", name, f.Text, f.Found.Local().Format(time.DateTime)),
			Hint: fmt.Sprintf("what is here is stored there anew; kith verify %s --accept ends this note", label),
		})
	}
	if g.Full {
		out = append(out, Problem{
			Code: "vault_full", Message: name + " takes nothing more: its quota or its disk is used up", Hint: "on it: kith retention " + label + " --quota SIZE",
		})
	}
	if g.Damaged > 0 {
		out = append(out, Problem{
			Code: "vault_damaged", Message: fmt.Sprintf("%s found %d damaged blocks or versions in its store", name, g.Damaged),
			Hint: "it heals them from devices that have them; kith verify " + label,
		})
	}
	return out
}

// OwnProblems are those of a vault of this device's own, which is stale since a
// moment, if that is not zero.
func OwnProblems(stale time.Time) []Problem {
	if stale.IsZero() {
		return nil
	}
	return []Problem{{
		Code: "backup_stale", Message: "not all of the folder's devices were met since " + stale.Local().Format(time.DateTime),
		Hint: "are they up, and on this network?",
	}}
}

package guard

import (
	"fmt"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/protocol/history"
)

// Seen is what an inspection has shown of a vault.
type Seen struct {
	State history.State
	Index uint64 // what the vault counts as in the exchange
	Fault Fault  // what is wrong with it; zero if nothing is
}

// judge says what is wrong with a vault that stands so, from what is known of
// it. If nothing seems to be, what it has received may still show that it was
// set back and has gone on since: then look is true.
func (g *Guard) judge(s *Seen) (code, text string, look bool) {
	st, had := &s.State, max(g.Sequence, g.toldOf(s.Index))
	switch {
	case !g.Known():
	case g.WasTold > 0 && g.WasIndex != s.Index && g.Vault != st.Vault:
		return Anew, fmt.Sprintf("it begins anew: the vault that it had, with %d changes, is gone", max(g.WasTold, g.Sequence)), false
	case !st.SetBack.IsZero() && !st.SetBack.Equal(g.SetBack):
		return SetBack, fmt.Sprintf("its vault was set back: a device remembered %d changes of it when it had fewer, %s",
			st.SetBackFrom, onDay(st.SetBack)), false
	case g.Sequence == 0 && g.Told == 0:
	case g.Sequence > 0 && g.Vault != st.Vault:
		return Anew, fmt.Sprintf("it begins anew: the vault that it had %s, with %d changes, is gone", onDay(g.Moment), g.Sequence), false
	case st.Sequence < had:
		return SetBack, fmt.Sprintf("its vault was set back: it had %d changes %s, and now has %d", had, onDay(g.Moment), st.Sequence), false
	default:
		return "", "", true
	}
	return "", "", false
}

// toldOf is how far a vault said that it was.
func (g *Guard) toldOf(index uint64) entry.Sequence {
	if g.ToldIndex != index {
		return 0
	}
	return g.Told
}

// lookBack is how many changes before the last known are compared.
const lookBack = 64

// retold says what is wrong with a vault that has received as change again,
// later than it was last seen, what it had received by then.
func (g *Guard) retold(again entry.Sequence) (code, text string) {
	return SetBack, fmt.Sprintf("its vault was set back after %s: what it now has as change %d came later than that",
		g.Moment.Local().Format(time.DateTime), again)
}

// Saw notes what an inspection has shown.
func (g *Guard) Saw(s *Seen) {
	if s.Fault.Code != "" {
		g.blame(s.Fault)
		g.Told = 0
	}
	st := &s.State
	g.Vault, g.Sequence, g.Moment, g.Told = st.Vault, st.Sequence, st.Moment, max(g.Told, st.Sequence)
	g.ToldIndex, g.WasIndex, g.WasTold, g.SetBack = s.Index, 0, 0, st.SetBack
	g.Schedule, g.LastRun, g.Full, g.Damaged = st.Schedule, st.LastRun, st.Full, st.Damaged
}

func onDay(t time.Time) string { return "on " + t.Local().Format(time.DateTime) }

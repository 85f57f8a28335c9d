package guard

import (
	"sync"
	"time"

	"github.com/kithmesh/kith/index/entry"
)

// How often a vault is looked at while nothing changes, how often one that
// something is about that may end or begin at any time, and how soon again one
// that has moved or could not be asked.
const (
	inspectEvery = 5 * time.Minute
	inspectOften = 30 * time.Second
	InspectAgain = 5 * time.Second
)

// View is what shows of a vault without asking it.
type View struct {
	Head   entry.Sequence // how far this device is with the folder
	Behind bool           // the vault lacks something that is here
}

// inspectAfter is how long after it was looked at a vault is to be looked at
// again, while this device stays where it is.
func (g *Guard) inspectAfter(v View) time.Duration {
	switch {
	case g.Told > g.Sequence || g.WasTold > 0:
		return InspectAgain // it has told of more than was seen of it
	case g.Full || g.Damaged > 0, v.Behind && g.Schedule == "":
		return inspectOften
	}
	return inspectEvery
}

// Vaults are asked for proof without anybody asking for that: not right after a
// device has come, when there is enough to do.
const (
	proofRest   = 10 * time.Minute // after it came, and after a proof that failed
	proofEvery  = 24 * time.Hour
	drillEvery  = 7 * 24 * time.Hour
	proofBlocks = 500 // of what is here, about
	drillFiles  = 5
)

// Turns are when the vaults of one connected member were last looked at and
// asked for proof. The zero Turns are those of one that has just come.
type Turns struct {
	mu        sync.Mutex
	inspected map[entry.FolderID]inspected
	asked     map[entry.FolderID]time.Time // whatever came of it
}

// inspected is when a vault was looked at, and how far this device was then.
type inspected struct {
	at         time.Time
	head       entry.Sequence
	unanswered bool
}

// Inspect tells whether it is time to look at the vault of a folder, and then
// notes that it is done; else it tells in how long it will be.
func (t *Turns) Inspect(f entry.FolderID, g *Guard, v View, now time.Time) (due bool, in time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	last, done := t.inspected[f]
	if done && last.head == v.Head {
		after := g.inspectAfter(v)
		if last.unanswered {
			after = InspectAgain
		}
		if in := last.at.Add(after).Sub(now); in > 0 {
			return false, in
		}
	}
	t.note(f, inspected{at: now, head: v.Head})
	return true, 0
}

// Unanswered notes that the vault could not be asked: it is its turn again after
// [InspectAgain].
func (t *Turns) Unanswered(f entry.FolderID, head entry.Sequence, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.note(f, inspected{now, head, true})
}

func (t *Turns) note(f entry.FolderID, done inspected) {
	if t.inspected == nil {
		t.inspected = map[entry.FolderID]inspected{}
	}
	t.inspected[f] = done
}

// Prove is what the vault of a folder is to show now, and notes that it is asked
// for that.
func (t *Turns) Prove(f entry.FolderID, g *Guard, now time.Time) (verify, drill bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	last, met := t.asked[f]
	if met && now.Sub(last) < proofRest {
		return false, false
	}
	if met {
		verify, drill = g.due(now)
	}
	if t.asked == nil {
		t.asked = map[entry.FolderID]time.Time{}
	}
	if !met || verify || drill {
		t.asked[f] = now
	}
	return verify, drill
}

// due is what a vault has not shown for long.
func (g *Guard) due(now time.Time) (verify, drill bool) {
	return now.Sub(g.Proven) >= proofEvery, now.Sub(g.Drilled) >= drillEvery
}

// ProofSample and DrillSample are which share of so many files of so many bytes
// a vault shows when nobody has asked for that.
func ProofSample(files, bytes int64) float64 {
	return min(1, proofBlocks/float64(max(1, files+bytes/(1<<20))))
}

// DrillSample: see [ProofSample].
func DrillSample(files int64) float64 { return min(1, drillFiles/float64(max(1, files))) }

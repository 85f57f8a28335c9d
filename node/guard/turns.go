package guard

import (
	"sync"
	"time"

	"github.com/kithmesh/kith/index/entry"
)

// How often a vault is looked at while nothing changes, and how soon again one
// that could not be asked.
const (
	inspectEvery = 5 * time.Minute
	InspectAgain = 5 * time.Second
)

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
	at   time.Time
	head entry.Sequence
}

// Inspect tells whether it is time to look at the vault of a folder with which
// this device is so far, and notes that it is done.
func (t *Turns) Inspect(f entry.FolderID, head entry.Sequence, now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	last, done := t.inspected[f]
	if done && last.head == head && now.Sub(last.at) < inspectEvery {
		return false
	}
	t.note(f, head, now)
	return true
}

// Unanswered notes that the vault could not be asked: it is its turn again after
// [InspectAgain].
func (t *Turns) Unanswered(f entry.FolderID, head entry.Sequence, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.note(f, head, now.Add(InspectAgain-inspectEvery))
}

func (t *Turns) note(f entry.FolderID, head entry.Sequence, at time.Time) {
	if t.inspected == nil {
		t.inspected = map[entry.FolderID]inspected{}
	}
	t.inspected[f] = inspected{at, head}
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

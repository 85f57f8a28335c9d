package node

import (
	"context"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/control"
)

// Vaults are asked for proof without anybody asking for that: not right after a
// device has come, when there is enough to do, and one at a time.
const (
	proofRest   = 10 * time.Minute // after it came, and after a proof that failed
	proofEvery  = 24 * time.Hour
	drillEvery  = 7 * 24 * time.Hour
	proofBlocks = 500 // of what is here, about
	drillFiles  = 5
)

// rests is when vaults were last asked, whatever came of it.
type rests map[entry.FolderID]time.Time

// dueProof is what a member's vault is to show now.
func (d *Device) dueProof(s *share, l *link) (verify, drill bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.asked == nil {
		l.asked = rests{}
	}
	now := time.Now()
	if last, ok := l.asked[s.ID]; !ok {
		l.asked[s.ID] = now
		return false, false
	} else if now.Sub(last) < proofRest {
		return false, false
	}
	g, _ := d.guards.get(s.ID, l.id)
	verify, drill = now.Sub(g.Proven) >= proofEvery, now.Sub(g.Drilled) >= drillEvery
	if verify || drill {
		l.asked[s.ID] = now
	}
	return verify, drill
}

// proveByAndBy has the vault of a member show that it holds what it says.
func (d *Device) proveByAndBy(ctx context.Context, s *share, l *link) {
	verify, drill := d.dueProof(s, l)
	if !verify && !drill || !d.proofs.TryLock() {
		return
	}
	d.tasks.start(func(context.Context) error {
		defer d.proofs.Unlock()
		st := s.Status()
		quiet := func(control.VerifyProgress) error { return ctx.Err() }
		if verify {
			sample := min(1, proofBlocks/float64(max(1, st.Files+st.Bytes/(1<<20))))
			d.report(s, l, d.verifyOne(ctx, s, l, sample, quiet))
		}
		if drill {
			d.report(s, l, d.drillOne(ctx, s, l, min(1, drillFiles/float64(max(1, st.Files))), quiet))
		}
		return nil
	})
}

func (d *Device) report(s *share, l *link, v control.Verified) {
	if len(v.Problems) > 0 {
		d.Log.Warn("a backup did not prove what it holds", "folder", s.ID, "device", l.id, "problem", v.Problems[0].Message)
		return
	}
	d.Log.Info("a backup has proven what it holds", "folder", s.ID, "device", l.id, "files", v.Files, "blocks", v.Blocks)
}

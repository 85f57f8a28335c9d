package backup

import (
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/vault"
)

// shrinkAfter is for how long nothing must have come until the index of the
// vault is made small again.
const shrinkAfter = 10 * time.Second

// shrinkChore is when that is to be.
type shrinkChore struct {
	begun bool
	seen  entry.Sequence // of the vault
	since time.Time      // when it was reached
	due   bool           // something has come since the index was last looked at
}

// next notes how far the vault has come, and tells in how long it has rested
// for long enough, if there is anything to be done then.
func (c *shrinkChore) next(h vault.Head, now time.Time) time.Duration {
	if !c.begun || h.Sequence != c.seen {
		c.due = c.begun // not all vaults at once when a device starts
		c.begun, c.seen, c.since = true, h.Sequence, now
	}
	if !c.due {
		return idleEvery
	}
	return max(0, shrinkAfter-now.Sub(c.since))
}

// shrink runs beside the actor.
func (a *actor) shrink() {
	freed, err := a.vault.ShrinkIndex()
	if err != nil && a.ctx.Err() == nil {
		a.log().Warn("shrink the index of the vault", "folder", a.ID, "error", err)
	}
	if freed > 0 {
		a.log().Info("made the index of the vault smaller", "folder", a.ID, "freed", freed)
	}
}

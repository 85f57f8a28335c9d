package backup

import (
	"testing"
	"time"

	"github.com/kithmesh/kith/node/vault"
)

func TestTheIndexIsMadeSmallOnceTheVaultHasRested(t *testing.T) {
	begin := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	var c shrinkChore
	for i, step := range []struct {
		after time.Duration // since it began
		at    vault.Head
		want  time.Duration
		done  bool // as the actor does where it is due
	}{
		{0, vault.Head{Sequence: 7}, idleEvery, false},
		{time.Hour, vault.Head{Sequence: 7}, idleEvery, false},
		{2 * time.Hour, vault.Head{Sequence: 8}, shrinkAfter, false},
		{2*time.Hour + shrinkAfter/2, vault.Head{Sequence: 8}, shrinkAfter / 2, false},
		{2*time.Hour + shrinkAfter/2, vault.Head{Sequence: 9}, shrinkAfter, false},
		{2*time.Hour + shrinkAfter*3/2, vault.Head{Sequence: 9}, 0, true},
		{2*time.Hour + shrinkAfter*2, vault.Head{Sequence: 9}, idleEvery, false},
		{3 * time.Hour, vault.Head{Sequence: 12}, shrinkAfter, false},
	} {
		if got := c.next(step.at, begin.Add(step.after)); got != step.want || c.due == (got == idleEvery) {
			t.Errorf("step %d: in %s, due: %t", i, got, c.due)
		}
		if step.done {
			c.due = false
		}
	}
}

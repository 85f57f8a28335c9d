package traffic

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestWhoBeginsOneStreamAfterTheOtherTakesNoMoreThanItsShare has one device say
// everything in first bytes.
func TestWhoBeginsOneStreamAfterTheOtherTakesNoMoreThanItsShare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := NewMeter(Rules{Rules: []Rule{{Up: 1_000_000}}})
		var honest, greedy sink
		end := time.Now().Add(20 * time.Second)
		var all sync.WaitGroup
		all.Go(func() {
			h := m.Lane(Origin{Device: "honest"}, &honest)
			for time.Now().Before(end) {
				_, _ = h.Write(make([]byte, mostPiece))
			}
		})
		for range 4 {
			all.Go(func() {
				for time.Now().Before(end) {
					_, _ = m.Lane(Origin{Device: "greedy"}, &greedy).Write(make([]byte, firstBytes))
				}
			})
		}
		all.Wait()
		if share := float64(honest.n.Load()) / float64(honest.n.Load()+greedy.n.Load()); share < 0.45 {
			t.Errorf("%.0f %% are left for the other", 100*share)
		}
	})
}

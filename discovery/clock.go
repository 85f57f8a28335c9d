package discovery

import (
	"context"
	"time"
)

const (
	clockEvery = 10 * time.Second
	clockJump  = 5 * time.Second
)

// clocks gives a function that reads the wall clock, and a clock that nobody sets.
func clocks() func() (wall time.Time, steady time.Duration) {
	began := time.Now()
	return func() (time.Time, time.Duration) {
		now := time.Now()
		return now.Round(0), now.Sub(began)
	}
}

// watchClock calls jumped after the machine has slept, or its clock was set,
// until ctx ends. The wall clock has then gone further than the steady one, if
// that stands still in sleep, or else both have gone further than the wait. It
// takes up to 10 seconds.
func watchClock(ctx context.Context, read func() (wall time.Time, steady time.Duration), jumped func()) error {
	tick := time.NewTicker(clockEvery)
	defer tick.Stop()
	wall, steady := read()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		w, s := read()
		if passed := s - steady; (w.Sub(wall)-passed).Abs() > clockJump || passed > clockEvery+clockJump {
			jumped()
		}
		wall, steady = w, s
	}
}

package discovery

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

func TestAClockThatJumpsIsNoticed(t *testing.T) {
	for name, c := range map[string]struct {
		wall, steady time.Duration // what the clocks have gained at the third look
		want         int
	}{
		"it runs":                    {0, 0, 0},
		"it drifts":                  {2 * time.Second, 0, 0},
		"slept":                      {time.Hour, 0, 1},
		"slept, both clocks go on":   {time.Hour, time.Hour, 1},
		"was set back by a person":   {-48 * time.Hour, 0, 1},
		"was set from 1970 by NTP":   {56 * 365 * 24 * time.Hour, 0, 1},
		"the machine was very busy":  {3 * time.Second, 3 * time.Second, 0},
		"the program was stopped":    {time.Minute, time.Minute, 1},
		"slept for a moment, as one": {4 * time.Second, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began, looks, jumps := time.Now(), 0, 0
				read := func() (time.Time, time.Duration) {
					looks++
					passed := time.Since(began)
					if looks < 3 {
						return began.Add(passed), passed
					}
					return began.Add(passed + c.wall), passed + c.steady
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				if err := watchClock(ctx, read, func() { jumps++ }); err != nil {
					t.Fatal(err)
				}
				if jumps != c.want || looks < 5 {
					t.Errorf("noticed %d times in %d looks, want %d", jumps, looks, c.want)
				}
			})
		})
	}
}

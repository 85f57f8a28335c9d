package storytest

import (
	"slices"
	"testing"
	"time"
)

// percentile is the least value that so many of a hundred do not exceed.
func percentile(values []time.Duration, p int) time.Duration {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[max(0, (len(sorted)*p+99)/100-1)]
}

func TestAPercentileIsOneOfTheValues(t *testing.T) {
	var ten []time.Duration
	for i := range 10 {
		ten = append(ten, time.Duration(10-i))
	}
	for p, want := range map[int]time.Duration{1: 1, 50: 5, 95: 10, 100: 10} {
		if got := percentile(ten, p); got != want {
			t.Errorf("percentile %d of 1 to 10 is %d, want %d", p, got, want)
		}
	}
}

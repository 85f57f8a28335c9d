package main

import (
	"testing"

	"github.com/kithmesh/kith/node/control"
)

func TestRatesAreReadAsPeopleWriteThem(t *testing.T) {
	for text, want := range map[string]int64{
		"500kB": 500_000, "500kB/s": 500_000, "500k": 500_000, "2MiB": 2 << 20, "1.5 MB/s": 1_500_000, "20Mbit": 2_500_000,
		"20 Mbit/s": 2_500_000, "100Mbps": 12_500_000, "8kbit": 1000, "none": control.NoLimit, "unlimited": control.NoLimit, "0": control.NoLimit,
		"1000000": 1_000_000,
	} {
		if got, err := parseRate(text); err != nil || got != want {
			t.Errorf("%q: %d, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "fast", "-1", "1bit", "1e6", "5MBbit", "1/s/s", "bit"} {
		if got, err := parseRate(text); err == nil {
			t.Errorf("%q is %d", text, got)
		}
	}
}

package main

import (
	"testing"
	"time"
)

func TestSizesHaveThreeDigits(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0 B", 1: "1 B", 999: "999 B", 1000: "1 kB", 1005: "1 kB", 1234: "1.23 kB", 9_994: "9.99 kB", 9_996: "10 kB",
		12_345: "12.3 kB", 41_000_000: "41 MB", 99_960: "100 kB", 999_499: "999 kB", 999_500: "1 MB", 61_200_000_000: "61.2 GB",
		1 << 62: "4.61 EB", -1500: "-1.5 kB",
	} {
		if got := size(n); got != want {
			t.Errorf("size(%d) = %q, want %q", n, got, want)
		}
	}
}

func TestCountsAreReadable(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", 12408: "12,408", 1234567: "1,234,567", -1000: "-1,000", -100: "-100"} {
		if got := count(n); got != want {
			t.Errorf("count(%d) = %q, want %q", n, got, want)
		}
	}
	if plural(1, "file") != "1 file" || plural(0, "file") != "0 files" || plural(1000, "file") != "1,000 files" {
		t.Error("plural")
	}
}

func TestSpansAreInTheirLargestUnit(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0 s", 59 * time.Second: "59 s", 61 * time.Second: "1 min", 59 * time.Minute: "59 min",
		2 * time.Hour: "2 h", 47 * time.Hour: "47 h", 50 * time.Hour: "2 d", 900 * 24 * time.Hour: "900 d",
	} {
		if got := span(d); got != want {
			t.Errorf("span(%v) = %q, want %q", d, got, want)
		}
	}
	for d, want := range map[time.Duration]string{
		42 * time.Millisecond: "0.04 s", 12345 * time.Millisecond: "12.3 s", 125 * time.Second: "2 min 5 s",
	} {
		if got := elapsed(d); got != want {
			t.Errorf("elapsed(%v) = %q, want %q", d, got, want)
		}
	}
	if got := ago(theHour.Add(time.Minute), theHour); got != "just now" {
		t.Errorf("a moment to come was %q", got)
	}
}

func TestAClockShowsTheDateOfOtherDays(t *testing.T) {
	for at, want := range map[time.Time]string{
		theHour.Add(-time.Hour): "13:03", theHour.AddDate(0, 0, -1): "21 Nov 14:03", theHour.AddDate(-1, 0, 0): "22 Nov 2025",
	} {
		if got := clock(at, theHour); got != want {
			t.Errorf("clock(%v) = %q, want %q", at, got, want)
		}
	}
}

func TestPeriods(t *testing.T) {
	for s, want := range map[string]time.Duration{
		"30": 30 * time.Second, "0": 0, "30s": 30 * time.Second, "10m": 10 * time.Minute, "1h30m": 90 * time.Minute,
		"50ms": 50 * time.Millisecond, "3d": 72 * time.Hour, "1d2h": 26 * time.Hour,
	} {
		if got, err := parsePeriod(s); err != nil || got != want {
			t.Errorf("parsePeriod(%q) = %v, %v, want %v", s, got, err, want)
		}
	}
	for _, s := range []string{"", "-1s", "-1", "d", "-1d", "1d-2h", "99999d", "soon", "1e9h", "1.5d"} {
		if got, err := parsePeriod(s); err == nil {
			t.Errorf("parsePeriod(%q) = %v, want an error", s, got)
		}
	}
}

func TestNothingFromElsewhereControlsTheTerminal(t *testing.T) {
	for s, want := range map[string]string{
		"Zoë's photos 写真": "Zoë's photos 写真", "a\x1b[2Jb": "a\uFFFD[2Jb", "a\r\nb": "a\uFFFD\uFFFDb", "\xff": "\uFFFD",
		"\u202egnp.exe": "\uFFFDgnp.exe", "\u0085": "\uFFFD",
	} {
		if got := printable(s); got != want {
			t.Errorf("printable(%q) = %q, want %q", s, got, want)
		}
	}
}

func FuzzParsePeriod(f *testing.F) {
	for _, s := range []string{"30", "3d", "1d2h", "1h30m"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if d, err := parsePeriod(s); err == nil && d < 0 {
			t.Errorf("parsePeriod(%q) = %v", s, d)
		}
	})
}

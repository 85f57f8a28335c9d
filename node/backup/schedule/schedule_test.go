package schedule

import (
	"errors"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func at(text string) time.Time {
	t, err := time.ParseInLocation("2006-01-02 15:04", text, time.Local)
	if err != nil {
		panic(err)
	}
	return t
}

func TestWhenARunIsDue(t *testing.T) {
	for _, c := range []struct{ plan, last, next string }{
		{"every 6h", "2026-11-22 10:00", "2026-11-22 16:00"},
		{"every 2d", "2026-11-22 10:00", "2026-11-24 10:00"},
		{"hourly", "2026-11-22 10:00", "2026-11-22 11:00"},
		{"daily", "2026-11-22 10:00", "2026-11-23 02:00"},
		{"daily 02:00", "2026-11-22 01:59", "2026-11-22 02:00"},
		{"daily 02:00", "2026-11-22 02:00", "2026-11-23 02:00"},
		{"weekly", "2026-11-22 10:00", "2026-11-29 02:00"},
		{"weekly wed 18:30", "2026-11-22 10:00", "2026-11-25 18:30"},
		{"weekly Wednesday 18:30", "2026-11-25 18:30", "2026-12-02 18:30"},
		{"monthly", "2026-11-22 10:00", "2026-12-01 02:00"},
		{"monthly 31 04:00", "2026-11-22 10:00", "2026-11-30 04:00"},
		{"monthly 31 04:00", "2026-11-30 04:00", "2026-12-31 04:00"},
		{"monthly 15", "2026-12-15 02:00", "2027-01-15 02:00"},
	} {
		s, err := Parse(c.plan)
		if err != nil {
			t.Fatal(err)
		}
		if got := s.Next(at(c.last)); !got.Equal(at(c.next)) {
			t.Errorf("%s after %s is at %s, want %s", c.plan, c.last, got, c.next)
		}
	}
}

func TestWhatIsNoSchedule(t *testing.T) {
	for _, text := range []string{"every", "every 5s", "every year", "daily 25:00", "daily 02:00 sharp", "monthly 32", "monthly 0", "sometimes", "weekly 02:00:00", "every 400d"} {
		if _, err := Parse(text); !errors.Is(err, ErrSchedule) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestAScheduleIsReadAsItIsWritten(t *testing.T) {
	for _, text := range []string{"continuous", "every 6h", "every 90m", "every 1h30m", "daily 02:00", "weekly mon 23:59", "monthly 31 00:00"} {
		s, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		again, err := Parse(s.String())
		if err != nil || again != s {
			t.Errorf("%q became %q: %v", text, s, err)
		}
	}
}

func TestTheNextRunIsAfterTheLastAndSoon(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.SampledFrom([]string{"every 6h", "daily 02:30", "weekly tue 00:00", "monthly 31 02:30", "monthly 1 00:00"}).Draw(t, "plan")
		last := time.Unix(rapid.Int64Range(0, 4e9).Draw(t, "last"), 0)
		s, _ := Parse(text)
		next := s.Next(last)
		if !next.After(last) || next.Sub(last) > 32*24*time.Hour {
			t.Fatalf("%s after %s is at %s", text, last, next)
		}
		if s.Stale(last, next) || !s.Stale(last, next.Add(40*24*time.Hour)) {
			t.Fatal("stale when it is just due, or not in ages")
		}
	})
}

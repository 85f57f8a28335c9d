package main

import (
	"errors"
	"testing"
	"time"

	"github.com/kithmesh/kith/node/control"
)

// theHour is a Sunday, 22 November 2026, 14:03:07 UTC; in Rome it is 15:03:07.
func inRome(t *testing.T) time.Time {
	t.Helper()
	zone, err := time.LoadLocation("Europe/Rome")
	if err != nil {
		t.Skip("no time zones here:", err)
	}
	return theHour.In(zone)
}

func TestAPastTimeIsReadAsPeopleSayIt(t *testing.T) {
	now := inRome(t)
	for said, want := range map[string]string{
		"2026-11-20T14:00:00Z":             "2026-11-20T15:00:00+01:00",
		"2026-11-20t14:00:00.123456+02:00": "2026-11-20T13:00:00.123456+01:00",
		"2026-11-20":                       "2026-11-20T00:00:00+01:00",
		"2026-11-20 14:00":                 "2026-11-20T14:00:00+01:00",
		" 2026-11-20   14:00:05 ":          "2026-11-20T14:00:05+01:00",
		"2026-11-20 14:00:05.25":           "2026-11-20T14:00:05.25+01:00",
		"2026-11-20T14:00":                 "2026-11-20T14:00:00+01:00",
		"2026-07-01 12:00":                 "2026-07-01T12:00:00+02:00", // summer time
		"20 Nov 14:00":                     "2026-11-20T14:00:00+01:00", // as it is shown
		"24 dec 14:00":                     "2025-12-24T14:00:00+01:00", // the last one
		"24 Dec":                           "2025-12-24T00:00:00+01:00",
		"29 feb":                           "2024-02-29T00:00:00+01:00",
		"20 Nov 2019":                      "2019-11-20T00:00:00+01:00",
		"14:00":                            "2026-11-22T14:00:00+01:00",
		"9:30":                             "2026-11-22T09:30:00+01:00",
		"15:04":                            "2026-11-21T15:04:00+01:00", // not yet today
		"15:03:07":                         "2026-11-22T15:03:07+01:00",
		"today":                            "2026-11-22T00:00:00+01:00",
		"today 08:00":                      "2026-11-22T08:00:00+01:00",
		"yesterday":                        "2026-11-21T00:00:00+01:00",
		"Yesterday 23:59":                  "2026-11-21T23:59:00+01:00",
		"sunday":                           "2026-11-22T00:00:00+01:00", // it is one
		"sunday 16:00":                     "2026-11-15T16:00:00+01:00",
		"last sunday":                      "2026-11-15T00:00:00+01:00",
		"mon":                              "2026-11-16T00:00:00+01:00",
		"Saturday 10:00":                   "2026-11-21T10:00:00+01:00",
		"last saturday":                    "2026-11-21T00:00:00+01:00",
		"2h ago":                           "2026-11-22T13:03:07+01:00",
		"3d ago":                           "2026-11-19T15:03:07+01:00",
		"90 min ago":                       "2026-11-22T13:33:07+01:00",
		"5m ago":                           "2026-11-22T14:58:07+01:00",
		"1h30m ago":                        "2026-11-22T13:33:07+01:00",
		"2 weeks ago":                      "2026-11-08T15:03:07+01:00",
		"1y2m ago":                         "2025-09-22T15:03:07+02:00",
		"3 months 2 days ago":              "2026-08-20T15:03:07+02:00",
		"240d ago":                         "2026-03-27T15:03:07+01:00",
		"now":                              "2026-11-22T15:03:07+01:00",
	} {
		wanted, err := time.Parse(time.RFC3339Nano, want)
		if err != nil {
			t.Fatal(err)
		}
		if got, ok := parseTime(said, now); !ok || !got.Equal(wanted) {
			t.Errorf("%q is %v (%v), want %v", said, got, ok, want)
		}
	}
}

func TestWhatIsNoTimeIsTheLabelOfASnapshot(t *testing.T) {
	for _, said := range []string{
		"before the move", "snapshot 2026-11-22 19:42:33.482", "v1", "2026", "25:00", "2026-13-01", "yesterday noon", "last yesterday", "last", "ago", " ago", "soon ago",
		"2h 3d ago", "2x ago", "monday 14", "31 feb", "last before", "ten", "30", "3d", "1y1y ago",
	} {
		m, err := parseMoment(" "+said, theHour)
		if want := (control.Moment{Label: said}); said != " ago" && (err != nil || m != want) {
			t.Errorf("%q is %+v, %v, want the label", said, m, err)
		}
	}
}

func TestNowIsTheZeroMomentAndThePresentHasNoFuture(t *testing.T) {
	if m, err := parseMoment("now", theHour); err != nil || m != (control.Moment{}) {
		t.Errorf("now is %+v, %v", m, err)
	}
	if m, err := parseMoment("14:00", theHour); err != nil || !m.At.Equal(theHour.Truncate(time.Hour)) || m.Label != "" {
		t.Errorf("14:00 is %+v, %v", m, err)
	}
	for _, said := range []string{"today 20:00", "2030-01-01", "", " "} {
		m, err := parseMoment(said, theHour)
		if _, ok := errors.AsType[*usage](err); !ok {
			t.Errorf("%q is %+v, %v, want wrong usage", said, m, err)
		}
	}
}

func TestAMomentIsShownAsOneMayBeSaid(t *testing.T) {
	now := inRome(t)
	at := now.Add(-50 * time.Hour)
	for m, want := range map[control.Moment]string{{}: "now", {Label: "a b"}: "'a b'", {At: at.UTC()}: "2026-11-20 13:03:07"} {
		if got := momentText(m, now); got != want {
			t.Errorf("%+v is shown as %q, want %q", m, got, want)
		}
	}
	if got, ok := parseTime(stamp(at, now), now); !ok || !got.Equal(at.Truncate(time.Second)) {
		t.Errorf("what is shown is read as %v", got)
	}
}

func FuzzParseTime(f *testing.F) {
	for _, s := range []string{"14:00", "2h ago", "1y2m ago", "last monday 3:00", "2 Jan", "29 feb", "2026-11-20 14:00", "99999999y ago"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		m, err := parseMoment(s, theHour)
		if err == nil && m.At.After(theHour.Add(time.Minute)) {
			t.Errorf("%q is %v, which is still to come", s, m.At)
		}
	})
}

func TestLengthsAreResticsAndGos(t *testing.T) {
	for said, want := range map[string]time.Duration{
		"30d": 30 * day, "12w": 84 * day, "1y2m": year + 2*month, "2m": 2 * month, "1y5m7d2h": year + 5*month + 7*day + 2*time.Hour, "1h30m": 90 * time.Minute,
		"36h": 36 * time.Hour, "90s": 90 * time.Second, "15min": 15 * time.Minute, "1.5h": 90 * time.Minute, "0": 0, "0d": 0, "7d12h": 7*day + 12*time.Hour,
		"1 year": year, "forever": control.KeepForever, "3d30m": 3*day + 30*time.Minute, "250ms": 250 * time.Millisecond,
	} {
		var l howLong
		if err := l.Set(said); err != nil || *l.d != want {
			t.Errorf("%q is %v, %v, want %v", said, l.String(), err, want)
		}
	}
	for _, said := range []string{"", "-1d", "30", "soon", "2d1y", "1d1d", "d", "1 fortnight", "-2h", "1048576y", "900000y"} {
		var l howLong
		if err := l.Set(said); err == nil {
			t.Errorf("%q is %v, want an error", said, *l.d)
		}
	}
	for d, want := range map[time.Duration]string{30 * day: "30 d", 36 * time.Hour: "36 h", 90 * time.Second: "1m30s", control.KeepForever: "ever", 0: "0 d"} {
		if got := lengthText(d); got != want {
			t.Errorf("%v is shown as %q, want %q", d, got, want)
		}
	}
}

func TestSizesAreRead(t *testing.T) {
	for said, want := range map[string]int64{
		"0": 0, "none": 0, "1000": 1000, "500GB": 500_000_000_000, "500 gb": 500_000_000_000, "1.5T": 1_500_000_000_000, "10GiB": 10 << 30, "4KiB": 4096,
		"1k": 1000, "12B": 12, "0.5kB": 500, "2Pi": 2 << 50,
	} {
		if got, err := parseSize(said); err != nil || got != want {
			t.Errorf("%q is %d, %v, want %d", said, got, err, want)
		}
	}
	for _, said := range []string{"", "-1", "big", "1xB", "GB", "1e9", "0x10", "1_000", "inf", "nan", "9999P", "1kk", "1ib", "+5", "5bb"} {
		if got, err := parseSize(said); err == nil {
			t.Errorf("%q is %d, want an error", said, got)
		}
	}
}

func TestNumbersToKeepMayBeAll(t *testing.T) {
	for said, want := range map[string]int{"0": 0, "7": 7, "all": control.KeepAll, "unlimited": control.KeepAll} {
		var m howMany
		if err := m.Set(said); err != nil || *m.n != want {
			t.Errorf("%q is %v, %v", said, m, err)
		}
	}
	for _, said := range []string{"", "-1", "many", "1.5", "99999999999"} {
		if err := new(howMany).Set(said); err == nil {
			t.Errorf("%q is a number", said)
		}
	}
}

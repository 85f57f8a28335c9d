package traffic

import (
	"errors"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func at(t *testing.T, text string) time.Time {
	t.Helper()
	out, err := time.ParseInLocation("2006-01-02 15:04", text, time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func span(t *testing.T, text string) Span {
	t.Helper()
	s, err := ParseSpan(text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestASpanHoldsFromItsFirstMinuteToBeforeItsLast(t *testing.T) {
	for _, c := range []struct {
		span, clock string
		want        bool
	}{
		{"08:00-18:00", "07:59", false}, {"08:00-18:00", "08:00", true}, {"08:00-18:00", "17:59", true}, {"08:00-18:00", "18:00", false},
		{"22:00-06:00", "21:59", false}, {"22:00-06:00", "22:00", true}, {"22:00-06:00", "00:00", true}, {"22:00-06:00", "05:59", true}, {"22:00-06:00", "06:00", false},
		{"18-24:00", "23:59", true}, {"18-24", "00:00", false}, {"0-24", "12:00", true}, {"8-9:30", "09:29", true}, {"8-9:30", "09:30", false},
	} {
		if got := span(t, c.span).Holds(at(t, "2026-11-22 "+c.clock)); got != c.want {
			t.Errorf("%s at %s: %v", c.span, c.clock, got)
		}
	}
}

func TestASpanGoesByTheClockOnTheWall(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Skip("no time zones here:", err)
	}
	night := span(t, "02:00-03:00")
	for _, c := range []struct {
		utc  string
		want bool
	}{
		{"2026-03-28 01:30", true},  // an ordinary night
		{"2026-03-29 00:59", false}, // clocks go from 02:00 to 03:00: there is no such hour
		{"2026-03-29 01:00", false},
		{"2026-10-25 00:30", true}, // and here it comes twice
		{"2026-10-25 01:30", true},
		{"2026-10-25 02:00", false},
	} {
		if got := night.Holds(at(t, c.utc).In(berlin)); got != c.want {
			t.Errorf("%s UTC: %v", c.utc, got)
		}
	}
}

func TestWhatIsNoSpanIsRefused(t *testing.T) {
	for _, text := range []string{"", "8", "8-", "-8", "8-8", "08:00-08:00", "25-3", "8:60-9", "24-3", "24:01-2", "8-9-10", "a-b", "-1-4", "+8-9", "08:00–18:00"} {
		if s, err := ParseSpan(text); !errors.Is(err, ErrRule) {
			t.Errorf("%q is %v, %v", text, s, err)
		}
	}
}

func TestASpanIsReadAsItIsWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := Span{rapid.IntRange(0, minutesOfDay-1).Draw(t, "from"), rapid.IntRange(0, minutesOfDay-1).Draw(t, "to")}
		if s.Always() {
			return
		}
		if again, err := ParseSpan(s.String()); err != nil || again != s {
			t.Fatalf("%v became %v, %v", s, again, err)
		}
	})
}

func TestWhichRulesHold(t *testing.T) {
	var r Rules
	day, night, noon := span(t, "08:00-18:00"), span(t, "22:00-06:00"), span(t, "12:00-13:00")
	for _, one := range []Rule{
		{Up: 500_000, Down: 5_000_000},
		{Up: 100_000, Between: day},
		{Up: Unlimited, Between: night},
		{Up: 200_000, Down: 50_000, Between: noon},
		{Device: "phone", Down: 70_000},
		{Device: "phone", Up: Unlimited, Down: 9_000_000, Between: night},
	} {
		r = r.With(one)
	}
	for _, c := range []struct {
		clock      string
		all, phone Pair
	}{
		{"07:00", Pair{500_000, 5_000_000}, Pair{0, 70_000}},
		{"09:00", Pair{100_000, 5_000_000}, Pair{0, 70_000}},
		{"12:30", Pair{100_000, 50_000}, Pair{0, 70_000}},
		{"23:00", Pair{Unlimited, 5_000_000}, Pair{Unlimited, 9_000_000}},
	} {
		got := r.At(at(t, "2026-11-22 "+c.clock))
		if got.All != c.all || got.Per["phone"] != c.phone {
			t.Errorf("at %s: %v, want %v and %v", c.clock, got, c.all, c.phone)
		}
	}
}

func TestARuleReplacesThatOfTheSameTimeAndNoneEndsIt(t *testing.T) {
	day := span(t, "08:00-18:00")
	r := Rules{}.With(Rule{Up: 100_000}).With(Rule{Down: 200_000}).With(Rule{Up: 50_000, Between: day}).With(Rule{Device: "d", Up: 60_000})
	want := Rules{Rules: []Rule{{Up: 100_000, Down: 200_000}, {Up: 50_000, Between: day}, {Device: "d", Up: 60_000}}}
	if !reflect.DeepEqual(r, want) {
		t.Fatalf("%v", r)
	}
	r = r.With(Rule{Up: Unlimited}).With(Rule{Down: Unlimited})
	if len(r.Rules) != 2 {
		t.Errorf("a rule that says nothing stays: %v", r)
	}
	if r = r.Without("", &day).Without("d", nil); len(r.Rules) != 0 {
		t.Errorf("%v", r)
	}
}

func TestRulesThatCannotBeAreRefused(t *testing.T) {
	for _, r := range []Rules{
		{LAN: 100}, {LAN: -2}, {Rules: []Rule{{Up: Least - 1}}}, {Rules: []Rule{{Down: -5}}}, {Rules: []Rule{{Between: Span{0, 1440}}}},
	} {
		if err := r.Check(); !errors.Is(err, ErrRule) {
			t.Errorf("%v: %v", r, err)
		}
	}
	if err := (Rules{LAN: Unlimited, Rules: []Rule{{Up: Least, Down: Unlimited}}}).Check(); err != nil {
		t.Error(err)
	}
}

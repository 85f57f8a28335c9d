package retention

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func at(text string) time.Time {
	t, err := time.Parse("2006-01-02 15:04", text)
	if err != nil {
		panic(err)
	}
	return t
}

func TestMomentsThatAPolicyKeeps(t *testing.T) {
	changes := []string{
		"2025-11-03 10:00", "2025-12-24 18:00", "2025-12-31 23:00", "2026-01-12 08:00", "2026-01-12 08:59", "2026-01-12 09:00",
		"2026-01-14 12:00", "2026-01-14 12:30", "2026-01-14 13:00",
	}
	for _, tt := range []struct {
		name   string
		policy Policy
		pins   []string
		want   []string
	}{
		{"nothing", Policy{}, nil, nil},
		{"the last two", Policy{Last: 2}, nil, []string{"2026-01-14 12:30 [last]", "2026-01-14 13:00 [last]"}},
		{"more than there are", Policy{Last: 20}, nil, func() (out []string) {
			for _, c := range changes {
				out = append(out, c+" [last]")
			}
			return out
		}()},
		{"three hours with changes", Policy{Hourly: 3}, nil,
			[]string{"2026-01-12 09:00 [hourly]", "2026-01-14 12:30 [hourly]", "2026-01-14 13:00 [hourly]"}},
		{"days", Policy{Daily: 2}, nil, []string{"2026-01-12 09:00 [daily]", "2026-01-14 13:00 [daily]"}},
		{"weeks begin on Monday", Policy{Weekly: 2}, nil, []string{"2025-12-31 23:00 [weekly]", "2026-01-14 13:00 [weekly]"}},
		{"months", Policy{Monthly: 2}, nil, []string{"2025-12-31 23:00 [monthly]", "2026-01-14 13:00 [monthly]"}},
		{"all years", Policy{Yearly: All}, nil, []string{"2025-12-31 23:00 [yearly]", "2026-01-14 13:00 [yearly]"}},
		{"a day is the state at its end, with or without a change", Policy{WithinDaily: 8 * day}, nil,
			[]string{"2025-12-31 23:00 [daily]", "2026-01-12 09:00 [daily]", "2026-01-14 13:00 [daily]"}},
		{"for ever", Policy{WithinMonthly: Forever}, nil,
			[]string{"2025-11-03 10:00 [monthly]", "2025-12-31 23:00 [monthly]", "2026-01-14 13:00 [monthly]"}},
		{"pins, and many reasons", Policy{Daily: 1, Last: 1}, []string{"2025-12-01 00:00"},
			[]string{"2025-12-01 00:00 [pinned]", "2026-01-14 13:00 [last daily]"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var times, pins []time.Time
			for _, c := range changes {
				times = append(times, at(c))
			}
			for _, p := range tt.pins {
				pins = append(pins, at(p))
			}
			var got []string
			for _, m := range tt.policy.Decide(slices.Values(times), pins, at("2026-01-15 00:00")).Moments() {
				got = append(got, fmt.Sprint(m.At.Format("2006-01-02 15:04 "), m.Rules))
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestJudge(t *testing.T) {
	k := Policy{Within: 2 * day, Hold: day, Daily: 3}.Decide(slices.Values([]time.Time{
		at("2026-01-01 10:00"), at("2026-01-01 11:00"), at("2026-01-05 10:00"), at("2026-01-10 10:00"),
	}), nil, at("2026-01-10 10:00"))
	for _, tt := range []struct{ name, received, until, want string }{
		{"newest now", "2026-01-01 10:00", "", "[current hold within daily]"},
		{"gone within the hour", "2026-01-01 10:00", "2026-01-01 11:00", "[]"},
		{"the end of a day", "2026-01-01 11:00", "2026-01-05 10:00", "[daily]"},
		{"newest when the time began", "2026-01-05 10:00", "2026-01-10 10:00", "[hold within daily]"},
		{"superseded before it came, long ago", "2026-01-02 10:00", "2026-01-02 10:00", "[]"},
		{"superseded before it came, of late", "2026-01-09 09:00", "2026-01-09 09:00", "[within]"},
	} {
		var until time.Time
		if tt.until != "" {
			until = at(tt.until)
		}
		var rules []Rule
		for _, r := range k.Judge(at(tt.received), until) {
			rules = append(rules, r.Rule)
		}
		if got := fmt.Sprint(rules); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
	if want := at("2026-01-08 10:00"); !k.Since().Equal(want) {
		t.Errorf("since %s, want %s", k.Since(), want)
	}
}

func TestPoliciesThatCannotBeMeantAreRefused(t *testing.T) {
	if err := Default().Check(); err != nil {
		t.Error(err)
	}
	for _, p := range []Policy{{Last: -2}, {Hourly: -2}, {Within: -1}, {WithinYearly: -1}, {Hold: -1}} {
		if err := p.Check(); !errors.Is(err, ErrPolicy) {
			t.Errorf("%+v: %v", p, err)
		}
	}
}

func TestAHistoryToWhichNothingIsAddedThins(t *testing.T) {
	changes := []time.Time{start, start.Add(time.Minute), start.Add(time.Hour), start.Add(2 * time.Hour)}
	dropped := func(days int) (out []int) {
		k := Default().Decide(slices.Values(changes), nil, start.AddDate(0, 0, days))
		for i := range changes {
			var until time.Time
			if i+1 < len(changes) {
				until = changes[i+1]
			}
			if len(k.Judge(changes[i], until)) == 0 {
				out = append(out, i)
			}
		}
		return out
	}
	for _, tt := range []struct {
		days int
		want []int
	}{{1, nil}, {3, []int{0}}, {8, []int{0, 1, 2}}, {20_000, []int{0, 1, 2}}} {
		if got := dropped(tt.days); !slices.Equal(got, tt.want) {
			t.Errorf("after %d days %v are dropped, want %v", tt.days, got, tt.want)
		}
	}
}

func TestHoursWhereTheClocksChange(t *testing.T) {
	for _, name := range []string{"Europe/Zurich", "Australia/Lord_Howe", "America/Sao_Paulo", "Asia/Kathmandu"} {
		zone, err := time.LoadLocation(name)
		if err != nil {
			t.Skip(err)
		}
		for _, r := range []Rule{Hourly, Daily, Weekly, Monthly, Yearly} {
			var last time.Time
			for at := time.Date(2017, 1, 1, 0, 0, 0, 0, time.UTC); at.Year() < 2019; at = at.Add(17 * time.Minute) {
				begin, end := r.span(at, zone)
				if begin.Before(last) || begin.After(at) && r == Hourly || end.Before(begin) {
					t.Fatalf("%s, %s: %s lies from %s to %s, after %s", name, r, at, begin, end, last)
				}
				last = begin
			}
		}
	}
}

// history is versions of one record, each of which has seen those before it.
type history []time.Time

func (h history) until(i int) time.Time {
	if i+1 < len(h) {
		return h[i+1]
	}
	return time.Time{}
}

// at is what was newest at an instant, -1 for nothing.
func (h history) at(t time.Time) int {
	n := -1
	for i, c := range h {
		if !c.After(t) {
			n = i
		}
	}
	return n
}

func drawPolicy(t *rapid.T) Policy {
	n := func(name string) int { return rapid.SampledFrom([]int{0, 0, 1, 2, 5, All}).Draw(t, name) }
	d := func(name string) time.Duration {
		return rapid.SampledFrom([]time.Duration{0, 0, time.Hour, 30 * time.Hour, 9 * day, 100 * day, Forever}).Draw(t, name)
	}
	return Policy{
		Last: n("last"), Hourly: n("hourly"), Daily: n("daily"), Weekly: n("weekly"), Monthly: n("monthly"), Yearly: n("yearly"),
		Within: d("within"), WithinHourly: d("within hourly"), WithinDaily: d("within daily"), WithinWeekly: d("within weekly"),
		WithinMonthly: d("within monthly"), WithinYearly: d("within yearly"), Hold: d("hold"),
	}
}

func drawStep(t *rapid.T) time.Duration {
	return rapid.SampledFrom([]time.Duration{time.Microsecond, time.Minute, 50 * time.Minute, 7 * time.Hour, 3 * day, 40 * day}).Draw(t, "step") +
		time.Duration(rapid.IntRange(0, 1000).Draw(t, "more"))*time.Second
}

// Several records share a vault. At random times what is not needed is dropped.
// In the end, all that the policy keeps of the history as it was is restored
// from what is left as if nothing had been dropped, and nothing within the hold
// was dropped.
func TestDroppingAgainAndAgainKeepsWhatThePolicyKeeps(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawPolicy(t)
		const records = 3
		var whole, left [records]history
		var changes []time.Time
		now := start
		decide := func(of [records]history) *Kept {
			var all []time.Time
			for _, h := range of {
				all = append(all, h...)
			}
			slices.SortFunc(all, time.Time.Compare)
			return p.Decide(slices.Values(slices.CompactFunc(all, time.Time.Equal)), nil, now)
		}
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			now = now.Add(drawStep(t))
			if rapid.IntRange(0, 3).Draw(t, "what") > 0 {
				r := rapid.IntRange(0, records-1).Draw(t, "record")
				whole[r], left[r] = append(whole[r], now), append(left[r], now)
				changes = append(changes, now)
				continue
			}
			k := decide(left)
			for r, h := range left {
				var kept history
				for i, c := range h {
					if len(k.Judge(c, h.until(i))) > 0 {
						kept = append(kept, c)
					} else if p.Hold > 0 && h.until(i).After(before(now, p.Hold)) {
						t.Fatalf("dropped within the hold: %s", c)
					}
				}
				left[r] = kept
			}
		}
		if len(changes) == 0 {
			return
		}
		k := decide(whole)
		moments := []time.Time{now, k.Since()}
		for _, m := range k.Moments() {
			moments = append(moments, m.At)
		}
		for _, c := range changes {
			if !c.Before(k.Since()) {
				moments = append(moments, c, c.Add(-time.Microsecond))
			}
		}
		for _, m := range moments {
			if m.Before(k.Since()) && !slices.ContainsFunc(k.Moments(), func(o Moment) bool { return o.At.Equal(m) }) {
				continue
			}
			for r := range records {
				w, l := whole[r].at(m), left[r].at(m)
				switch {
				case (w < 0) != (l < 0):
					t.Fatalf("record %d at %s: %d, and %d of what is left", r, m, w, l)
				case w >= 0 && !whole[r][w].Equal(left[r][l]):
					t.Fatalf("record %d at %s: the version of %s instead of %s", r, m, left[r][l], whole[r][w])
				}
			}
		}
	})
}

func TestDecideIsTheSameOnWhatIsLeft(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawPolicy(t)
		var h history
		now := start
		for range rapid.IntRange(1, 40).Draw(t, "changes") {
			now = now.Add(drawStep(t))
			h = append(h, now)
		}
		k := p.Decide(slices.Values(h), nil, now)
		var left history
		for i, c := range h {
			if len(k.Judge(c, h.until(i))) > 0 {
				left = append(left, c)
			}
		}
		again := p.Decide(slices.Values(left), nil, now)
		for i, c := range left {
			if len(again.Judge(c, left.until(i))) == 0 {
				t.Fatalf("%s is kept, and dropped of what is left", c)
			}
		}
		if !k.Since().Equal(again.Since()) {
			t.Fatalf("since %s and then %s", k.Since(), again.Since())
		}
	})
}

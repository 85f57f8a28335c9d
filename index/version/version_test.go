package version

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// vectors draws vectors over few replicas with small counters, so that all
// four relations come up often.
var vectors = rapid.Custom(func(t *rapid.T) Vector {
	counts := rapid.SliceOfN(rapid.Uint64Range(0, 3), 4, 4).Draw(t, "counts")
	var v Vector
	for i, n := range counts {
		if n > 0 {
			v = append(v, Counter{ReplicaID(i + 1), n})
		}
	}
	return v
})

var versions = rapid.Custom(func(t *rapid.T) Version {
	return Version{
		Vector: vectors.Draw(t, "vector"),
		Clock:  Clock(rapid.Uint64Range(0, 3).Draw(t, "clock")),
		Author: ReplicaID(rapid.Uint64Range(1, 4).Draw(t, "author")),
	}
})

func TestJoinIsALeastUpperBound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := vectors.Draw(t, "a"), vectors.Draw(t, "b"), vectors.Draw(t, "c")
		ab := a.Join(b)
		if ba := b.Join(a); !slices.Equal(ab, ba) {
			t.Errorf("it does not commute: %v and %v", ab, ba)
		}
		if l, r := ab.Join(c), a.Join(b.Join(c)); !slices.Equal(l, r) {
			t.Errorf("it does not associate: %v and %v", l, r)
		}
		if aa := a.Join(a); !slices.Equal(aa, a) {
			t.Errorf("%v joined with itself is %v", a, aa)
		}
		if !a.Within(ab) || !b.Within(ab) {
			t.Errorf("%v has not seen both %v and %v", ab, a, b)
		}
		if a.Within(c) && b.Within(c) && !ab.Within(c) {
			t.Errorf("%v has seen %v and %v, but not their join %v", c, a, b, ab)
		}
		if err := ab.check(); err != nil {
			t.Errorf("%v: %v", ab, err)
		}
	})
}

func TestJoinChangesNoneOfItsOperands(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := vectors.Draw(t, "a"), vectors.Draw(t, "b")
		wasA, wasB := slices.Clone(a), slices.Clone(b)
		j := a.Join(b)
		for i := range j {
			j[i].Count = 99
		}
		if !slices.Equal(a, wasA) || !slices.Equal(b, wasB) {
			t.Error("an operand has changed")
		}
	})
}

func TestCompareTellsWhoHasSeenWhat(t *testing.T) {
	opposite := map[Order]Order{Equal: Equal, Before: After, After: Before, Concurrent: Concurrent}
	rapid.Check(t, func(t *rapid.T) {
		a, b := vectors.Draw(t, "a"), vectors.Draw(t, "b")
		order := a.Compare(b)
		if back := b.Compare(a); back != opposite[order] {
			t.Errorf("%v is %v %v, but the other way %v", a, order, b, back)
		}
		if (order == Equal) != slices.Equal(a, b) {
			t.Errorf("%v and %v are %v", a, b, order)
		}
		within := true
		for r := ReplicaID(1); r <= 4; r++ {
			within = within && a.Count(r) <= b.Count(r)
		}
		if a.Within(b) != within || within != (order == Equal || order == Before) {
			t.Errorf("%v within %v: %v, %v", a, b, a.Within(b), order)
		}
		if joined := a.Join(b); slices.Equal(joined, b) != within {
			t.Errorf("%v within %v: %v, but their join is %v", a, b, within, joined)
		}
	})
}

func TestWithNeverLowersACounter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := vectors.Draw(t, "v")
		r, n := ReplicaID(rapid.Uint64Range(1, 5).Draw(t, "replica")), rapid.Uint64Range(1, 5).Draw(t, "count")
		w := v.With(r, n)
		for o := ReplicaID(1); o <= 5; o++ {
			want := v.Count(o)
			if o == r {
				want = max(want, n)
			}
			if w.Count(o) != want {
				t.Errorf("%v with %d of %v is %v", v, n, r, w)
			}
		}
	})
}

func TestBeatsIsATotalOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := versions.Draw(t, "a"), versions.Draw(t, "b"), versions.Draw(t, "c")
		same := a.Clock == b.Clock && a.Author == b.Author
		if same == (a.Beats(b) != b.Beats(a)) {
			t.Errorf("%v and %v: neither or both beat the other", a, b)
		}
		if a.Beats(a) {
			t.Errorf("%v beats itself", a)
		}
		if a.Beats(b) && b.Beats(c) && !a.Beats(c) {
			t.Errorf("%v beats %v, and that %v, but the first not the last", a, b, c)
		}
	})
}

func TestJoinOfVersionsIsTheWinnersWhoeverAsks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := versions.Draw(t, "a"), versions.Draw(t, "b"), versions.Draw(t, "c")
		ab, ba := a.Join(b), b.Join(a)
		if !equal(ab, ba) {
			t.Errorf("%v or %v", ab, ba)
		}
		winner := a
		if b.Beats(a) {
			winner = b
		}
		if ab.Clock != winner.Clock || ab.Author != winner.Author {
			t.Errorf("%v has the clock and author of neither winner", ab)
		}
		if l, r := ab.Join(c), a.Join(b.Join(c)); !equal(l, r) {
			t.Errorf("it does not associate: %v and %v", l, r)
		}
	})
}

func equal(a, b Version) bool {
	return slices.Equal(a.Vector, b.Vector) && a.Clock == b.Clock && a.Author == b.Author
}

// meet is what a device that holds one version does with another, by the rules
// of the model.
func meet(held, r Version) Version {
	switch held.Compare(r) {
	case Before:
		return r
	case Concurrent:
		if r.Beats(held) {
			return held.Join(r)
		}
	case Equal, After:
	}
	return held
}

// history draws what devices make of one path: each edits what it holds, or
// meets what another holds, whatever the wall clocks say. The edits come
// first, then what was held in between.
func history(t *rapid.T) (edits, met []Version) {
	const devices = 4
	var held [devices]Version
	var counts [devices]uint64
	device := rapid.IntRange(0, devices-1)
	for range rapid.IntRange(1, 16).Draw(t, "steps") {
		me, other := device.Draw(t, "device"), device.Draw(t, "other")
		if me != other {
			held[me] = meet(held[me], held[other])
			met = append(met, held[me])
			continue
		}
		counts[me] += rapid.Uint64Range(1, 3).Draw(t, "gap") // other paths' events lie between
		wall := Clock(rapid.Uint64Range(1, 20).Draw(t, "wall"))
		held[me] = held[me].Next(ReplicaID(me+1), counts[me], wall)
		edits = append(edits, held[me])
	}
	met = slices.DeleteFunc(met, Version.IsZero)
	return edits, met
}

func TestWhatComesLaterIsNotBeaten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		edits, met := history(t)
		all := slices.Concat(edits, met)
		for i, a := range all {
			if err := a.Check(); err != nil {
				t.Errorf("%v: %v", a, err)
			}
			for _, b := range all {
				switch b.Compare(a) {
				case Equal:
					if !equal(a, b) {
						t.Errorf("%v and %v have one vector, but differ", a, b)
					}
					continue
				case After, Concurrent:
					continue
				case Before:
				}
				if b.Beats(a) {
					t.Errorf("%v comes before %v and beats it", b, a)
				}
				if i < len(edits) && !a.Beats(b) { // all but a join strictly
					t.Errorf("%v is a change of %v and does not beat it", a, b)
				}
			}
		}
	})
}

func TestTheWinnerDoesNotDependOnTheOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		edits, met := history(t)
		all := slices.Concat(edits, met)
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		for range 10 {
			var held Version
			for _, i := range r.Perm(len(all)) {
				held = meet(held, all[i])
			}
			for _, v := range all {
				if v.Beats(held) {
					t.Fatalf("%v is held in the end, but %v beats it; of %v", held, v, all)
				}
			}
		}
	})
}

func TestNextGoesOnWhateverTheWallClock(t *testing.T) {
	first := Version{}.Next(7, 1, 1000)
	if want := (Version{Vector{{7, 1}}, 1000, 7}); !equal(first, want) {
		t.Errorf("the first is %v, want %v", first, want)
	}
	back := first.Next(7, 5, 10)
	if want := (Version{Vector{{7, 5}}, 1001, 7}); !equal(back, want) {
		t.Errorf("with a clock set back: %v, want %v", back, want)
	}
	other := back.Next(3, 1, 5000)
	if want := (Version{Vector{{3, 1}, {7, 5}}, 5000, 3}); !equal(other, want) {
		t.Errorf("on another device: %v, want %v", other, want)
	}
	if !(Version{}).IsZero() || first.IsZero() {
		t.Error("only the version of nothing is zero")
	}
}

func TestCheckRefusesWhatNoDeviceMakes(t *testing.T) {
	long := func(n int) Vector {
		v := make(Vector, n)
		for i := range v {
			v[i] = Counter{ReplicaID(i + 1), 1}
		}
		return v
	}
	good := Version{Vector{{1, 1}, {2, MaxCount}}, MaxClock, 1}
	for name, c := range map[string]struct {
		v  Version
		ok bool
	}{
		"a good one":                 {good, true},
		"the longest":                {Version{long(MaxReplicas), 1, 1}, true},
		"nothing":                    {Version{}, false},
		"an empty vector":            {Version{Vector{}, 1, 1}, false},
		"one replica too many":       {Version{long(MaxReplicas + 1), 1, 1}, false},
		"a zero clock":               {Version{Vector{{1, 1}}, 0, 1}, false},
		"a clock beyond the bound":   {Version{Vector{{1, 1}}, MaxClock + 1, 1}, false},
		"the largest clock of all":   {Version{Vector{{1, 1}}, 1<<64 - 1, 1}, false},
		"an author not in it":        {Version{Vector{{1, 1}}, 1, 2}, false},
		"no author":                  {Version{Vector{{1, 1}}, 1, 0}, false},
		"replica zero":               {Version{Vector{{0, 1}, {1, 1}}, 1, 1}, false},
		"replica zero as author":     {Version{Vector{{0, 1}}, 1, 0}, false},
		"replicas out of order":      {Version{Vector{{2, 1}, {1, 1}}, 1, 1}, false},
		"a replica twice":            {Version{Vector{{1, 1}, {1, 2}}, 1, 1}, false},
		"a zero counter":             {Version{Vector{{1, 1}, {2, 0}}, 1, 1}, false},
		"a counter beyond the bound": {Version{Vector{{1, MaxCount + 1}}, 1, 1}, false},
		"the largest counter of all": {Version{Vector{{1, 1<<64 - 1}}, 1, 1}, false},
	} {
		t.Run(name, func(t *testing.T) {
			err := c.v.Check()
			if (err == nil) != c.ok || err != nil && !errors.Is(err, ErrBounds) {
				t.Errorf("Check: %v", err)
			}
		})
	}
}

func TestAClockIsAWallTimeInMicroseconds(t *testing.T) {
	at := time.Date(2026, 11, 22, 14, 3, 7, 123456789, time.UTC)
	if got := ClockAt(at).Time(); !got.Equal(at.Truncate(time.Microsecond)) {
		t.Errorf("%v became %v", at, got)
	}
	if c := ClockAt(time.Date(1960, 1, 1, 0, 0, 0, 0, time.UTC)); c != 0 {
		t.Errorf("a time before 1970 became %d", c)
	}
	if y := Clock(1<<64 - 1).Time().Year(); y < 70000 || y > 80000 {
		t.Errorf("a clock beyond all bounds shows the year %d", y)
	}
}

func TestVersionsPrintForPeople(t *testing.T) {
	if s := fmt.Sprint(ReplicaID(0xab), Equal, Before, After, Concurrent); s != "00000000000000ab equal before after concurrent" {
		t.Error(s)
	}
}

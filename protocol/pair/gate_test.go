package pair

import (
	"crypto/rand"
	"errors"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// step is one thing that happens to a gate.
type step func(g *Gate)

// The steps below act on the window opened last.
func open(g *Gate)   { _, _ = g.Open(Near) }
func closed(g *Gate) { g.window.Close() }
func begin(g *Gate)  { _, _ = g.begin(g.window.Code().Plate()) }
func commit(g *Gate) { g.attempt.commit() }
func prove(g *Gate)  { _ = g.attempt.prove() }
func ended(g *Gate)  { g.attempt.end(Peer{}, errDiskFull) }
func burn(g *Gate)   { open(g); begin(g); commit(g); ended(g) }

func wait(d time.Duration) step {
	return func(g *Gate) { now := g.now; g.now = func() time.Time { return now().Add(d) } }
}

func TestEveryTransitionOfTheGate(t *testing.T) {
	for name, c := range map[string]struct {
		steps       []step
		open, begin error // what the next Open or begin says
		burns       int
	}{
		"new":                      {nil, nil, ErrNoWindow, 0},
		"open":                     {[]step{open}, ErrOpen, nil, 0},
		"open for long":            {[]step{open, wait(Validity - 1)}, ErrOpen, nil, 0},
		"expired":                  {[]step{open, wait(Validity)}, nil, ErrExpired, 0},
		"closed":                   {[]step{open, closed}, nil, ErrNoWindow, 0},
		"closed twice":             {[]step{open, closed, closed}, nil, ErrNoWindow, 0},
		"reopened":                 {[]step{open, closed, open}, ErrOpen, nil, 0},
		"begun":                    {[]step{open, begin}, ErrBusy, ErrBusy, 0},
		"begun and expired":        {[]step{open, begin, wait(Validity)}, ErrBusy, ErrBusy, 0},
		"begun and closed":         {[]step{open, begin, closed}, ErrBusy, ErrBusy, 0},
		"begun for nothing":        {[]step{open, begin, ended}, ErrOpen, nil, 0},
		"begun, closed, ended":     {[]step{open, begin, closed, ended}, nil, ErrNoWindow, 0},
		"committed":                {[]step{open, begin, commit}, ErrBusy, ErrBusy, 0},
		"burnt":                    {[]step{burn}, nil, ErrBurnt, 1},
		"burnt and expired":        {[]step{burn, wait(Validity)}, nil, ErrBurnt, 0},
		"committed, closed, ended": {[]step{open, begin, commit, closed, ended}, nil, ErrNoWindow, 1},
		"proven":                   {[]step{open, begin, commit, prove}, ErrBusy, ErrBusy, 0},
		"used":                     {[]step{open, begin, commit, prove, ended}, nil, ErrNoWindow, 0},
		"closed before the proof":  {[]step{open, begin, commit, closed, prove, ended}, nil, ErrNoWindow, 0},
		"two burnt":                {[]step{burn, burn}, nil, ErrBurnt, 2},
		"three burnt":              {[]step{burn, burn, burn}, ErrPaused, ErrPaused, 3},
		"three burnt, fourth try":  {[]step{burn, burn, burn, open}, ErrPaused, ErrPaused, 3},
		"pause not over":           {[]step{burn, burn, burn, wait(BurnSpan - 1)}, ErrPaused, ErrPaused, 3},
		"pause over":               {[]step{burn, burn, burn, wait(BurnSpan)}, nil, ErrBurnt, 0},
		"two and a late third":     {[]step{burn, wait(BurnSpan), burn, burn}, nil, ErrBurnt, 2},
		"a sliding span":           {[]step{burn, wait(BurnSpan / 2), burn, burn, wait(BurnSpan / 2)}, nil, ErrBurnt, 2},
		"a sliding pause":          {[]step{burn, wait(BurnSpan / 2), burn, burn, wait(BurnSpan / 2), burn}, ErrPaused, ErrPaused, 3},
	} {
		t.Run(name, func(t *testing.T) {
			for what, want := range map[string]error{"open": c.open, "begin": c.begin} {
				g := NewGate(newClock().now, rand.Reader)
				for _, s := range c.steps {
					s(g)
				}
				var err error
				if what == "open" {
					_, err = g.Open(Near)
				} else {
					plate := Plate(1)
					if g.window != nil {
						plate = g.window.Code().Plate()
					}
					_, err = g.begin(plate)
				}
				if !errors.Is(err, want) || want == nil && err != nil {
					t.Errorf("%s: %v, want %v", what, err, want)
				}
				if len(g.burns) != c.burns {
					t.Errorf("%d codes burnt, want %d", len(g.burns), c.burns)
				}
			}
		})
	}
}

func TestAPauseSaysUntilWhen(t *testing.T) {
	c := newClock()
	g := NewGate(c.now, rand.Reader)
	first := c.now()
	for range MaxBurns {
		burn(g)
		c.advance(time.Minute)
	}
	_, err := g.Open(Near)
	var paused *PausedError
	if !errors.As(err, &paused) || !paused.Until.Equal(first.Add(BurnSpan)) {
		t.Fatalf("open: %v", err)
	}
	if g.Admits() {
		t.Error("a paused gate admits strangers")
	}
	c.advance(paused.Until.Sub(c.now()))
	mustOpen(t, g)
}

func TestAWindowTellsHowItEnded(t *testing.T) {
	g, w, c := openGate(t)
	if p, err := w.Result(); p != (Peer{}) || err != nil {
		t.Errorf("open: %v, %v", p, err)
	}
	if !w.Expires().Equal(c.now().Add(Validity)) {
		t.Errorf("expires %s", w.Expires())
	}
	begin(g)
	if _, err := w.Result(); !errors.Is(err, ErrBusy) {
		t.Errorf("begun: %v", err)
	}
	ended(g)
	c.advance(Validity)
	if _, err := w.Result(); !errors.Is(err, ErrExpired) {
		t.Errorf("expired: %v", err)
	}
	select {
	case <-w.Done():
		t.Error("done before it was replaced")
	default:
	}
	mustOpen(t, g)
	<-w.Done()
	if _, err := w.Result(); !errors.Is(err, ErrExpired) {
		t.Errorf("replaced: %v", err)
	}
}

func TestACodeDoesNotOutliveASleepThatTheMonotonicClockMissed(t *testing.T) {
	then := time.Now()
	asleep := then.Round(0).Add(Validity) // has no monotonic reading
	if got := age(then, asleep); got != Validity {
		t.Errorf("age %s", got)
	}
	back := then.Round(0).Add(-time.Hour)
	if got := age(back, then); got != time.Hour {
		t.Errorf("age %s", got)
	}
}

func TestTwoWindowsInARowHaveDifferentNameplates(t *testing.T) {
	g := NewGate(newClock().now, rand.Reader)
	last := Plate(0)
	for range 1000 {
		w := mustOpen(t, g)
		if w.Code().Plate() == last {
			t.Fatalf("nameplate %d twice", last)
		}
		last = w.Code().Plate()
		w.Close()
	}
}

// TestTheGateKeepsItsPromises drives a gate at random: no code is ever
// committed twice, no two attempts run at a time, no span of ten minutes has
// more than three burns, nothing begins on a window that has ended, and no
// window that was closed before the proof is ever used.
func TestTheGateKeepsItsPromises(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &gateModel{clock: newClock(), committed: map[*Window]int{}, closed: map[*Window]bool{}}
		m.gate = NewGate(m.clock.now, rand.Reader)
		t.Repeat(map[string]func(*rapid.T){
			"":       m.check,
			"open":   m.open,
			"close":  m.close,
			"begin":  m.begin,
			"commit": m.commit,
			"prove":  m.prove,
			"end":    m.end,
			"wait": func(t *rapid.T) {
				m.clock.advance(time.Duration(rapid.IntRange(1, 400).Draw(t, "seconds")) * time.Second)
			},
		})
	})
}

// gateModel is what an onlooker knows of a gate.
type gateModel struct {
	clock     *clock
	gate      *Gate
	windows   []*Window
	committed map[*Window]int
	closed    map[*Window]bool // before a proof
	attempt   *attempt
	spent     bool // the attempt has committed
	proven    bool
	burns     []time.Time
}

func (m *gateModel) last() *Window {
	if len(m.windows) == 0 {
		return nil
	}
	return m.windows[len(m.windows)-1]
}

func (m *gateModel) open(t *rapid.T) {
	w, err := m.gate.Open(Near)
	if err != nil {
		return
	}
	if m.attempt != nil {
		t.Fatal("opened during an attempt")
	}
	m.windows = append(m.windows, w)
}

func (m *gateModel) close(t *rapid.T) {
	if len(m.windows) == 0 {
		t.Skip("nothing to close")
	}
	w := rapid.SampledFrom(m.windows).Draw(t, "window")
	w.Close()
	if m.attempt == nil || m.attempt.window != w || !m.proven {
		m.closed[w] = true
	}
}

func (m *gateModel) begin(t *rapid.T) {
	if len(m.windows) == 0 {
		t.Skip("no window")
	}
	w := rapid.SampledFrom(m.windows).Draw(t, "window")
	a, err := m.gate.begin(w.Code().Plate())
	if err != nil {
		return
	}
	switch {
	case m.attempt != nil:
		t.Fatal("two attempts at a time")
	case a.window != m.last():
		t.Fatal("began on an old window")
	case m.committed[a.window] > 0 || m.closed[a.window]:
		t.Fatal("began on a window that has ended")
	case !m.clock.now().Before(a.window.Expires()):
		t.Fatal("began on an expired window")
	}
	m.attempt, m.spent, m.proven = a, false, false
}

func (m *gateModel) commit(t *rapid.T) {
	if m.attempt == nil || m.spent {
		t.Skip("nothing to commit")
	}
	m.attempt.commit()
	m.spent = true
	m.committed[m.attempt.window]++
}

func (m *gateModel) prove(t *rapid.T) {
	if m.attempt == nil || !m.spent || m.proven {
		t.Skip("nothing to prove")
	}
	m.proven = true
	if err := m.attempt.prove(); (err == nil) == m.closed[m.attempt.window] {
		t.Fatalf("closed %v, proof says %v", m.closed[m.attempt.window], err)
	}
}

func (m *gateModel) end(t *rapid.T) {
	if m.attempt == nil {
		t.Skip("nothing to end")
	}
	m.attempt.end(Peer{Name: "peer"}, nil)
	m.attempt.end(Peer{Name: "other"}, nil) // of no effect
	if m.spent && !m.proven {
		m.burns = append(m.burns, m.clock.now())
	}
	used := m.proven && !m.closed[m.attempt.window]
	if p, _ := m.attempt.window.Result(); (p.Name == "peer") != used {
		t.Fatalf("used %v, result %v", used, p)
	}
	m.attempt = nil
}

func (m *gateModel) check(t *rapid.T) {
	for w, n := range m.committed {
		if n > 1 {
			t.Fatalf("code %d was committed %d times", w.Code().Plate(), n)
		}
	}
	for i := range m.burns {
		if i+MaxBurns < len(m.burns) && m.burns[i+MaxBurns].Sub(m.burns[i]) < BurnSpan {
			t.Fatalf("%d codes burnt within %s", MaxBurns+1, m.burns[i+MaxBurns].Sub(m.burns[i]))
		}
	}
}

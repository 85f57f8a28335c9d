package traffic

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kithmesh/kith/index/entry"
)

// sink is a stream that takes and gives whatever is asked of it, at once.
type sink struct {
	reset atomic.Bool
	n     atomic.Int64 // bytes so far
}

func (s *sink) Read(b []byte) (int, error)  { s.n.Add(int64(len(b))); return len(b), nil }
func (s *sink) Write(b []byte) (int, error) { s.n.Add(int64(len(b))); return len(b), nil }
func (s *sink) Close() error                { return nil }
func (s *sink) Reset() error                { s.reset.Store(true); return nil }

// pump writes to a lane until it is reset.
func pump(l io.Writer, size int) {
	b := make([]byte, size)
	for {
		if _, err := l.Write(b); err != nil {
			return
		}
	}
}

func near(t *testing.T, what string, got int64, want float64) {
	t.Helper()
	if g := float64(got); g < 0.9*want || g > 1.1*want {
		t.Errorf("%s: %d bytes, want about %.0f", what, got, want)
	}
}

func TestARateIsKeptBothWaysWhateverIsWrittenAtOnce(t *testing.T) {
	for _, rate := range []Rate{Least, 100_000, 2_500_000, 50_000_000} {
		for _, size := range []int{700, 64 << 10} {
			synctest.Test(t, func(t *testing.T) {
				m := NewMeter(Rules{}.With(Rule{Up: rate, Down: rate}))
				const long = 10 * time.Second
				for _, way := range []string{"up", "down"} {
					s := &sink{}
					l := m.Lane(Origin{Device: "d"}, s)
					var wg sync.WaitGroup
					wg.Go(func() {
						if way == "up" {
							pump(l, size)
						} else {
							pump(reads{l}, size)
						}
					})
					time.Sleep(long)
					near(t, fmt.Sprintf("%s, %d a second, %d at once", way, rate, size), s.n.Load(), long.Seconds()*float64(rate))
					_ = l.Reset()
					wg.Wait()
				}
			})
		}
	}
}

// reads makes writes of reads, so that they can be pumped.
type reads struct{ io.Reader }

func (r reads) Write(b []byte) (int, error) { return r.Read(b) }

func TestDevicesHaveTheirOwnRateWithinThatOfAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := NewMeter(Rules{LAN: 3_000_000}.With(Rule{Up: 1_000_000}).With(Rule{Device: "slow", Up: 100_000}))
		var wg sync.WaitGroup
		for name, want := range map[string]float64{"slow": 1_000_000, "fast": 9_000_000, "near": 30_000_000} {
			s := &sink{}
			l := m.Lane(Origin{Device: entry.DeviceID(name), LAN: name == "near"}, s)
			wg.Go(func() { pump(l, 50_000) })
			wg.Go(func() {
				time.Sleep(10 * time.Second)
				near(t, name, s.n.Load(), want)
				_ = l.Reset()
			})
		}
		wg.Wait()
	})
}

func TestTheLocalNetworkIsExempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := NewMeter(Rules{}.With(Rule{Up: Least}).With(Rule{Device: "d", Up: Least}))
		l := m.Lane(Origin{Device: "d", LAN: true}, &sink{})
		began := time.Now()
		if _, err := l.Write(make([]byte, 100<<20)); err != nil || time.Since(began) > 0 {
			t.Errorf("%v, %v", time.Since(began), err)
		}
	})
}

func TestFoldersShareARateWhateverTheNumberOfTheirStreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := NewMeter(Rules{}.With(Rule{Up: 1_000_000}))
		var wg sync.WaitGroup
		var all []*Lane
		var sent [2][]*sink
		for folder, streams := range []int{1, 16} {
			for range streams {
				s := &sink{}
				l := m.Lane(Origin{Device: "d"}, s)
				l.Serve(entry.FolderID{byte(folder + 1)})
				all, sent[folder] = append(all, l), append(sent[folder], s)
				wg.Go(func() { pump(l, 300_000) })
			}
		}
		time.Sleep(20 * time.Second)
		for _, folder := range sent {
			var sum int64
			for _, s := range folder {
				sum += s.n.Load()
			}
			near(t, fmt.Sprintf("a folder with %d streams", len(folder)), sum, 10_000_000)
		}
		for _, l := range all {
			_ = l.Reset()
		}
		wg.Wait()
	})
}

func TestALittleOvertakesBulk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const rate = 100_000
		m := NewMeter(Rules{}.With(Rule{Up: rate}))
		var wg sync.WaitGroup
		defer wg.Wait()
		for range 16 {
			l := m.Lane(Origin{Device: "d"}, &sink{})
			l.Serve(entry.FolderID{1})
			wg.Go(func() { pump(l, 1<<20) })
			defer func() { _ = l.Reset() }()
		}
		l := m.Lane(Origin{Device: "d"}, &sink{})
		l.Serve(entry.FolderID{1})
		time.Sleep(10 * time.Second) // while the first bytes of the bulk go
		for range 10 {
			time.Sleep(time.Second)
			began := time.Now()
			if _, err := l.Write(make([]byte, 2000)); err != nil {
				t.Error(err)
			}
			if took := time.Since(began); took > 100*time.Millisecond {
				t.Errorf("2 kB took %v at %d bytes a second", took, rate)
			}
		}
	})
}

func TestNewRulesHoldAtOnceForWhatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := NewMeter(Rules{}.With(Rule{Up: Least}))
		l := m.Lane(Origin{Device: "d"}, &sink{})
		began := time.Now()
		done := make(chan error)
		go func() {
			_, err := l.Write(make([]byte, 1<<20))
			done <- err
		}()
		time.Sleep(time.Second)
		m.Set(Rules{})
		if err := <-done; err != nil || time.Since(began) > 1100*time.Millisecond {
			t.Errorf("%v after %v", err, time.Since(began))
		}
	})
}

func TestRulesChangeWithTheTimeOfDay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := time.Now()
		from := now.Add(time.Hour).Truncate(time.Minute)
		between := Span{from.Hour()*60 + from.Minute(), (from.Hour()*60 + from.Minute() + 10) % minutesOfDay}
		m := NewMeter(Rules{}.With(Rule{Up: 10_000, Between: between}))
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- m.Run(ctx) }()
		l := m.Lane(Origin{Device: "d"}, &sink{})
		for _, c := range []struct {
			after   time.Duration
			limited bool
		}{{time.Minute, false}, {61 * time.Minute, true}, {69 * time.Minute, true}, {71 * time.Minute, false}} {
			time.Sleep(time.Until(now.Add(c.after)))
			began := time.Now()
			_, _ = l.Write(make([]byte, 50_000))
			if limited := time.Since(began) > 4*time.Second; limited != c.limited {
				t.Errorf("after %v: 50 kB took %v", c.after, time.Since(began))
			}
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

func TestAResetEndsWhatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := NewMeter(Rules{}.With(Rule{Up: Least, Down: Least}))
		s := &sink{}
		l := m.Lane(Origin{Device: "d"}, s)
		done := make(chan error, 2)
		go func() { _, err := l.Write(make([]byte, 1<<20)); done <- err }()
		go func() { _, err := io.CopyN(io.Discard, l, 1<<20); done <- err }()
		time.Sleep(time.Second)
		_ = l.Reset()
		for range 2 {
			if err := <-done; !errors.Is(err, ErrGivenUp) {
				t.Error(err)
			}
		}
		if !s.reset.Load() {
			t.Error("the stream was not reset")
		}
	})
}

func BenchmarkALaneWithoutRules(b *testing.B) {
	l := NewMeter(Rules{}).Lane(Origin{Device: "d"}, &sink{})
	buf := make([]byte, 64<<10)
	for b.Loop() {
		_, _ = l.Write(buf)
	}
}

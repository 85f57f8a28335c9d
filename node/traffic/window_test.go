package traffic

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kithmesh/kith/index/entry"
)

// pipe is a link that carries so many bytes a second, one request after the
// other, and takes a while there and back.
type pipe struct {
	rate float64
	trip time.Duration
	turn chan struct{} // held by what is carried
}

func newPipe(rate float64, trip time.Duration) *pipe {
	return &pipe{rate, trip, make(chan struct{}, 1)}
}

func (p *pipe) fetch(n int) {
	<-time.After(p.trip)
	p.carry(n)
}

func (p *pipe) carry(n int) {
	p.turn <- struct{}{}
	defer func() { <-p.turn }()
	<-time.After(time.Duration(float64(n) / p.rate * float64(time.Second)))
}

// bulk has workers fetch for a folder until the time is over.
func bulk(ctx context.Context, w *Window, p *pipe, f entry.FolderID, workers int) int64 {
	var mu sync.Mutex
	var sum int64
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for {
				l, err := w.Ask(ctx, f, 4<<20, false)
				if err != nil {
					return
				}
				first := min(l.Bytes(), 64<<10)
				p.fetch(first)
				l.First()
				p.carry(l.Bytes() - first)
				mu.Lock()
				sum += int64(l.Bytes())
				mu.Unlock()
				l.Done(l.Bytes())
			}
		})
	}
	wg.Wait()
	return sum
}

func TestAWindowKeepsALinkFullAndItsQueueShort(t *testing.T) {
	for name, c := range map[string]struct {
		rate    float64
		trip    time.Duration
		longest time.Duration // that a small request takes
	}{
		"slow":            {100_000, 30 * time.Millisecond, 2 * time.Second},
		"20 Mbit/s":       {2_500_000, 10 * time.Millisecond, 400 * time.Millisecond},
		"fast":            {500_000_000, time.Millisecond, 400 * time.Millisecond},
		"fast and far":    {25_000_000, 100 * time.Millisecond, 600 * time.Millisecond},
		"by a satellite":  {5_000_000, 600 * time.Millisecond, 2 * time.Second},
		"far, and slower": {1_000_000, 250 * time.Millisecond, 1500 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, p := NewWindow(), newPipe(c.rate, c.trip)
				ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
				defer cancel()
				got := make(chan int64)
				go func() { got <- bulk(ctx, w, p, entry.FolderID{1}, 16) }()
				time.Sleep(time.Minute)
				for range 10 {
					time.Sleep(5 * time.Second)
					began := time.Now()
					l, err := w.Ask(ctx, entry.FolderID{2}, 2000, true)
					if err != nil {
						t.Error(err)
						break
					}
					p.fetch(2000)
					l.Done(2000)
					if took := time.Since(began); took > c.longest {
						t.Errorf("a small request took %v", took)
					}
				}
				if n, want := float64(<-got), 120*c.rate; n < 0.9*want {
					t.Errorf("%.0f %% of the link was used", 100*n/want)
				}
			})
		})
	}
}

func TestFoldersShareAWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, p := NewWindow(), newPipe(2_500_000, 10*time.Millisecond)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		var got [2]int64
		var wg sync.WaitGroup
		for i, workers := range []int{4, 16} {
			wg.Go(func() { got[i] = bulk(ctx, w, p, entry.FolderID{byte(i + 1)}, workers) })
		}
		wg.Wait()
		for i := range got {
			near(t, "a folder", got[i], 60*p.rate/2)
		}
	})
}

func TestWhoGivesUpWaitingKeepsNoPartOfTheWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := NewWindow()
		ctx, cancel := context.WithCancel(t.Context())
		var all []*Leave
		for w.out < w.size {
			l, _ := w.Ask(ctx, entry.FolderID{}, 4<<20, false)
			all = append(all, l)
		}
		done := make(chan error)
		go func() {
			_, err := w.Ask(ctx, entry.FolderID{}, 4<<20, false)
			done <- err
		}()
		synctest.Wait()
		cancel()
		if err := <-done; err == nil {
			t.Error("it was given leave")
		}
		for _, l := range all {
			l.Done(0)
		}
		if w.out != 0 || len(w.waiting) != 0 {
			t.Errorf("%d bytes are out, %d wait", w.out, len(w.waiting))
		}
	})
}

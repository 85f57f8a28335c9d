package traffic

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/kithmesh/kith/index/entry"
)

// Meter holds a device to its rules.
type Meter struct {
	gates [2]gate
	free  atomic.Bool // no rule limits anything now

	mu    sync.Mutex
	rules Rules
	woken chan struct{}
}

// NewMeter holds a device to rules, which must be sound.
func NewMeter(r Rules) *Meter {
	m := &Meter{woken: make(chan struct{}, 1)}
	for i := range m.gates {
		m.gates[i].per = map[entry.DeviceID]*bucket{}
	}
	m.Set(r)
	return m
}

// Set replaces the rules; they hold when it returns.
func (m *Meter) Set(r Rules) {
	m.mu.Lock()
	m.rules = r
	m.apply(time.Now())
	m.mu.Unlock()
	select {
	case m.woken <- struct{}{}:
	default:
	}
}

// Rules are those that were set.
func (m *Meter) Rules() Rules {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.rules
}

// Now are the rates that hold now.
func (m *Meter) Now() Rates { return m.Rules().At(time.Now()) }

func (m *Meter) apply(now time.Time) {
	at := m.rules.At(now)
	free := true
	for way := range m.gates {
		per := map[entry.DeviceID]Rate{}
		for d, p := range at.Per {
			per[d] = p[way]
			free = free && p[way] <= 0
		}
		free = free && at.All[way] <= 0 && at.LAN[way] <= 0
		m.gates[way].set(at.All[way], at.LAN[way], per)
	}
	m.free.Store(free)
}

// Run follows the time of day, until ctx ends. It looks once a minute rather
// than to wait for the next change, so that a clock that is set, a change of
// zone and a machine that slept are noticed; without times of day in the rules
// it does not wake at all.
func (m *Meter) Run(ctx context.Context) error {
	for {
		var next <-chan time.Time
		m.mu.Lock()
		now := time.Now()
		m.apply(now)
		for _, one := range m.rules.Rules {
			if !one.Between.Always() && next == nil {
				next = time.After(now.Truncate(time.Minute).Add(time.Minute).Sub(now))
			}
		}
		m.mu.Unlock()
		select {
		case <-next:
		case <-m.woken:
		case <-ctx.Done():
			return nil
		}
	}
}

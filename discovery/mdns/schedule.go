package mdns

import "time"

// What is said unasked is said more than once, for packets get lost; RFC 6762
// section 8.3 wants two times at least, a second apart. Questions go on.
var (
	announceSteps = []time.Duration{0, time.Second, 3 * time.Second}
	askSteps      = []time.Duration{0, time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second, 15 * time.Second, 30 * time.Second, time.Minute}
)

// never is the due time of what need not be done, and longer than any wait.
const never = time.Duration(1<<63 - 1)

// schedule says when to do the next of a series of things: each step is the
// pause before it. The last step repeats if repeat is set.
type schedule struct {
	steps  []time.Duration
	repeat bool

	step    int
	at      time.Time
	stopped bool
}

func (p *schedule) restart(now time.Time) {
	p.step, p.stopped = 0, false
	p.at = now.Add(p.steps[0])
}

// stop leaves it still until it is restarted.
func (p *schedule) stop() { p.stopped = true }

// early tells whether the frequent steps at the beginning are still under way.
func (p *schedule) early() bool { return !p.stopped && p.step <= 2 }

// in is how long to wait from now.
func (p *schedule) in(now time.Time) time.Duration {
	if p.stopped {
		return never
	}
	return max(0, p.at.Sub(now))
}

// take tells whether a step is due, and goes on to the next if so.
func (p *schedule) take(now time.Time) bool {
	if p.stopped || p.at.After(now) {
		return false
	}
	if p.step+1 < len(p.steps) {
		p.step++
	} else if !p.repeat {
		p.stop()
		return true
	}
	p.at = now.Add(p.steps[p.step])
	return true
}

// advance makes the next step due at a time, if it is not due earlier. What
// had ended takes just that step.
func (p *schedule) advance(at time.Time) {
	if p.stopped {
		p.step, p.stopped, p.at = len(p.steps)-1, false, at
		return
	}
	if at.Before(p.at) {
		p.at = at
	}
}

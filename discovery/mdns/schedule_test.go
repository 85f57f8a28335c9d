package mdns

import (
	"slices"
	"testing"
	"time"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// steps are the seconds after noon at which p is due, until a time.
func steps(p *schedule, until time.Duration) []int {
	var out []int
	for now := noon; now.Before(noon.Add(until)); {
		if p.take(now) {
			out = append(out, int(now.Sub(noon).Seconds()))
			continue
		}
		wait := p.in(now)
		if wait == never {
			break
		}
		now = now.Add(wait)
	}
	return out
}

func TestQuestionsAreAskedEverMoreRarely(t *testing.T) {
	p := schedule{steps: askSteps, repeat: true}
	p.restart(noon)
	if got, want := steps(&p, 5*time.Minute), []int{0, 1, 3, 7, 15, 30, 60, 120, 180, 240}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestAnnouncementsEnd(t *testing.T) {
	p := schedule{steps: announceSteps}
	p.restart(noon)
	if got, want := steps(&p, time.Hour), []int{0, 1, 4}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if p.in(noon) != never {
		t.Error("there is something left to do")
	}
	p.advance(noon.Add(2 * time.Second))
	if got, want := steps(&p, time.Hour), []int{2}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestAFloodOfPacketsIsCutOff(t *testing.T) {
	var b budget
	read := 0
	for i := range 100_000 { // in ten seconds
		if b.take(noon.Add(time.Duration(i) * 100 * time.Microsecond)) {
			read++
		}
	}
	if want := packetBurst + 10*packetRate; read < want-1 || read > want+1 {
		t.Errorf("%d read, want %d", read, want)
	}
}

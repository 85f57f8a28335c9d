package folder

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// The simulation runs meshes of 2 to 6 devices, with the real actor, index and
// sealing, on disks, links and clocks that exist in memory only, in virtual
// time. Each schedule follows from a seed: what people do, when links, devices,
// disks and clocks fail, and at which step of whose work. After it all is made
// well, the devices come to rest, and are judged; see sim_judge_test.go.
//
//	go test ./node/folder -run TestSimulation                          some seconds of it
//	go test ./node/folder -run TestSimulation -sim-runs 1000000 -timeout 0
//	go test ./node/folder -run TestSimulation -sim-seed 17 -sim-runs 1 -v   the story of one seed
//
// A seed that fails is run again with less and less in it, and the smallest
// schedule that still fails is told as a story.
var (
	simRuns    = flag.Int("sim-runs", 0, "schedules of the simulation to run; 0: for some seconds")
	simSeed    = flag.Uint64("sim-seed", 1, "first seed of the simulation")
	simDevs    = flag.Int("sim-devices", 0, "devices in each mesh of the simulation; 0: 2 to 6")
	simProfile = flag.String("sim-profile", "", "kind of accidents in the simulation; empty: as it comes")
	simAll     = flag.Bool("sim-all", false, "tell all that the devices of the simulation say to each other")
	simKeep    = flag.Bool("sim-keep-going", false, "go on after a schedule of the simulation has failed")
)

// simShort is how long the simulation runs unless it is told how much.
const simShort = 8 * time.Second

func TestSimulation(t *testing.T) {
	if *simRuns == 1 {
		simOne(t, *simSeed)
		return
	}
	b := &simBatch{t: t, first: *simSeed, runs: *simRuns, began: time.Now()}
	if b.runs == 0 {
		b.until = b.began.Add(simShort)
	}
	b.run()
}

// simHome is a directory for the indexes of one worker: in memory, if that can
// be had.
func simHome(t testing.TB) string {
	t.Helper()
	if _, err := os.Stat("/dev/shm"); err == nil {
		if dir, err := os.MkdirTemp("/dev/shm", "kith-sim-"); err == nil {
			t.Cleanup(func() { _ = os.RemoveAll(dir) })
			return dir
		}
	}
	return t.TempDir()
}

func simOne(t *testing.T, seed uint64) {
	home := simHome(t)
	p := newSimPlan(seed, *simProfile, *simDevs)
	w := newSimWorld(p, 0, home, nil, testing.Verbose())
	if err := w.play(); err != nil {
		t.Errorf("%v", err)
	}
	if w.story != nil {
		t.Logf("%v\n%s", p, w.story)
	}
	t.Logf("%d turns, %v of virtual time, trace %016x", w.turns, time.Duration(w.now), w.hash)
	if t.Failed() {
		simTell(t, home, p)
	}
}

// simBatch is many schedules, on all processors.
type simBatch struct {
	t     *testing.T
	first uint64
	runs  int
	until time.Time
	began time.Time
	next  atomic.Uint64
	done  atomic.Uint64

	mu     sync.Mutex
	failed []uint64
}

func (b *simBatch) run() {
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		home := simHome(b.t)
		workers.Go(func() { b.work(home) })
	}
	stop := make(chan struct{})
	ended := make(chan struct{})
	go func() { defer close(ended); b.progress(stop) }()
	workers.Wait()
	close(stop)
	<-ended
	b.t.Log(b.line())
	for _, seed := range b.failed {
		b.t.Errorf("replay: go test ./node/folder -run 'TestSimulation$' -sim-runs 1 -sim-seed %d%s -v", seed, simFlags())
	}
	if len(b.failed) > 0 {
		simTell(b.t, simHome(b.t), newSimPlan(b.failed[0], *simProfile, *simDevs))
	}
}

func simFlags() (flags string) {
	if *simProfile != "" {
		flags += " -sim-profile " + *simProfile
	}
	if *simDevs != 0 {
		flags += fmt.Sprint(" -sim-devices ", *simDevs)
	}
	return flags
}

func (b *simBatch) work(home string) {
	for {
		n := b.next.Add(1) - 1
		if b.runs > 0 && n >= uint64(b.runs) || b.runs == 0 && time.Now().After(b.until) || !*simKeep && b.broken() {
			return
		}
		seed := b.first + n
		w := newSimWorld(newSimPlan(seed, *simProfile, *simDevs), 0, home, nil, false)
		err := w.play()
		b.done.Add(1)
		if err != nil {
			b.mu.Lock()
			b.failed = append(b.failed, seed)
			b.mu.Unlock()
			b.t.Errorf("seed %d: %s", seed, simFirstLine(err.Error()))
		}
	}
}

func simFirstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line[:min(len(line), 500)]
}

func (b *simBatch) broken() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.failed) > 0
}

func (b *simBatch) line() string {
	took := time.Since(b.began)
	b.mu.Lock()
	defer b.mu.Unlock()
	return fmt.Sprintf("%d schedules in %v, %.0f a second, %d failed", b.done.Load(), took.Round(time.Second), float64(b.done.Load())/took.Seconds(), len(b.failed))
}

// progress prints a line each minute.
func (b *simBatch) progress(stop <-chan struct{}) {
	tick := time.NewTicker(time.Minute)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			fmt.Fprintln(os.Stderr, b.line())
		case <-stop:
			return
		}
	}
}

// TestSimulationIsTheSameEachTime runs seeds twice.
func TestSimulationIsTheSameEachTime(t *testing.T) {
	home := simHome(t)
	for seed := *simSeed; seed < *simSeed+20; seed++ {
		var hashes [2]uint64
		for i := range hashes {
			w := newSimWorld(newSimPlan(seed, *simProfile, *simDevs), 0, home, nil, false)
			_ = w.play()
			hashes[i] = w.hash
		}
		if hashes[0] != hashes[1] {
			t.Errorf("seed %d came out differently", seed)
		}
	}
}

//go:build linux

package meshtest

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

var (
	flagRuns    = flag.Int("mesh-runs", 0, "how many meshes to run; 0 is a handful of short ones")
	flagOps     = flag.Int("mesh-ops", 40, "operations in each run")
	flagDevices = flag.Int("mesh-devices", 0, "devices in each run; 0 is two to four")
	flagSeed    = flag.Uint64("mesh-seed", 1, "the seed of the first run; each further run adds one")
	flagFaults  = flag.String("mesh-faults", "", "faults, like kill,freeze,restart,partition; those of the profile if not given, or none")
	flagProfile = flag.String("mesh-profile", "", "profiles to take turns, like core,links; all if not given")
	flagKeep    = flag.Bool("mesh-keep", false, "keep the directories of a failed run")
	flagProgram = flag.String("mesh-kith", "", "the kith to run, instead of building it")
	flagVerbose = flag.Bool("mesh-v", false, "tell what each run did, also if all was well")
)

// plan is one run.
type plan struct {
	seed    uint64
	profile string
	devices int
	ops     int
	faults  []string
	lasting time.Duration // of a storm, instead of ops
	pairing string        // pairAll if empty
	backup  bool          // one device more keeps a backup
}

func (p plan) String() string {
	name := fmt.Sprintf("%s-%d-devices-seed-%d", p.profile, p.devices, p.seed)
	if p.backup {
		name += "-backup"
	}
	return name
}

// spaces is how many devices need a namespace.
func (p plan) spaces() int {
	if p.backup {
		return p.devices + 1
	}
	return p.devices
}

// replay is the command that runs it again.
func (p plan) replay() string {
	if p.backup {
		p.backup = false
		return p.replay() + " -mesh-backup"
	}
	if p.lasting > 0 {
		return fmt.Sprintf("go test ./cmd/kith/meshtest -run 'TestMeshOfFive$' -timeout 0 -mesh-for %v -mesh-seed %d -mesh-devices %d -mesh-pairing %s -mesh-keep",
			p.lasting, p.seed, p.devices, p.pairing)
	}
	faults := strings.Join(p.faults, ",")
	if faults == "" {
		faults = "none"
	}
	return fmt.Sprintf("go test ./cmd/kith/meshtest -run 'TestMesh$' -mesh-runs 1 -mesh-seed %d -mesh-profile %s -mesh-devices %d -mesh-ops %d -mesh-faults %s -mesh-keep",
		p.seed, p.profile, p.devices, p.ops, faults)
}

// handful is what runs by default.
func handful() []plan {
	return []plan{
		{seed: 1, profile: "core", devices: 2, ops: 20},
		{seed: 2, profile: "calm", devices: 2, ops: 5},
		{seed: 3, profile: "dirs", devices: 3, ops: 18},
		{seed: 4, profile: "kill", devices: 2, ops: 16},
		{seed: 5, profile: "apart", devices: 3, ops: 15},
		{seed: 6, profile: "kill", devices: 2, ops: 14, backup: true},
	}
}

// plans are the runs that the flags ask for.
func plans(t *testing.T) []plan {
	if *flagRuns == 0 {
		return handful()
	}
	names := profileNames()
	if *flagProfile != "" {
		names = strings.Split(*flagProfile, ",")
	}
	var out []plan
	for i := range *flagRuns {
		seed := *flagSeed + uint64(i)
		r := rand.New(rand.NewPCG(seed, 77))
		p := plan{seed: seed, profile: names[i%len(names)], devices: *flagDevices, ops: *flagOps, backup: *flagBackup}
		if _, ok := profiles[p.profile]; !ok {
			t.Fatalf("no profile %q; there are %s", p.profile, strings.Join(profileNames(), ", "))
		}
		if p.devices == 0 {
			p.devices = []int{2, 3, 3, 4}[r.IntN(4)]
		}
		switch *flagFaults {
		case "":
			p.faults = profiles[p.profile].faults
		case "none":
		default:
			p.faults = strings.Split(*flagFaults, ",")
		}
		out = append(out, p)
	}
	return out
}

func TestMesh(t *testing.T) {
	if testing.Short() {
		t.Skip("starts devices; not in short mode")
	}
	t.Parallel()
	program := build(t)
	var settled []time.Duration
	for _, p := range plans(t) {
		t.Run(p.String(), func(t *testing.T) {
			if *flagRuns == 0 {
				p.faults = profiles[p.profile].faults
			}
			settled = append(settled, runMesh(t, p, program)...)
		})
	}
	if slices.Sort(settled); len(settled) > 0 {
		t.Logf("settled %d times: median %v, longest %v", len(settled), settled[len(settled)/2], settled[len(settled)-1])
	}
}

// built is where the program is built, and whether it was.
var built struct {
	once    sync.Once
	program string
	err     error
}

func TestMain(m *testing.M) {
	flag.Parse()
	code := m.Run()
	if built.program != "" {
		_ = os.RemoveAll(filepath.Dir(built.program))
	}
	os.Exit(code)
}

// build makes the program, once.
func build(t *testing.T) string {
	t.Helper()
	if *flagProgram != "" {
		return *flagProgram
	}
	built.once.Do(func() {
		dir, err := os.MkdirTemp("", "meshkith")
		if err != nil {
			built.err = err
			return
		}
		built.program = filepath.Join(dir, "kith")
		if text, err := exec.Command("go", "build", "-o", built.program, "github.com/kithmesh/kith/cmd/kith").CombinedOutput(); err != nil {
			built.err = fmt.Errorf("build kith: %w\n%s", err, text)
		}
	})
	if built.err != nil {
		t.Fatal(built.err)
	}
	return built.program
}

// mesh is one run: the devices, what is known of their files, and what is
// wrong.
type mesh struct {
	plan
	profile    profile
	dir        string
	devices    []*device
	keeper     *device  // keeps a backup; nil if none does
	net        *network // nil on loopback
	book       *book
	begun      time.Time
	settled    []time.Duration
	agreed     listing     // what all last agreed upon
	agreements []agreement // while the backup had all
	relays     []*relay
	steps      atomic.Int64    // of a storm
	ctx        context.Context // of the run; users keep to it

	mu      sync.Mutex
	journal journal
	wrong   []string
	swept   []sweep
	users   sync.WaitGroup // slow writers
}

// runMesh runs a plan. What goes wrong is the test's error.
func runMesh(t *testing.T, p plan, program string) []time.Duration {
	if p.devices < 2 || p.devices > len(deviceNames) {
		t.Fatalf("%d devices; there can be 2 to %d", p.devices, len(deviceNames))
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Duration(240+10*p.ops)*time.Second+2*p.lasting)
	defer cancel()
	m := &mesh{plan: p, profile: profiles[p.profile], book: newBook(p.seed), begun: time.Now(), ctx: ctx}
	m.book.strict = m.profile.strict
	var err error
	if m.dir, err = os.MkdirTemp("", "mesh"); err != nil {
		t.Fatal(err)
	}
	if err := m.journal.open(m.dir + ".journal"); err != nil {
		t.Fatal(err)
	}
	defer func() { m.finish(t) }()
	if m.profile.network || slices.Contains(p.faults, "partition") {
		if reason := cannotPartition(); reason != "" {
			t.Skip(reason)
		}
		if m.net, err = newNetwork(ctx, p.spaces()); err != nil {
			t.Fatal(err)
		}
		defer m.net.remove()
	}
	defer m.down()
	if err := m.setUp(ctx, program); err != nil {
		m.fail("set up: %v", err)
		return nil
	}
	m.run(ctx)
	if p.lasting > 0 && !m.failed() {
		m.down()
		m.prove()
	}
	return m.settled
}

// finish tells what is wrong, and tidies up.
func (m *mesh) finish(t *testing.T) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.journal.close()
	bad := len(m.wrong) > 0
	if !bad || !*flagKeep {
		defer func() {
			_ = os.RemoveAll(m.dir)
			_ = os.Remove(m.dir + ".journal")
		}()
	}
	if !bad {
		if *flagVerbose {
			t.Log("\n" + m.journal.text())
		}
		return
	}
	kept := ""
	if *flagKeep {
		kept = "\nkept: " + m.dir + " and " + m.dir + ".journal"
	}
	t.Errorf("\n%s\nwrong:\n  %s\nreplay: %s%s", m.journal.text(), strings.Join(m.wrong, "\n  "), m.replay(), kept)
}

// note writes a line of the journal.
func (m *mesh) note(format string, args ...any) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.journal.write(fmt.Sprintf("%8.3f  ", time.Since(m.begun).Seconds()) + fmt.Sprintf(format, args...))
}

// fail notes something wrong.
func (m *mesh) fail(format string, args ...any) {
	m.note("WRONG: "+format, args...)
	m.mu.Lock()
	defer m.mu.Unlock()
	text := fmt.Sprintf(format, args...)
	if len(m.wrong) < 30 && !slices.Contains(m.wrong, text) {
		m.wrong = append(m.wrong, text)
	}
}

func (m *mesh) failed() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.wrong) > 0
}

// pause waits, but no longer than the run may last.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

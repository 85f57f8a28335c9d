package storytest

import (
	"encoding/binary"
	"flag"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
	"time"
)

var (
	full = flag.Bool("full", false, "run at the sizes that the product promises (add -timeout 90m)")
	keep = flag.Bool("keep", false, "leave the directories of the devices of a story that fails, and name them")
	kith = flag.String("kith", "", "test the program at this path, and build none")
	seed = flag.Uint64("seed", uint64(time.Now().UnixNano()), "make the random choices of the run that printed this seed")
)

// program is the kith under test.
var program string

func TestMain(m *testing.M) {
	flag.Parse()
	if out := os.Getenv(captureVariable); out != "" {
		os.Exit(captureInto(out))
	}
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "kith-story-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if program = *kith; program == "" {
		program = filepath.Join(dir, "kith")
		if runtime.GOOS == "windows" {
			program += ".exe"
		}
		build := exec.Command("go", "build", "-o", program, "github.com/kithmesh/kith/cmd/kith")
		if out, err := build.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "build the program: %v\n%s", err, out)
			return 1
		}
	}
	sweepNamespaces()
	return m.Run()
}

// size is short, or what the product promises with -full.
func size(short, promised int) int {
	if *full {
		return promised
	}
	return short
}

// chance is where a test takes its random choices from: the same for the same
// seed, name of the test and purpose. What the devices make of them depends on
// the moment, so a run is not always the same again.
func chance(t *testing.T, purpose string) *rand.Rand {
	t.Helper()
	t.Logf("%s: choices at random, made again by -seed %d", purpose, *seed)
	h := fnv.New64a()
	_, _ = h.Write([]byte(t.Name() + "/" + purpose))
	return rand.New(rand.NewPCG(*seed, h.Sum64()))
}

// noise is n random bytes: content that no compression makes smaller.
func noise(r *rand.Rand, n int) []byte {
	var key [32]byte
	for i := 0; i < len(key); i += 8 {
		binary.LittleEndian.PutUint64(key[i:], r.Uint64())
	}
	b := make([]byte, n)
	_, _ = rand.NewChaCha8(key).Read(b) // never fails
	return b
}

// between is a random time from low to high.
func between(r *rand.Rand, low, high time.Duration) time.Duration {
	return low + time.Duration(r.Int64N(int64(high-low)+1))
}

// let gives the devices time: some things can only be seen not to happen.
func let(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	<-timer.C
}

// eventually asks again and again until holds finds nothing amiss, and fails
// the test with what is amiss still when the time is up.
func eventually(t *testing.T, what string, within time.Duration, holds func() error) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	end := time.Now().Add(within)
	for {
		err := holds()
		if err == nil {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("wait for %s: not within %s: %v", what, within, err)
		}
		<-tick.C
	}
}

// throughout fails the test if holds finds something amiss within a time.
func throughout(t *testing.T, what string, during time.Duration, holds func() error) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(during); time.Now().Before(end); <-tick.C {
		if err := holds(); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
}

package vault

import (
	"bufio"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/kithmesh/kith/index/version"
	"github.com/kithmesh/kith/node/vault/retention"
	"github.com/kithmesh/kith/node/vault/store"
)

// The long version of the crash test kills at 200 points:
//
//	go test ./node/vault -run Kill -kills 200
var kills = flag.Int("kills", 12, "how often to kill a process that writes to a vault")

// crashEnv has a child of this test write to a vault: its directory, a seed,
// the time in microseconds since 1970, and the step at which it is to be
// killed: its name, or "any", and how many of those to count; and then, if it
// is to have one, the directory of a store.
const crashEnv = "KITH_TEST_CRASH_VAULT"

// steps are all at which a child may be killed.
var steps = []string{"copied", "create", "written", "retired", "sync", "created", "remove", "synced", "pruned", "committed"}

var crashPolicy = retention.Policy{Within: 20 * time.Hour, WithinDaily: 4 * 24 * time.Hour, Hold: 10 * time.Hour}

// crashing puts, pins and prunes until it is killed. It prints the rows of the
// versions that were acknowledged.
func crashing() error {
	args := strings.Fields(os.Getenv(crashEnv))
	seed, err1 := strconv.ParseUint(args[1], 10, 64)
	now, err2 := strconv.ParseInt(args[2], 10, 64)
	where, count, _ := strings.Cut(args[3], ":")
	last, err3 := strconv.Atoi(count)
	if err := errors.Join(err1, err2, err3); err != nil {
		return err
	}
	c := &clock{now: time.UnixMicro(now)}
	o := Options{Dir: args[0], Folder: testFolder, PackSize: minPack, Grace: time.Hour, Clock: c.read, noSync: true}
	if len(args) > 4 {
		place, err := store.Address{URL: args[4]}.Open("")
		if err != nil {
			return err
		}
		o.Store = place
	}
	v, err := Open(o)
	if err != nil {
		return err
	}
	n := 0
	v.hook = func(step string) error {
		if where != "any" && where != step {
			return nil
		}
		if n++; n == last {
			fmt.Println("step", step)
			self, _ := os.FindProcess(os.Getpid())
			_ = self.Kill()
			select {}
		}
		return nil
	}
	w := newWorld(v, c, seed)
	for i := 1; ; i++ {
		if err := crashOperation(w, i, seed); err != nil {
			return err
		}
		fmt.Println("time", c.read().UnixMicro())
	}
}

func crashOperation(w *world, i int, seed uint64) error {
	ctx := testContext{}
	w.c.pass(time.Duration(w.r.Int64N(int64(2 * time.Hour))))
	switch {
	case w.v.store != nil && i%12 == 5:
		_, err := w.v.Stow(ctx, 1+w.r.Int64N(1<<20), w.r.IntN(2) == 0)
		return err
	case w.v.store != nil && i%60 == 59:
		_, err := w.v.Unstow(ctx, 1+w.r.Int64N(1<<20))
		return err
	case i%25 == 0:
		_, err := w.v.Prune(ctx, crashPolicy)
		return err
	case i%40 == 7:
		id, err := w.v.Pin(w.c.read().Add(-time.Minute), []byte("label"))
		fmt.Printf("pin %s\n", id)
		return err
	case i%40 == 29:
		pins, err := w.v.Pins()
		if err != nil || len(pins) < 3 {
			return err
		}
		fmt.Printf("unpin %s\n", pins[0].ID) // from now on it may be gone
		return w.v.Unpin(pins[0].ID)
	}
	r, blocks := w.change()
	for i := range r.Version.Vector {
		r.Version.Vector[i].Replica += version.ReplicaID(10 * seed) // no counter is used twice
	}
	r.Version.Author += version.ReplicaID(10 * seed)
	if err := w.v.Put(ctx, blocks, received(r)); err != nil {
		return err
	}
	return w.v.reader(func(t *tables) error {
		vs, err := t.versionsOf(r.ID)
		for i := range vs {
			if vs[i].row.version.Compare(r.Version) == version.Equal {
				fmt.Printf("ack %x %x\n", vs[i].key, vs[i].row.append(nil))
			}
		}
		return err
	})
}

// testContext is a context where there is no test.
type testContext struct{}

func (testContext) Deadline() (time.Time, bool) { return time.Time{}, false }
func (testContext) Done() <-chan struct{}       { return nil }
func (testContext) Err() error                  { return nil }
func (testContext) Value(any) any               { return nil }

// witness remembers what was acknowledged, and what was found.
type witness struct {
	now  int64
	rows map[recordKey]recordRow
	pins map[string]bool
	at   map[string]int // steps at which the child was killed
}

func TestAKillAtAnyStepLosesNothingThatWasAcknowledged(t *testing.T) {
	t.Run("in a directory", func(t *testing.T) { killAndCheck(t, nil, "", steps) })
	t.Run("with a store", func(t *testing.T) {
		dir := t.TempDir()
		killAndCheck(t, directoryAt(t, dir), dir, append([]string{"stowed", "brought"}, steps...))
	})
}

func killAndCheck(t *testing.T, s Store, place string, steps []string) {
	dir := t.TempDir()
	r := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 0))
	wit := witness{now: newClock().read().UnixMicro(), rows: map[recordKey]recordRow{}, pins: map[string]bool{}, at: map[string]int{}}
	for i := range *kills {
		where := fmt.Sprintf("any:%d", 1+r.IntN(500))
		if i%2 == 1 {
			where = fmt.Sprintf("%s:%d", steps[i/2%len(steps)], 1+r.IntN(4))
		}
		wit.run(t, dir, uint64(i+1), where+" "+place)
		c := &clock{now: time.UnixMicro(wit.now)}
		tear(t, dir, r)
		v := testVaultOn(t, dir, c, s)
		wit.check(t, v)
		checkReadable(t, v)
		if r.IntN(4) == 0 {
			flipIndex(t, v, r) // and no index is left
			v = testVaultOn(t, dir, c, s)
			wit.check(t, v)
		}
		checkRebuilt(t, v)
		if s != nil && r.IntN(3) == 0 {
			v = fromTheStoreAlone(t, v, c)
			wit.check(t, v)
			checkReadable(t, v)
		}
		must(t, v.Close())
	}
	t.Logf("%d versions; killed at %v", len(wit.rows), wit.at)
	for _, step := range steps {
		if *kills >= 2*len(steps) && wit.at[step] == 0 {
			t.Errorf("never killed at %q", step)
		}
	}
}

// run lets the child write until it is killed at a step.
func (w *witness) run(t *testing.T, dir string, seed uint64, where string) {
	t.Helper()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), fmt.Sprintf("%s=%s %d %d %s", crashEnv, dir, seed, w.now, where))
	out, err := child.StdoutPipe()
	must(t, err)
	must(t, child.Start())
	for lines := bufio.NewScanner(out); lines.Scan(); {
		word := strings.Fields(lines.Text())
		switch {
		case len(word) == 2 && word[0] == "step":
			w.at[word[1]]++
		case len(word) == 2 && word[0] == "pin":
			w.pins[word[1]] = true
		case len(word) == 2 && word[0] == "unpin":
			delete(w.pins, word[1])
		case len(word) == 2 && word[0] == "time":
			w.now, err = strconv.ParseInt(word[1], 10, 64)
		case len(word) == 3 && word[0] == "ack":
			var key, row []byte
			key, err = hex.DecodeString(word[1])
			must(t, err)
			row, err = hex.DecodeString(word[2])
			must(t, err)
			w.rows[recordKey(key)], err = parseRecordRow(row)
		default:
			t.Fatalf("the child says %q", lines.Text())
		}
		must(t, err)
	}
	if err := child.Wait(); err == nil || child.ProcessState.Exited() {
		t.Fatalf("the child was not killed: %v", err)
	}
}

// check tells whether all is there that the policy keeps of what was ever
// acknowledged or found. Pins may keep more.
func (w *witness) check(t *testing.T, v *Vault) {
	t.Helper()
	pins, err := v.Pins()
	must(t, err)
	pinned := map[string]bool{}
	for _, p := range pins {
		pinned[p.ID.String()] = true
	}
	for id := range w.pins {
		if !pinned[id] {
			t.Fatalf("pin %s is lost", id)
		}
	}
	there := map[recordKey]bool{}
	must(t, v.eachVersions(t.Context(), func(_ *tables, vs []held) error {
		for i := range vs {
			w.rows[vs[i].key] = vs[i].row
			there[vs[i].key] = true
		}
		return nil
	}))
	byID := map[[16]byte][]held{}
	for key, row := range w.rows {
		byID[key.id()] = append(byID[key.id()], held{key: key, row: row})
	}
	var changes []time.Time
	for _, vs := range byID {
		setUntil(vs)
		for i := range vs {
			if vs[i].row.received < vs[i].until {
				changes = append(changes, vs[i].row.received.time())
			}
		}
	}
	kept := crashPolicy.Decide(sorted(changes), nil, time.UnixMicro(w.now))
	lost := 0
	for _, vs := range byID {
		for i := range vs {
			until := time.Time{}
			if vs[i].until != maxMoment {
				until = vs[i].until.time()
			}
			if reasons := kept.Judge(vs[i].row.received.time(), until); len(reasons) > 0 && !there[vs[i].key] {
				lost++
				t.Errorf("version %d of record %s is lost, kept for %v", vs[i].row.sequence, vs[i].key.id(), reasons)
			}
		}
	}
	if lost > 0 {
		t.FailNow()
	}
}

func sorted(times []time.Time) func(func(time.Time) bool) {
	return func(yield func(time.Time) bool) {
		ms := make(map[moment]bool, len(times))
		for _, t := range times {
			ms[momentOf(t)] = true
		}
		for _, m := range sortedKeys(ms) {
			if !yield(m.time()) {
				return
			}
		}
	}
}

// tear leaves at the ends of packs what a loss of power can leave there: bytes
// that were never whole entries.
func tear(t *testing.T, dir string, r *rand.Rand) {
	t.Helper()
	v := &Vault{dir: dir}
	last := map[class]packFile{}
	for _, f := range packFiles(t, v) {
		last[f.class] = f
	}
	for _, f := range last {
		if r.IntN(2) == 0 {
			continue
		}
		junk := make([]byte, 1+r.IntN(400))
		if r.IntN(2) == 0 {
			for i := range junk {
				junk[i] = byte(r.Uint32())
			}
		}
		file, err := os.OpenFile(packPath(dir+"/packs", f.id, f.class), os.O_WRONLY|os.O_APPEND, 0)
		must(t, err)
		_, err = file.Write(junk)
		must(t, err)
		must(t, file.Close())
	}
}

// flipIndex closes the vault and damages its index.
func flipIndex(t *testing.T, v *Vault, r *rand.Rand) {
	t.Helper()
	must(t, v.Close())
	data, err := os.ReadFile(v.indexPath())
	must(t, err)
	for range 1000 {
		data[r.IntN(len(data))] ^= 1
	}
	must(t, os.WriteFile(v.indexPath(), data, 0o600))
}

package storytest

import (
	"context"
	"flag"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// This file measures backups beside restic and borg, where they are installed:
//
//	go test ./cmd/kith/storytest -run TestBackupsBesideOthers -v -timeout 90m \
//	    -bench-backup -bench-runs 5 -seed 1 -full
//
// Without -full the trees are a tenth as large. The tools take turns in each
// run, so that what else the machine does hits all alike; what is printed are
// medians, with the least and the most. Every tree that is restored is compared
// with its original, and the test fails if it is not the same. docs/benchmarks.md says more.
var (
	benchBackup = flag.Bool("bench-backup", false, "measure backups beside those of restic and borg")
	benchRuns   = flag.Int("bench-runs", 3, "how often each tool is measured")
)

// backupTool is what is measured. Its directories are new for each run.
type backupTool interface {
	// begin gets ready to back up a tree, which comes to lie at the path that it
	// returns.
	begin() (source string)
	// backUp brings the store up to what the source holds.
	backUp()
	// again is backUp where nothing has changed: the tool looks for itself.
	again()
	// restore writes all to a new directory, and returns where in it the tree is.
	restore(to string) string
	// state is the size of the store in bytes, and the time in seconds that
	// processes of the tool have used so far.
	state() (store int64, cpu float64)
}

// steps of one run of a tool, in order.
var steps = []string{"first backup", "nothing changed", "1 % changed", "restore"}

// figures are what runs of a tool have come to, by step.
type figures struct {
	wall, cpu map[string][]float64 // seconds
	store     []float64            // MB after the first backup
}

func TestBackupsBesideOthers(t *testing.T) {
	if !*benchBackup {
		t.Skip("takes -bench-backup")
	}
	rng := chance(t, "trees")
	kinds := []struct {
		name string
		make func(*testing.T, *rand.Rand, string)
	}{{"small files", smallFiles}, {"text", textFiles}, {"one large file", largeFile}}
	tools := []struct {
		name string
		make func(*testing.T) backupTool
	}{{"kith", newKithBackup}, {"restic", newRestic}, {"borg", newBorg}}
	for _, kind := range kinds {
		original := filepath.Join(newWork(t), "tree")
		kind.make(t, rng, original)
		results := make([]figures, len(tools))
		loads := []string{load()}
		for range *benchRuns {
			for i, tool := range tools {
				if _, err := exec.LookPath(tool.name); tool.name != "kith" && err != nil {
					continue
				}
				t.Run(kind.name+"/"+tool.name, func(t *testing.T) { results[i].measure(t, tool.make(t), original) })
			}
			loads = append(loads, load())
		}
		if len(results[0].store) == 0 {
			continue // it was not asked for
		}
		n, bytes := look(t, original).files()
		fmt.Printf("\n%s: %d files, %.1f MB; load average before and after each run: %s\n\n", kind.name, n, mb(bytes), strings.Join(loads, ", "))
		fmt.Printf("| tool | %s | store, MB (of payload) |\n|---|%s---|\n", strings.Join(steps, " | "), strings.Repeat("---|", len(steps)))
		for i, tool := range tools {
			results[i].print(tool.name, mb(bytes))
		}
	}
}

// measure runs a tool through all steps once.
func (f *figures) measure(t *testing.T, tool backupTool, original string) {
	source := tool.begin()
	staged := filepath.Join(newWork(t), "tree")
	copyAll(t, original, staged)
	if f.wall == nil {
		f.wall, f.cpu = map[string][]float64{}, map[string][]float64{}
	}
	step := func(name string, do func()) {
		_ = exec.Command("sync").Run() // what came before is not to be paid for here
		_, before := tool.state()
		start := time.Now()
		do()
		wall := time.Since(start).Seconds()
		_, after := tool.state()
		f.wall[name] = append(f.wall[name], wall)
		f.cpu[name] = append(f.cpu[name], after-before)
	}
	step(steps[0], func() {
		if err := os.Rename(staged, source); err != nil {
			t.Fatal(err)
		}
		tool.backUp()
	})
	store, _ := tool.state()
	f.store = append(f.store, mb(store))
	step(steps[1], tool.again)
	step(steps[2], func() { changeSome(t, source); tool.backUp() })
	out := filepath.Join(newWork(t), "out")
	step(steps[3], func() { out = tool.restore(out) })
	if d := look(t, source).differences(look(t, out)); d != "" {
		t.Errorf("what came back is not what was backed up:\n%s", d)
	}
}

func (f *figures) print(name string, payload float64) {
	if len(f.store) == 0 {
		fmt.Printf("| %s | not installed |\n", name)
		return
	}
	row := "| " + name
	for _, s := range steps {
		row += fmt.Sprintf(" | %s s, %.2f CPU-s", spread(f.wall[s], 2), middle(f.cpu[s]))
	}
	fmt.Printf("%s | %s (%.3f) |\n", row, spread(f.store, 1), middle(f.store)/payload)
}

// spread is a median with the least and the most.
func spread(v []float64, digits int) string {
	return fmt.Sprintf("%.*f (%.*f to %.*f)", digits, middle(v), digits, slices.Min(v), digits, slices.Max(v))
}

func middle(v []float64) float64 {
	s := slices.Sorted(slices.Values(v))
	return (s[(len(s)-1)/2] + s[len(s)/2]) / 2
}

func mb(bytes int64) float64 { return float64(bytes) / 1e6 }

// load is the load average of the last minute, where the system tells it.
func load() string {
	b, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	one, _, _ := strings.Cut(string(b), " ")
	return one
}

// newWork is a directory on the file system of the devices.
func newWork(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "kith-bench-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// The trees. All of them are the same for the same seed.

// smallFiles is 20,000 files of 6.6 kB on average that nothing makes smaller.
func smallFiles(t *testing.T, r *rand.Rand, root string) {
	for i := range size(2000, 20_000) {
		writeAt(t, filepath.Join(root, fmt.Sprintf("%03d/%d.bin", i%200, i)), noise(r, 200+int(r.ExpFloat64()*6400)))
	}
}

// textFiles is 15,000 files of 13 kB on average: words as frequent as in a
// language, in lines; one file in ten has nearly what the one before it has.
func textFiles(t *testing.T, r *rand.Rand, root string) {
	words := make([]string, 20_000)
	for i := range words {
		for range 2 + r.IntN(9) {
			words[i] += string("etaoinshrdlucmfwypvbgkjqxz"[int(min(r.ExpFloat64()*6, 25))])
		}
	}
	z := rand.NewZipf(r, 1.2, 4, uint64(len(words)-1))
	var last []byte
	for i := range size(1500, 15_000) {
		text := slices.Clone(last)
		if i%10 != 9 {
			text = text[:0]
			for n := 500 + int(r.ExpFloat64()*13_000); len(text) < n; {
				text = append(text, words[z.Uint64()]...)
				text = append(text, " \n"[min(r.IntN(12)/11, 1)])
			}
		}
		text = fmt.Appendf(text, "\n%d\n", i)
		writeAt(t, filepath.Join(root, fmt.Sprintf("%02d/%02d/%d.txt", i%20, i/20%20, i)), text)
		last = text
	}
}

// largeFile is 1 GiB that nothing makes smaller.
func largeFile(t *testing.T, r *rand.Rand, root string) {
	writeAt(t, filepath.Join(root, "large.bin"), noise(r, size(100<<20, 1<<30)))
}

func writeAt(t *testing.T, path string, b []byte) {
	t.Helper()
	err := os.MkdirAll(filepath.Dir(path), 0o755)
	if err == nil {
		err = os.WriteFile(path, b, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// copyAll copies a tree with its modification times.
func copyAll(t *testing.T, from, to string) {
	t.Helper()
	if out, err := exec.Command("cp", "-a", from, to).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

// changeSome writes something else over a part in the middle of each 100th
// file, or over a hundredth of a single one.
func changeSome(t *testing.T, root string) {
	t.Helper()
	n := 0
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if n++; n%100 != 1 {
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		defer func() { _ = f.Close() }()
		_, err = f.WriteAt(noise(rand.New(rand.NewPCG(1, uint64(n))), int(info.Size()/100)+1), info.Size()/2)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// kithBackup is a laptop and a device that holds no key, which talk by TCP on
// the machine's loopback.
type kithBackup struct {
	*trio
	ended float64 // seconds that processes which ended have used
}

func newKithBackup(t *testing.T) backupTool {
	k := &kithBackup{trio: &trio{t: t}}
	k.laptop = newDevice(t, "laptop", nil, append(loopback(t), noBrake()...)...)
	k.nas = newDevice(t, "nas", nil, loopback(t)...)
	return k
}

func (k *kithBackup) begin() string {
	k.laptop.start()
	k.nas.start()
	k.laptop.do(nil, "add", k.laptop.files, "--name", label)
	k.trio.backUp()
	k.backUp() // of nothing yet
	return filepath.Join(k.laptop.files, "tree")
}

func (k *kithBackup) backUp() {
	k.laptop.do(nil, "wait", label, "--for", "protected", "--timeout", "25m")
}

// again starts the laptop anew, which then looks at every file.
func (k *kithBackup) again() {
	k.ended += cpuOf(k.laptop)
	k.laptop.stop()
	k.laptop.start()
	k.backUp()
}

func (k *kithBackup) restore(to string) string {
	k.laptop.do(nil, "restore", label, "--from", k.nas.name, "--to", to)
	return filepath.Join(to, "tree")
}

func (k *kithBackup) state() (int64, float64) {
	return k.nas.bytesIn(filepath.Join(k.nas.home, "state", "vaults")), k.ended + cpuOf(k.laptop) + cpuOf(k.nas)
}

// cpuOf is how many seconds the process of a device has used, where the system
// tells it.
func cpuOf(d *device) float64 {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", d.process.Process.Pid))
	if err != nil {
		return 0
	}
	const user, system, perSecond = 11, 12, 100
	f := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+2:]))
	u, _ := strconv.ParseFloat(f[user], 64)
	s, _ := strconv.ParseFloat(f[system], 64)
	return (u + s) / perSecond
}

// commandBackup is a tool that is run for each step.
type commandBackup struct {
	t    *testing.T
	dir  string
	env  []string
	cpu  float64
	made int // backups so far
	// The commands; what is backed up is the directory that they run in.
	init  []string
	save  func(n int) []string
	bring func(n int) []string // into the directory that it runs in
}

func newRestic(t *testing.T) backupTool {
	c := &commandBackup{t: t, dir: newWork(t)}
	repo := filepath.Join(c.dir, "repo")
	c.env = []string{"RESTIC_PASSWORD=x", "RESTIC_REPOSITORY=" + repo, "RESTIC_CACHE_DIR=" + filepath.Join(c.dir, "cache")}
	c.init = []string{"restic", "-q", "init"}
	c.save = func(int) []string { return []string{"restic", "-q", "backup", "."} }
	c.bring = func(int) []string { return []string{"restic", "-q", "restore", "latest", "--target", "."} }
	return c
}

func newBorg(t *testing.T) backupTool {
	c := &commandBackup{t: t, dir: newWork(t)}
	repo := filepath.Join(c.dir, "repo")
	c.env = []string{"BORG_PASSPHRASE=x", "BORG_BASE_DIR=" + filepath.Join(c.dir, "cache")}
	c.init = []string{"borg", "init", "-e", "repokey-blake2", repo}
	c.save = func(n int) []string { return []string{"borg", "create", fmt.Sprintf("%s::%d", repo, n), "."} }
	c.bring = func(n int) []string { return []string{"borg", "extract", fmt.Sprintf("%s::%d", repo, n)} }
	return c
}

func (c *commandBackup) run(dir string, command []string) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), commandTime)
	defer cancel()
	p := exec.CommandContext(ctx, command[0], command[1:]...)
	p.Dir, p.Env = dir, append(os.Environ(), c.env...)
	if out, err := p.CombinedOutput(); err != nil {
		c.t.Fatalf("%q: %v\n%s", command, err, out)
	}
	c.cpu += (p.ProcessState.UserTime() + p.ProcessState.SystemTime()).Seconds()
}

func (c *commandBackup) source() string { return filepath.Join(c.dir, "tree") }

func (c *commandBackup) begin() string {
	c.run(c.dir, c.init)
	return c.source()
}

func (c *commandBackup) backUp() {
	c.made++
	c.run(c.source(), c.save(c.made))
}

func (c *commandBackup) again() { c.backUp() }

func (c *commandBackup) restore(to string) string {
	if err := os.Mkdir(to, 0o755); err != nil {
		c.t.Fatal(err)
	}
	c.run(to, c.bring(c.made))
	return to
}

func (c *commandBackup) state() (store int64, cpu float64) {
	err := filepath.WalkDir(filepath.Join(c.dir, "repo"), func(_ string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		info, err := e.Info()
		store += info.Size()
		return err
	})
	if err != nil {
		c.t.Fatal(err)
	}
	return store, c.cpu
}

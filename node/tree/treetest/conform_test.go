package treetest

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/tree"
)

// pair is one folder on a real disk, and what should be the same in memory.
type pair struct {
	t     *testing.T
	rng   *rand.Rand
	root  string
	real  *tree.Tree
	mem   *Tree
	disk  *Disk
	clock int64
	// seen are states of paths as they were at some time, real and in memory.
	seen  map[entry.Path][]states
	files map[entry.Path]*writers
	count int
	story []string
}

type states struct{ real, mem tree.Stat }

type writers struct {
	real *os.File
	mem  *Writer
}

// TestMemoryDoesWhatADiskDoes does the same things to a tree on disk and to
// one in memory, and compares each answer and all that lies there then.
func TestMemoryDoesWhatADiskDoes(t *testing.T) {
	for seed := range uint64(12) {
		newPair(t, seed).run(60)
		if t.Failed() {
			return
		}
	}
}

func newPair(t *testing.T, seed uint64) *pair {
	t.Helper()
	id := entry.FolderID{1}
	p := &pair{
		t: t, rng: rand.New(rand.NewPCG(seed, 1)), root: filepath.Join(t.TempDir(), "root"), clock: 1e18,
		seen: map[entry.Path][]states{}, files: map[entry.Path]*writers{},
	}
	p.must(tree.Create(p.root, id))
	p.must(os.Chmod(p.root, 0o755))
	p.disk = New(id, rand.New(rand.NewPCG(seed, 2)))
	p.disk.Clock = func() int64 { return p.clock }
	p.open()
	t.Cleanup(func() { _ = p.real.Close() })
	return p
}

func (p *pair) must(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

func (p *pair) open() {
	var err error
	p.real, err = tree.Open(p.root, entry.FolderID{1})
	p.must(err)
	p.mem, err = p.disk.Open()
	p.must(err)
}

func (p *pair) run(steps int) {
	for range steps {
		p.tick()
		what, a, b := p.step()
		p.story = append(p.story, fmt.Sprintf("%s: %v", what, a))
		if class(a) != class(b) {
			p.t.Errorf("a disk says %v, and memory %v", a, b)
		}
		p.compare()
		if p.t.Failed() {
			for _, s := range p.story {
				p.t.Log(s)
			}
			return
		}
	}
	for _, w := range p.files {
		_ = w.real.Close()
	}
}

// tick waits until the file system gives another time.
func (p *pair) tick() {
	p.clock += int64(time.Second)
	probe := p.root + ".probe"
	p.must(os.WriteFile(probe, nil, 0o600))
	was, err := os.Stat(probe)
	p.must(err)
	for {
		p.must(os.WriteFile(probe, []byte("x"), 0o600))
		now, err := os.Stat(probe)
		p.must(err)
		if !now.ModTime().Equal(was.ModTime()) {
			return
		}
	}
}

// class is what an error means to a caller.
func class(err error) string {
	out := ""
	for name, known := range map[string]error{
		"changed": tree.ErrChanged, "exists": fs.ErrExist, "not empty": tree.ErrNotEmpty, "busy": tree.ErrBusy, "missing": fs.ErrNotExist,
		"not regular": tree.ErrNotRegular, "kept": tree.ErrKept, "closed": fs.ErrClosed, "reserved": tree.ErrReserved, "path": entry.ErrPath,
	} {
		if errors.Is(err, known) {
			out = max(out, name)
		}
	}
	if err != nil && out == "" {
		out = "other"
	}
	return out
}

// compare looks at all that lies there.
func (p *pair) compare() {
	p.t.Helper()
	p.compareBelow("")
	for _, in := range []string{"tmp", "aside"} {
		names, err := os.ReadDir(filepath.Join(p.root, ".kith", in))
		p.must(err)
		mem := len(p.disk.tmp.children)
		if in == "aside" {
			mem = len(p.disk.aside.children)
		}
		if len(names) != mem {
			p.t.Errorf("in %s lie %d files, and %d in memory", in, len(names), mem)
		}
	}
}

func (p *pair) compareBelow(dir entry.Path) {
	a, errA := p.real.List(dir)
	b, errB := p.mem.List(dir)
	p.must(errors.Join(errA, errB))
	if len(a) != len(b) {
		p.t.Errorf("%q holds %v, and in memory %v", dir, a, b)
		return
	}
	for i := range a {
		at := dir.Join(a[i].Name)
		x, y := a[i].Stat, b[i].Stat
		if a[i].Name != b[i].Name || x.Kind != y.Kind || x.Kind != 0 && x.Mode != y.Mode || x.Size != y.Size || x.Target != y.Target {
			p.t.Errorf("%q is %+v, and in memory %+v", at, x, y)
			continue
		}
		p.compareOver(at, states{x, y})
		if x.Kind == entry.Directory {
			p.compareBelow(at)
		}
		if x.Kind == entry.File {
			p.compareBody(at)
		}
	}
}

// compareOver checks that a path has changed since it was seen on both or on
// neither.
func (p *pair) compareOver(at entry.Path, now states) {
	for _, was := range p.seen[at] {
		if was.real.Same(now.real) != was.mem.Same(now.mem) {
			p.t.Errorf("%q was %+v and is %+v; in memory it was %+v and is %+v", at, was.real, now.real, was.mem, now.mem)
		}
	}
	p.seen[at] = append(p.seen[at], now)
	if len(p.seen[at]) > 4 {
		p.seen[at] = p.seen[at][1:]
	}
}

func (p *pair) compareBody(at entry.Path) {
	f, errA := p.real.OpenFile(at)
	g, errB := p.mem.OpenFile(at)
	p.must(errors.Join(errA, errB))
	defer f.Close()
	a, errA := io.ReadAll(f)
	b, errB := io.ReadAll(g)
	p.must(errors.Join(errA, errB))
	if string(a) != string(b) {
		p.t.Errorf("%q holds %q, and in memory %q", at, a, b)
	}
	busyA, errA := f.Busy()
	busyB, errB := g.Busy()
	if errors.Join(errA, errB) == nil && busyA != busyB {
		p.t.Errorf("%q is busy %v, and in memory %v", at, busyA, busyB)
	}
}

var places = []entry.Path{"a", "b", "d", "d/x", "d/y", "d/e", "d/e/z", "a/x", ".kith", "d/.kith-tmp", "../x"}

func (p *pair) place() entry.Path {
	if p.rng.IntN(20) > 0 {
		return places[p.rng.IntN(len(places)-3)]
	}
	return places[p.rng.IntN(len(places))]
}

// state is a state of a path: as it is, or as it once was.
func (p *pair) state(at entry.Path) states {
	seen := p.seen[at]
	if len(seen) > 0 && p.rng.IntN(4) == 0 {
		return seen[p.rng.IntN(len(seen))]
	}
	a, errA := p.real.Lstat(at)
	b, errB := p.mem.Lstat(at)
	if errA != nil || errB != nil {
		if class(errA) != class(errB) {
			p.t.Errorf("a look at %q: %v, and in memory %v", at, errA, errB)
		}
		return states{tree.Stat{Kind: entry.File}, tree.Stat{Kind: entry.File}}
	}
	return states{a, b}
}

func (p *pair) meta() tree.Meta {
	return tree.Meta{Mode: []uint32{0o644, 0o600, 0o755}[p.rng.IntN(3)], ModTime: int64(1e18 + p.rng.IntN(1000)*1e9)}
}

func (p *pair) body() []byte {
	p.count++
	return fmt.Appendf(nil, "<%d>", p.count)
}

func (p *pair) step() (what string, a, b error) {
	at, to := p.place(), p.place()
	if p.rng.IntN(2) == 0 {
		what, a, b = p.userStep(at, to)
		return what, userError(a), userError(b)
	}
	st, m := p.state(at), p.meta()
	switch p.rng.IntN(7) {
	case 0:
		_, a = p.real.Mkdir(at, m.Mode|0o700)
		_, b = p.mem.Mkdir(at, m.Mode|0o700)
		return fmt.Sprintf("mkdir %q", at), a, b
	case 1:
		m.Mode |= 0o700
		_, a = p.real.SetMeta(at, m, st.real)
		_, b = p.mem.SetMeta(at, m, st.mem)
		return fmt.Sprintf("set %q", at), a, b
	case 2:
		m.Mode |= 0o700
		_, a = p.real.Move(at, to, st.real, m)
		_, b = p.mem.Move(at, to, st.mem, m)
		return fmt.Sprintf("move %q to %q", at, to), a, b
	case 3:
		return fmt.Sprintf("remove %q", at), p.real.Remove(at, st.real), p.mem.Remove(at, st.mem)
	case 4:
		a, b = p.real.Sync(), p.mem.Sync()
		if p.rng.IntN(3) == 0 {
			p.must(errors.Join(p.real.Close(), p.mem.Close()))
			p.open()
		}
		return "sync", a, b
	}
	x, y := &st.real, &st.mem
	if p.rng.IntN(2) == 0 {
		x, y = nil, nil
	}
	a, b = p.placeFile(at, m, x, y)
	return fmt.Sprintf("place %q over %v", at, x != nil), a, b
}

func (p *pair) placeFile(at entry.Path, m tree.Meta, x, y *tree.Stat) (a, b error) {
	if p.rng.IntN(3) == 0 {
		s, errA := p.real.StageSymlink("link", "target")
		r, errB := p.mem.StageSymlink("link", "target")
		p.must(errors.Join(errA, errB))
		_, a = p.real.Place(at, s, m, x)
		_, b = p.mem.Place(at, r, m, y)
		p.must(errors.Join(s.Discard(), p.mem.CleanTemporaries(func(name string) bool { return name != "link" })))
		return a, b
	}
	name := []string{"one", "two"}[p.rng.IntN(2)]
	s, errA := p.real.Stage(name)
	r, errB := p.mem.Stage(name)
	p.must(errors.Join(errA, errB))
	for _, f := range []interface {
		Truncate(int64) error
		io.WriterAt
	}{s, r} {
		p.must(f.Truncate(6))
		_, err := f.WriteAt(fmt.Appendf(nil, "<%d>", p.count), 1)
		p.must(err)
	}
	_, a = p.real.Place(at, s, m, x)
	_, b = p.mem.Place(at, r, m, y)
	p.must(errors.Join(s.Close(), r.Close()))
	return a, b
}

// userError says no more than that: how a person is refused is no contract.
func userError(err error) error {
	if err != nil {
		return errUser
	}
	return nil
}

var errUser = errors.New("refused")

// userStep does what a person does.
func (p *pair) userStep(at, to entry.Path) (what string, a, b error) {
	path := filepath.Join(p.root, filepath.FromSlash(string(at)))
	if _, err := entry.ParsePath(string(at)); err != nil {
		return "nothing", nil, nil
	}
	switch p.rng.IntN(8) {
	case 0, 1:
		body, draft := p.body(), p.root+".draft"
		p.must(os.WriteFile(draft, body, 0o644))
		if p.disk.isDir(at) {
			return "nothing", nil, nil
		}
		return fmt.Sprintf("write %q", at), os.Rename(draft, path), p.disk.Write(at, body, 0o644)
	case 2:
		return fmt.Sprintf("mkdir %q", at), os.Mkdir(path, 0o755), p.disk.Mkdir(at, 0o755)
	case 3:
		_, err := os.Lstat(path)
		return fmt.Sprintf("take %q", at), errors.Join(err, os.RemoveAll(path)), p.disk.Remove(at)
	case 4:
		if _, err := entry.ParsePath(string(to)); err != nil || p.disk.isDir(to) || p.disk.isDir(at) {
			return "nothing", nil, nil
		}
		if at == to || at.Below(to) || to.Below(at) {
			return "nothing", nil, nil
		}
		return fmt.Sprintf("rename %q to %q", at, to), os.Rename(path, filepath.Join(p.root, string(to))), p.disk.Rename(at, to)
	case 5:
		m := p.meta()
		if _, ok := p.disk.Body(at); !ok {
			return "nothing", nil, nil
		}
		when := time.Unix(0, m.ModTime)
		return fmt.Sprintf("chmod %q", at), errors.Join(os.Chmod(path, fs.FileMode(m.Mode)), os.Chtimes(path, when, when)), p.disk.SetMeta(at, m)
	}
	return p.edit(at, path)
}

// edit opens a file for writing, or writes to one and closes it.
func (p *pair) edit(at entry.Path, path string) (what string, a, b error) {
	if len(p.files) > 0 {
		first := slices.Min(slices.Collect(maps.Keys(p.files)))
		w := p.files[first]
		delete(p.files, first)
		body := p.body()
		p.must(w.real.Truncate(0))
		_, err := w.real.WriteAt(body, 0)
		p.must(err)
		w.mem.Write(body)
		w.mem.Close()
		return fmt.Sprintf("write to what was %q", first), w.real.Close(), nil
	}
	if _, ok := p.disk.Body(at); !ok {
		return "nothing", nil, nil
	}
	f, errA := os.OpenFile(path, os.O_RDWR, 0)
	w, errB := p.disk.Edit(at)
	if errA == nil && errB == nil {
		p.files[at] = &writers{f, w}
	}
	return fmt.Sprintf("open %q", at), errA, errB
}

func (d *Disk) isDir(p entry.Path) bool {
	st, ok := d.Stat(p)
	return ok && st.Kind == entry.Directory
}

package folder_test

import (
	"bytes"
	"crypto/sha256"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/kithmesh/kith/index"
	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/folder"
)

// Random histories of two or three folders: users write while changes arrive,
// connections come and go, folders are stopped and started, their trees go away
// and come back, indexes are lost, and clocks are far off. In the end all are
// connected, and then: all have the same files; no content is gone that no user
// replaced or removed with their own hands; no file holds what no user wrote;
// equal vectors mean equal payloads; nothing is wanted and nothing left behind.
// Last, one change at a time comes out as just what its user made.
//
// A seed fixes what users do and when links change, not how that falls in with
// what the folders do, so a failure may take some tries to come back:
//
//	go test ./node/folder -run TestRandomHistories -histories 300 [-history-seed N]
//
// Without -histories it runs for some seconds.
var (
	histories   = flag.Int("histories", 0, "random histories of folders to run; 0: for some seconds")
	historySeed = flag.Uint64("history-seed", 1, "first seed of the random histories of folders")
)

func TestRandomHistoriesKeepEverythingAndConverge(t *testing.T) {
	began := time.Now()
	for i := 0; i < *histories || *histories == 0 && time.Since(began) < 4*time.Second; i++ {
		seed := *historySeed + uint64(i)
		if !t.Run(fmt.Sprint(seed), func(t *testing.T) { runHistory(t, seed) }) {
			t.Fatalf("replay: go test ./node/folder -run TestRandomHistories -histories 20 -history-seed %d", seed)
		}
	}
}

// history is one run.
type history struct {
	w      *world
	rng    *rand.Rand
	began  time.Time
	losses bool // of indexes
	n      int  // contents made
	trash  int
	// bodies are all contents of files that users made, each with its marks.
	bodies map[[sha256.Size]byte]bool
	// void are marks of which nothing is asked: where they ended up cannot be told.
	void map[string]bool
	held map[*device]*os.File
	path map[*device]string // of what is held
	away map[*device]bool

	mu    sync.Mutex
	steps bytes.Buffer
}

// mark stands for one content; every file that a user writes has its own.
var mark = regexp.MustCompile(`<c\d+>`)

func runHistory(t *testing.T, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 7))
	h := &history{
		w: newWorld(t, []string{"anna", "ben", "carla"}[:2+rng.IntN(2)]...), rng: rng, began: time.Now(), losses: rng.IntN(3) == 0,
		bodies: map[[sha256.Size]byte]bool{}, void: map[string]bool{},
		held: map[*device]*os.File{}, path: map[*device]string{}, away: map[*device]bool{},
	}
	t.Cleanup(func() {
		if t.Failed() {
			for _, d := range h.w.all {
				if d.folder != nil {
					h.note(d, "in the end", fmt.Sprintf("%+v, %d steps", d.folder.Status(), d.ticks.Load()), d.files())
				}
			}
			h.mu.Lock()
			defer h.mu.Unlock()
			t.Logf("what happened:\n%s", h.steps.String())
		}
	})
	h.w.limit.Records = []int{1, 3, 1000}[rng.IntN(3)]
	for i, d := range h.w.all {
		d.skew = []time.Duration{0, 0, time.Hour, -time.Hour, 90000 * time.Hour, -90000 * time.Hour}[rng.IntN(6)]
		d.log = slog.New(slog.NewTextHandler(h, &slog.HandlerOptions{Level: slog.LevelDebug})).With("on", d.name)
		must(t, os.Mkdir(filepath.Join(d.home, "trash"), 0o755))
		if i > 0 && rng.IntN(4) == 0 {
			d.options = func(o *folder.Options) { o.Begin = false } // joins with what it has
		}
		for range rng.IntN(3) {
			h.user(d)
		}
		d.up()
	}
	for range 15 + rng.IntN(50) {
		h.step()
	}
	h.end()
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Write takes what the folders log.
func (h *history) Write(line []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.steps.Write(line)
}

func (h *history) note(d *device, what string, about ...any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	fmt.Fprintf(&h.steps, "%v %s: %s %v\n", time.Since(h.began).Round(time.Millisecond), d.name, what, about)
}

func (h *history) pick() *device { return h.w.all[h.rng.IntN(len(h.w.all))] }

func pause(limit time.Duration) { <-time.After(limit) }

func (h *history) step() {
	d := h.pick()
	switch r := h.rng.IntN(100); {
	case r < 50:
		if !h.away[d] {
			h.user(d)
		}
	case r < 66:
		h.turnLink(d, h.pick())
	case r < 70:
		h.turnPower(d)
	case r < 72:
		h.turnRoot(d)
	case r < 74:
		if h.losses && !h.away[d] {
			h.loseIndex(d)
		}
	case r < 78:
		h.letGo(d)
	case r < 82:
		if d.folder != nil && !h.away[d] && h.held[d] == nil {
			h.note(d, "scan")
			d.scan()
		}
	default:
		pause(time.Duration(h.rng.IntN(80)) * time.Millisecond)
	}
	if h.rng.IntN(3) == 0 {
		pause(time.Duration(h.rng.IntN(15)) * time.Millisecond)
	}
}

func (h *history) turnLink(a, b *device) {
	if a == b || a.folder == nil || b.folder == nil {
		return
	}
	if h.w.lines[[2]*device{a, b}] != nil {
		h.note(a, "cut", b.name)
		h.w.cut(a, b)
		return
	}
	h.note(a, "link", b.name)
	h.w.link(a, b)
}

func (h *history) turnPower(d *device) {
	if d.folder != nil {
		h.note(d, "down")
		d.down()
		return
	}
	h.note(d, "up")
	d.up()
}

// turnRoot takes the tree away, as an unmount does, or brings it back.
func (h *history) turnRoot(d *device) {
	h.note(d, "root", !h.away[d])
	from, to := d.root, d.root+".away"
	if h.away[d] {
		from, to = to, from
	}
	must(h.w.t, os.Rename(from, to))
	h.away[d] = !h.away[d]
	if d.folder != nil && (!h.away[d] || h.rng.IntN(2) == 0) {
		ctx, cancel := bounded()
		defer cancel()
		must(h.w.t, d.folder.Check(ctx))
	}
}

func (h *history) loseIndex(d *device) {
	h.note(d, "loses its index")
	was := d.folder != nil
	d.loseIndex()
	if was {
		d.up()
	}
}

// content is new, and nobody else's.
func (h *history) content() string {
	h.n++
	text := fmt.Sprintf("<c%d>", h.n)
	if h.rng.IntN(12) == 0 {
		fill := rand.New(rand.NewPCG(uint64(h.n), 1))
		b := make([]byte, 1<<uint(14+h.rng.IntN(7)))
		for i := range b {
			b[i] = byte('a' + fill.IntN(26))
		}
		text += string(b)
	}
	h.made(text)
	return text
}

func (h *history) made(text string) { h.bodies[sha256.Sum256([]byte(text))] = true }

var places = []string{"a", "b", "d", "d/x", "d/y", "d/e", "d/e/z", "a/x", "b/y"}

// place is where a user acts: one of a few places, or one of what they see.
func (h *history) place(d *device) string {
	if h.rng.IntN(2) == 0 {
		return places[h.rng.IntN(len(places))]
	}
	seen := h.seen(d)
	if len(seen) == 0 {
		return "a"
	}
	return seen[h.rng.IntN(len(seen))]
}

// seen is what lies in a tree just now, by and large.
func (h *history) seen(d *device) (out []string) {
	_ = filepath.WalkDir(d.root, func(p string, e fs.DirEntry, err error) error {
		rel, _ := filepath.Rel(d.root, p)
		switch {
		case err != nil || rel == ".":
			return nil
		case rel == entry.Reserved:
			return filepath.SkipDir
		}
		out = append(out, rel)
		return nil
	})
	return out
}

// user does something to the tree of d. What they replace or remove is taken
// out whole, so that it can be told in the end just what it was.
func (h *history) user(d *device) {
	p := h.place(d)
	switch r := h.rng.IntN(100); {
	case r < 40:
		c := h.content()
		h.note(d, "write", p, c[:min(len(c), 8)])
		h.replace(d, p, func(draft string) error { return os.WriteFile(draft, []byte(c), 0o644) })
	case r < 47:
		h.n++
		h.note(d, "symlink", p, h.n)
		h.replace(d, p, func(draft string) error { return os.Symlink(fmt.Sprintf("<c%d>", h.n), draft) })
	case r < 52:
		h.note(d, "mkdir", p)
		_ = os.MkdirAll(d.path(p), 0o755)
	case r < 70:
		h.note(d, "remove", p)
		h.discard(d, d.path(p))
	case r < 82:
		q := h.place(d)
		h.note(d, "rename", p, q)
		if strings.HasPrefix(q+"/", p+"/") || strings.HasPrefix(p+"/", q+"/") {
			return
		}
		h.discard(d, d.path(q))
		h.parents(d, q)
		_ = unix.Renameat2(unix.AT_FDCWD, d.path(p), unix.AT_FDCWD, d.path(q), unix.RENAME_NOREPLACE)
	case r < 86:
		h.note(d, "chmod", p)
		if st, err := os.Lstat(d.path(p)); err == nil && st.Mode().IsRegular() {
			_ = os.Chmod(d.path(p), []os.FileMode{0o600, 0o644, 0o755}[h.rng.IntN(3)])
		}
	case r < 89:
		h.note(d, "touch", p)
		if st, err := os.Lstat(d.path(p)); err == nil && st.Mode().IsRegular() {
			_ = os.Chtimes(d.path(p), time.Time{}, time.Unix(int64(1e9+h.rng.IntN(1e6)), 0))
		}
	default:
		h.note(d, "write in place", p)
		h.hold(d, p)
		if h.rng.IntN(2) == 0 {
			h.letGo(d)
		}
	}
}

// parents makes the directories that lead to p; a file in the way is removed.
func (h *history) parents(d *device, p string) {
	for i, c := range p {
		if c != '/' {
			continue
		}
		up := d.path(p[:i])
		if st, err := os.Lstat(up); err == nil && !st.IsDir() {
			h.discard(d, up)
		}
		_ = os.Mkdir(up, 0o755)
	}
}

func (h *history) replace(d *device, p string, draft func(string) error) {
	h.parents(d, p)
	out := h.bin(d)
	must(h.w.t, draft(out))
	for range 5 {
		if unix.Renameat2(unix.AT_FDCWD, out, unix.AT_FDCWD, d.path(p), unix.RENAME_NOREPLACE) == nil ||
			unix.Renameat2(unix.AT_FDCWD, out, unix.AT_FDCWD, d.path(p), unix.RENAME_EXCHANGE) == nil {
			return // out is what was there
		}
	}
	h.note(d, "could not write", p) // what could not be written lies in the bin
}

func (h *history) discard(d *device, path string) { _ = os.Rename(path, h.bin(d)) }

// bin is a new place outside of the tree.
func (h *history) bin(d *device) string {
	h.trash++
	return filepath.Join(d.home, "trash", fmt.Sprint(h.trash))
}

// hold begins to write to a file that is there, as a program does that does not
// write files anew.
func (h *history) hold(d *device, p string) {
	if h.held[d] != nil {
		return
	}
	if st, err := os.Lstat(d.path(p)); err != nil || !st.Mode().IsRegular() {
		return
	}
	f, err := os.OpenFile(d.path(p), os.O_RDWR|unix.O_NOFOLLOW, 0)
	if err != nil {
		return
	}
	was, err := io.ReadAll(f)
	must(h.w.t, err)
	c := h.content()
	if h.rng.IntN(2) == 0 {
		_, err = f.WriteString(c)
		h.made(string(was) + c)
	} else {
		must(h.w.t, f.Truncate(0))
		_, err = f.WriteAt([]byte(c), 0)
		must(h.w.t, os.WriteFile(h.bin(d), was, 0o644)) // which the user has replaced
	}
	must(h.w.t, err)
	h.note(d, "holds", p, c[:min(len(c), 8)])
	h.held[d], h.path[d] = f, p
	h.void[mark.FindString(c)] = true
}

// letGo ends what hold began. If the file lies where it lay, it counts.
func (h *history) letGo(d *device) {
	f := h.held[d]
	if f == nil {
		return
	}
	delete(h.held, d)
	h.note(d, "lets go", h.path[d])
	was, err := f.Stat()
	must(h.w.t, err)
	b, err := io.ReadAll(io.NewSectionReader(f, 0, 1<<30))
	must(h.w.t, err)
	must(h.w.t, f.Close())
	root := d.root
	if h.away[d] {
		root += ".away"
	}
	now, err := os.Lstat(filepath.Join(root, h.path[d]))
	if err != nil || !os.SameFile(was, now) {
		h.note(d, "what was held lies elsewhere", h.path[d])
		return
	}
	all := mark.FindAllString(string(b), -1)
	delete(h.void, all[len(all)-1])
}

// end connects all, and judges.
func (h *history) end() {
	w := h.w
	for _, d := range w.all {
		h.letGo(d)
		if h.away[d] {
			h.turnRoot(d)
		}
		if d.folder == nil {
			h.turnPower(d)
		}
		ctx, cancel := bounded()
		must(w.t, d.folder.Check(ctx))
		cancel()
	}
	h.note(w.all[0], "all linked")
	w.linkAll()
	w.settle()
	h.judge()
	for range h.rng.IntN(3) {
		d := h.pick()
		h.note(d, "calmly")
		h.user(d)
		h.letGo(d)
		made := d.files()
		w.settle()
		if f := d.files(); !maps.Equal(f, made) {
			w.t.Errorf("the user of %s made:%v\nand it became:%v", d.name, made, f)
		}
		h.judge()
	}
}

func (h *history) judge() {
	t := h.w.t
	t.Helper()
	all := h.w.agree()
	gone := h.gone()
	have := map[string]bool{}
	for p, f := range all {
		for _, m := range mark.FindAllString(f, -1) {
			have[m] = true
		}
		if _, body, ok := strings.Cut(f, ": "); ok && strings.HasPrefix(f, "file ") && !h.bodies[sha256.Sum256([]byte(body))] {
			t.Errorf("%q holds what nobody wrote: %.60q, %d bytes", p, body, len(body))
		}
	}
	for i := range h.n {
		if m := fmt.Sprintf("<c%d>", i+1); !have[m] && !gone[m] && !h.void[m] {
			t.Errorf("%s is lost:%v", m, all)
		}
	}
	h.metaAgrees()
	for _, d := range h.w.all {
		d.read(func(x *index.Folder) error {
			for w := range x.WantedRange("") {
				t.Errorf("%s still wants %q", d.name, w[0].Entry.Path)
			}
			for p := range x.UnknownPaths() {
				t.Errorf("%s: the history of %q is unknown", d.name, p)
			}
			return nil
		})
	}
	if t.Failed() {
		for _, d := range h.w.all {
			for _, e := range slices.SortedFunc(maps.Values(d.entries()), func(a, b *entry.Entry) int { return a.Path.Compare(b.Path) }) {
				h.note(d, "has", e.Path, e.Kind, e.Version, e.Sequence)
			}
		}
		t.FailNow()
	}
}

// gone are the marks of all that users have taken out of their trees.
func (h *history) gone() map[string]bool {
	out := map[string]bool{}
	for _, d := range h.w.all {
		must(h.w.t, filepath.WalkDir(filepath.Join(d.home, "trash"), func(p string, e fs.DirEntry, err error) error {
			if err != nil || e.IsDir() {
				return err
			}
			var b []byte
			if e.Type()&fs.ModeSymlink != 0 {
				s, err := os.Readlink(p)
				if err != nil {
					return err
				}
				b = []byte(s)
			} else if b, err = os.ReadFile(p); err != nil {
				return err
			}
			for _, m := range mark.FindAllString(string(b), -1) {
				out[m] = true
			}
			return nil
		}))
	}
	return out
}

// metaAgrees checks that what lives has the same time on all devices, and that
// each index remembers the file that lies on its disk.
func (h *history) metaAgrees() {
	t := h.w.t
	t.Helper()
	times := map[entry.Path]int64{}
	for _, d := range h.w.all {
		for p, e := range d.entries() {
			if e.Kind != entry.File {
				continue
			}
			st, err := os.Lstat(d.path(string(p)))
			must(t, err)
			if st.ModTime().UnixNano() != e.ModTime || st.Size() != e.Size {
				t.Errorf("%s: %q has time %d and size %d on disk, %d and %d in the index",
					d.name, p, st.ModTime().UnixNano(), st.Size(), e.ModTime, e.Size)
			}
			if was, ok := times[p]; ok && was != e.ModTime {
				t.Errorf("%s: %q has another time than elsewhere", d.name, p)
			}
			times[p] = e.ModTime
		}
	}
}

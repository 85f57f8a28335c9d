package storytest

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// hand does what people and programs do to files, at random, in that part of a
// tree which is its own: some of the top directories, and of the directory
// shared those files whose names begin with its mark.
type hand struct {
	rng  *rand.Rand
	root string
	mark string
	tops map[string]bool
	most int      // files that it may yet take away with whole trees
	done []string // what it did, for the one who looks for the reason
	made int
}

// shared is the directory where all hands have files.
const shared = "shared"

// owns tells whether a path is the hand's own. It owns the directory shared as
// far as reading goes.
func (h *hand) owns(path string) bool {
	first, rest, _ := strings.Cut(filepath.ToSlash(path), "/")
	if first == shared {
		return rest == "" || strings.HasPrefix(rest, h.mark)
	}
	return h.tops[first]
}

// errNothing is returned by an operation that found nothing to work on.
var errNothing = errors.New("nothing to do it with")

// act does one thing.
func (h *hand) act() error {
	for range 100 {
		op := operations[h.rng.IntN(len(operations))]
		what, err := op.do(h)
		if errors.Is(err, errNothing) {
			continue
		}
		h.done = append(h.done, time.Now().Format("15:04:05.000 ")+op.name+" "+what)
		if err != nil {
			return fmt.Errorf("%s %s: %w", op.name, what, err)
		}
		return nil
	}
	return errNothing
}

// operations is what a hand can do, the commoner the oftener. Each says what
// it was done to.
var operations = []struct {
	name string
	do   func(*hand) (string, error)
}{
	{"create", (*hand).create}, {"create", (*hand).create}, {"create", (*hand).create},
	{"edit", (*hand).edit}, {"edit", (*hand).edit},
	{"append to", (*hand).extend}, {"append to", (*hand).extend},
	{"truncate", (*hand).truncate},
	{"save", (*hand).save}, {"save", (*hand).save},
	{"rename", (*hand).rename}, {"rename", (*hand).rename},
	{"move directory", (*hand).moveDirectory},
	{"make directory", (*hand).makeDirectory},
	{"delete", (*hand).remove}, {"delete", (*hand).remove},
	{"delete tree", (*hand).removeTree},
	{"chmod", (*hand).chmod},
	{"chmod directory", (*hand).chmodDirectory},
	{"symlink", (*hand).symlink},
	{"put a directory for a file", (*hand).fileToDirectory},
	{"put a file for a directory", (*hand).directoryToFile},
}

// directory is one of the hand's own, at any depth.
func (h *hand) directory() string {
	tops := make([]string, 0, len(h.tops))
	entries, _ := os.ReadDir(h.root)
	for _, e := range entries {
		if h.tops[e.Name()] && e.IsDir() {
			tops = append(tops, e.Name())
		}
	}
	dir := tops[h.rng.IntN(len(tops))]
	for h.rng.IntN(3) > 0 {
		below := h.list(dir, fs.FileMode.IsDir)
		if len(below) == 0 {
			break
		}
		dir = below[h.rng.IntN(len(below))]
	}
	return dir
}

// list is what lies in a directory, of a kind and the hand's own.
func (h *hand) list(dir string, kind func(fs.FileMode) bool) []string {
	var out []string
	entries, _ := os.ReadDir(filepath.Join(h.root, dir))
	for _, e := range entries {
		if p := filepath.Join(dir, e.Name()); kind(e.Type()) && h.owns(p) {
			out = append(out, p)
		}
	}
	return out
}

// file is a regular file of the hand's own.
func (h *hand) file() (string, error) {
	for range 20 {
		dir := shared
		if h.rng.IntN(6) > 0 {
			dir = h.directory()
		}
		if files := h.list(dir, fs.FileMode.IsRegular); len(files) > 0 {
			return files[h.rng.IntN(len(files))], nil
		}
	}
	return "", errNothing
}

// below is a directory that may be moved or deleted: not a top one.
func (h *hand) below() (string, error) {
	for range 20 {
		if dir := h.directory(); strings.Contains(dir, string(filepath.Separator)) {
			return dir, nil
		}
	}
	return "", errNothing
}

// few is such a directory, to be taken away with all that is in it. There are
// not many files in it: what takes much of a folder away waits on the other
// device until a person has approved of it.
func (h *hand) few() (string, error) {
	for range 20 {
		dir, err := h.below()
		if err != nil {
			return "", err
		}
		if n := h.files(dir); n <= h.most {
			h.most -= n
			return dir, nil
		}
	}
	return "", errNothing
}

// files is how many files lie in a directory, at any depth.
func (h *hand) files(dir string) (n int) {
	_ = filepath.WalkDir(h.at(dir), func(_ string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			n++
		}
		return nil
	})
	return n
}

// fresh is a path where nothing is.
func (h *hand) fresh() string {
	h.made++
	if h.rng.IntN(6) == 0 {
		return filepath.Join(shared, clip(fmt.Sprintf("%s%d%s", h.mark, h.made, h.oddName())))
	}
	return filepath.Join(h.directory(), clip(fmt.Sprintf("%s %s%d", h.oddName(), h.mark, h.made)))
}

// oddName is a name as people, programs and accidents make them.
func (h *hand) oddName() string {
	names := []string{
		"plain.txt", " leading and trailing ", "two\nlines", "-rf", ".hidden", "...", "~", "caf\u00e9", "cafe\u0301", "\xff\xfe\x80 not UTF-8",
		"quote's \"both\"", `back\slash`, "*?[a-z]{x,y}", "$HOME;`true`", "\t\r\x01\x7f", "\U0001f600", "con", "a:b|c<d>", "%s%n", "#", "name.",
	}
	return names[h.rng.IntN(len(names))]
}

// clip keeps a name of at most 255 bytes; now and then the whole of them.
func clip(name string) string {
	if len(name)%5 == 0 {
		name += strings.Repeat("w", 255)
	}
	return name[:min(len(name), 255)]
}

func (h *hand) content() []byte {
	switch n := h.rng.IntN(10); {
	case n == 0:
		return nil
	case n == 1:
		return noise(h.rng, h.rng.IntN(1<<20))
	case n < 5:
		return bytes.Repeat([]byte("the same line over and over\n"), 1+h.rng.IntN(2000))
	}
	return noise(h.rng, 1+h.rng.IntN(20_000))
}

func (h *hand) at(path string) string { return filepath.Join(h.root, path) }

func (h *hand) create() (string, error) {
	p := h.fresh()
	err := os.WriteFile(h.at(p), h.content(), 0o644)
	if errors.Is(err, syscall.EILSEQ) || errors.Is(err, syscall.EINVAL) {
		return p, errNothing // a name that this file system cannot hold
	}
	return quoted(p), err
}

func (h *hand) edit() (string, error) {
	p, err := h.file()
	if err != nil {
		return "", err
	}
	f, err := os.OpenFile(h.at(p), os.O_RDWR, 0)
	if err != nil {
		return quoted(p), err
	}
	info, err := f.Stat()
	if err == nil {
		_, err = f.WriteAt(noise(h.rng, 1+h.rng.IntN(5000)), h.rng.Int64N(info.Size()+1))
	}
	return quoted(p), errors.Join(err, f.Close())
}

func (h *hand) extend() (string, error) {
	p, err := h.file()
	if err != nil {
		return "", err
	}
	f, err := os.OpenFile(h.at(p), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return quoted(p), err
	}
	_, err = f.Write(noise(h.rng, 1+h.rng.IntN(3000)))
	return quoted(p), errors.Join(err, f.Close())
}

func (h *hand) truncate() (string, error) {
	p, err := h.file()
	if err != nil {
		return "", err
	}
	info, err := os.Stat(h.at(p))
	if err != nil {
		return quoted(p), err
	}
	return quoted(p), os.Truncate(h.at(p), h.rng.Int64N(info.Size()+1))
}

// save replaces a file as careful programs do: a new one beside it, renamed
// over it.
func (h *hand) save() (string, error) {
	p, err := h.file()
	if err != nil {
		return "", err
	}
	h.made++
	beside := filepath.Join(filepath.Dir(p), fmt.Sprintf("%s%d.new", h.mark, h.made))
	if err := os.WriteFile(h.at(beside), h.content(), 0o600); err != nil {
		return quoted(p), err
	}
	return quoted(p), os.Rename(h.at(beside), h.at(p))
}

func (h *hand) rename() (string, error) {
	p, err := h.file()
	if err != nil {
		return "", err
	}
	to := h.fresh()
	return quoted(p) + " to " + quoted(to), os.Rename(h.at(p), h.at(to))
}

func (h *hand) moveDirectory() (string, error) {
	p, err := h.below()
	if err != nil {
		return "", err
	}
	into := h.directory()
	if into == p || strings.HasPrefix(into, p+string(filepath.Separator)) {
		return "", errNothing
	}
	h.made++
	to := filepath.Join(into, fmt.Sprintf("moved %s%d", h.mark, h.made))
	return quoted(p) + " to " + quoted(to), os.Rename(h.at(p), h.at(to))
}

func (h *hand) makeDirectory() (string, error) {
	h.made++
	p := filepath.Join(h.directory(), fmt.Sprintf("new %s%d", h.mark, h.made), "and deeper")
	return quoted(p), os.MkdirAll(h.at(p), 0o755)
}

func (h *hand) remove() (string, error) {
	p, err := h.file()
	if err != nil {
		return "", err
	}
	return quoted(p), os.Remove(h.at(p))
}

func (h *hand) removeTree() (string, error) {
	p, err := h.few()
	if err != nil {
		return "", err
	}
	return quoted(p), os.RemoveAll(h.at(p))
}

func (h *hand) chmod() (string, error) {
	p, err := h.file()
	if err != nil {
		return "", err
	}
	modes := []fs.FileMode{0o600, 0o640, 0o644, 0o664, 0o700, 0o755}
	return quoted(p), os.Chmod(h.at(p), modes[h.rng.IntN(len(modes))])
}

func (h *hand) chmodDirectory() (string, error) {
	p, err := h.below()
	if err != nil {
		return "", err
	}
	modes := []fs.FileMode{0o700, 0o750, 0o755}
	return quoted(p), os.Chmod(h.at(p), modes[h.rng.IntN(len(modes))])
}

func (h *hand) symlink() (string, error) {
	p := h.fresh()
	if old, err := h.file(); err == nil && h.rng.IntN(2) == 0 {
		p = old // in the place of a file
		if err := os.Remove(h.at(p)); err != nil {
			return quoted(p), err
		}
	}
	targets := []string{"plain.txt", "../..", "/etc/hostname", "no such\nfile", strings.Repeat("long/", 200)}
	return quoted(p), os.Symlink(targets[h.rng.IntN(len(targets))], h.at(p))
}

func (h *hand) fileToDirectory() (string, error) {
	p, err := h.file()
	if err != nil || strings.HasPrefix(p, shared) {
		return "", errNothing
	}
	if err := os.Remove(h.at(p)); err != nil {
		return quoted(p), err
	}
	if err := os.Mkdir(h.at(p), 0o755); err != nil {
		return quoted(p), err
	}
	return quoted(p), os.WriteFile(h.at(filepath.Join(p, "within")), h.content(), 0o644)
}

func (h *hand) directoryToFile() (string, error) {
	p, err := h.few()
	if err != nil {
		return "", err
	}
	if err := os.RemoveAll(h.at(p)); err != nil {
		return quoted(p), err
	}
	return quoted(p), os.WriteFile(h.at(p), h.content(), 0o644)
}

func quoted(path string) string { return fmt.Sprintf("%q", path) }

package storytest

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/zeebo/blake3"
)

// secrets are bytes that only devices with the keys may ever hold: names,
// pieces of contents, targets of links, and hashes of contents.
type secrets struct {
	rng *rand.Rand

	mu    sync.Mutex
	of    map[string]string // what each is
	first map[[leastSecret]byte][]string
	bits  [1 << 18]uint64 // which first three bytes there are
	most  int             // length of the longest
}

// leastSecret is the least length of a secret, in bytes: chance makes none so
// long.
const leastSecret = 12

func newSecrets(r *rand.Rand) *secrets {
	return &secrets{rng: r, of: map[string]string{}, first: map[[leastSecret]byte][]string{}}
}

// add notes a secret and what it is.
func (s *secrets) add(secret, what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.of[secret] != "" {
		return
	}
	s.of[secret] = what
	key := [leastSecret]byte([]byte(secret))
	s.first[key] = append(s.first[key], secret)
	i := begins(key[:])
	s.bits[i/64] |= 1 << (i % 64)
	s.most = max(s.most, len(secret))
}

// begins is a number of the first bytes.
func begins(b []byte) uint32 { return uint32(b[0])<<16 | uint32(b[1])<<8 | uint32(b[2]) }

// word is a new secret that people can read.
func (s *secrets) word(what string) string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	b := make([]byte, 16)
	for i := range b {
		b[i] = letters[s.rng.IntN(len(letters))]
	}
	s.add(string(b), what)
	return string(b)
}

// file makes secrets of what a file holds: a piece of it where it has some that
// is at random, and its hashes.
func (s *secrets) file(path string, content []byte) {
	if len(content) >= 64 {
		at := s.rng.IntN(len(content) - 24)
		if piece := content[at : at+24]; mixed(piece) {
			s.add(string(piece), fmt.Sprintf("bytes %d to %d of %q", at, at+24, path))
		}
	}
	if len(content) < leastSecret {
		return // the hash of nothing is known to everybody
	}
	one, other := sha256.Sum256(content), blake3.Sum256(content)
	for name, sum := range map[string][]byte{"SHA-256": one[:], "BLAKE3": other[:]} {
		s.add(string(sum), name+" of "+path)
		s.add(hex.EncodeToString(sum), name+" of "+path+", in hexadecimal")
		s.add(base64.StdEncoding.EncodeToString(sum), name+" of "+path+", in base64")
	}
}

// mixed tells whether bytes look as if chance had made them.
func mixed(b []byte) bool {
	var different [256]bool
	n := 0
	for _, c := range b {
		if !different[c] {
			different[c] = true
			n++
		}
	}
	return n >= 20
}

// tree makes secrets of the files of a tree, so many at most.
func (s *secrets) tree(t *testing.T, root string, most int) {
	t.Helper()
	var files []string
	for p, i := range look(t, root) {
		if i.kind == 0 {
			files = append(files, p)
		}
	}
	s.rng.Shuffle(len(files), func(i, j int) { files[i], files[j] = files[j], files[i] })
	for _, p := range files[:min(most, len(files))] {
		content, err := os.ReadFile(filepath.Join(root, p))
		if err != nil {
			t.Fatal(err)
		}
		s.file(p, content)
	}
}

// in searches bytes, and tells what it has found.
func (s *secrets) in(b []byte) (found []string) {
	for i := 0; i+leastSecret <= len(b); i++ {
		n := begins(b[i:])
		if s.bits[n/64]&(1<<(n%64)) == 0 {
			continue
		}
		for _, secret := range s.first[[leastSecret]byte(b[i:])] {
			if bytes.HasPrefix(b[i:], []byte(secret)) {
				found = append(found, s.of[secret])
			}
		}
	}
	return found
}

// inAll searches all that can be read, of which a secret may lie across any two
// pieces. What cannot be read ends it.
func (s *secrets) inAll(r io.Reader) (found []string, bytes int64) {
	piece := make([]byte, 1<<20)
	kept := 0
	defer func() {
		slices.Sort(found)
		found = slices.Compact(found) // what lay where pieces overlap was met twice
	}()
	for {
		n, err := r.Read(piece[kept:])
		bytes += int64(n)
		n += kept
		found = append(found, s.in(piece[:n])...)
		kept = copy(piece, piece[max(0, n-s.most+1):n])
		if err != nil {
			return found, bytes
		}
	}
}

// onDisk searches all files of a directory.
func (s *secrets) onDisk(t *testing.T, root string) (found []string, bytes int64) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // gone meanwhile
		}
		if err != nil {
			return err
		}
		for _, what := range s.in([]byte(path)) {
			found = append(found, what+" in the name "+path)
		}
		if !e.Type().IsRegular() {
			return nil
		}
		f, err := os.Open(path)
		if err != nil {
			return nil // gone meanwhile
		}
		defer func() { _ = f.Close() }()
		more, n := s.inAll(f)
		bytes += n
		for _, what := range more {
			found = append(found, what+" in "+path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found, bytes
}

// inMemory searches what a process has in its memory, and can read.
func (s *secrets) inMemory(pid int) (found []string, bytes int64, err error) {
	maps, err := os.Open(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		return nil, 0, err
	}
	defer func() { _ = maps.Close() }()
	mem, err := os.Open(fmt.Sprintf("/proc/%d/mem", pid))
	if err != nil {
		return nil, 0, err
	}
	defer func() { _ = mem.Close() }()
	lines := bufio.NewScanner(maps)
	for lines.Scan() {
		var from, to uint64
		var may string
		if _, err := fmt.Sscanf(lines.Text(), "%x-%x %s", &from, &to, &may); err != nil {
			return nil, 0, fmt.Errorf("%q: %w", lines.Text(), err)
		}
		if !strings.HasPrefix(may, "r") || to > math.MaxInt64 {
			continue
		}
		more, n := s.inAll(io.NewSectionReader(mem, int64(from), int64(to-from)))
		bytes += n
		for _, what := range more {
			found = append(found, fmt.Sprintf("%s in %s", what, lines.Text()))
		}
	}
	return found, bytes, lines.Err()
}

// unknownTo demands that neither the memory nor the disk of a device holds any of
// the secrets. The same search has to find what the laptop holds, as it must.
func (s *secrets) unknownTo(t *testing.T, d, knows *device) {
	t.Helper()
	memory, there, err := s.inMemory(d.process.Process.Pid)
	if err != nil {
		t.Log("the memory of a process cannot be read here: ", err)
	} else if ours, _, err := s.inMemory(knows.process.Process.Pid); err != nil || len(ours) == 0 {
		t.Errorf("the search finds nothing in the memory of %s: %v", knows.name, err)
	}
	disk, lies := s.onDisk(t, d.base())
	if ours, _ := s.onDisk(t, knows.base()); len(ours) == 0 {
		t.Errorf("the search finds nothing on the disk of %s", knows.name)
	}
	t.Logf("%d secrets are neither in %d MB of the memory nor in %d MB of the disk of %s", len(s.of), there/1e6, lies/1e6, d.name)
	if found := append(memory, disk...); len(found) > 0 {
		t.Errorf("%s holds %d secrets:\n  %s", d.name, len(found), strings.Join(found[:min(len(found), 20)], "\n  "))
	}
}

func TestASecretIsFoundWhereverItLies(t *testing.T) {
	s := newSecrets(chance(t, "words"))
	word := s.word("a word")
	s.file("a file", []byte("some content that is no secret to anybody"))
	sum := sha256.Sum256([]byte("some content that is no secret to anybody"))
	root := t.TempDir()
	for at, text := range map[string]string{"whole": word, "across": strings.Repeat("-", 1<<20-5) + word, "hash": string(sum[:]), word: "its name"} {
		write(t, filepath.Join(root, at), text)
	}
	write(t, filepath.Join(root, "most of it"), word[:15])
	found, n := s.onDisk(t, root)
	if len(found) != 4 || n != 16+1<<20+11+32+8+15 {
		t.Errorf("found %q in %d bytes", found, n)
	}
	if runtimeHasMemory() {
		if found, _, err := s.inMemory(os.Getpid()); err != nil || len(found) == 0 {
			t.Errorf("a secret is not found in this process: %v", err)
		}
	}
}

// runtimeHasMemory tells whether the memory of a process is a file here.
func runtimeHasMemory() bool {
	_, err := os.Stat("/proc/self/mem")
	return err == nil
}

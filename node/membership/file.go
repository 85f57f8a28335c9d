package membership

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/kithmesh/kith/node/durable"
)

// A file is a heading, TOML, and a last line with the hash of all before it.
const (
	heading = "# kith membership 1\n# Written by kith. A change made by hand counts as damage.\n\n"
	sumMark = "# sum "
	twin    = ".bak"
	broken  = ".damaged"
)

// maxFile bounds a file, in bytes: a folder with the largest roster there is.
const maxFile = 16 << 20

func seal(text []byte) []byte {
	out := append([]byte(heading), text...)
	sum := sha256.Sum256(out)
	return append(out, sumMark+hex.EncodeToString(sum[:])+"\n"...)
}

// unseal is the TOML in a file. It wraps [ErrDamaged].
func unseal(data []byte) ([]byte, error) {
	end := len(data) - len(sumMark) - 2*sha256.Size - 1
	if end < len(heading) || !bytes.HasPrefix(data, []byte(heading)) {
		return nil, fmt.Errorf("%w: cut short, or not of this version of kith", ErrDamaged)
	}
	text := data[len(heading):end]
	if !bytes.Equal(seal(text), data) {
		return nil, fmt.Errorf("%w: it does not match its hash", ErrDamaged)
	}
	return text, nil
}

// content is a file that was read: its bytes, and what they mean.
type content[T any] struct {
	data  []byte
	value T
	err   error
}

// load reads a file, or tells that there is neither the file nor its twin. It
// mends the one from the other, and notes a problem where there was damage.
func load[T any](s *Store, path string, decode func(text []byte) (T, error)) (value T, found bool, err error) {
	file, second := readFile(path, decode), readFile(path+twin, decode)
	none, noTwin := errors.Is(file.err, fs.ErrNotExist), errors.Is(second.err, fs.ErrNotExist)
	switch {
	case none && noTwin:
		return value, false, nil
	case file.err == nil && second.err == nil && bytes.Equal(file.data, second.data):
		return file.value, true, nil
	case file.err == nil:
		// A twin that is missing or older: the last change was interrupted.
		if second.err != nil && !noTwin {
			s.problems = append(s.problems, Problem{File: path + twin, Err: second.err})
		}
		return file.value, true, durable.Write(path+twin, file.data, 0o600)
	case second.err == nil:
		s.problems = append(s.problems, Problem{File: path, Err: file.err})
		if !none {
			if err := os.Rename(path, path+broken); err != nil {
				return value, false, err
			}
		}
		return second.value, true, durable.Write(path, second.data, 0o600)
	}
	return value, false, fmt.Errorf("%w; and its twin %q is of no use (put back a copy of one, or move both away to do without)",
		file.err, filepath.Base(path+twin))
}

func readFile[T any](path string, decode func(text []byte) (T, error)) (c content[T]) {
	if c.data, c.err = read(path); c.err != nil {
		return c
	}
	text, err := unseal(c.data)
	if err == nil {
		c.value, err = decode(text)
	}
	if err != nil {
		c.err = fmt.Errorf("file %q: %w", path, damaged(err))
	}
	return c
}

// damaged makes sure that an error about a content wraps [ErrDamaged].
func damaged(err error) error {
	if errors.Is(err, ErrDamaged) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrDamaged, err)
}

// read reads a file, and takes away what access others had to it.
func read(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("file %q: %w: it is no regular file", path, ErrDamaged)
	}
	if info.Mode().Perm()&0o077 != 0 {
		if err := os.Chmod(path, 0o600); err != nil {
			return nil, err
		}
	}
	return io.ReadAll(io.LimitReader(f, maxFile))
}

// store writes a file, and then its twin.
func store(path string, text []byte) error {
	data := seal(text)
	if len(data) > maxFile {
		return fmt.Errorf("%w: %d bytes in %q", ErrFull, len(data), path)
	}
	if err := durable.Write(path, data, 0o600); err != nil {
		return err
	}
	return durable.Write(path+twin, data, 0o600)
}

// remove removes a file and its twin, that one first: alone, it would count as
// the remains of an accident.
func remove(path string) error {
	for _, p := range []string{path + broken, path + twin, path} {
		if err := durable.Remove(p); err != nil {
			return err
		}
	}
	return nil
}

// stems are the names of the files in dir, of which at least the twin is there.
func stems(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, e := range entries {
		if name, ok := strings.CutSuffix(strings.TrimSuffix(e.Name(), twin), suffix); ok {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"

	"github.com/kithmesh/kith/index/entry"
)

// What the demo copies of a directory at most.
const (
	maxCopyBytes = 256 << 20
	maxCopyFiles = 2000
)

// The files that the story works with, in a directory of their own.
const (
	stage        = "kith-demo"
	noteName     = stage + "/shopping.txt"
	phoneName    = stage + "/from the phone.txt"
	planName     = stage + "/plan.txt"
	conflictGlob = stage + "/plan (conflict, *).txt"
	bigName      = stage + "/film.bin"
	renamedName  = stage + "/holiday film.bin"
	bigBytes     = 16 << 20
)

// sample counts what the demo starts with.
type sample struct {
	files, bytes int64
	skipped      int64 // files of the source that were left out
}

// makeSample fills root with a bounded copy of source, or with a small tree of
// its own if there is none, and with what the story works with.
func makeSample(root, source string) (sample, error) {
	var s sample
	if err := os.MkdirAll(filepath.Join(root, stage), 0o700); err != nil {
		return s, err
	}
	if source != "" {
		if err := s.copyTree(root, source); err != nil {
			return s, fmt.Errorf("copy %q: %w", source, err)
		}
	} else {
		for i := range 120 {
			name := fmt.Sprintf("letters/%d/letter %03d.txt", 2020+i%6, i)
			text := strings.Repeat(fmt.Sprintf("Letter %d. All is well here, and with you? ", i), 1+i*i%97)
			if err := s.add(root, name, []byte(text)); err != nil {
				return s, err
			}
		}
	}
	film := make([]byte, bigBytes)
	random := rand.NewChaCha8([32]byte{'k', 'i', 't', 'h'})
	_, _ = random.Read(film) // never fails
	for name, content := range map[string][]byte{noteName: []byte("bread\n"), planName: []byte("meet some day\n"), bigName: film} {
		if err := s.add(root, name, content); err != nil {
			return s, err
		}
	}
	return s, nil
}

func (s *sample) add(root, name string, content []byte) error {
	path := filepath.Join(root, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	s.files, s.bytes = s.files+1, s.bytes+int64(len(content))
	return os.WriteFile(path, content, 0o600)
}

// copyTree copies regular files within the bounds. It opens nothing of source
// but for reading; links and special files are left out.
func (s *sample) copyTree(root, source string) error {
	source, err := filepath.Abs(source)
	if err != nil {
		return err
	}
	if info, err := os.Stat(source); err != nil {
		return err
	} else if !info.IsDir() {
		return fmt.Errorf("%w: not a directory", fs.ErrInvalid)
	}
	from, err := os.OpenRoot(source)
	if err != nil {
		return err
	}
	defer func() { _ = from.Close() }()
	return fs.WalkDir(from.FS(), ".", func(path string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			s.skipped++
			return nil
		case e.IsDir():
			if path == entry.Reserved {
				return fs.SkipDir
			}
			return os.MkdirAll(filepath.Join(root, path), 0o700)
		}
		info, err := e.Info()
		if err != nil || !info.Mode().IsRegular() || s.files >= maxCopyFiles || s.bytes+info.Size() > maxCopyBytes {
			s.skipped++
			return nil
		}
		return s.copyFile(root, from, path, info)
	})
}

// copyFile copies one file; one that cannot be read is left out.
func (s *sample) copyFile(root string, from *os.Root, path string, info fs.FileInfo) error {
	in, err := from.Open(path)
	if err != nil {
		s.skipped++
		return nil
	}
	defer func() { _ = in.Close() }()
	out, err := os.OpenFile(filepath.Join(root, path), os.O_CREATE|os.O_EXCL|os.O_WRONLY, info.Mode().Perm()|0o600)
	if err != nil {
		return err
	}
	// A file that grows meanwhile is copied as long as it was.
	n, err := io.Copy(out, io.LimitReader(in, info.Size()))
	if cerr := out.Close(); err == nil {
		err = cerr
	}
	s.files, s.bytes = s.files+1, s.bytes+n
	return err
}

// treeDigest is a hash of all names, kinds and contents beneath root, without
// kith's own directory: the first 16 hexadecimal digits of a SHA-256.
func treeDigest(root string) (string, error) {
	h := sha256.New()
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		if name == entry.Reserved {
			return fs.SkipDir
		}
		return hashFile(h, path, name, e)
	})
	if err != nil {
		return "", fmt.Errorf("hash the tree %q: %w", root, err)
	}
	return hex.EncodeToString(h.Sum(nil))[:16], nil
}

func hashFile(h hash.Hash, path, name string, e fs.DirEntry) error {
	_, _ = fmt.Fprintf(h, "%q %v ", name, e.Type())
	if !e.Type().IsRegular() {
		return nil
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	n, err := io.Copy(h, f)
	_, _ = fmt.Fprintf(h, " %d\n", n)
	return err
}

package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/kithmesh/kith/node/durable"
)

// directory is a place on another disk.
type directory struct{ path string }

// marker lies in the directory: where it does not, the disk is not mounted, and
// what else is missing says nothing.
const marker = ".kith-store"

// errUnmounted: see marker.
var errUnmounted = errors.New("there is no store of kith's: is its disk mounted?")

// Prepare makes the directory, with what tells it from an empty one.
func (d directory) Prepare(context.Context) error {
	if err := os.MkdirAll(d.path, 0o700); err != nil {
		return fmt.Errorf("make a store at %q: %w", d.path, err)
	}
	err := durable.Create(filepath.Join(d.path, marker), []byte("Packs of a kith vault lie here.\n"), 0o600)
	if err == nil || errors.Is(err, fs.ErrExist) {
		return nil
	}
	return fmt.Errorf("make a store at %q: %w", d.path, err)
}

func (d directory) check() error {
	if _, err := os.Stat(filepath.Join(d.path, marker)); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			err = errUnmounted
		}
		return fmt.Errorf("%q: %w", d.path, err)
	}
	return nil
}

// missing is an error of a file, which says something of it only if the
// directory is there.
func (d directory) missing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		if err2 := d.check(); err2 != nil {
			return err2
		}
	}
	return err
}

// List implements [Place].
func (d directory) List(ctx context.Context, each func(name string, size int64) error) error {
	if err := d.check(); err != nil {
		return err
	}
	all, err := os.ReadDir(d.path)
	if err != nil {
		return err
	}
	for _, e := range all {
		if strings.HasPrefix(e.Name(), ".") || !e.Type().IsRegular() {
			continue
		}
		info, err := e.Info()
		if err == nil {
			err = ctx.Err()
		}
		if err == nil {
			err = each(e.Name(), info.Size())
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// ReadAt implements [Place].
func (d directory) ReadAt(ctx context.Context, name string, p []byte, off int64) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	f, err := os.Open(filepath.Join(d.path, name))
	if err != nil {
		return d.missing(err)
	}
	defer func() { _ = f.Close() }() // only read
	if _, err = f.ReadAt(p, off); errors.Is(err, io.EOF) {
		err = fmt.Errorf("%q: %w", f.Name(), io.ErrUnexpectedEOF)
	}
	return err
}

// Put implements [Place].
func (d directory) Put(ctx context.Context, name string, content io.ReaderAt, size int64) error {
	if err := d.check(); err != nil {
		return err
	}
	path := filepath.Join(d.path, name)
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		data := make([]byte, size)
		if n, err := content.ReadAt(data, 0); int64(n) < size {
			return fmt.Errorf("read what is to become %q: %w", path, err)
		}
		return durable.Create(path, data, 0o600)
	}
	if err != nil {
		return err
	}
	same := info.Size() == size
	if same {
		same, err = sameContent(ctx, d, name, content, size)
	}
	if err == nil && !same {
		err = fmt.Errorf("%q: %w", path, fs.ErrExist)
	}
	return err
}

// Remove implements [Place].
func (d directory) Remove(_ context.Context, name string) error {
	if err := d.check(); err != nil {
		return err
	}
	return durable.Remove(filepath.Join(d.path, name))
}

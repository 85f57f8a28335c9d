package back

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/kithmesh/kith/index/entry"
)

// Bounds of what is fetched together, and of how much of that at a time.
const (
	windowBlocks = 2048
	windowBytes  = 24 << 20
	windows      = 3
)

// file is one file on its way.
type file struct {
	entry   *entry.Entry
	to      entry.Path
	done    Path
	instead fs.FileInfo // what is there, nil for nothing
	staged  string
	parts   atomic.Int32 // that are not written yet, and one until all are known
	lacks   atomic.Bool  // a block could not be had
	broken  atomic.Pointer[error]
}

// part is some blocks of a file, one after another.
type part struct {
	file       *file
	first, end int   // of its blocks
	offset     int64 // of the first
}

// window collects parts until it is worth fetching them.
type window struct {
	parts  []part
	blocks int
	bytes  int64
	group  *errgroup.Group
}

// add puts a file into windows, cut where one is full.
func (w *window) add(r *run, f *file) error {
	name, err := r.stage()
	if err != nil {
		return err
	}
	f.staged = name
	f.parts.Store(1)
	p := part{file: f}
	offset := int64(0)
	for i, b := range f.entry.Blocks {
		if w.blocks >= windowBlocks || w.bytes+int64(b.Length) > windowBytes && w.bytes > 0 {
			p.end = i
			w.push(p)
			if err := w.send(r); err != nil {
				return err
			}
			p = part{file: f, first: i, offset: offset}
		}
		w.blocks++
		w.bytes += int64(b.Length)
		offset += int64(b.Length)
	}
	p.end = len(f.entry.Blocks)
	w.blocks++ // an empty file takes room, too
	w.push(p)
	r.partDone(f)
	return r.progress()
}

func (w *window) push(p part) {
	p.file.parts.Add(1)
	w.parts = append(w.parts, p)
}

// send fetches and writes what has been collected, beside what comes next.
func (w *window) send(r *run) error {
	if len(w.parts) == 0 {
		return nil
	}
	if w.group == nil {
		w.group = new(errgroup.Group)
		w.group.SetLimit(windows)
	}
	parts := w.parts
	w.parts, w.blocks, w.bytes = nil, 0, 0
	w.group.Go(func() error { return r.bring(parts) })
	return r.progress()
}

// drop waits for what is under way.
func (w *window) drop() {
	if w.group != nil {
		_ = w.group.Wait()
	}
	w.parts = nil
}

// flush finishes all that was collected.
func (r *run) flush() error {
	if err := r.window.send(r); err != nil {
		return err
	}
	if r.window.group == nil {
		return nil
	}
	err := r.window.group.Wait()
	r.window.group = nil
	if err != nil {
		return err
	}
	return r.progress()
}

// bring fetches the blocks of parts and writes them.
func (r *run) bring(parts []part) error {
	epochs := map[entry.BlockID]entry.Epoch{}
	for _, p := range parts {
		for _, b := range p.file.entry.Blocks[p.first:p.end] {
			epochs[b.ID] = p.file.entry.Epoch
		}
	}
	plain, err := r.fetch.get(r.ctx, epochs)
	if err != nil {
		return err
	}
	for _, p := range parts {
		if err := r.write(p, plain); err != nil {
			p.file.broken.CompareAndSwap(nil, &err)
			if full(err) {
				return err
			}
		}
		r.partDone(p.file)
	}
	return r.ctx.Err()
}

// write writes one part into the staged file.
func (r *run) write(p part, plain map[entry.BlockID][]byte) (err error) {
	out, err := r.Root.OpenFile(p.file.staged, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	at := p.offset
	for _, b := range p.file.entry.Blocks[p.first:p.end] {
		text, ok := plain[b.ID]
		if !ok || len(text) != int(b.Length) {
			p.file.lacks.Store(true)
			return nil
		}
		if _, err := out.WriteAt(text, at); err != nil {
			return err
		}
		at += int64(b.Length)
	}
	return nil
}

// partDone counts down, and finishes a file with its last part.
func (r *run) partDone(f *file) {
	if f.parts.Add(-1) > 0 {
		return
	}
	err := r.finish(f)
	if err != nil {
		f.done.Err = err
		if f.done.What = Failed; errors.Is(err, errLacks) {
			f.done.What = Missing
		}
		_ = r.Root.Remove(f.staged)
	} else {
		r.count(f.entry.Size, true)
	}
	r.note(f.done)
}

// errLacks: no source has all of it.
var errLacks = errors.New("not all of its content can be had")

// finish compares a staged file with what it should be and gives it its name.
func (r *run) finish(f *file) error {
	if err := f.broken.Load(); err != nil {
		return *err
	}
	if f.lacks.Load() {
		return errLacks
	}
	whole, err := r.fetch.holds(r.Root, entry.Path(f.staged), f.entry)
	if err == nil && !whole {
		err = errors.New("what was written is not what can be read")
	}
	if err == nil {
		err = r.Root.Chmod(f.staged, fs.FileMode(f.entry.Mode&0o777))
	}
	if err == nil {
		t := f.entry.Modified()
		err = r.Root.Chtimes(f.staged, t, t)
	}
	if err == nil {
		err = r.moveIn(f.staged, f.to, f.instead)
	}
	if err != nil {
		return fmt.Errorf("restore %q: %w", f.to, err)
	}
	return nil
}

//go:build linux

package meshtest

import (
	"context"
	"crypto/sha256"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

const (
	pollEvery = 15 * time.Millisecond // how often a poller looks at a small tree
	pollShare = 3                     // how much longer it pauses than it looks
	maxKnown  = 50_000                // files that it remembers to have judged
)

// seen is a file that a poller has judged, until it changes.
type seen struct {
	ino          uint64
	size, change int64
	path         string
}

func seenOf(st fs.FileInfo, rel string) seen {
	sys := st.Sys().(*syscall.Stat_t)
	return seen{sys.Ino, sys.Size, sys.Ctim.Nano(), rel}
}

// poll looks at all files of a device until the context ends: each must be
// something that was written in full, and at that place (I4). What is being
// written in place by the device's own user is left alone.
func (d *device) poll(ctx context.Context) {
	known := map[seen]bool{}
	for ctx.Err() == nil {
		begun := time.Now()
		if len(known) > maxKnown {
			clear(known)
		}
		d.look(ctx, known)
		pause(ctx, max(pollEvery, pollShare*time.Since(begun)))
	}
}

// look looks at them once, but for those it knows.
func (d *device) look(ctx context.Context, known map[seen]bool) {
	_ = filepath.WalkDir(d.root, func(full string, e fs.DirEntry, err error) error {
		if err != nil || ctx.Err() != nil {
			return nil
		}
		rel, _ := filepath.Rel(d.root, full)
		if rel == ".kith" {
			return fs.SkipDir
		}
		switch e.Type() {
		case 0:
			if st, err := e.Info(); err == nil && !known[seenOf(st, rel)] {
				d.pollFile(ctx, full, rel, known)
			}
		case fs.ModeSymlink:
			d.pollLink(ctx, full, rel)
		case fs.ModeDir:
		default:
			d.mesh.fail("I4: %q on %s is neither file, directory nor link", rel, d.name)
		}
		return nil
	})
}

func (d *device) pollFile(ctx context.Context, full, rel string, known map[seen]bool) {
	b := d.mesh.book
	f, err := os.OpenFile(full, os.O_RDONLY|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return
	}
	sys := st.Sys().(*syscall.Stat_t)
	busy, turn := b.writers(sys.Ino)
	if busy {
		return
	}
	body, err := io.ReadAll(f)
	if err != nil {
		return
	}
	if after, err := f.Stat(); err != nil || after.Sys().(*syscall.Stat_t).Ctim != sys.Ctim {
		return // changed while it was read; the next look will see
	}
	if _, now := b.writers(sys.Ino); now != turn {
		return
	}
	s := sum(sha256.Sum256(body))
	if d.right(ctx, rel, s) {
		known[seenOf(st, rel)] = true
		return
	}
	if _, now := b.writers(sys.Ino); now != turn {
		return
	}
	if b.knows(s) {
		d.mesh.fail("I4: %q on %s holds %s, which nobody put there", rel, d.name, b.label(s))
		return
	}
	d.mesh.fail("I4: %q on %s holds %d bytes that nobody wrote: %.60q", rel, d.name, len(body), body)
}

func (d *device) pollLink(ctx context.Context, full, rel string) {
	target, err := os.Readlink(full)
	if err == nil && !d.right(ctx, rel, linkSum(target)) {
		d.mesh.fail("I4: %q on %s leads to %q, which nobody made there", rel, d.name, target)
	}
}

// right tells whether a content may be at a path. A user who has only just
// moved it there notes that in a moment.
func (d *device) right(ctx context.Context, rel string, s sum) bool {
	for range 3 {
		if d.mesh.book.expected(rel, s) {
			return true
		}
		pause(ctx, 20*time.Millisecond)
	}
	return ctx.Err() != nil
}

func (b *book) knows(s sum) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	_, ok := b.labels[s]
	return ok
}

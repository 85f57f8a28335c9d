package back

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"sync"

	"github.com/kithmesh/kith/index/entry"
)

// run is one restore on its way.
type run struct {
	Options
	ctx    context.Context
	fetch  *fetcher
	mu     sync.Mutex // guards the next two
	out    Result
	totals Progress
	staged bool // the staging directory is there
	names  int  // of staged files
	// moved are directories that could not take their place, and where they are.
	moved  map[entry.Path]entry.Path
	modes  []directory // made here, whose modes are set in the end
	window window      // files that are fetched together
}

type directory struct {
	path entry.Path
	mode fs.FileMode
}

func (r *run) total(e *entry.Entry) {
	if e.Kind == entry.File {
		r.totals.TotalFiles++
		r.totals.TotalBytes += e.Size
	}
}

func (r *run) note(p Path) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.out.Paths = append(r.out.Paths, p)
}

// count counts a file that is where it belongs.
func (r *run) count(size int64, written bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.totals.Files++
	r.totals.Bytes += size
	if !written {
		r.out.Same++
		return
	}
	r.out.Files++
	r.out.Bytes += size
}

func (r *run) progress() error {
	if err := r.ctx.Err(); err != nil || r.Progress == nil {
		return err
	}
	r.mu.Lock()
	now := r.totals
	r.mu.Unlock()
	return r.Progress(now)
}

// above makes the directories above a path.
func (r *run) above(at entry.Path) error {
	for i := range len(at) {
		if at[i] == '/' {
			if err := r.take(&entry.Entry{Path: at[:i], Kind: entry.Directory, Mode: 0o755}); err != nil {
				return err
			}
		}
	}
	return nil
}

// place is where a path goes: elsewhere if a directory above it had to.
func (r *run) place(p entry.Path) entry.Path {
	if len(r.moved) == 0 {
		return p
	}
	for i := len(p); i > 0; i-- {
		if i == len(p) || p[i] == '/' {
			if to, ok := r.moved[p[:i]]; ok {
				return to + p[i:]
			}
		}
	}
	return p
}

// take brings back one path. Its error is one that ends the restore.
func (r *run) take(e *entry.Entry) error {
	to := r.place(e.Path)
	info, err := r.Root.Lstat(string(to))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		r.note(Path{Path: e.Path, What: Failed, Err: err})
		return r.progress()
	}
	if errors.Is(err, fs.ErrNotExist) {
		return r.put(e, to, Written, nil)
	}
	if e.Kind == entry.Directory && info.IsDir() {
		if mode := fs.FileMode(e.Mode & 0o777); r.Overwrite == Always && !r.Dry && mode != info.Mode().Perm() && len(e.Version.Vector) > 0 {
			r.modes = append(r.modes, directory{to, mode})
		}
		return r.progress()
	}
	if r.same(e, to, info) {
		if e.Kind == entry.File {
			r.count(e.Size, false)
			r.setMeta(e, to, info)
		}
		return r.progress()
	}
	if r.mayReplace(e, to, info) {
		return r.put(e, to, Replaced, info)
	}
	as, err := r.free(to)
	if err != nil {
		r.note(Path{Path: e.Path, What: Failed, Err: err})
		return nil
	}
	if e.Kind == entry.Directory {
		r.moved[e.Path] = as
	}
	return r.put(e, as, Beside, nil)
}

// same tells whether what is there is what is to be.
func (r *run) same(e *entry.Entry, at entry.Path, info fs.FileInfo) bool {
	switch {
	case e.Kind == entry.Symlink && info.Mode()&fs.ModeSymlink != 0:
		target, err := r.Root.Readlink(string(at))
		return err == nil && target == e.Target
	case e.Kind == entry.File && info.Mode().IsRegular() && info.Size() == e.Size:
		whole, err := r.fetch.holds(r.Root, at, e)
		return err == nil && whole
	}
	return false
}

// mayReplace tells whether what is there is to go. A directory goes only if it
// is empty.
func (r *run) mayReplace(e *entry.Entry, at entry.Path, info fs.FileInfo) bool {
	if info.IsDir() {
		d, err := r.Root.Open(string(at))
		if err != nil {
			return false
		}
		defer func() { _ = d.Close() }()
		if names, err := d.Readdirnames(1); len(names) > 0 || err == nil {
			return false
		}
		return r.Overwrite != Never
	}
	switch r.Overwrite {
	case Always:
	case IfChanged:
		if r.Known == nil || at != e.Path || !r.Known(at) {
			return false
		}
	case Never:
		return false
	}
	if r.Dry || r.Keep == nil {
		return true
	}
	return r.Keep(r.ctx, at) == nil
}

// put writes one path where it belongs.
func (r *run) put(e *entry.Entry, to entry.Path, what What, instead fs.FileInfo) error {
	done := Path{Path: e.Path, What: what}
	if what == Beside {
		done.As = to
	}
	if r.Dry {
		if e.Kind == entry.File {
			r.count(e.Size, true)
		}
		r.note(done)
		return r.progress()
	}
	var err error
	switch e.Kind {
	case entry.Directory:
		err = r.makeDirectory(e, to, instead)
	case entry.Symlink:
		err = r.makeSymlink(e, to, instead)
	case entry.File:
		return r.window.add(r, &file{entry: e, to: to, done: done, instead: instead})
	case entry.Deleted:
		return nil
	}
	if err != nil {
		done.What, done.Err = Failed, err
	}
	r.note(done)
	return r.progress()
}

func (r *run) makeDirectory(e *entry.Entry, to entry.Path, instead fs.FileInfo) error {
	if instead != nil {
		if err := r.drop(to, instead); err != nil {
			return err
		}
	}
	if err := r.Root.Mkdir(string(to), 0o700); err != nil {
		return err
	}
	r.modes = append(r.modes, directory{to, fs.FileMode(e.Mode & 0o777)})
	return nil
}

// finishDirectories gives directories that were made their modes: one may forbid
// what had to be done in it.
func (r *run) finishDirectories() error {
	for i := len(r.modes) - 1; i >= 0; i-- {
		if err := r.Root.Chmod(string(r.modes[i].path), r.modes[i].mode); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) makeSymlink(e *entry.Entry, to entry.Path, instead fs.FileInfo) error {
	name, err := r.stage()
	if err != nil {
		return err
	}
	if err := r.Root.Symlink(e.Target, name); err != nil {
		return err
	}
	if err := setLinkTime(r.Root, name, e.Modified()); err != nil {
		return errors.Join(err, r.Root.Remove(name))
	}
	return r.moveIn(name, to, instead)
}

// stage is the name of a new staged file.
func (r *run) stage() (string, error) {
	if !r.staged {
		if err := r.Root.RemoveAll(r.Staging); err != nil { // of a restore that was killed
			return "", err
		}
		if err := r.Root.MkdirAll(r.Staging, 0o700); err != nil {
			return "", err
		}
		r.staged = true
	}
	r.names++
	return path.Join(r.Staging, fmt.Sprintf("%08x", r.names)), nil
}

// moveIn gives a staged file its name, if what is there is still what it was.
func (r *run) moveIn(name string, to entry.Path, instead fs.FileInfo) error {
	if instead == nil {
		// Nothing is there: a link fails if something has come meanwhile.
		err := r.Root.Link(name, string(to))
		if err == nil {
			return r.Root.Remove(name)
		}
		if _, there := r.Root.Lstat(string(to)); !errors.Is(there, fs.ErrNotExist) {
			return errors.Join(errChanged, r.Root.Remove(name))
		}
		return r.Root.Rename(name, string(to)) // a file system without links
	}
	if instead.IsDir() {
		if err := r.Root.Remove(string(to)); err != nil {
			return errors.Join(err, r.Root.Remove(name))
		}
		return r.Root.Rename(name, string(to))
	}
	if !r.unchanged(to, instead) {
		return errors.Join(errChanged, r.Root.Remove(name))
	}
	return r.Root.Rename(name, string(to))
}

// errChanged: somebody has written there meanwhile.
var errChanged = errors.New("it has changed meanwhile")

func (r *run) unchanged(at entry.Path, was fs.FileInfo) bool {
	now, err := r.Root.Lstat(string(at))
	return err == nil && now.Size() == was.Size() && now.ModTime().Equal(was.ModTime()) && now.Mode() == was.Mode()
}

// drop removes what is at a path, if it is still what it was.
func (r *run) drop(at entry.Path, was fs.FileInfo) error {
	if !was.IsDir() && !r.unchanged(at, was) {
		return errChanged
	}
	return r.Root.Remove(string(at))
}

// setMeta gives a file that holds the right content its mode and time.
func (r *run) setMeta(e *entry.Entry, at entry.Path, info fs.FileInfo) {
	if r.Dry {
		return
	}
	if mode := fs.FileMode(e.Mode & 0o777); info.Mode().Perm() != mode {
		_ = r.Root.Chmod(string(at), mode)
	}
	if t := e.Modified(); !info.ModTime().Equal(t) {
		_ = r.Root.Chtimes(string(at), t, t)
	}
}

// free is a free name beside a path.
func (r *run) free(p entry.Path) (entry.Path, error) {
	dir, name := path.Split(string(p))
	stem, ext := name, ""
	if i := strings.LastIndexByte(name, '.'); i > 0 {
		stem, ext = name[:i], name[i:]
	}
	for n := 1; n < 1000; n++ {
		suffix := " (restored " + r.Now.Local().Format("2006-01-02 15.04.05") + ")"
		if n > 1 {
			suffix = fmt.Sprintf(" (restored %s %d)", r.Now.Local().Format("2006-01-02 15.04.05"), n)
		}
		if len(ext) > 64 {
			stem, ext = name, ""
		}
		short := stem
		for len(short) > 0 && len(short)+len(suffix)+len(ext) > entry.MaxName {
			short = cutLast(short)
		}
		as := dir + short + suffix + ext
		if _, err := r.Root.Lstat(as); errors.Is(err, fs.ErrNotExist) {
			return entry.Path(as), nil
		}
	}
	return "", errors.New("no free name beside it")
}

// cutLast takes away the last character.
func cutLast(s string) string {
	for i := len(s) - 1; i > 0; i-- {
		if s[i]&0xc0 != 0x80 {
			return s[:i]
		}
	}
	return ""
}

// still tells whether what lies at a path is just what an entry says.
func (r *run) still(e *entry.Entry) bool {
	info, err := r.Root.Lstat(string(e.Path))
	return err == nil && (e.Kind == entry.Directory && info.IsDir() || r.same(e, e.Path, info))
}

// remove takes away what a batch had made, if it still is that.
func (r *run) remove(e *entry.Entry) {
	info, err := r.Root.Lstat(string(e.Path))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return
	case err != nil || !r.still(e):
		r.note(Path{Path: e.Path, What: Skipped, Err: err})
		return
	}
	if !r.Dry {
		if r.Keep != nil && e.Kind == entry.File {
			if err := r.Keep(r.ctx, e.Path); err != nil {
				r.note(Path{Path: e.Path, What: Skipped, Err: err})
				return
			}
		}
		if err := r.drop(e.Path, info); err != nil {
			r.note(Path{Path: e.Path, What: Skipped, Err: err})
			return
		}
	}
	r.out.Removed++
	r.note(Path{Path: e.Path, What: Removed})
}

// close removes what is staged.
func (r *run) close() error {
	r.window.drop()
	if !r.staged {
		return nil
	}
	return r.Root.RemoveAll(r.Staging)
}

package restore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kithmesh/kith/index/entry"
)

// What a run that was ended early has staged lies in the staging directory until
// a later run makes use of it, or has found it to be old. Its names tell what it
// is to become, never what is in it: that is read.

const (
	stagingName = entry.Temporary + "restore"
	stagingDirs = 8
	// staleAfter is how long what no run has made use of is kept.
	staleAfter = 24 * time.Hour
)

// Interrupted implements [Target].
func (d *Directory) Interrupted() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.top == nil {
		return false
	}
	info, err := d.top.root.Lstat(stagingName)
	return err == nil && info.IsDir()
}

// openStaging opens the staging directory, which is made if it is not there;
// d.mu is held.
func (d *Directory) openStaging() error {
	err := d.top.root.Mkdir(stagingName, ownerMode)
	d.earlier = errors.Is(err, fs.ErrExist)
	if err != nil && !d.earlier {
		return err
	}
	tmp, err := d.top.child(stagingName)
	if err != nil {
		return err
	}
	d.tmp = tmp
	if err = lockAlone(tmp.self); err != nil {
		d.tmp = nil
		return errors.Join(err, tmp.close())
	}
	if err = tmp.removeBut(isPart); err == nil {
		err = d.divide()
	}
	if err == nil && d.earlier {
		err = d.clearOld()
	}
	if err != nil {
		err = errors.Join(err, d.endStaging())
	}
	return err
}

// divide opens the directories in tmp, and makes those that are not there.
func (d *Directory) divide() error {
	for i := range stagingDirs {
		name := strconv.Itoa(i)
		if err := d.tmp.root.Mkdir(name, ownerMode); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		part, err := d.tmp.child(name)
		if err != nil {
			return err
		}
		d.parts = append(d.parts, part)
	}
	return nil
}

// part is where a file is staged: the last digit of its name tells.
func (d *Directory) part(name string) *handle {
	n, _ := strconv.ParseUint(name[len(name)-1:], 16, 8) // other names share one
	return d.parts[n%stagingDirs]
}

func isPart(info fs.FileInfo) bool {
	n, err := strconv.Atoi(info.Name())
	return err == nil && n >= 0 && n < stagingDirs && info.IsDir()
}

// clearOld removes all that is staged if no run has been here for long, and what
// was never complete by itself.
func (d *Directory) clearOld() error {
	var newest time.Time
	see := func(info fs.FileInfo) bool {
		if t := touched(info); t.After(newest) {
			newest = t
		}
		return isStaged(info)
	}
	var err error
	for _, part := range d.parts {
		info, failed := part.self.Stat()
		if failed == nil {
			see(info)
		}
		err = errors.Join(err, failed, part.removeBut(see))
	}
	if err == nil && d.now().Sub(newest) > staleAfter {
		for _, part := range d.parts {
			err = errors.Join(err, part.removeBut(func(fs.FileInfo) bool { return false }))
		}
	}
	return err
}

// touched is when a file was last changed, as far as can be told.
func touched(info fs.FileInfo) time.Time {
	t := info.ModTime()
	if c := diskOf(info).ChangeTime; c != 0 {
		if changed := time.Unix(0, c); changed.After(t) {
			t = changed
		}
	}
	return t
}

func isStaged(info fs.FileInfo) bool {
	return strings.HasPrefix(info.Name(), StagedPrefix) && !info.IsDir()
}

// young tells whether what is staged may still be of use. Where the system does
// not tell when a file came there, it is.
func (d *Directory) young(info fs.FileInfo) bool {
	return isStaged(info) && (diskOf(info).ChangeTime == 0 || d.now().Sub(touched(info)) <= staleAfter)
}

// names are all names in a directory, sorted.
func (h *handle) names() ([]string, error) {
	f, err := h.root.Open(".")
	if err != nil {
		return nil, err
	}
	names, err := f.Readdirnames(-1)
	slices.Sort(names)
	return names, errors.Join(err, f.Close())
}

// removeBut removes what is in a directory and is not to be kept.
func (h *handle) removeBut(keep func(fs.FileInfo) bool) error {
	names, err := h.names()
	for _, name := range names {
		info, failed := h.root.Lstat(name)
		if failed == nil && !keep(info) {
			failed = h.removeAll(name)
		}
		if failed != nil && !errors.Is(failed, fs.ErrNotExist) {
			err = errors.Join(err, failed)
		}
	}
	return err
}

// endStaging removes what no later run can make use of, and the staging
// directory if nothing is left in it; d.mu is held.
func (d *Directory) endStaging() error {
	var err error
	for i, part := range d.parts {
		err = errors.Join(err, part.removeBut(d.young), part.close())
		_ = d.tmp.root.Remove(strconv.Itoa(i)) // if it is empty
	}
	err = errors.Join(err, d.tmp.self.Close())
	_ = d.top.root.Remove(stagingName) // if it is empty
	err = errors.Join(err, d.tmp.root.Close())
	d.tmp, d.parts = nil, nil
	return err
}

// Stage implements [Target].
func (d *Directory) Stage(name string) (Staged, error) {
	in := d.part(name)
	var f *os.File
	err := in.anew(name, func() (err error) {
		f, err = in.root.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("stage %q: %w", name, err)
	}
	return &stagedFile{in: in, name: name, file: f, sync: !d.whole}, nil
}

// StageSymlink implements [Target].
func (d *Directory) StageSymlink(name, target string) (Staged, error) {
	in := d.part(name)
	if err := in.anew(name, func() error { return in.symlink(target, name) }); err != nil {
		return nil, fmt.Errorf("stage symlink %q: %w", name, err)
	}
	return &stagedFile{in: in, name: name, link: true}, nil
}

// anew makes a name, in place of what an earlier run has left there.
func (h *handle) anew(name string, make func() error) error {
	err := make()
	if errors.Is(err, fs.ErrExist) {
		if err = h.removeAll(name); err == nil {
			err = make()
		}
	}
	return err
}

// Reopen implements [Target]. What has another name somewhere is not written to.
func (d *Directory) Reopen(name string) (Staged, error) {
	if !d.earlier {
		return nil, nil
	}
	in := d.part(name)
	info, err := in.root.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err == nil && (!info.Mode().IsRegular() || !hasOneName(info)) {
		err = errNotOurs
	}
	if err == nil && info.Mode().Perm() != 0o600 {
		err = in.root.Chmod(name, 0o600)
	}
	var f *os.File
	if err == nil {
		f, err = in.root.OpenFile(name, os.O_RDWR|nonBlocking, 0)
	}
	if err != nil {
		return nil, fmt.Errorf("open what is staged as %q: %w", name, err)
	}
	return &stagedFile{in: in, name: name, file: f, sync: !d.whole}, nil
}

var errNotOurs = errors.New("it is not what a restore has made")

package restore

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/tree"
)

const nonBlocking = 0

// lockAlone does nothing: there is no lock on a directory. Of two restores to
// one directory at a time, the first reports files that it cannot place.
func lockAlone(*os.File) error { return nil }

func (h *handle) symlink(target, name string) error { return h.root.Symlink(target, name) }

// setMeta sets the metadata of a file; symlinks have none that can be set.
func (h *handle) setMeta(name string, m tree.Meta, link bool) error {
	if link {
		return nil
	}
	when := time.Unix(0, m.ModTime)
	if err := h.root.Chtimes(name, when, when); err != nil {
		return err
	}
	return h.root.Chmod(name, fs.FileMode(m.Mode)&fs.ModePerm)
}

func (d *Directory) renameNew(s *stagedFile, h *handle, p entry.Path) error {
	return d.renameFree(s, h, p)
}

// rename puts a staged file in the place of what has just been looked at.
func (d *Directory) rename(s *stagedFile, h *handle, p entry.Path, _ tree.Stat) error {
	return d.over(s, h, p)
}

// over goes by way of the paths: there is no call for two directories. The
// directory of p has just been found to be one.
func (d *Directory) over(s *stagedFile, _ *handle, p entry.Path) error {
	return d.top.root.Rename(s.beside(s.name), string(p))
}

// swap puts a staged file in the place of a directory, which then has the name
// old beside the staged files, and tells how that is taken back.
func (d *Directory) swap(s *stagedFile, h *handle, p entry.Path) (old string, back func() error, err error) {
	return d.swapBySteps(s, h, p)
}

// carryOut moves what lies at p to a name beside the staged files, carryBack
// takes it back.
func (d *Directory) carryOut(s *stagedFile, _ *handle, p entry.Path, name string) error {
	return d.top.root.Rename(string(p), s.beside(name))
}

func (d *Directory) carryBack(s *stagedFile, _ *handle, p entry.Path, name string) error {
	return d.top.root.Rename(s.beside(name), string(p))
}

// beside is the path of a name beside the staged file.
func (s *stagedFile) beside(name string) string {
	return path.Join(stagingName, filepath.Base(s.in.root.Name()), name)
}

// hasOneName cannot be told here; nothing is exchanged with what is staged
// either.
func hasOneName(fs.FileInfo) bool { return true }

func diskOf(fs.FileInfo) entry.Disk { return entry.Disk{} }

func syncsAll(*os.File) bool { return false }

func syncAll(*os.File) error { return nil }

// syncDirectory does nothing: names are durable with the files.
func syncDirectory(*os.File) error { return nil }

func startWriteback(*os.File, int64, int64) {}

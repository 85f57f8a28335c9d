//go:build unix && !linux

package restore

import (
	"io/fs"
	"os"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/tree"
)

func (d *Directory) renameNew(s *stagedFile, h *handle, p entry.Path) error {
	return d.renameFree(s, h, p)
}

// rename moves a staged file over what lies at p, in h, and has just been looked
// at.
func (d *Directory) rename(s *stagedFile, h *handle, p entry.Path, _ tree.Stat) error {
	return d.over(s, h, p)
}

// swap puts a staged file in the place of a directory, which then has the name
// old beside the staged files, and tells how that is taken back.
func (d *Directory) swap(s *stagedFile, h *handle, p entry.Path) (old string, back func() error, err error) {
	return d.swapBySteps(s, h, p)
}

func diskOf(fs.FileInfo) entry.Disk { return entry.Disk{} }

func syncsAll(*os.File) bool { return false }

func syncAll(*os.File) error { return nil }

func startWriteback(*os.File, int64, int64) {}

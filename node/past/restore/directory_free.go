package restore

import (
	"errors"
	"io/fs"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/tree"
)

// renameFree is renameNew where the system offers no such thing: it looks first.
func (d *Directory) renameFree(s *stagedFile, h *handle, p entry.Path) error {
	_, err := h.root.Lstat(p.Name())
	switch {
	case err == nil:
		return tree.ErrExists
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	return d.over(s, h, p)
}

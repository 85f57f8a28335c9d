package vault

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"go.etcd.io/bbolt"

	"github.com/kithmesh/kith/node/durable"
)

const indexFile = "index.db"

// prepare makes the directory of packs, and removes what a crash has left
// there; of a vault that is only read, it copies the index.
func (v *Vault) prepare() error {
	if v.scratch != "" {
		if _, err := os.Stat(v.packDir); err != nil {
			return err
		}
		return v.copyIndex()
	}
	if err := os.MkdirAll(v.packDir, 0o700); err != nil {
		return err
	}
	return durable.Sweep(v.packDir)
}

// copyIndex copies the index, if there is one, while nobody writes it.
func (v *Vault) copyIndex() error {
	from := filepath.Join(v.dir, indexFile)
	in, err := os.Open(from)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // it is rebuilt
	}
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }() // only read
	bolt, err := openBolt(from, &bbolt.Options{ReadOnly: true, NoStatistics: true})
	if errors.Is(err, ErrIndex) {
		return nil
	}
	if err != nil {
		return err
	}
	out, err := os.OpenFile(v.indexPath(), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err == nil {
		_, err = io.Copy(out, in)
		err = errors.Join(err, out.Close())
	}
	return errors.Join(err, bolt.Close())
}

// packFiles are the packs that count.
func (v *Vault) packFiles() ([]packFile, error) {
	files, err := listPacks(v.packDir)
	return slices.DeleteFunc(files, func(f packFile) bool { return v.replaced[f.id] }), err
}

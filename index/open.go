package index

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
	"google.golang.org/protobuf/proto"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/proto/diskpb"
)

const (
	// lockWait is how long to wait for another process to let go of the file.
	lockWait = time.Second
	// growBy is by how much the file grows at a time, in bytes.
	growBy = 1 << 20
)

// Open opens the index at path, or creates it, for its owner alone. An empty
// file is a new index. All of the file is read and checked first, at some 500
// MB a second once it is in memory. It returns
//
//   - [ErrLocked] if another process still has it after a second or two;
//   - [ErrDamaged] if its content is not what was written;
//   - [ErrVersion] if a newer kith has written it;
//   - an error of the file system if it cannot be opened, read or upgraded.
//
// An index that an older kith has written is upgraded in one step, and is then
// no longer for that one.
func Open(path string) (*DB, error) {
	db, err := open(path)
	if err != nil {
		return nil, fmt.Errorf("open index %q: %w", path, err)
	}
	return db, nil
}

func open(path string) (*DB, error) {
	written, err := inspect(path)
	if err != nil {
		return nil, err
	}
	bolt, file, err := openBolt(path, &bbolt.Options{
		FreelistType:    bbolt.FreelistMapType,
		InitialMmapSize: mapAhead,
		NoStatistics:    true,
	})
	if err != nil {
		return nil, err
	}
	bolt.AllocSize = growBy
	db := &DB{bolt: bolt, file: file}
	switch {
	case written == 0:
		err = db.stamp(path)
	case written < format:
		err = db.upgrade()
	}
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// inspect checks the file, under a lock that keeps writers out. Bolt itself
// trusts what it reads and may die of it, so it gets to read only what has
// been checked; all it reads here are the two pages with their own checksum.
// It returns the format, 0 of a new file.
func inspect(path string) (written uint32, err error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && info.Size() == 0 {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	if !info.Mode().IsRegular() {
		return 0, fmt.Errorf("%w: not a regular file", ErrDamaged)
	}
	bolt, file, err := openBolt(path, &bbolt.Options{ReadOnly: true, NoStatistics: true})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, bolt.Close()) }()
	if info, err = file.Stat(); err != nil {
		return 0, err
	}
	return checkFile(file, info.Size())
}

// openBolt also returns the file, which belongs to bolt.
func openBolt(path string, o *bbolt.Options) (bolt *bbolt.DB, file *os.File, err error) {
	o.Timeout = lockWait
	o.OpenFile = func(name string, flag int, mode os.FileMode) (*os.File, error) {
		f, err := os.OpenFile(name, flag, mode)
		file = f
		return f, err
	}
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: %v", ErrDamaged, r)
		}
		if err != nil && file != nil {
			_ = file.Close() // bolt may have done so
		}
	}()
	bolt, err = bbolt.Open(path, 0o600, o)
	return bolt, file, openError(err)
}

// openError tells damage from a file that cannot be had: bolt has an error of
// its own for whatever it finds in the file.
func openError(err error) error {
	var path *fs.PathError
	var errno syscall.Errno
	switch {
	case err == nil:
		return nil
	case errors.Is(err, bolterrors.ErrTimeout):
		return ErrLocked
	case errors.As(err, &path) || errors.As(err, &errno):
		return err
	}
	return fmt.Errorf("%w: %w", ErrDamaged, err)
}

// stamp makes a new file an index.
func (db *DB) stamp(path string) error {
	err := db.Update((*Tx).writeFormat)
	if err != nil || runtime.GOOS == "windows" { // where directories cannot be synced
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// upgrade makes an index of format 1 one of this format: its folders have no
// table "local" yet. All else is written as it was.
func (db *DB) upgrade() error {
	err := db.Update(func(tx *Tx) error {
		for _, id := range tx.Folders() {
			if err := tx.addLocal(id); err != nil {
				return err
			}
		}
		return tx.writeFormat()
	})
	if err != nil {
		return fmt.Errorf("upgrade to format %d: %w", format, err)
	}
	return nil
}

func (tx *Tx) addLocal(id entry.FolderID) (err error) {
	defer tx.guard(&err)
	_, err = tx.bolt.Bucket(folderKey(id)).CreateBucketIfNotExists([]byte(tableLocal))
	return err
}

// writeFormat says that the file is of this format.
func (tx *Tx) writeFormat() (err error) {
	defer tx.guard(&err)
	b, err := tx.bolt.CreateBucketIfNotExists([]byte(bucketKith))
	if err != nil {
		return err
	}
	row, err := proto.Marshal(&diskpb.IndexFormat{Version: format})
	if err != nil {
		return err
	}
	key := []byte(rowFormat)
	return b.Put(key, sealRow(seed(bucketKith), key, row))
}

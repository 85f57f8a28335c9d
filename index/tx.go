package index

import (
	"errors"
	"fmt"
	"slices"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/version"
)

// Tx is a transaction of [DB.View] or [DB.Update].
type Tx struct {
	db       *DB
	bolt     *bbolt.Tx
	writable bool
	ended    bool
	// fault is the first damage met; the transaction fails with it.
	fault   error
	folders map[entry.FolderID]*Folder
}

// Folder is one folder of the index, or an error that wraps [ErrNoFolder].
func (tx *Tx) Folder(id entry.FolderID) (*Folder, error) {
	if f := tx.folders[id]; f != nil {
		return f, nil
	}
	b, err := tx.bucket(folderKey(id))
	if err != nil {
		return nil, err
	}
	if b == nil {
		return nil, fmt.Errorf("folder %s: %w", id, ErrNoFolder)
	}
	f := newFolder(tx, id, b)
	if err := f.load(); err != nil {
		return nil, err
	}
	tx.keep(f)
	return f, nil
}

// CreateFolder adds a folder that has no entries, for a new replica. The epoch
// is a random number that no index of this folder had before. It returns
// [ErrFolderExists] if there is one.
func (tx *Tx) CreateFolder(id entry.FolderID, replica version.ReplicaID, epoch uint64) (*Folder, error) {
	if err := tx.mayWrite(); err != nil {
		return nil, err
	}
	if replica == 0 {
		return nil, fmt.Errorf("create folder %s: no replica", id)
	}
	b, err := tx.createFolder(id)
	if err != nil {
		return nil, fmt.Errorf("create folder %s: %w", id, err)
	}
	f := newFolder(tx, id, b)
	f.state.replica, f.state.epoch = replica, epoch
	tx.keep(f)
	return f, nil
}

func (tx *Tx) createFolder(id entry.FolderID) (b *bbolt.Bucket, err error) {
	defer tx.guard(&err)
	b, err = tx.bolt.CreateBucket(folderKey(id))
	if errors.Is(err, bolterrors.ErrBucketExists) {
		return nil, ErrFolderExists
	}
	for _, name := range tables {
		if err != nil {
			return nil, err
		}
		_, err = b.CreateBucket([]byte(name))
	}
	return b, err
}

// DropFolder forgets all about a folder, which must not be used any more. It
// returns [ErrNoFolder] if there is none.
func (tx *Tx) DropFolder(id entry.FolderID) (err error) {
	if err := tx.mayWrite(); err != nil {
		return err
	}
	defer tx.guard(&err)
	err = tx.bolt.DeleteBucket(folderKey(id))
	if errors.Is(err, bolterrors.ErrBucketNotFound) {
		err = ErrNoFolder
	}
	if err != nil {
		return fmt.Errorf("drop folder %s: %w", id, err)
	}
	delete(tx.folders, id)
	return nil
}

// Folders are the folders of the index, by ascending ID.
func (tx *Tx) Folders() []entry.FolderID {
	ids, err := tx.folderIDs()
	if err != nil {
		return nil // the transaction fails
	}
	return ids
}

func (tx *Tx) folderIDs() (ids []entry.FolderID, err error) {
	if tx.ended {
		return nil, ErrClosed
	}
	defer tx.guard(&err)
	c := tx.bolt.Cursor()
	for k, _ := c.First(); k != nil; k, _ = c.Next() {
		if id, ok := parseFolderKey(k); ok {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

func (tx *Tx) bucket(name []byte) (b *bbolt.Bucket, err error) {
	if tx.ended {
		return nil, ErrClosed
	}
	defer tx.guard(&err)
	return tx.bolt.Bucket(name), nil
}

func (tx *Tx) keep(f *Folder) {
	if tx.folders == nil {
		tx.folders = make(map[entry.FolderID]*Folder)
	}
	tx.folders[f.id] = f
}

func (tx *Tx) mayWrite() error {
	switch {
	case tx.ended:
		return ErrClosed
	case !tx.writable:
		return ErrReadOnly
	}
	return nil
}

// guard, deferred around what reads or writes rows, turns bolt's panics into
// errors and remembers damage of any kind.
func (tx *Tx) guard(err *error) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("%w: %v", ErrDamaged, r)
	}
	if *err != nil {
		tx.note(*err)
	}
}

// note remembers err if it is damage.
func (tx *Tx) note(err error) {
	if tx.fault == nil && errors.Is(err, ErrDamaged) {
		tx.fault = err
	}
}

// damaged is a new error for damage, remembered.
func (tx *Tx) damaged(format string, args ...any) error {
	err := fmt.Errorf("%w: %s", ErrDamaged, fmt.Sprintf(format, args...))
	tx.note(err)
	return err
}

func (tx *Tx) commit() error {
	ids := make([]entry.FolderID, 0, len(tx.folders))
	for id := range tx.folders {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b entry.FolderID) int { return slices.Compare(a[:], b[:]) })
	for _, id := range ids {
		if err := tx.folders[id].flush(); err != nil {
			return err
		}
	}
	return tx.db.commitBolt(tx.bolt)
}

// end gives up whatever was not committed.
func (tx *Tx) end() {
	tx.ended = true
	defer func() {
		if r := recover(); r != nil {
			tx.db.stuck.Store(true)
			tx.fault = fmt.Errorf("%w: %v", ErrDamaged, r)
		}
	}()
	_ = tx.bolt.Rollback() // reports only that it was committed
}

package vault

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime/debug"
	"sync/atomic"
	"syscall"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"github.com/kithmesh/kith/index"
)

const (
	// lockWait is how long to wait for another process to let go of the file.
	lockWait = time.Second
	// growBy is by how much the file grows at a time, in bytes.
	growBy = 1 << 20
)

// db is the file of the index: bbolt, whose panics end here.
type db struct {
	bolt *bbolt.DB
	// fault is the damage that has turned it off.
	fault atomic.Pointer[error]
	// unsure tells that the last commit failed when it was visible already.
	unsure atomic.Bool
}

// openDB opens a file that checkDB has passed, or makes a new one.
func openDB(path string) (*db, error) {
	bolt, err := openBolt(path, &bbolt.Options{FreelistType: bbolt.FreelistMapType, InitialMmapSize: mapAhead, NoStatistics: true})
	if err != nil {
		return nil, err
	}
	bolt.AllocSize = growBy
	return &db{bolt: bolt}, nil
}

// checkDB reads the whole file, calls row for all that is in it, and keeps
// other processes from writing meanwhile. Its error wraps ErrIndex for damage.
func checkDB(path string, row func(bucket string, key, value []byte) error) error {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w: it is gone", ErrIndex)
	case err != nil:
		return err
	case info.Size() == 0 || !info.Mode().IsRegular():
		return fmt.Errorf("%w: not a file of its kind", ErrIndex)
	}
	bolt, err := openBolt(path, &bbolt.Options{ReadOnly: true, NoStatistics: true})
	if err != nil {
		return err
	}
	f, err := os.Open(path)
	if err == nil {
		err = index.Rows(f, info.Size(), row)
		_ = f.Close() // only read
	}
	if errors.Is(err, index.ErrDamaged) {
		err = fmt.Errorf("%w: %w", ErrIndex, err)
	}
	return errors.Join(err, bolt.Close())
}

func openBolt(path string, o *bbolt.Options) (bolt *bbolt.DB, err error) {
	var file *os.File
	o.Timeout = lockWait
	o.OpenFile = func(name string, flag int, mode os.FileMode) (*os.File, error) {
		f, err := os.OpenFile(name, flag, mode)
		file = f
		return f, err
	}
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: %v", ErrIndex, r)
		}
		if err != nil && file != nil {
			_ = file.Close() // bolt may have done so
		}
	}()
	bolt, err = bbolt.Open(path, 0o600, o)
	var inPath *fs.PathError
	var errno syscall.Errno
	switch {
	case err == nil:
		return bolt, nil
	case errors.Is(err, bolterrors.ErrTimeout):
		return nil, ErrLocked
	case errors.As(err, &inPath) || errors.As(err, &errno):
		return nil, err
	}
	return nil, fmt.Errorf("%w: %w", ErrIndex, err)
}

func (d *db) close() error {
	if err := d.fault.Load(); err != nil && errors.Is(*err, errStuck) {
		return nil // bolt's Close would wait for ever
	}
	return d.bolt.Close()
}

// errStuck: a transaction could not be ended and holds its locks.
var errStuck = errors.New("a transaction that does not end")

func (d *db) view(fn func(*bbolt.Tx) error) error { return d.transact(false, fn) }

// update commits what fn wrote if it returns nil. If the commit fails, visible
// tells whether it was done all the same, for readers at least.
func (d *db) update(fn func(*bbolt.Tx) error) (visible bool, err error) {
	err = d.transact(true, fn)
	return err == nil || d.unsure.Load(), err
}

func (d *db) transact(writable bool, fn func(*bbolt.Tx) error) (err error) {
	// A page that cannot be read is a signal, which ends the process unless
	// it is asked for as a panic.
	old := debug.SetPanicOnFault(true)
	defer debug.SetPanicOnFault(old)
	if fault := d.fault.Load(); fault != nil {
		return *fault
	}
	if d.unsure.Load() {
		if err := d.settle(); err != nil {
			return err
		}
	}
	tx, err := d.begin(writable)
	if err != nil {
		return err
	}
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: %v", ErrIndex, r)
		}
		if errors.Is(err, ErrIndex) {
			d.fault.CompareAndSwap(nil, &err)
		}
		d.end(tx)
	}()
	if err = fn(tx); err != nil || !writable {
		return err
	}
	return d.commit(tx)
}

func (d *db) begin(writable bool) (tx *bbolt.Tx, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: %v", ErrIndex, r)
			d.fault.CompareAndSwap(nil, &err)
		}
	}()
	tx, err = d.bolt.Begin(writable)
	if errors.Is(err, bolterrors.ErrDatabaseNotOpen) {
		return nil, ErrClosed
	}
	return tx, err
}

// settle makes the last commit durable, by one more that changes nothing.
func (d *db) settle() error {
	tx, err := d.begin(true)
	if err != nil {
		return err
	}
	defer d.end(tx)
	return d.commit(tx)
}

func (d *db) commit(tx *bbolt.Tx) error {
	id := tx.ID()
	err := tx.Commit()
	if err == nil {
		d.unsure.Store(false)
		return nil
	}
	now, err2 := d.begin(false)
	if err2 != nil {
		return fmt.Errorf("commit: %w", errors.Join(err, err2))
	}
	if now.ID() == id {
		d.unsure.Store(true)
	}
	return fmt.Errorf("commit: %w", errors.Join(err, now.Rollback()))
}

// end gives up whatever was not committed.
func (d *db) end(tx *bbolt.Tx) {
	defer func() {
		if r := recover(); r != nil {
			err := fmt.Errorf("%w: %w: %v", ErrIndex, errStuck, r)
			d.fault.Store(&err)
		}
	}()
	_ = tx.Rollback() // reports only that it was committed
}

// Package index remembers what this device holds and what it still wants.
//
// It holds no file content and opens no connection: package folder fills it
// from disk and from peers. One file serves all folders of a device.
//
// # Promises
//
//   - An entry and its sequence number are written together: a reader that has
//     seen sequence n has seen every change up to n.
//   - A version never goes back; Put returns [ErrStale] instead.
//   - What Update has returned nil for is on disk. A number that
//     [Folder.NextCount] gave out in it is never given out again.
//   - A damaged file is noticed. Every row has a checksum and every folder the
//     sum of them, Open reads the whole file, and whatever is found later turns
//     the DB off with [ErrDamaged]; half an index, or one that is partly older
//     than the rest, never passes for a whole one.
//   - Entries come out as copies: they stay valid after the transaction.
//
// # Concurrency
//
// A DB is safe for concurrent use. Any number of Views run beside one Update;
// further Updates wait. A View sees the state at its beginning, and keeps the
// file from reusing the space of what was replaced since: read large tables in
// slices, going on with [After]. A Tx and all that comes from it belong to the
// goroutine of its function and end with it. Never open a transaction within
// another: it may wait for ever.
package index

import (
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"sync/atomic"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// DB is an open index.
type DB struct {
	bolt *bbolt.DB
	file *os.File // the one that bolt has open

	// fault is the damage that has turned the DB off.
	fault atomic.Pointer[error]
	// unsure tells that the last commit failed when it was visible already, so
	// that it is not known to be durable. No reader may see it then.
	unsure atomic.Bool
	// stuck tells that a transaction could not be ended and holds its locks.
	stuck atomic.Bool
}

// Close waits for the transactions under way and closes the file. The DB
// answers [ErrClosed] from then on; closing it again does nothing.
func (db *DB) Close() error {
	if db.stuck.Load() {
		// Bolt's Close would wait for ever. This lets go of the file's lock.
		if err := db.file.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
			return fmt.Errorf("close index: %w", err)
		}
		return nil
	}
	if err := db.bolt.Close(); err != nil {
		return fmt.Errorf("close index: %w", err)
	}
	return nil
}

// View calls fn with a transaction that reads, and returns its error. If fn
// meets damage, View returns an error that wraps [ErrDamaged] whatever fn
// returns.
func (db *DB) View(fn func(*Tx) error) error {
	return db.transact(false, fn)
}

// Update calls fn with a transaction that reads and writes, and commits what
// it wrote if it returns nil. When Update returns nil, all of it is durable.
// If fn returns an error or panics, nothing of it remains. If the commit fails,
// for want of space say, all or nothing of it was done: look again.
func (db *DB) Update(fn func(*Tx) error) error {
	return db.transact(true, fn)
}

func (db *DB) transact(writable bool, fn func(*Tx) error) (err error) {
	// A page that cannot be read is a signal, which ends the process unless
	// it is asked for as a panic.
	old := debug.SetPanicOnFault(true)
	defer debug.SetPanicOnFault(old)

	tx, err := db.begin(writable)
	if err != nil {
		return err
	}
	defer func() {
		tx.end()
		if tx.fault != nil {
			err = tx.fault
		}
		if errors.Is(err, ErrDamaged) {
			db.fault.CompareAndSwap(nil, &err)
		}
	}()
	if err = fn(tx); err != nil || tx.fault != nil || !writable {
		return err
	}
	return tx.commit()
}

func (db *DB) begin(writable bool) (*Tx, error) {
	if fault := db.fault.Load(); fault != nil {
		return nil, *fault
	}
	if !writable && db.unsure.Load() {
		if err := db.settle(); err != nil {
			return nil, err
		}
	}
	bolt, err := db.beginBolt(writable)
	if err != nil {
		return nil, err
	}
	return &Tx{db: db, bolt: bolt, writable: writable}, nil
}

func (db *DB) beginBolt(writable bool) (bolt *bbolt.Tx, err error) {
	defer db.recoverFault(&err)
	bolt, err = db.bolt.Begin(writable)
	if errors.Is(err, bolterrors.ErrDatabaseNotOpen) {
		return nil, ErrClosed
	}
	if err != nil {
		return nil, fmt.Errorf("begin: %w", err)
	}
	return bolt, nil
}

// recoverFault, deferred around calls into bolt, turns its panics into errors:
// they mean that a page does not hold what it should.
func (db *DB) recoverFault(err *error) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("%w: %v", ErrDamaged, r)
		fault := *err
		db.fault.CompareAndSwap(nil, &fault)
	}
}

// settle makes the last commit durable, by one more that changes nothing.
func (db *DB) settle() error {
	bolt, err := db.beginBolt(true)
	if err != nil {
		return err
	}
	return db.commitBolt(bolt)
}

func (db *DB) commitBolt(bolt *bbolt.Tx) (err error) {
	id := bolt.ID()
	defer db.recoverFault(&err)
	if err = bolt.Commit(); err == nil {
		db.unsure.Store(false)
		return nil
	}
	now, err2 := db.bolt.Begin(false)
	if err2 != nil {
		return fmt.Errorf("commit: %w", errors.Join(err, err2))
	}
	if now.ID() == id {
		db.unsure.Store(true)
	}
	return fmt.Errorf("commit: %w", errors.Join(err, now.Rollback()))
}

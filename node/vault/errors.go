package vault

import (
	"errors"
	"fmt"
	"strings"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/protocol/seal"
)

var (
	// ErrMissing: the vault does not hold the block, or not any more, or what
	// it holds is damaged. Of a record: of a block that it names.
	ErrMissing = errors.New("not in the vault")

	// ErrQuota: the vault would grow beyond its quota. Unless it is a rolling
	// one, nothing is deleted to make room: that is for its owner.
	ErrQuota = errors.New("the vault's quota is used up")

	// ErrDiskFull: the file system would be left with less free space than the
	// vault is to keep free.
	ErrDiskFull = errors.New("too little space is left on the disk")

	// ErrRefused: what was to be put cannot be a sealed block or a record, or
	// one more variant of a block than is kept.
	ErrRefused = errors.New("refused by the vault")

	// ErrFuture: a moment that has not come yet by the vault's clock.
	ErrFuture = errors.New("the moment has not come yet")

	// ErrLocked: another process has the vault open.
	ErrLocked = errors.New("the vault is in use by another process")

	// ErrFolder: the vault is another folder's.
	ErrFolder = errors.New("the vault of another folder")

	// ErrVersion: a newer kith has written the vault. It is untouched.
	ErrVersion = errors.New("the vault was written by a newer version of kith")

	// ErrReadOnly: the vault was opened to be read only.
	ErrReadOnly = errors.New("the vault is only read")

	// ErrClosed: the vault is closed.
	ErrClosed = errors.New("the vault is closed")

	// ErrIndex: the vault's index is damaged. It is rebuilt from the packs when
	// the vault is opened again, or by [Vault.Rebuild].
	ErrIndex = errors.New("the vault's index is damaged")

	// ErrStore: the place where the packs lie cannot be reached. It says nothing
	// of what lies there.
	ErrStore = errors.New("the store of the packs cannot be reached")

	// ErrUnreadable: some records cannot be read, so that it is not known which
	// blocks they need. No block is dropped until they are repaired or given up.
	ErrUnreadable = errors.New("some records are unreadable")

	// errBad: bytes on disk are not what was written there.
	errBad = errors.New("damaged on disk")
)

// Refusal is a record that was not stored, and why.
type Refusal struct {
	ID  seal.RecordID
	At  int // its position among those that were to be put
	Err error
	// Missing are the blocks that it names and the vault lacks, where that is
	// why; no more than a few thousand of them.
	Missing []entry.BlockID
}

// RefusedError tells which records were not stored, while the others were. It
// wraps the errors of all refusals.
type RefusedError struct{ Records []Refusal }

func (e *RefusedError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d records refused", len(e.Records))
	for i := range e.Records {
		if i == 3 {
			b.WriteString("; ...")
			break
		}
		fmt.Fprintf(&b, "; record %s: %v", e.Records[i].ID, e.Records[i].Err)
	}
	return b.String()
}

// Unwrap serves errors.Is and errors.As.
func (e *RefusedError) Unwrap() []error {
	errs := make([]error, len(e.Records))
	for i := range e.Records {
		errs[i] = e.Records[i].Err
	}
	return errs
}

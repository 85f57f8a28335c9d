package index

import "errors"

var (
	// ErrLocked means that another process has the index open.
	ErrLocked = errors.New("the index is in use by another process")

	// ErrDamaged means that the file does not hold what was written to it. It
	// is final: a DB that has returned it once returns it from every call. The
	// owner closes the DB, moves the file aside and starts a new one, whose
	// folders begin with unknown history under new replicas.
	ErrDamaged = errors.New("the index is damaged")

	// ErrVersion means that a newer kith has written the file. It is untouched.
	ErrVersion = errors.New("the index was written by a newer version of kith")

	// ErrClosed means that the DB is closed, or that a Tx or Folder was used
	// after its transaction had ended.
	ErrClosed = errors.New("the index is closed")

	// ErrReadOnly means that something was to be changed within a View.
	ErrReadOnly = errors.New("the transaction is read-only")

	// ErrNoFolder means that the index has no such folder.
	ErrNoFolder = errors.New("no such folder in the index")

	// ErrFolderExists means that a folder to be created is there already.
	ErrFolderExists = errors.New("the folder is already in the index")

	// ErrStale means that an entry would have replaced one that it has not
	// seen, so that a change would be lost.
	ErrStale = errors.New("the index holds a version that this one has not seen")

	// ErrForked means that two different states came under one vector. It must
	// not happen; where it does, a replica has used a counter twice.
	ErrForked = errors.New("two different states under one version")

	// ErrFenced means that peers have seen events of this replica that it does
	// not know of: it was restored from a backup, or cloned, and must not
	// number events until it has been renewed.
	ErrFenced = errors.New("the index is older than what others remember of it")
)

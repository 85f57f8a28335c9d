package rendezvous

import "errors"

var (
	// ErrMode is wrapped when a board is asked for in no mode that there is.
	ErrMode = errors.New("not a mode of the board")

	// ErrKey is wrapped when a key or the ID of a key is not one of a device:
	// those are Ed25519 keys.
	ErrKey = errors.New("not an Ed25519 key")

	// ErrNode is wrapped when a text does not say where a node of the DHT is.
	ErrNode = errors.New("not the address of a node")

	// ErrAddr is wrapped when there is no address that a notice can hold.
	ErrAddr = errors.New("no address that fits a notice")

	// ErrAlone is wrapped when no node of the DHT answers.
	ErrAlone = errors.New("no node of the DHT answers")

	// ErrNotStored is wrapped when nodes answer but none has taken a record.
	ErrNotStored = errors.New("no node of the DHT has taken the record")

	// ErrNothing is wrapped when nothing is on the board where it was looked for.
	ErrNothing = errors.New("nothing found on the board")

	// ErrRecord is wrapped when a record is not what its key promises: not
	// signed for it, expired, or of a form that kith does not write.
	ErrRecord = errors.New("not a valid record")

	// ErrSeal is wrapped when the content of a record does not open under the
	// secret: it is of another pair, another direction or another day.
	ErrSeal = errors.New("sealed under another secret, direction or day")

	// ErrNotice is wrapped when what was sealed is not a notice.
	ErrNotice = errors.New("not a well-formed notice")

	// ErrReplayed is wrapped when a record is older than one that was seen
	// under the same key.
	ErrReplayed = errors.New("older than what was found before")
)

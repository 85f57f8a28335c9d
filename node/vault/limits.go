package vault

import "time"

const (
	// MaxVariants is how many different sealed forms of one block are kept.
	MaxVariants = 4
	// MaxLabel bounds the sealed label of a pin, in bytes.
	MaxLabel = 4096
	// MaxPins bounds the pins of a vault.
	MaxPins = 1 << 16
	// maxDevice bounds a device ID, in bytes.
	maxDevice = 255

	// defaultPack is the size of a pack, in bytes, and the bounds of what may
	// be asked for. A pack can be longer by one entry.
	defaultPack = 32 << 20
	minPack     = 64 << 10
	maxPack     = 1 << 30

	// defaultGrace is how long what is marked waits until it is swept.
	defaultGrace = 24 * time.Hour

	// maxData bounds the data of one entry: a record with as many blocks as
	// there can be is the longest.
	maxData = 128 << 20

	// maxMissing bounds the missing blocks that a refusal names.
	maxMissing = 4096
	// openPacks is how many packs are kept open for reading.
	openPacks = 64
	// skipNumbers bounds how many numbers of packs are left out at once.
	skipNumbers = 1 << 16
	// readAhead is how many bytes are read from the store at least, and
	// maxSegments bounds those that are kept in memory.
	readAhead   = 1 << 20
	maxSegments = 32 << 20
	// dropBatch is how many entries are dropped in one commit, and rowBatch how
	// many rows are read in one transaction.
	dropBatch = 4096
	rowBatch  = 8192
	// buildBatch and buildBytes are the same for a rebuild.
	buildBatch = 1 << 16
	buildBytes = 32 << 20
	// longRecord is how many bytes of a record count as much as another row.
	longRecord = 16 << 10
)

package history

import "github.com/kithmesh/kith/protocol/seal"

// Bounds of one request and answer.
const (
	// MaxIDs is how many records or blocks one request may name.
	MaxIDs = 4096
	// MaxLabel bounds the sealed label of a pin, in bytes.
	MaxLabel = 4096
	// MaxPins is how many pins of a vault can be told.
	MaxPins = 4096
	// MaxText bounds a text for people, in bytes.
	MaxText = 1024
	// MaxForms is how many sealed forms of one block can be proven.
	MaxForms = 4

	maxSealed  = seal.MaxSealedBlock // bytes of a form
	maxDevice  = 128                 // bytes of a device ID in text form
	maxGivers  = 1<<16 - 1           // devices in one answer
	maxMoment  = 253402300799999999  // microseconds since 1970: the end of the year 9999
	maxNumber  = 1 << 62             // of anything that is counted
	maxRequest = MaxIDs*32 + 256     // bytes

	// maxAnswer bounds one message of an answer, in bytes: one version of a file
	// of 1.8 TiB, the largest that exchange tells of, and what is said of it.
	maxAnswer = 16<<20 + 1<<10
	// maxCost is how many bytes a message may take when it is decoded.
	maxCost = 48 << 20
	// maxIdle bounds the streams that are kept between requests.
	maxIdle = 2
)

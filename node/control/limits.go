package control

import "time"

// Bounds on what crosses the socket.
const (
	maxRequest   = 16 << 20               // bytes of a request: a shell may expand a pattern to many places
	maxResponse  = 64 << 20               // bytes of an answer, or of one message of a stream
	maxHeader    = 16 << 10               // bytes of a request's head
	maxWaiting   = 256                    // folders named in one wait
	maxShares    = 256                    // folders offered with one code
	maxAddresses = 64                     // addresses given with one code
	maxLabel     = 128                    // bytes of a label or a name
	maxCode      = 4 << 10                // bytes of a code or ticket
	maxPath      = 4096                   // bytes
	maxText      = maxLabel + 1 + maxPath // bytes of a place as it was typed
	maxPlaces    = 1 << 16                // places of one request
	maxCopies    = 1000                   // members that must prove that they hold something
	maxBatch     = 128                    // bytes of the ID of a batch
	listPiece    = 256                    // entries in one message of a list
	momentPiece  = 4096                   // kept moments in one message
	maxSchedule  = 128                    // bytes of a schedule
	maxHook      = 4096                   // bytes of a command that is run when a backup is stale
	maxStore     = 4096                   // bytes of each part of the address of a store
	maxKept      = 1 << 30                // changes, hours, days, ... to keep
	maxReport    = 16 << 20               // bytes of the paths and problems that one answer lists
	maxPhrase    = 1024                   // bytes of the words of a recovery phrase
	maxWord      = 64                     // bytes of one word
	maxWords     = 24                     // words asked for
	maxRecovered = 256                    // folders, or devices, named in one recovery
)

// Deadlines. What may rightly take long (a scan, a wait, an open pairing
// window, a watch) has none: it ends with its caller.
const (
	receiveTime = 10 * time.Second // for a request to come in
	answerTime  = 60 * time.Second // for an answer that asks nobody else
	reachTime   = 2 * time.Minute  // for an examination of the ways to all devices
	storeTime   = 3 * time.Minute  // for one that tries a store
	pairTime    = 3 * time.Minute  // for pairing with a device that shows a code
	stopTime    = 60 * time.Second // for the device to end
	lastWords   = 2 * time.Second  // for answers to go out when the server ends
	probeTime   = 5 * time.Second  // for somebody to answer at a socket
)

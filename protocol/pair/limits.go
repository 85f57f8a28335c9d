package pair

import "time"

const (
	// MaxName bounds the name of a device, in bytes.
	MaxName = 64
	// MaxPlate is the largest nameplate.
	MaxPlate Plate = 999_999_999
	// MaxAddresses bounds the addresses of one ticket.
	MaxAddresses = 8
	// MaxAddress bounds one address of a ticket, in bytes.
	MaxAddress = 128

	// Validity is how long a code can be used.
	Validity = 10 * time.Minute
	// BurnSpan is the span in which [MaxBurns] burnt codes pause pairing.
	BurnSpan = 10 * time.Minute
	// MaxBurns is how many codes may be burnt within any [BurnSpan].
	MaxBurns = 3
)

const (
	maxMessage = 512  // bytes of one message on the stream
	maxSealed  = 128  // bytes of a sealed card
	maxDevice  = 128  // bytes of a device ID in text form
	maxCode    = 128  // bytes of a typed code, however it is spaced
	maxTicket  = 4096 // bytes of a pasted ticket, line breaks included

	keySize    = 32 // bytes of the session key and of all that it yields
	saltSize   = 16 // bytes that CPace puts before the enterer's share
	shareSize  = 32 // bytes of a share
	ticketSize = 16 // bytes of a ticket's secret
)

// version is the version of the protocol that this package speaks.
const version = 1

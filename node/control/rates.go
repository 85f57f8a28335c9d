package control

import "context"

// Limits is about how much goes over the network, and when.
type Limits interface {
	// Limits tells what is set, for one device only or for "" all of it, and
	// what holds now. [ErrNoDevice].
	Limits(ctx context.Context, device string) (LimitList, error)

	// SetLimits changes that, durably and for transfers that run too, and tells
	// it all. [ErrInvalid] for a rate that is too low or a time that is none,
	// [ErrNoDevice].
	SetLimits(ctx context.Context, r LimitRequest) (LimitList, error)
}

// NoLimit is a rate that is none. In a limit for a time of day it stands for
// no limit then, whatever holds else.
const NoLimit int64 = -1

// LimitRequest asks to change limits. Rates are bytes a second; zero leaves
// what is set.
type LimitRequest struct {
	Device  string // empty: all devices together
	Between string // a time of day like 08:00-18:00; empty: always
	Up      int64
	Down    int64
	LAN     int64 // each way on the local network, for all together
	// Clear drops limits before the rest is set: those of the device, or of all
	// together, for the time given; all of the device where none is; and
	// everything that is set, where neither is.
	Clear bool
}

// Limit is a limit that is set. A rate of zero says nothing.
type Limit struct {
	Device  Identity // zero: all devices together
	Between string   // empty: always
	Up      int64
	Down    int64
	Now     bool // the time is now
}

// LimitList is all that limits what goes over the network.
type LimitList struct {
	Limits []Limit
	LAN    int64 // zero or [NoLimit]: none
	// Up and Down are what holds now for all devices together; zero or
	// [NoLimit]: no limit.
	Up   int64
	Down int64
	// Metered tells whether this device is on a network that is paid for by
	// what it carries, OnMetered what it does then: lan, pause or sync.
	Metered   bool
	OnMetered string
	// Battery is the charge in percent while the machine runs on one, else -1;
	// Saving tells whether the device waits because of it.
	Battery int
	Saving  bool
}

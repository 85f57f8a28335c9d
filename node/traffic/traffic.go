// Package traffic knows how much a device may send and receive, when, and
// whose turn it is.
//
// A [Meter] holds a device to its [Rules]: rates for all traffic together and
// for single devices, by time of day. What goes over the local network is
// exempt unless the rules say otherwise. A [Lane] is one stream that is held
// to them. A [Window] bounds what is asked of one device at a time by how fast
// that comes, so that what is asked for next does not wait behind it for long,
// and shares a slow link among the folders that use it.
//
// # Promises
//
//   - Over any time a rate is exceeded by at most a tenth of a second's worth
//     and one piece of 64 KiB.
//   - New rules hold at once, for transfers that run too.
//   - While a rate holds, folders share it by bytes in turn, each as much as
//     the others whatever the number of its streams; a stream that has been
//     silent goes before them with its first 32 KiB.
//   - Where no rule applies a lane costs one atomic load.
//
// It opens no connection and keeps no file; times come from package time. All
// types are safe for concurrent use; one lane takes one reader and one writer
// at a time.
package traffic

import "github.com/kithmesh/kith/index/entry"

// Direction is which way bytes go.
type Direction int

// The directions.
const (
	Up   Direction = iota // from this device
	Down                  // to it
)

// Party is who shares a rate with others: a folder, or all else that one
// device says.
type Party struct {
	Device entry.DeviceID
	Folder entry.FolderID // zero for what belongs to no folder
}

// Origin is where the other end of a stream is.
type Origin struct {
	Device entry.DeviceID
	LAN    bool
}

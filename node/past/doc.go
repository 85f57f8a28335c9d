// Package past knows what a folder was: it opens the records of vaults with the
// folder's keys and puts together trees, logs and batches of changes.
//
// A vault can read nothing of what it keeps, and does not know that two of its
// records are one path: the IDs change with the keys of the folder. So this
// package asks one or several vaults (a [Source] each: the history of this
// device, the replicas of members), opens what they tell, and merges it by
// path. It belongs to a device that holds the keys, or to who has keys and the
// directory of a vault and nothing else. Package restore, below it, brings files
// back.
//
// # Promises
//
//   - What cannot be opened, and a source that fails, hold up nothing else, and
//     are told of: see [Gaps].
//   - The tree of a moment does not depend on the order of sources or of what
//     they tell. At each path is the content that all devices would have agreed
//     on, had they known then what the sources knew.
//   - A [Tree] is one that a disk can hold: whatever lives has a directory above
//     it.
//   - What a batch did is undone only where nothing else has happened since,
//     and where what goes is held by a source.
//
// # Memory
//
// A tree takes some 150 bytes for each path of it. The block lists of longer
// files lie in a temporary file beyond some tens of MiB. A log takes some 60
// bytes for each version that the sources hold.
//
// # Concurrency
//
// A Past may be used by several goroutines, if its sources may. A Tree can be
// read by several until it is closed. Iterators given by the caller are used by
// one goroutine at a time.
package past

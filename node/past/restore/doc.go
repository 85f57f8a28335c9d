// Package restore brings files of the past back to a disk, and tries whether
// that could be done.
//
// A [Restore] first plans: it compares what package past says of a moment, or of
// the way back from a batch, with what lies at the target, and says what it
// would do ([Plan]). Then it carries the plan out. The target is the folder
// itself ([InPlace]) or any directory ([Into]).
//
// # Promises
//
//   - Nothing that lies at the target goes unless the caller has said so
//     ([Overwrite]), and only if it is still what the plan has seen. What is at
//     the target and was not in the tree then stays. All else is restored beside.
//   - A path shows a whole file or none: content is assembled out of sight, each
//     block opened and checked, written, read again and checked again, made
//     durable, and then renamed.
//   - Nothing outside the target is touched, and no symlink in it is followed.
//   - A run that has ended early, in whatever way, is gone on with by doing the
//     same again: what is right already is left, and of what the earlier run has
//     staged each block is read, and fetched only if it is not right. What no run
//     makes use of is removed after a day.
//   - What cannot be had holds up nothing else, and is named.
//   - Memory is bounded: some 40 bytes for each path of the plan, a few hundred
//     for each that goes with a directory, some tens of MiB for blocks and
//     requests.
//
// # What remains
//
// In a directory that is no folder, a file that is replaced is looked at before
// it goes, not after: what someone writes to it within these microseconds goes
// with it. A file system that is mounted within such a directory cannot be
// restored to.
//
// # Concurrency
//
// A Restore plans or runs one thing at a time, and calls its functions from one
// goroutine at a time, but for Local, which several call.
package restore

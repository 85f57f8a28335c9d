// Package ignore decides which paths of a folder are left alone, by the rules
// of gitignore.
//
// Rules come from four places. Of all patterns that match a path the last one
// decides, read in this order:
//
//  1. the presets: junk that no person made, see [Presets];
//  2. the .kithignore file at the folder's root;
//  3. .kithignore files further down, each for what lies below it;
//  4. .kith/ignore, for this device alone. It is read last, as if it lay at
//     the root, so that a device can overrule what is shared.
//
// # Promises
//
//   - Syntax and meaning are git's (gitignore(5) and the matcher behind it),
//     compared byte by byte and with case: "**" and "*", "?", character
//     classes with "!", "^" and [:names:], escapes, trailing spaces, anchors,
//     "!" and patterns for directories only. A test compares with git itself.
//   - What lies below an ignored directory is ignored; no pattern brings it
//     back, not even one of this device.
//   - A path of n bytes is matched against a pattern of m bytes in time
//     proportional to n*m at worst, whatever the pattern.
//   - A file that is too big to read in whole ignores everything beneath its
//     directory, rather than publish what a later line would have kept back.
//     Nothing is deleted by this: ignored is not deleted.
//
// All values are immutable. The package is pure, does no I/O, and is safe for
// concurrent use.
package ignore

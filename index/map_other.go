//go:build !windows

package index

// mapAhead is how much of the address space to map, in bytes, whatever the
// file has: while it grows within it, an Update need not wait for Views to end.
const mapAhead = 1 << 30

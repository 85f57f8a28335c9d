//go:build !windows

package vault

// mapAhead is how much of the address space to map, in bytes, whatever the
// file has: while it grows within it, writers need not wait for readers.
const mapAhead = 1 << 28

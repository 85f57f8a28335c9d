package chunk

import "math/bits"

// Bounds of the average block, in bytes: powers of two.
const (
	minAverage = 64 << 10
	maxAverage = 4 << 20
)

// Whole is the size, in bytes, up to which a file is one block.
const Whole = minAverage

// Average is the average length, in bytes, of the blocks of a file of size
// bytes: sqrt(40*size) to the nearest power of two (by ratio), from 64 KiB up
// to 205 MiB of file to 4 MiB from 205 GiB on. A longer block list costs
// every peer some 40 bytes per block; longer blocks cost as much again as an
// edit: the square root balances the two.
func Average(size int64) int {
	a := int64(minAverage)
	// 2a is the nearer one from sqrt(40*size) >= sqrt(2)*a on.
	for a < maxAverage && size >= a*a/20 {
		a *= 2
	}
	return int(a)
}

// rule says where blocks of one file end.
type rule struct {
	min, max int    // bytes
	slope    uint64 // a block of n bytes may end where the hash is below n*slope
	limit    uint64 // no block ends where the hash is at or above it
}

func ruleFor(size int64) rule {
	a := Average(size)
	r := rule{min: a / 4, max: 4 * a}
	if size <= Whole {
		r.min = Whole
	}
	r.slope = 7 << (62 - 2*bits.TrailingZeros(uint(a)))
	r.limit = uint64(r.max) * r.slope
	return r
}

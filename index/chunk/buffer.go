package chunk

import "sync"

// buffer is what one Split works in.
type buffer struct {
	bytes []byte
	probe [1]byte            // reads the byte that must not be there
	lanes [lanes][]candidate // found in the step scanned last, by lane
	found []candidate        // the same in one piece, ascending
}

// The lengths of buffers, in bytes: two for files that fit whole, then room
// for the longest block and a quarter, for each average.
var bufferSizes = [...]int{Whole, 256 << 10, 1 << 20, 5 << 18, 5 << 19, 5 << 20, 5 << 21, 5 << 22}

// buffers keeps the buffers of each length for reuse.
var buffers [len(bufferSizes)]sync.Pool

// withBuffer lends fn a buffer fit for a file of size bytes under rule r.
func withBuffer(size int64, r rule, fn func(*buffer) error) error {
	need := int(min(size, int64(max(r.max+r.max/4, 1<<20))))
	class := 0
	for bufferSizes[class] < need {
		class++
	}
	b, _ := buffers[class].Get().(*buffer)
	if b == nil {
		b = &buffer{bytes: make([]byte, bufferSizes[class])}
	}
	defer buffers[class].Put(b)
	return fn(b)
}

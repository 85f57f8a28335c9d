package chunk

import "errors"

// ErrChanged is wrapped by [Chunker.Split] when the reader has fewer or more
// bytes than announced: the file changed while it was read, and the blocks
// seen so far are of no state that it ever had.
var ErrChanged = errors.New("the file changed while it was read")

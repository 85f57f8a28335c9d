// Package frame puts messages on a stream and takes them off again, one
// length-delimited protobuf after the other, none above a bound.
//
// A message that claims to be longer than the reader's bound is refused before
// a byte of it is stored. Neither type is safe for concurrent use; the two
// directions of a stream are independent.
package frame

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"

	"google.golang.org/protobuf/proto"
)

// ErrTooLarge is wrapped when a message exceeds the reader's bound.
var ErrTooLarge = errors.New("message too large")

// ErrMalformed is wrapped when the bytes are no message of the expected type.
var ErrMalformed = errors.New("malformed message")

// ErrIdle is wrapped when a stream's time ran out before a message began.
var ErrIdle = errors.New("no message came in time")

// Reader takes messages off a stream.
type Reader struct {
	// Refuse, if set, is asked before the bytes of a message are decoded, and
	// its error returned.
	Refuse func(b []byte, m proto.Message) error

	r   *bufio.Reader
	max int
	buf []byte
}

// NewReader reads messages of at most max bytes from r.
func NewReader(r io.Reader, max int) *Reader {
	return &Reader{r: bufio.NewReaderSize(r, 64<<10), max: max}
}

// Await waits until a message begins. It returns io.EOF at the end of the
// stream, and wraps [ErrIdle] if the time that a read may take has passed.
func (r *Reader) Await() error {
	_, err := r.r.Peek(1)
	if timed := net.Error(nil); errors.As(err, &timed) && timed.Timeout() {
		return fmt.Errorf("%w: %w", ErrIdle, err)
	}
	return err
}

// Read replaces m with the next message. It returns io.EOF at the end of the
// stream, io.ErrUnexpectedEOF if it ends within a message, and wraps
// [ErrTooLarge] or [ErrMalformed] for what is none.
func (r *Reader) Read(m proto.Message) error {
	n, err := binary.ReadUvarint(r.r)
	if err != nil {
		return lengthError(err)
	}
	if n > uint64(r.max) {
		return fmt.Errorf("%w: %d bytes, %d allowed", ErrTooLarge, n, r.max)
	}
	if cap(r.buf) < int(n) {
		r.buf = make([]byte, n)
	}
	b := r.buf[:n]
	if _, err := io.ReadFull(r.r, b); err != nil {
		return noEOF(err)
	}
	if r.Refuse != nil {
		if err := r.Refuse(b, m); err != nil {
			return err
		}
	}
	if err := proto.Unmarshal(b, m); err != nil {
		return fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return nil
}

// ReadFull fills b with raw bytes that follow a message.
func (r *Reader) ReadFull(b []byte) error {
	_, err := io.ReadFull(r.r, b)
	return noEOF(err)
}

// Buffered is how many bytes can be read without waiting.
func (r *Reader) Buffered() int { return r.r.Buffered() }

// lengthError tells a length that is none from a stream that failed.
func lengthError(err error) error {
	if err.Error() == overflow {
		return fmt.Errorf("%w: a length above 64 bits", ErrMalformed)
	}
	return err
}

// overflow is how encoding/binary words it; it exports no error for it.
const overflow = "binary: varint overflows a 64-bit integer"

func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// Writer puts messages on a stream.
type Writer struct {
	w   *bufio.Writer
	buf []byte
}

// NewWriter writes messages to w. Nothing is sent before [Writer.Flush] or
// until some 64 KiB have gathered.
func NewWriter(w io.Writer) *Writer {
	return &Writer{w: bufio.NewWriterSize(w, 64<<10)}
}

// Write appends one message.
func (w *Writer) Write(m proto.Message) error {
	b := binary.AppendUvarint(w.buf[:0], uint64(proto.Size(m)))
	b, err := proto.MarshalOptions{UseCachedSize: true}.MarshalAppend(b, m)
	if err != nil {
		return fmt.Errorf("encode message: %w", err)
	}
	w.buf = b
	_, err = w.w.Write(b)
	return err
}

// WriteRaw appends raw bytes after a message.
func (w *Writer) WriteRaw(b []byte) error {
	_, err := w.w.Write(b)
	return err
}

// Flush sends what has gathered.
func (w *Writer) Flush() error { return w.w.Flush() }

package history

import (
	"errors"
	"io"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/kithmesh/kith/proto/wirepb"
	"github.com/kithmesh/kith/protocol/frame"
)

// Stream is one history stream to a peer.
type Stream interface {
	io.ReadWriteCloser
	// Reset gives the stream up at once; pending reads and writes end.
	Reset() error
}

// line is one stream with the buffers of its two directions.
type line struct {
	stream Stream
	in     *frame.Reader
	out    *frame.Writer
	heard  bool // of the last request: at least a message of its answer has come
}

func newLine(s Stream) *line {
	in := frame.NewReader(s, maxAnswer)
	in.Refuse = func(b []byte, m proto.Message) error {
		if n := cost(b, m.ProtoReflect().Descriptor()); n > maxCost {
			return wrong("%d bytes that would take %d", len(b), n)
		}
		return nil
	}
	return &line{stream: s, in: in, out: frame.NewWriter(s)}
}

// ask sends a request and calls take for each message of the answer. It returns
// nil once the end has come and says that it was all.
func (l *line) ask(r *request, take func(*wirepb.HistoryAnswer) error) error {
	l.heard = false
	if err := l.out.Write(r.toWire()); err != nil {
		return err
	}
	if err := l.out.Flush(); err != nil {
		return err
	}
	for {
		m := &wirepb.HistoryAnswer{} // what is taken may keep parts of it
		if err := l.in.Read(m); err != nil {
			if errors.Is(err, io.EOF) {
				return io.ErrUnexpectedEOF
			}
			return err
		}
		l.heard = true
		if end := m.GetEnd(); end != nil {
			return errorOf(r.kind, end.GetStatus())
		}
		if err := take(m); err != nil {
			return err
		}
	}
}

// Decoding makes far more of a message than its bytes where it is built to: a
// field of two bytes becomes a struct of a hundred. So what it would take is
// estimated first.
const (
	messageCost = 200 // of a message
	fieldCost   = 24  // of a field of any kind, beside its bytes
	packedCost  = 8   // of a byte of packed numbers
)

// cost is about how many bytes a message takes when it is decoded. What is
// malformed is left to the decoder; counting ends above maxCost.
func cost(b []byte, kind protoreflect.MessageDescriptor) int {
	total := messageCost
	for len(b) > 0 && total <= maxCost {
		number, typ, n := protowire.ConsumeField(b)
		if n < 0 {
			return total
		}
		total += fieldCost + n
		if field := kind.Fields().ByNumber(number); field != nil && typ == protowire.BytesType {
			_, _, tag := protowire.ConsumeTag(b)
			inner, _ := protowire.ConsumeBytes(b[tag:])
			switch {
			case field.Message() != nil:
				total += cost(inner, field.Message())
			case field.IsPacked():
				total += packedCost * len(inner)
			}
		}
		b = b[n:]
	}
	return total
}

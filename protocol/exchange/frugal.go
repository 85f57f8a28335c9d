package exchange

import (
	"io"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/kithmesh/kith/protocol/frame"
)

// Decoding makes far more of a message than its bytes where it is built to: a
// field of two bytes becomes a struct of a hundred. So what a message would
// take is estimated first.
const (
	maxCost     = 48 << 20 // bytes that the parts of a message may take
	messageCost = 200      // of one message within it
	fieldCost   = 24       // of any other field
	packedCost  = 8        // of one byte of packed numbers
)

// frugal tells whether the bytes of a message of this kind would take no more
// than maxCost when decoded. What is malformed is left to the decoder.
func frugal(b []byte, kind protoreflect.MessageDescriptor) bool {
	budget := maxCost
	spend(b, kind, &budget)
	return budget >= 0
}

// reader reads the messages of a peer, within all bounds.
func reader(stream io.Reader) *frame.Reader {
	in := frame.NewReader(stream, maxMessage)
	in.Refuse = func(b []byte, m proto.Message) error {
		if !frugal(b, m.ProtoReflect().Descriptor()) {
			return refuse("%d bytes that would take more than %d", len(b), maxCost)
		}
		return nil
	}
	return in
}

func spend(b []byte, kind protoreflect.MessageDescriptor, budget *int) {
	for len(b) > 0 && *budget >= 0 {
		n, typ, size := protowire.ConsumeTag(b)
		if size < 0 {
			return
		}
		value := protowire.ConsumeFieldValue(n, typ, b[size:])
		if value < 0 {
			return
		}
		*budget -= fieldCost
		field := kind.Fields().ByNumber(n)
		if field != nil && typ == protowire.BytesType {
			inner, _ := protowire.ConsumeBytes(b[size:])
			switch {
			case field.Message() != nil:
				*budget -= messageCost
				spend(inner, field.Message(), budget)
			case field.IsPacked():
				*budget -= packedCost * len(inner)
			}
		}
		b = b[size+value:]
	}
}

package seal

import (
	"fmt"
	"sync"

	"github.com/klauspost/compress/zstd"

	"github.com/kithmesh/kith/index/entry"
)

// Encoding is the form that the bytes of a block have inside the seal.
type Encoding uint8

// The encodings. Raw and Zstd are written to wire and disk: never renumber
// them. Auto is a choice, not a form: Zstd where it saves at least 3 %, Raw
// elsewhere. Incompressible data cost little more than Raw (zstd skips them at
// some GB/s), text about ten times as much.
const (
	Auto Encoding = 0
	Raw  Encoding = 1
	Zstd Encoding = 2
)

func (e Encoding) String() string {
	switch e {
	case Auto:
		return "auto"
	case Raw:
		return "raw"
	case Zstd:
		return "zstd"
	}
	return fmt.Sprintf("encoding(%d)", uint8(e))
}

// Below this length there is nothing to gain: a frame has a header too.
const minCompressed = 64

// worthIt tells whether n bytes instead of plain are gain enough.
func (e Encoding) worthIt(n, plain int) bool {
	if e == Auto {
		return n <= plain-plain/33
	}
	return n < plain
}

// zstdWindow is how far back a match may reach. It decides what is sealed:
// never change it.
const zstdWindow = 4 << 20

var encoders = sync.Pool{New: func() any {
	e, err := zstd.NewWriter(nil,
		zstd.WithEncoderLevel(zstd.SpeedDefault),
		zstd.WithEncoderConcurrency(1),
		zstd.WithWindowSize(zstdWindow),
		zstd.WithSingleSegment(true), // every frame states its content size
		zstd.WithLowerEncoderMem(true),
		zstd.WithEncoderCRC(false)) // block ID and seal say it better
	if err != nil {
		panic("the options of the zstd encoder are constants: " + err.Error())
	}
	return e
}}

var decoders = sync.Pool{New: func() any {
	d, err := zstd.NewReader(nil,
		zstd.WithDecoderConcurrency(1),
		zstd.WithDecoderMaxMemory(entry.MaxBlock),
		zstd.WithDecoderMaxWindow(entry.MaxBlock),
		zstd.WithDecodeAllCapLimit(true))
	if err != nil {
		panic("the options of the zstd decoder are constants: " + err.Error())
	}
	return d
}}

// compress appends plain, compressed, to dst.
func compress(dst, plain []byte) []byte {
	e := encoders.Get().(*zstd.Encoder)
	defer encoders.Put(e)
	return e.EncodeAll(plain, dst)
}

// decompress appends what frame holds to dst. It takes no memory for more than
// entry.MaxBlock, and none that the frame does not announce.
func decompress(dst, frame []byte) ([]byte, error) {
	var h zstd.Header
	if err := h.Decode(frame); err != nil {
		return nil, err
	}
	if h.Skippable || !h.HasFCS || h.FrameContentSize == 0 || h.FrameContentSize > entry.MaxBlock {
		return nil, fmt.Errorf("a frame of %d bytes", h.FrameContentSize)
	}
	n := len(dst) + int(h.FrameContentSize)
	dst = grow(dst, int(h.FrameContentSize))
	d := decoders.Get().(*zstd.Decoder)
	defer decoders.Put(d)
	out, err := d.DecodeAll(frame, dst[:len(dst):n])
	if err != nil {
		return nil, err
	}
	if len(out) != n {
		return nil, fmt.Errorf("%d bytes instead of %d", len(out)-len(dst), h.FrameContentSize)
	}
	return out, nil
}

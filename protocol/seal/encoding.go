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
// elsewhere, and Raw without a try where a sample of the bytes looks random. So
// incompressible data cost what Raw does, text about ten times as much.
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

// A sample is this many bytes in runs, which lie so close that no part of a block
// that alone would make it worth it lies between them.
const (
	sampleRuns = 64
	runLength  = 32
	sampleSize = sampleRuns * runLength
)

// Bounds of what passes for random. One random block in 40 or so does not, and
// is tried for nothing.
const (
	// mostUneven bounds Pearson's chi-squared of the bytes of a sample, with 255
	// degrees of freedom: for random ones it is 255 on average, with a deviation
	// of 23. For those that their frequencies alone let shrink by 1 % it is 480.
	mostUneven = 255 + 2*23
	// leastHigh is how many bytes of a run are at least above 127, and below:
	// few runs of random bytes in a million have less, and text has none.
	leastHigh = 4
)

// looksRandom tells whether the bytes of a block are so evenly distributed that
// to compress it is not worth a try: those of media, of archives, of what is
// encrypted. What repeats itself nonetheless is not found: that is stored once
// anyway where it is as long as a block.
func looksRandom(plain []byte) bool {
	if len(plain) < sampleSize {
		return false
	}
	var counts [256]uint32
	for i := range sampleRuns {
		at, high := i*(len(plain)-runLength)/(sampleRuns-1), 0
		for _, b := range plain[at : at+runLength] {
			counts[b]++
			high += int(b >> 7)
		}
		if high < leastHigh || high > runLength-leastHigh {
			return false
		}
	}
	squares := uint32(0)
	for _, n := range counts {
		squares += n * n
	}
	return squares*256/sampleSize < sampleSize+mostUneven
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

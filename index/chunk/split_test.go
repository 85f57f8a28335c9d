package chunk

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"

	"github.com/kithmesh/kith/index/entry"
)

// lengths are the lengths of the blocks of data, which are checked to be data.
func lengths(t testing.TB, c *Chunker, r io.Reader, data []byte) []int {
	t.Helper()
	var out []int
	at := 0
	err := c.Split(r, int64(len(data)), func(block []byte) error {
		if at+len(block) > len(data) || !bytes.Equal(block, data[at:at+len(block)]) {
			t.Fatalf("block %d, of %d bytes at %d, is not the file's", len(out), len(block), at)
		}
		at += len(block)
		out = append(out, len(block))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if at != len(data) {
		t.Fatalf("the blocks have %d bytes of %d", at, len(data))
	}
	return out
}

// reference is the package comment, read out: one byte after the other.
func reference(c *Chunker, r rule, data []byte) []int {
	var out []int
	var h uint64
	n := 0
	for _, b := range data {
		h = h<<1 + c.gear[b]
		n++
		if n >= r.min && h < uint64(n)*r.slope || n == r.max {
			out = append(out, n)
			n = 0
		}
	}
	if n > 0 {
		out = append(out, n)
	}
	return out
}

// content draws files of all sizes up to some MiB, of noise, of repetitions and of
// long runs of one byte.
func content(t *rapid.T) []byte {
	seed := rapid.Uint8().Draw(t, "seed")
	size := rapid.SampledFrom([]int{0, Whole - 1, Whole, 100_000, 300_000, 1 << 20, 3 << 20}).Draw(t, "about") +
		rapid.IntRange(0, 100_000).Draw(t, "more")
	switch rapid.IntRange(0, 3).Draw(t, "kind") {
	case 0:
		period := rapid.IntRange(1, 70_000).Draw(t, "period")
		return bytes.Repeat(noise(period, seed), size/period+1)[:size]
	case 1:
		data := noise(size, seed)
		from := rapid.IntRange(0, 1000).Draw(t, "from") * size / 1000
		zeros := rapid.SampledFrom([]int{0, 100_000, 260_000, 1 << 20}).Draw(t, "zeros") + rapid.IntRange(0, 5000).Draw(t, "more zeros")
		clear(data[from:min(size, from+zeros)])
		return data
	}
	return noise(size, seed)
}

func TestBlocksAreThoseOfTheReferenceAndInBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := New(Key{rapid.Byte().Draw(t, "key")})
		data := content(t)
		r := ruleFor(int64(len(data)))
		var got []int
		at := 0
		err := c.Split(bytes.NewReader(data), int64(len(data)), func(block []byte) error {
			if !bytes.Equal(block, data[at:at+len(block)]) {
				t.Fatalf("block %d is not the file's", len(got))
			}
			at += len(block)
			got = append(got, len(block))
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if want := reference(c, r, data); !slices.Equal(got, want) {
			t.Fatalf("got  %v\nwant %v", got, want)
		}
		for i, n := range got {
			if n == 0 || n > r.max || n > entry.MaxBlock || i < len(got)-1 && n < r.min {
				t.Fatalf("block %d of %d has %d bytes", i, len(got), n)
			}
		}
	})
}

func TestLongBlocksAreThoseOfTheReferenceToo(t *testing.T) {
	if testing.Short() {
		t.Skip("cuts 160 MiB")
	}
	c := New(Key{9})
	data := noise(40<<20, 9)
	clear(data[9<<20 : 21<<20])
	for _, size := range []int64{1 << 30, 1 << 34, 1 << 36, 1 << 40} {
		r := ruleFor(size)
		var got []int
		err := withBuffer(int64(len(data)), r, func(b *buffer) error {
			s := splitter{
				chunker: c, rule: r, buffer: b, source: bytes.NewReader(data),
				size: int64(len(data)), left: int64(len(data)),
				fn: func(block []byte) error { got = append(got, len(block)); return nil },
			}
			return s.run()
		})
		if err != nil {
			t.Fatal(err)
		}
		if want := reference(c, r, data); !slices.Equal(got, want) {
			t.Errorf("cut like a file of %d bytes: got %v, want %v", size, got, want)
		}
	}
}

func TestBlocksDoNotDependOnHowTheFileIsRead(t *testing.T) {
	c := New(Key{3})
	data := noise(3<<20, 3)
	want := lengths(t, c, bytes.NewReader(data), data)
	readers := map[string]func() io.Reader{
		"halves":         func() io.Reader { return iotest.HalfReader(bytes.NewReader(data)) },
		"error with end": func() io.Reader { return iotest.DataErrReader(bytes.NewReader(data)) },
		"random sizes":   func() io.Reader { return &ragged{r: bytes.NewReader(data), rng: rand.New(rand.NewPCG(1, 1))} },
	}
	for name, r := range readers {
		if got := lengths(t, c, r(), data); !slices.Equal(got, want) {
			t.Errorf("%s: got %v, want %v", name, got, want)
		}
	}
	small := data[:100_000]
	want = lengths(t, c, bytes.NewReader(small), small)
	if got := lengths(t, c, iotest.OneByteReader(bytes.NewReader(small)), small); !slices.Equal(got, want) {
		t.Errorf("byte by byte: got %v, want %v", got, want)
	}
}

// ragged reads in random sizes.
type ragged struct {
	r   io.Reader
	rng *rand.Rand
}

func (r *ragged) Read(p []byte) (int, error) {
	return r.r.Read(p[:min(len(p), r.rng.IntN(9000))])
}

func TestASmallFileIsOneBlock(t *testing.T) {
	c := New(Key{1})
	data := noise(Whole, 4)
	for _, n := range []int{1, 3000, Whole - 1, Whole} {
		if got := lengths(t, c, bytes.NewReader(data[:n]), data[:n]); !slices.Equal(got, []int{n}) {
			t.Errorf("%d bytes: blocks of %v", n, got)
		}
	}
	if got := lengths(t, c, bytes.NewReader(nil), nil); len(got) != 0 {
		t.Errorf("an empty file has blocks of %v", got)
	}
}

func TestAFileOfAnotherSizeHasChanged(t *testing.T) {
	c := New(Key{1})
	data := noise(2<<20, 5)
	for _, announced := range []int64{-1, 0, 1, 3000, 1 << 20, 2<<20 - 1, 2<<20 + 1, 3 << 20, 1 << 33} {
		err := c.Split(bytes.NewReader(data), announced, func([]byte) error { return nil })
		if !errors.Is(err, ErrChanged) {
			t.Errorf("%d bytes announced as %d: %v", len(data), announced, err)
		}
	}
}

func TestErrorsOfReaderAndReceiverComeBack(t *testing.T) {
	c := New(Key{1})
	data := noise(1<<20, 6)
	broken := errors.New("broken")
	never := func([]byte) error { return nil }

	r := io.MultiReader(bytes.NewReader(data[:1<<19]), iotest.ErrReader(broken))
	if err := c.Split(r, 1<<20, never); !errors.Is(err, broken) || errors.Is(err, ErrChanged) {
		t.Errorf("reading breaks in the middle: %v", err)
	}
	r = io.MultiReader(bytes.NewReader(data), iotest.ErrReader(broken))
	if err := c.Split(r, 1<<20, never); !errors.Is(err, broken) {
		t.Errorf("reading breaks behind the end: %v", err)
	}
	calls := 0
	err := c.Split(bytes.NewReader(data), 1<<20, func([]byte) error { calls++; return broken })
	if err != broken || calls != 1 {
		t.Errorf("the receiver breaks: %v after %d calls", err, calls)
	}
}

func TestKeysCutAtDifferentPlaces(t *testing.T) {
	data := noise(8<<20, 8)
	seen := map[int]int{}
	cuts := 0
	for k := range byte(4) {
		at := 0
		for _, n := range lengths(t, New(Key{31: k}), bytes.NewReader(data), data) {
			at += n
			seen[at]++
			cuts++
		}
	}
	shared := 0
	for at, n := range seen {
		if n > 1 && at != len(data) {
			shared++
		}
	}
	if shared > 1 {
		t.Errorf("%d of %d cuts are shared between keys", shared, cuts)
	}
}

func TestOneChunkerServesManyAtOnce(t *testing.T) {
	c := New(Key{2})
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			data := noise((i+1)*90_000, byte(i))
			want := reference(c, ruleFor(int64(len(data))), data)
			if got := lengths(t, c, bytes.NewReader(data), data); !slices.Equal(got, want) {
				t.Errorf("file %d: got %v, want %v", i, got, want)
			}
		})
	}
	group.Wait()
}

func TestAReceiverCannotWriteBeyondItsBlock(t *testing.T) {
	data := noise(1<<20, 11)
	at := 0
	err := New(Key{4}).Split(bytes.NewReader(data), 1<<20, func(block []byte) error {
		if !bytes.Equal(block, data[at:at+len(block)]) {
			t.Fatal("a block was overwritten from the one before")
		}
		at += len(block)
		_ = append(block, make([]byte, 100)...)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestAverageIsTheSquareRootOfFortyTimesTheSize(t *testing.T) {
	for _, tt := range []struct {
		size int64
		want int
	}{
		{0, 64 << 10}, {1, 64 << 10}, {100 << 20, 64 << 10}, {214_748_363, 64 << 10}, {214_748_364, 128 << 10},
		{512 << 20, 128 << 10}, {1 << 30, 256 << 10}, {10 << 30, 512 << 10}, {1 << 35, 1 << 20},
		{200 << 30, 2 << 20}, {206 << 30, 4 << 20}, {entry.MaxSize, 4 << 20}, {1<<63 - 1, 4 << 20},
	} {
		if got := Average(tt.size); got != tt.want {
			t.Errorf("Average(%d) = %d, want %d", tt.size, got, tt.want)
		}
		if r := ruleFor(tt.size); r.max > entry.MaxBlock || r.limit/r.slope != uint64(r.max) {
			t.Errorf("the rule for %d bytes overflows: %+v", tt.size, r)
		}
	}
}

func TestTheMeanLengthIsTheAverage(t *testing.T) {
	size := 64 << 20
	data := noise(size, 12)
	n := len(lengths(t, New(Key{5}), bytes.NewReader(data), data))
	mean := float64(size) / float64(n)
	if ratio := mean / float64(Average(int64(size))); ratio < 0.95 || ratio > 1.05 {
		t.Errorf("mean %.0f bytes, %.2f of the average", mean, ratio)
	}
}

func TestKeyAndChunkerDoNotPrint(t *testing.T) {
	key := Key{0: 0xab, 1: 0xcd}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
		got := fmt.Sprintf(verb+" "+verb, key, New(key))
		if got != "[chunk key] [chunker]" || strings.Contains(got, "171") {
			t.Errorf("%s prints %q", verb, got)
		}
	}
	if got := key.LogValue().String(); got != "[chunk key]" {
		t.Errorf("logs %q", got)
	}
}

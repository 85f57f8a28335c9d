package chunk

import (
	"bytes"
	"slices"
	"testing"
)

func FuzzSplit(f *testing.F) {
	f.Add(byte(0), uint16(1), []byte{0})
	f.Add(byte(1), uint16(9000), []byte("a line of text\n"))
	f.Add(byte(2), uint16(3), noise(3000, 2))
	f.Fuzz(func(t *testing.T, key byte, times uint16, piece []byte) {
		data := bytes.Repeat(piece, min(int(times), (1<<20)/(len(piece)+1)))
		c := New(Key{key})
		got := lengths(t, c, bytes.NewReader(data), data)
		if want := reference(c, ruleFor(int64(len(data))), data); !slices.Equal(got, want) {
			t.Fatalf("got %v, want %v", got, want)
		}
	})
}

package chunk

import (
	"bytes"
	"fmt"
	"testing"
)

func BenchmarkSplit(b *testing.B) {
	c := New(Key{1})
	data := noise(64<<20, 7)
	for _, size := range []int{3 << 10, 1 << 20, 64 << 20} {
		b.Run(fmt.Sprintf("%d_KiB", size>>10), func(b *testing.B) {
			b.SetBytes(int64(size))
			b.ReportAllocs()
			r := bytes.NewReader(nil)
			for b.Loop() {
				r.Reset(data[:size])
				if err := c.Split(r, int64(size), func([]byte) error { return nil }); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkScan(b *testing.B) {
	c := New(Key{1})
	data := noise(1<<20, 7)
	limit := ruleFor(64 << 20).limit
	b.Run("side_by_side", func(b *testing.B) {
		b.SetBytes(int64(len(data)))
		var out [lanes][]candidate
		for b.Loop() {
			for at := window; at < len(data); at += stepSize {
				c.gear.scan(data, at, min(at+stepSize, len(data)), limit, &out)
			}
		}
	})
	b.Run("one_lane", func(b *testing.B) {
		b.SetBytes(int64(len(data)))
		var out []candidate
		for b.Loop() {
			out = c.gear.lane(data, window, len(data), limit, out[:0])
		}
	})
}

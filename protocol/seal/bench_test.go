package seal

import (
	"fmt"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/kithmesh/kith/proto/wirepb"
)

func BenchmarkBlock(b *testing.B) {
	k := derive(b, 1, 1, 1)
	for _, size := range []int{4 << 10, 128 << 10, 1 << 20} {
		for _, content := range []struct {
			name  string
			plain []byte
			enc   Encoding
		}{{"raw", noise(size, 1), Raw}, {"auto_noise", noise(size, 1), Auto}, {"auto_prose", prose(size), Auto}} {
			id, sealed := mustSeal(b, k, content.plain, content.enc)
			name := fmt.Sprintf("%dKiB/%s/", size>>10, content.name)
			b.Run(name+"seal", func(b *testing.B) {
				b.SetBytes(int64(size))
				b.ReportAllocs()
				dst := make([]byte, 0, size+Overhead)
				for b.Loop() {
					if _, err := k.SealBlock(dst, id, content.plain, content.enc); err != nil {
						b.Fatal(err)
					}
				}
			})
			b.Run(name+"open", func(b *testing.B) {
				b.SetBytes(int64(size))
				b.ReportAllocs()
				dst := make([]byte, 0, size)
				for b.Loop() {
					if _, err := k.OpenBlock(dst, id, sealed); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

func BenchmarkBlockID(b *testing.B) {
	k := derive(b, 1, 1, 1)
	plain := noise(128<<10, 1)
	b.SetBytes(int64(len(plain)))
	for b.Loop() {
		k.BlockID(plain)
	}
}

func BenchmarkRecord(b *testing.B) {
	k := derive(b, 1, 1, 1)
	e := photo(k)
	r := sealed(b, k, e)
	wire, err := proto.Marshal(r.ToWire())
	if err != nil {
		b.Fatal(err)
	}
	b.Run("seal", func(b *testing.B) {
		b.ReportAllocs()
		b.ReportMetric(float64(len(wire)), "B_wire")
		for b.Loop() {
			sealed(b, k, e)
		}
	})
	b.Run("open", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := k.OpenRecord(r); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("to_wire", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := proto.Marshal(r.ToWire()); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("from_wire", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var w wirepb.Record
			if err := proto.Unmarshal(wire, &w); err != nil {
				b.Fatal(err)
			}
			if _, err := RecordFromWire(&w); err != nil {
				b.Fatal(err)
			}
		}
	})
}

package seal

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/klauspost/compress/zstd"
	"pgregory.net/rapid"

	"github.com/kithmesh/kith/index/entry"
)

func mustSeal(t testing.TB, k *Keys, plain []byte, enc Encoding) (entry.BlockID, []byte) {
	t.Helper()
	id := k.BlockID(plain)
	sealed, err := k.SealBlock(nil, id, plain, enc)
	if err != nil {
		t.Fatal(err)
	}
	return id, sealed
}

func TestABlockOpensToWhatWasSealed(t *testing.T) {
	k := derive(t, 1, 1, 1)
	rapid.Check(t, func(t *rapid.T) {
		plain := rapid.SliceOfN(rapid.Byte(), 1, 2000).Draw(t, "plain")
		plain = bytes.Repeat(plain, rapid.IntRange(1, 200).Draw(t, "times"))
		enc := Encoding(rapid.IntRange(0, 2).Draw(t, "encoding"))
		prefix := rapid.SliceOfN(rapid.Byte(), 0, 10).Draw(t, "prefix")
		id := k.BlockID(plain)
		kept := bytes.Clone(plain)
		sealed, err := k.SealBlock(bytes.Clone(prefix), id, plain, enc)
		if err != nil {
			t.Fatal(err)
		}
		if len(sealed) > len(prefix)+len(plain)+Overhead || !bytes.HasPrefix(sealed, prefix) {
			t.Fatalf("%d bytes sealed behind %x are %d, %x", len(plain), prefix, len(sealed), sealed[:len(prefix)])
		}
		keptSealed := bytes.Clone(sealed)
		opened, err := k.OpenBlock(bytes.Clone(prefix), id, sealed[len(prefix):])
		if err != nil {
			t.Fatal(err)
		}
		if want := append(bytes.Clone(prefix), plain...); !bytes.Equal(opened, want) {
			t.Fatal("it opens to other bytes")
		}
		if !bytes.Equal(plain, kept) || !bytes.Equal(sealed, keptSealed) {
			t.Fatal("the input was changed")
		}
	})
}

func TestSealingIsDeterministic(t *testing.T) {
	for _, enc := range []Encoding{Raw, Zstd, Auto} {
		for _, plain := range [][]byte{prose(200_000), noise(200_000, 1), append(noise(5<<20, 2), prose(5<<20)...)} {
			_, a := mustSeal(t, derive(t, 1, 1, 1), plain, enc)
			mustSeal(t, derive(t, 1, 1, 1), prose(300_000), Zstd) // an encoder with a past
			_, b := mustSeal(t, derive(t, 1, 1, 1), plain, enc)
			if !bytes.Equal(a, b) {
				t.Errorf("%s: %d bytes seal in two ways", enc, len(plain))
			}
		}
	}
}

func TestTheEncodingIsTheOneThatPays(t *testing.T) {
	k := derive(t, 1, 1, 1)
	mixed := func(compressible int) []byte {
		return append(noise(1_000_000-compressible, 3), make([]byte, compressible)...)
	}
	for _, tt := range []struct {
		name  string
		plain []byte
		ask   Encoding
		get   Encoding
	}{
		{"text, as it is", prose(100_000), Raw, Raw},
		{"text", prose(100_000), Auto, Zstd},
		{"noise", noise(100_000, 1), Auto, Raw},
		{"noise, insisting", noise(100_000, 1), Zstd, Raw},
		{"2 % to gain", mixed(20_000), Auto, Raw},
		{"2 % to gain, insisting", mixed(20_000), Zstd, Zstd},
		{"4 % to gain", mixed(40_000), Auto, Zstd},
		{"tiny text", prose(63), Zstd, Raw},
		{"one byte", prose(1), Auto, Raw},
		{"largest noise", noise(entry.MaxBlock, 1), Zstd, Raw},
		{"largest text", prose(entry.MaxBlock), Auto, Zstd},
	} {
		id, sealed := mustSeal(t, k, tt.plain, tt.ask)
		if got := Encoding(sealed[0]); got != tt.get {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.get)
		}
		if opened, err := k.OpenBlock(nil, id, sealed); err != nil || !bytes.Equal(opened, tt.plain) {
			t.Errorf("%s does not open: %v", tt.name, err)
		}
	}
}

func TestOnlyWhatLooksRandomIsNotTried(t *testing.T) {
	tried := 0
	for i := range byte(250) {
		for _, size := range []int{sampleSize, 6000, 100_000, 1 << 20} {
			if !looksRandom(noise(size, i)) {
				tried++
			}
		}
	}
	if tried > 50 {
		t.Errorf("of 1000 blocks of noise %d are tried", tried)
	}
	image := noise(1<<20, 1)
	clear(image[300_000:333_000])
	numbers := make([]byte, 1<<20)
	for i := range len(numbers) / 4 {
		binary.LittleEndian.PutUint32(numbers[i*4:], uint32(i)*2654435761>>4)
	}
	hexadecimal := []byte(hex.EncodeToString(noise(50_000, 1)))
	seven := noise(100_000, 1)
	for i := range seven {
		seven[i] &= 0x7f
	}
	for name, b := range map[string][]byte{
		"nothing": nil, "little": noise(sampleSize-1, 1), "zeros": make([]byte, 100_000), "text": prose(100_000),
		"a gap of 3 %": image, "text of 3 %": append(append(noise(500_000, 1), prose(33_000)...), noise(500_000, 2)...), "numbers": numbers, "hexadecimal": hexadecimal, "seven bits": seven,
		"text at the end": append(noise(900_000, 1), prose(60_000)...), "text at the front": append(prose(60_000), noise(900_000, 1)...),
	} {
		if looksRandom(b) {
			t.Errorf("%s looks random", name)
		}
	}
}

func TestOnlyABlockOfThatIDIsSealed(t *testing.T) {
	k := derive(t, 1, 1, 1)
	for name, plain := range map[string][]byte{
		"other bytes": prose(99), "nothing": nil, "too much": make([]byte, entry.MaxBlock+1),
	} {
		id := k.BlockID(plain)
		if name == "other bytes" {
			id = k.BlockID(prose(98))
		}
		if out, err := k.SealBlock(nil, id, plain, Raw); !errors.Is(err, ErrNotBlock) || out != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := k.SealBlock(nil, k.BlockID(prose(9)), prose(9), 3); err == nil {
		t.Error("sealed with an encoding that does not exist")
	}
}

func TestAnyFlippedBitOfASealedBlockIsRefused(t *testing.T) {
	k := derive(t, 1, 1, 1)
	for _, enc := range []Encoding{Raw, Zstd} {
		id, sealed := mustSeal(t, k, prose(120), enc)
		for i := range len(sealed) * 8 {
			bad := bytes.Clone(sealed)
			bad[i/8] ^= 1 << (i % 8)
			if out, err := k.OpenBlock(nil, id, bad); !errors.Is(err, ErrTampered) || !errors.Is(err, ErrSealed) || out != nil {
				t.Fatalf("%s: bit %d flipped: %v", enc, i, err)
			}
		}
		for n := range sealed {
			if _, err := k.OpenBlock(nil, id, sealed[:n]); !errors.Is(err, ErrSealed) {
				t.Fatalf("%s: cut to %d bytes: %v", enc, n, err)
			}
		}
		if _, err := k.OpenBlock(nil, id, append(bytes.Clone(sealed), 0)); !errors.Is(err, ErrTampered) {
			t.Fatalf("%s: one byte more: %v", enc, err)
		}
	}
}

func TestABlockOpensOnlyAsWhatItIs(t *testing.T) {
	k := derive(t, 1, 1, 1)
	id, sealed := mustSeal(t, k, prose(500), Raw)
	other, otherSealed := mustSeal(t, k, prose(501), Raw)
	for name, try := range map[string]func() ([]byte, error){
		"under another ID":       func() ([]byte, error) { return k.OpenBlock(nil, other, sealed) },
		"another block under it": func() ([]byte, error) { return k.OpenBlock(nil, id, otherSealed) },
		"in another folder":      func() ([]byte, error) { return derive(t, 2, 1, 1).OpenBlock(nil, id, sealed) },
		"in another epoch":       func() ([]byte, error) { return derive(t, 1, 2, 1).OpenBlock(nil, id, sealed) },
		"with another key":       func() ([]byte, error) { return derive(t, 1, 1, 2).OpenBlock(nil, id, sealed) },
	} {
		if out, err := try(); !errors.Is(err, ErrTampered) || out != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// forge seals what a liar with the key might: any bytes, under any ID.
func forge(k *Keys, id entry.BlockID, enc Encoding, encoded []byte) []byte {
	dst := make([]byte, 0, len(encoded)+Overhead)
	return k.sealEncoded(dst, id, enc, encoded)
}

func TestALiarWithTheKeyIsFoundOut(t *testing.T) {
	k := derive(t, 1, 1, 1)
	id := k.BlockID(prose(500))
	other := compress(nil, prose(501))
	for _, tt := range []struct {
		name   string
		sealed []byte
		want   error
	}{
		{"other bytes", forge(k, id, Raw, prose(501)), ErrNotBlock},
		{"other bytes, compressed", forge(k, id, Zstd, other), ErrNotBlock},
		{"an encoding to come", forge(k, id, 3, prose(500)), ErrNewer},
		{"no encoding", forge(k, id, 0, prose(500)), ErrNewer},
		{"no frame", forge(k, id, Zstd, prose(500)), ErrSealed},
		{"half a frame", forge(k, id, Zstd, other[:len(other)/2]), ErrSealed},
		{"two frames", forge(k, id, Zstd, append(bytes.Clone(other), other...)), ErrSealed},
	} {
		out, err := k.OpenBlock(nil, id, tt.sealed)
		if !errors.Is(err, tt.want) || !errors.Is(err, ErrSealed) || out != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		if err != nil && strings.Contains(err.Error(), "quick brown") {
			t.Errorf("%s: the error quotes the block: %v", tt.name, err)
		}
	}
}

// bombs are small frames that say or hold too much.
func bombs(t testing.TB) map[string][]byte {
	t.Helper()
	// Magic, then a descriptor with a content size of 8 bytes in a single segment.
	claim := func(size uint64) []byte {
		out := []byte{0x28, 0xb5, 0x2f, 0xfd, 0xe0}
		for i := range 8 {
			out = append(out, byte(size>>(8*i)))
		}
		return append(out, 0x0b, 0, 0, 'a') // last block: one byte, repeated
	}
	repeat := func(header []byte, blocks int) []byte {
		for range blocks { // 128 KiB of 'a' each
			header = append(header, 0x02, 0, 0x10, 'a')
		}
		return append(header, 0x01, 0, 0)
	}
	e, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	return map[string][]byte{
		"claims 16 MiB + 1":          claim(entry.MaxBlock + 1),
		"claims 2^63":                claim(1 << 63),
		"claims everything":          claim(1<<64 - 1),
		"claims 16 MiB, holds 1":     claim(entry.MaxBlock),
		"claims nothing, holds much": repeat([]byte{0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x58}, 1000),
		"claims 64 KiB, holds much":  repeat([]byte{0x28, 0xb5, 0x2f, 0xfd, 0x60, 0x00, 0xff}, 1000),
		"a window of 1 GiB":          repeat([]byte{0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xa0}, 1000),
		"zeros, honestly":            e.EncodeAll(make([]byte, 256<<20), nil),
	}
}

func TestABombIsRefusedBeforeItTakesMemory(t *testing.T) {
	k := derive(t, 1, 1, 1)
	id := k.BlockID([]byte("bomb"))
	for name, frame := range bombs(t) {
		sealed := forge(k, id, Zstd, frame)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		out, err := k.OpenBlock(nil, id, sealed)
		runtime.ReadMemStats(&after)
		if !errors.Is(err, ErrSealed) || out != nil {
			t.Errorf("%s: %v", name, err)
		}
		// A decoder may be made on the way, the announced size be allocated.
		if got := after.TotalAlloc - before.TotalAlloc; got > entry.MaxBlock+4<<20 {
			t.Errorf("%s: took %d KiB for %d bytes", name, got>>10, len(sealed))
		}
	}
}

func TestManySealAndOpenAtOnce(t *testing.T) {
	k := derive(t, 1, 1, 1)
	var group sync.WaitGroup
	for i := range byte(8) {
		group.Go(func() {
			for n := range 20 {
				plain := append(noise(1000+n, i), prose(50_000)...)
				id := k.BlockID(plain)
				sealed, err := k.SealBlock(nil, id, plain, Encoding(n%3))
				if err != nil {
					t.Error(err)
					return
				}
				if opened, err := k.OpenBlock(nil, id, sealed); err != nil || !bytes.Equal(opened, plain) {
					t.Errorf("block %d of %d: %v", n, i, err)
				}
			}
		})
	}
	group.Wait()
}

func TestARawBlockAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("pools drop things at random under the race detector")
	}
	k := derive(t, 1, 1, 1)
	plain := make([]byte, 128<<10)
	_, _ = rand.Read(plain)
	sealed, opened := make([]byte, 0, len(plain)+Overhead), make([]byte, 0, len(plain))
	got := testing.AllocsPerRun(100, func() {
		id := k.BlockID(plain)
		s, err := k.SealBlock(sealed, id, plain, Raw)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := k.OpenBlock(opened, id, s); err != nil {
			t.Fatal(err)
		}
	})
	if got != 0 {
		t.Errorf("%v allocations", got)
	}
}

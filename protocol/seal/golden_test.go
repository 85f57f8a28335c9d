package seal

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/zeebo/blake3"
	"google.golang.org/protobuf/proto"

	"github.com/kithmesh/kith/index/entry"
)

var update = flag.Bool("update", false, "write the golden vectors anew")

// goldenKeys are of the folder 00 01 .. 0f, epoch 258, and the key 20 21 .. 3f.
func goldenKeys(t testing.TB) *Keys {
	t.Helper()
	k, err := Derive(entry.FolderID(count(0, 16)), 258, FolderKey(count(0x20, 32)))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// count is n bytes that count up from first.
func count(first byte, n int) []byte {
	out := make([]byte, n)
	for i := range out {
		out[i] = first + byte(i)
	}
	return out
}

const goldenFile = "testdata/golden.txt"

func TestTheFormatIsThatOfTheGoldenVectors(t *testing.T) {
	k := goldenKeys(t)
	var got strings.Builder
	line := func(name string, b []byte) { fmt.Fprintf(&got, "%s: %x\n", name, b) }
	chunkKey := k.ChunkKey()
	line("chunk key", chunkKey[:])
	for _, b := range []struct {
		name  string
		plain []byte
		enc   Encoding
	}{{"raw block", []byte("kith"), Raw}, {"zstd block", prose(1000), Zstd}, {"big zstd block", append(prose(300_000), noise(300_000, 1)...), Auto}} {
		id, sealed := mustSeal(t, k, b.plain, b.enc)
		line(b.name+" ID", id[:])
		if len(sealed) > 1000 {
			sum := blake3.Sum256(sealed)
			fmt.Fprintf(&got, "%s length: %d\n", b.name, len(sealed))
			sealed, b.name = sum[:], b.name+" BLAKE3"
		}
		line(b.name, sealed)
	}
	all := entries(k)
	for _, name := range []string{"file", "empty file", "directory", "symlink", "delete"} {
		wire, err := proto.MarshalOptions{Deterministic: true}.Marshal(sealed(t, k, all[name]).ToWire())
		if err != nil {
			t.Fatal(err)
		}
		line("record of "+name, wire)
	}
	wire, err := proto.MarshalOptions{Deterministic: true}.Marshal(sealed(t, k, unseeing(k)[2]).ToWire())
	if err != nil {
		t.Fatal(err)
	}
	line("record with something unseen", wire)
	if *update {
		if err := os.WriteFile(goldenFile, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(goldenFile)
	if err != nil {
		t.Fatal(err)
	}
	if got.String() != string(want) {
		t.Errorf("the format has changed: got\n%swant\n%s", got.String(), want)
	}
}

// golden reads one line of the golden vectors.
func golden(t testing.TB, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(goldenFile)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), name+": "); ok {
			b, err := hex.DecodeString(value)
			if err != nil {
				t.Fatal(err)
			}
			return b
		}
	}
	t.Fatalf("no golden vector %q", name)
	return nil
}

// specKey and what follows read record.proto out, with nothing of this package.
func specKey(t testing.TB, label string) []byte {
	info := label + "\x00" + string(count(0, 16)) + "\x00\x00\x01\x02"
	key, err := hkdf.Key(sha256.New, count(0x20, 32), []byte("kith folder key v1"), info, 32)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func specHash(t testing.TB, label string, parts ...[]byte) []byte {
	h, err := blake3.NewKeyed(specKey(t, label))
	if err != nil {
		t.Fatal(err)
	}
	_, _ = h.Write(slices.Concat(parts...))
	return h.Sum(nil)
}

func specOpen(t testing.TB, label string, sealed, data []byte) []byte {
	t.Helper()
	c, err := aes.NewCipher(specKey(t, label))
	if err != nil {
		t.Fatal(err)
	}
	a, err := cipher.NewGCM(c)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := a.Open(nil, sealed[:12], sealed[12:], data)
	if err != nil {
		t.Fatal(err)
	}
	return plain
}

func TestTheGoldenVectorsAreWhatTheSpecificationSays(t *testing.T) {
	if got := specKey(t, "chunker"); !bytes.Equal(got, golden(t, "chunk key")) {
		t.Errorf("chunk key %x", got)
	}
	id := specHash(t, "block name", []byte("kith"))
	if !bytes.Equal(id, golden(t, "raw block ID")) {
		t.Errorf("block ID %x", id)
	}
	block := golden(t, "raw block")
	if nonce := specHash(t, "block nonce", id, []byte{1})[:12]; block[0] != 1 || !bytes.Equal(nonce, block[1:13]) {
		t.Errorf("nonce %x of block %x", nonce, block)
	}
	data := slices.Concat(count(0, 16), []byte{0, 0, 1, 2}, id, []byte{1})
	if plain := specOpen(t, "block content", block[1:], data); string(plain) != "kith" {
		t.Errorf("the block is %q", plain)
	}

	// The record of an empty file, with its clear fields as in the fixture.
	path := []byte("Bilder/2026/Zürich \xff.jpg")
	recordID := specHash(t, "record name", path)[:16]
	clear, err := hex.DecodeString("0006608b015f3000" + "fedcba9876543210" + "00000002" +
		"0000000000000003" + "0000000000000001" + "fedcba9876543210" + "0000010000000000" + "00000000")
	if err != nil {
		t.Fatal(err)
	}
	bound := specHash(t, "record clear", count(0, 16), []byte{0, 0, 1, 2}, recordID, clear)
	record := golden(t, "record of empty file")
	if !bytes.HasPrefix(record, append([]byte{0x0a, 16}, recordID...)) {
		t.Errorf("record ID %x is not in %x", recordID, record)
	}
	at := bytes.LastIndex(record, []byte{0x4a, 12 + 64 + 16})
	if at < 0 {
		t.Fatalf("no sealed part in %x", record)
	}
	sealed := record[at+2:]
	plain := specOpen(t, "record content", sealed, bound)
	if nonce := specHash(t, "record nonce", bound, plain)[:12]; !bytes.Equal(nonce, sealed[:12]) {
		t.Errorf("nonce %x of record %x", nonce, sealed)
	}
	want := append([]byte{0x0a, byte(len(path))}, path...)
	want = append(want, 0x10, 2, 0x18, 0xa0, 0x03, 0x21)
	if !bytes.HasPrefix(plain, want) {
		t.Errorf("inside is %x, want %x first", plain, want)
	}
}

package node_test

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"testing"

	"github.com/zeebo/blake3"
	"google.golang.org/protobuf/proto"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/proto/wirepb"
	"github.com/kithmesh/kith/protocol/seal"
)

// sealer seals records as proto/wirepb/record.proto says, and anything: package
// seal refuses to seal what is no valid entry, which a hostile member does not.
type sealer struct {
	folder entry.FolderID
	epoch  uint32
	subkey func(label string) []byte
}

func newSealer(t testing.TB, folder entry.FolderID, key seal.FolderKey) *sealer {
	t.Helper()
	root, err := hkdf.Extract(sha256.New, key[:], []byte("kith folder key v1"))
	if err != nil {
		t.Fatal(err)
	}
	s := &sealer{folder: folder, epoch: 1}
	s.subkey = func(label string) []byte {
		info := append(append([]byte(label), 0), folder[:]...)
		sub, err := hkdf.Expand(sha256.New, root, string(binary.BigEndian.AppendUint32(info, s.epoch)), 32)
		if err != nil {
			t.Fatal(err)
		}
		return sub
	}
	return s
}

func (s *sealer) hash(label string, parts ...[]byte) []byte {
	h, err := blake3.NewKeyed(s.subkey(label))
	if err != nil {
		panic(err)
	}
	for _, p := range parts {
		_, _ = h.Write(p)
	}
	return h.Sum(nil)[:32]
}

// bare is what a record says, in the clear and sealed, with no bounds.
type bare struct {
	clear  *wirepb.Record // without ID, epoch and sealed part
	inside *wirepb.SealedEntry
	id     string // the path that the ID is made of, if not that of inside
}

// bareOf takes an entry apart.
func bareOf(e *entry.Entry) bare {
	b := bare{clear: &wirepb.Record{Clock: uint64(e.Version.Clock)}, inside: &wirepb.SealedEntry{
		Path: []byte(e.Path), Kind: wirepb.SealedEntry_Kind(e.Kind), Mode: e.Mode, Modified: e.ModTime,
		Size: uint64(e.Size), Target: []byte(e.Target), AuthorName: []byte(e.AuthorName),
	}}
	if e.Gone != (entry.Digest{}) {
		b.inside.Gone = e.Gone[:]
	}
	for i, c := range e.Version.Vector {
		b.clear.Replicas = append(b.clear.Replicas, uint64(c.Replica))
		b.clear.Counts = append(b.clear.Counts, c.Count)
		if c.Replica == e.Version.Author {
			b.clear.Author = uint32(i)
		}
	}
	for _, block := range e.Blocks {
		b.clear.BlockIds = append(b.clear.BlockIds, block.ID[:]...)
		b.clear.SealedSizes = append(b.clear.SealedSizes, block.Length+seal.Overhead)
	}
	return b
}

func (s *sealer) seal(t testing.TB, b bare) *wirepb.Record {
	t.Helper()
	r := b.clear
	path := b.inside.GetPath()
	if b.id != "" {
		path = []byte(b.id)
	}
	r.Id, r.Epoch = s.hash("record name", path)[:16], s.epoch
	plain, err := proto.MarshalOptions{Deterministic: true}.Marshal(b.inside)
	if err != nil {
		t.Fatal(err)
	}
	plain = append(plain, 0x80)
	plain = append(plain, make([]byte, -len(plain)&31)...)
	bound := s.hash("record clear", s.clear(r))
	nonce := s.hash("record nonce", bound, plain)[:12]
	block, err := aes.NewCipher(s.subkey("record content"))
	if err != nil {
		t.Fatal(err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	r.Sealed = aead.Seal(nonce, nonce, plain, bound)
	return r
}

// clear is what the digest of the clear fields is made of.
func (s *sealer) clear(r *wirepb.Record) []byte {
	be := binary.BigEndian
	out := be.AppendUint32(append([]byte{}, s.folder[:]...), r.GetEpoch())
	out = be.AppendUint64(append(out, r.GetId()...), r.GetClock())
	var author uint64
	if int(r.GetAuthor()) < len(r.GetReplicas()) {
		author = r.GetReplicas()[r.GetAuthor()]
	}
	out = be.AppendUint32(be.AppendUint64(out, author), uint32(len(r.GetReplicas())))
	for i, replica := range r.GetReplicas() {
		out = be.AppendUint64(be.AppendUint64(out, replica), r.GetCounts()[i])
	}
	out = be.AppendUint32(out, uint32(len(r.GetSealedSizes())))
	for i, size := range r.GetSealedSizes() {
		out = be.AppendUint32(append(out, r.GetBlockIds()[i*32:(i+1)*32]...), size)
	}
	return out
}

package seal

import (
	"sync"

	"github.com/zeebo/blake3"
)

// prf is a keyed hash: without the key, its output tells nothing of its input.
type prf struct {
	fresh *blake3.Hasher // never written to
	idle  sync.Pool      // of *blake3.Hasher, reset
}

func newPRF(key []byte) (*prf, error) {
	h, err := blake3.NewKeyed(key)
	if err != nil {
		return nil, err
	}
	return &prf{fresh: h}, nil
}

// begin returns a hasher to write to and hand to end.
func (p *prf) begin() *blake3.Hasher {
	if h, ok := p.idle.Get().(*blake3.Hasher); ok {
		return h
	}
	return p.fresh.Clone()
}

// end returns the hash of what was written to h, and takes h back.
func (p *prf) end(h *blake3.Hasher) (sum [32]byte) {
	h.Sum(sum[:0])
	h.Reset()
	p.idle.Put(h)
	return sum
}

// of is the hash of a and b, one after the other.
func (p *prf) of(a, b []byte) [32]byte {
	h := p.begin()
	_, _ = h.Write(a)
	_, _ = h.Write(b)
	return p.end(h)
}

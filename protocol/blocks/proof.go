package blocks

import (
	"fmt"

	"github.com/zeebo/blake3"
)

// Proof is what a device answers that has a block now: BLAKE3 in its keyed mode
// with the nonce as key, over the sealed block in the raw encoding. The asker,
// who has the same bytes or did when it drew the nonce, compares.
func Proof(nonce [32]byte, sealed []byte) [32]byte {
	h, err := blake3.NewKeyed(nonce[:])
	if err != nil {
		panic(fmt.Sprintf("blake3 with a key of %d bytes: %v", len(nonce), err)) // it takes just these
	}
	_, _ = h.Write(sealed) // never fails
	var p [proofSize]byte
	_, _ = h.Digest().Read(p[:])
	return p
}

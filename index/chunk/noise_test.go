package chunk

import "math/rand/v2"

// noise is n bytes that depend on seed alone.
func noise(n int, seed uint8) []byte {
	out := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{seed}).Read(out)
	return out
}

package chunk

// window is how many bytes a hash depends on.
const window = 64

// Scanning goes on in steps, each cut into lanes that run side by side: one
// lane alone waits for its own hash at every byte.
const (
	lanes    = 3
	stepSize = 48 << 10 // bytes of buffer scanned between two looks for a cut
	laneMin  = 512      // bytes below which a lane is not worth its warm-up
)

// candidate is a place where a long enough block may end.
type candidate struct {
	end  int // offset in the buffer, just behind the last byte
	hash uint64
}

// scan appends the candidates that end in buf[from+1:to+1], ascending, to out:
// the places behind a byte where the hash is below limit. At least window
// bytes must lie before from.
func (g *gear) scan(buf []byte, from, to int, limit uint64, out *[lanes][]candidate) {
	for i := range out {
		out[i] = out[i][:0]
	}
	n := (to - from) / lanes
	if n < laneMin {
		out[0] = g.lane(buf, from, to, limit, out[0])
		return
	}
	g.side(buf, from, n, limit, out)
	out[lanes-1] = g.lane(buf, from+lanes*n, to, limit, out[lanes-1])
}

// warm is the hash behind buf[:at].
func (g *gear) warm(buf []byte, at int) (h uint64) {
	for _, b := range buf[at-window : at] {
		h = h<<1 + g[b]
	}
	return h
}

// lane scans buf[from:to] alone.
func (g *gear) lane(buf []byte, from, to int, limit uint64, out []candidate) []candidate {
	h := g.warm(buf, from)
	for i, b := range buf[from:to] {
		h = h<<1 + g[b]
		if h < limit {
			out = append(out, candidate{from + i + 1, h})
		}
	}
	return out
}

// side scans lanes times n bytes of buf side by side.
func (g *gear) side(buf []byte, from, n int, limit uint64, out *[lanes][]candidate) {
	var h [lanes]uint64
	for k := range h {
		h[k] = g.warm(buf, from+k*n)
	}
	for i := 0; i < n; {
		i += g.seek(&h, buf[from+i:from+n], buf[from+n+i:], buf[from+2*n+i:], limit)
		for k := range h {
			if h[k] < limit {
				out[k] = append(out[k], candidate{from + k*n + i, h[k]})
			}
		}
	}
}

// seek moves all lanes on by one byte at a time until one has a candidate or
// b0 ends, and returns by how many. It does nothing else, so that all it needs
// stays in registers.
func (g *gear) seek(h *[lanes]uint64, b0, b1, b2 []byte, limit uint64) int {
	// Of one length, so that one check of the index serves all.
	b1, b2 = b1[:len(b0)], b2[:len(b0)]
	h0, h1, h2 := h[0], h[1], h[2]
	n := len(b0)
	for i := range b0 {
		h0 = h0<<1 + g[b0[i]]
		h1 = h1<<1 + g[b1[i]]
		h2 = h2<<1 + g[b2[i]]
		if h0 < limit || h1 < limit || h2 < limit {
			n = i + 1
			break
		}
	}
	h[0], h[1], h[2] = h0, h1, h2
	return n
}

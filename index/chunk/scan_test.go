package chunk

import "testing"

func TestEveryHashDependsOnTheLast64BytesAndNoOthers(t *testing.T) {
	g := New(Key{6}).gear
	data := noise(20_000, 6)
	want := func(at int) (h uint64) {
		for _, b := range data[max(0, at-window):at] {
			h = h<<1 + g[b]
		}
		return h
	}
	for _, span := range [][2]int{{64, 65}, {64, 64 + 3*laneMin}, {64, 20_000}, {1000, 1001 + 3*laneMin}, {7777, 19_999}} {
		var lanes [lanes][]candidate
		// Half of all places are candidates under this limit.
		g.scan(data, span[0], span[1], 1<<63, &lanes)
		at := span[0]
		for _, lane := range lanes {
			for _, c := range lane {
				for at++; at < c.end; at++ {
					if want(at) < 1<<63 {
						t.Fatalf("%v: the candidate at %d is missing", span, at)
					}
				}
				if c.hash != want(c.end) {
					t.Fatalf("%v: hash at %d is %x, want %x", span, c.end, c.hash, want(c.end))
				}
			}
		}
		for at++; at <= span[1]; at++ {
			if want(at) < 1<<63 {
				t.Fatalf("%v: the candidate at %d is missing", span, at)
			}
		}
	}
}

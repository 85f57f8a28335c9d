package node_test

import (
	"bytes"
	"flag"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/version"
	"github.com/kithmesh/kith/proto/wirepb"
	"github.com/kithmesh/kith/protocol"
	"github.com/kithmesh/kith/protocol/frame"
	"github.com/kithmesh/kith/protocol/pair"
)

// big makes floods last: go test ./node -run Flood -big
var big = flag.Bool("big", false, "floods ten times as long")

func times(n int) int {
	if *big {
		return 10 * n
	}
	return n
}

// growth is how much more memory is in use after something than before, in
// bytes. The hostile lives in the same process, so it counts as well.
func growth(what func()) int64 {
	before := inUse()
	what()
	return inUse() - before
}

func inUse() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// maxGrowth is what an attack may cost a device for good.
const maxGrowth = 64 << 20

func (w *world) costs(what string, attack func()) {
	w.t.Helper()
	if n := growth(attack); n > maxGrowth {
		w.t.Errorf("%s cost %d MiB", what, n>>20)
	}
}

// TestAFloodOfStreamsAndGarbage opens thousands of streams of each protocol,
// and writes a megabyte of garbage to some hundred.
func TestAFloodOfStreamsAndGarbage(t *testing.T) {
	w := newWorld(t)
	m := w.mallory
	before := listing(t, w.victim.root)
	garbage := make([]byte, 1<<20)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(garbage)
	w.costs("the flood", func() {
		var wg sync.WaitGroup
		for _, id := range []protocol.ID{protocol.Exchange, protocol.Blocks, protocol.ID(pair.Protocol), "/kith/nothing/1"} {
			for worker := range 4 {
				wg.Go(func() {
					for n := range times(250) {
						s, err := m.host.NewStream(t.Context(), m.victim, id)
						if err != nil {
							continue
						}
						_ = s.SetDeadline(time.Now().Add(100 * time.Millisecond))
						if n%10 == 0 && worker == 0 {
							_, _ = s.Write(garbage)
						} else {
							_, _ = s.Write(garbage[n : n+10])
						}
						_ = s.Reset()
					}
				})
			}
		}
		wg.Wait()
		w.syncs()
	})
	m.connect()
	m.tell()
	w.unharmed(before, m.barrier(w.victim))
}

// TestAFloodOfReplicasCostsLittle invents replicas: each record has 1,024 that
// nobody has ever met.
func TestAFloodOfReplicasCostsLittle(t *testing.T) {
	w := newWorld(t)
	m := w.mallory
	before := listing(t, w.victim.root)
	random := rand.New(rand.NewPCG(1, 2))
	w.costs("the flood", func() {
		for range times(8) {
			var records []*wirepb.Record
			for range 200 {
				b := bareOf(m.file("flooded", version.Version{}, "x"))
				replicas(&b, version.MaxReplicas)
				for i := range b.clear.Replicas {
					b.clear.Replicas[i] = uint64(i)<<54 | random.Uint64()>>10 | 1
				}
				records = append(records, m.sealer.seal(t, b))
			}
			m.announce(records...)
			m.entries = map[entry.Path]entry.Entry{}
		}
		w.syncs()
	})
	w.unharmed(before, "flooded", m.barrier(w.victim))
}

// TestAFloodOfRequestsCostsLittle asks for the largest number of blocks over
// and over, and reads none of the answers.
func TestAFloodOfRequestsCostsLittle(t *testing.T) {
	w := newWorld(t)
	m := w.mallory
	w.victim.write("large", string(bytes.Repeat([]byte("0123456789abcdef"), 1<<18)))
	until(t, "a large file", func() bool { _, ok := m.knows("large"); return ok })
	before := listing(t, w.victim.root)
	large, _ := m.knows("large")
	ids := make([]entry.BlockID, 4096)
	for i := range ids {
		ids[i] = large.Blocks[i%len(large.Blocks)].ID
	}
	w.costs("the flood", func() {
		for range times(40) {
			if s, _, err := m.request(m.folder, ids...); err == nil {
				defer func() { _ = s.Reset() }()
			}
		}
		w.syncs()
	})
	w.unharmed(before)
}

// TestAFloodOfWantsDoesNotSpin announces more files that cannot be had than
// the device remembers problems of.
func TestAFloodOfWantsDoesNotSpin(t *testing.T) {
	w := newWorld(t)
	m := w.mallory
	before := listing(t, w.victim.root)
	m.evil(func(s network.Stream) {
		m.giveBy(s, func(out *frame.Writer, _ entry.BlockID) error {
			return out.Write(&wirepb.BlockHeader{Status: wirepb.BlockHeader_STATUS_MISSING})
		})
	})
	const files = 12_000
	for n := 0; n < files; n += 1000 {
		var records []*wirepb.Record
		for i := range 1000 {
			records = append(records, m.sealed(m.file(entry.Path(fmt.Sprintf("wanted-%05d", n+i)), version.Version{}, fmt.Sprint(n+i))))
		}
		m.announce(records...)
	}
	until(t, "all of them wanted", func() bool { return w.victim.folder().NeedFiles == files })
	until(t, "some of them tried", func() bool { return len(w.victim.log.with("get content")) >= 1000 })
	lines := func() int { return len(w.victim.log.with("get content")) }
	start := lines()
	within(2*time.Second, func() bool { return false })
	if n := lines() - start; n > files {
		t.Errorf("%d lines logged in 2 seconds", n)
	}
	w.unharmed(before)
}

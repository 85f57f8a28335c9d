package folder

import (
	"encoding/binary"
	"sync"

	"github.com/zeebo/blake3"

	"github.com/kithmesh/kith/index/entry"
)

// echoes remembers which versions connected members have told, so that they
// are not told them in return: that this device holds them too is said by its
// acknowledgements.
type echoes struct {
	mu    sync.Mutex
	heard map[entry.DeviceID]map[echo]struct{}
}

// echo stands for one version of one path.
type echo [16]byte

// maxEchoes bounds what is remembered of one member; beyond, it starts anew.
// A version that is told in return for once does no harm.
const maxEchoes = 200_000

func echoOf(e *entry.Entry, absent bool) echo {
	b := make([]byte, 0, 256)
	if absent {
		b = append(b, '/') // no path begins so
	}
	b = append(b, e.Path...)
	b = append(b, 0)
	for _, c := range e.Version.Vector {
		b = binary.LittleEndian.AppendUint64(b, uint64(c.Replica))
		b = binary.LittleEndian.AppendUint64(b, c.Count)
	}
	sum := blake3.Sum256(b)
	return echo(sum[:16])
}

// add remembers what a member has told.
func (h *echoes) add(d entry.DeviceID, news []heard) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.heard == nil {
		h.heard = map[entry.DeviceID]map[echo]struct{}{}
	}
	m := h.heard[d]
	if m == nil || len(m)+len(news) > maxEchoes {
		m = make(map[echo]struct{}, len(news))
		h.heard[d] = m
	}
	for _, n := range news {
		m[echoOf(n.entry, n.absent)] = struct{}{}
	}
}

// forget begins anew with a member: it may have lost what it told.
func (h *echoes) forget(d entry.DeviceID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.heard, d)
}

// has tells whether a member has told just this version.
func (h *echoes) has(d entry.DeviceID, e *entry.Entry) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	m := h.heard[d]
	if len(m) == 0 {
		return false
	}
	_, ok := m[echoOf(e, e.Absent)]
	return ok
}

// learnt notes that this device knows a version by a member's word alone: that
// it does not hold it is no news to that member.
func (h *echoes) learnt(d entry.DeviceID, e *entry.Entry) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if m := h.heard[d]; m != nil {
		m[echoOf(e, true)] = struct{}{}
	}
}

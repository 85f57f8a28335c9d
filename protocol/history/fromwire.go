package history

import (
	"fmt"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/proto/wirepb"
	"github.com/kithmesh/kith/protocol/seal"
)

// momentFromWire is a moment, the zero time for none.
func momentFromWire(n uint64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	// What exceeds the bound is made to exceed it still, as a number that can be
	// told: it is for check to refuse.
	return time.UnixMicro(int64(min(n, maxMoment+1))).UTC()
}

// numberFromWire is a count. What exceeds the bound does so still.
func numberFromWire(n uint64) int64 { return int64(min(n, maxNumber+1)) }

// givers are the devices of one answer, by their numbers.
type givers []entry.DeviceID

func (g *givers) named(number uint32, name string) (entry.DeviceID, error) {
	known := uint32(len(*g))
	switch {
	case number == 0 && name == "":
		return "", nil
	case number > 0 && number <= known && name == "":
		return (*g)[number-1], nil
	case number != known+1 || name == "" || known == maxGivers:
		return "", wrong("giver %d of %d, called %q", number, known, name[:min(len(name), maxDevice)])
	}
	*g = append(*g, entry.DeviceID(name))
	return entry.DeviceID(name), nil
}

func versionFromWire(m *wirepb.HistoryVersion, g *givers) (Held, error) {
	r, err := seal.RecordFromWire(m.GetRecord())
	if err != nil {
		return Held{}, fmt.Errorf("%w: version %d: %w", ErrAnswer, m.GetSequence(), err)
	}
	from, err := g.named(m.GetFrom(), m.GetGiver())
	if err != nil {
		return Held{}, err
	}
	return Held{
		Record: r, Sequence: entry.Sequence(m.GetSequence()),
		Received: momentFromWire(m.GetReceived()), Until: momentFromWire(m.GetUntil()), From: from,
	}, nil
}

// stateFromWire is the state but for its pins.
func stateFromWire(m *wirepb.HistoryState) (State, error) {
	if len(m.GetVault()) != len(VaultID{}) {
		return State{}, wrong("a vault ID of %d bytes", len(m.GetVault()))
	}
	s := State{
		Vault: VaultID(m.GetVault()), Sequence: entry.Sequence(m.GetSequence()),
		Moment: momentFromWire(m.GetMoment()), Begins: momentFromWire(m.GetBegins()),
		Versions: numberFromWire(m.GetVersions()), Blocks: numberFromWire(m.GetBlocks()), Bytes: numberFromWire(m.GetBytes()),
		Quota: numberFromWire(m.GetQuota()), Damaged: numberFromWire(m.GetDamaged()), Full: m.GetFull(),
		Complete: momentFromWire(m.GetComplete()), Scrubbed: momentFromWire(m.GetScrubbed()),
		Policy: m.GetPolicy(), Schedule: m.GetSchedule(),
		LastRun: momentFromWire(m.GetLastRun()), NextRun: momentFromWire(m.GetNextRun()),
		Untold: numberFromWire(m.GetUntold()), SetBack: momentFromWire(m.GetSetBack()), SetBackFrom: entry.Sequence(m.GetSetBackFrom()),
	}
	if m.GetPins() > MaxPins {
		return State{}, wrong("%d pins", m.GetPins())
	}
	return s, s.check()
}

func pinFromWire(m *wirepb.HistoryPin) (Pin, error) {
	if len(m.GetId()) != len(PinID{}) {
		return Pin{}, wrong("a pin ID of %d bytes", len(m.GetId()))
	}
	p := Pin{ID: PinID(m.GetId()), At: momentFromWire(m.GetMoment()), Label: m.GetLabel(), By: entry.DeviceID(m.GetBy())}
	return p, p.check()
}

func proofsFromWire(m *wirepb.HistoryProofs) ([]Proven, error) {
	if len(m.GetForms()) > MaxForms {
		return nil, wrong("%d forms of a block", len(m.GetForms()))
	}
	var out []Proven
	for _, w := range m.GetForms() {
		if len(w.GetSum()) != len(Proven{}.Sum) || w.GetEncoding() > 255 || w.GetSize() > maxSealed {
			return nil, wrong("a proof of %d bytes for a form of %d in encoding %d", len(w.GetSum()), w.GetSize(), w.GetEncoding())
		}
		out = append(out, Proven{Sum: [32]byte(w.GetSum()), Encoding: seal.Encoding(w.GetEncoding()), Size: int(w.GetSize())})
	}
	return out, checkForms(out)
}

package history

import (
	"strings"
	"time"
	"unicode/utf8"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/proto/wirepb"
)

// momentToWire is a moment on the wire, 0 for none.
func momentToWire(t time.Time) uint64 {
	if t.IsZero() {
		return 0
	}
	return uint64(t.UnixMicro())
}

func versionToWire(h *Held, from uint32, giver entry.DeviceID) *wirepb.HistoryVersion {
	return &wirepb.HistoryVersion{
		Record: h.Record.ToWire(), Sequence: uint64(h.Sequence),
		Received: momentToWire(h.Received), Until: momentToWire(h.Until),
		From: from, Giver: string(giver),
	}
}

// stateToWire is the state but for its pins.
func stateToWire(s *State) *wirepb.HistoryState {
	return &wirepb.HistoryState{
		Vault: s.Vault[:], Sequence: uint64(s.Sequence), Moment: momentToWire(s.Moment), Begins: momentToWire(s.Begins),
		Versions: uint64(s.Versions), Blocks: uint64(s.Blocks), Bytes: uint64(s.Bytes), Quota: uint64(s.Quota), Damaged: uint64(s.Damaged),
		Complete: momentToWire(s.Complete), Scrubbed: momentToWire(s.Scrubbed), Full: s.Full,
		Policy: s.Policy, Schedule: s.Schedule, LastRun: momentToWire(s.LastRun), NextRun: momentToWire(s.NextRun),
		Pins: uint32(len(s.Pins)), Untold: uint64(s.Untold),
		SetBack: momentToWire(s.SetBack), SetBackFrom: uint64(s.SetBackFrom),
	}
}

func pinToWire(p *Pin) *wirepb.HistoryPin {
	return &wirepb.HistoryPin{Id: p.ID[:], Moment: momentToWire(p.At), Label: p.Label, By: string(p.By)}
}

func proofsToWire(forms []Proven) *wirepb.HistoryProofs {
	m := &wirepb.HistoryProofs{}
	for i := range forms {
		f := &forms[i]
		m.Forms = append(m.Forms, &wirepb.HistoryProof{Sum: f.Sum[:], Encoding: uint32(f.Encoding), Size: uint32(f.Size)})
	}
	return m
}

// oneLine is a text as it can be told: one line of at most MaxText bytes.
func oneLine(s string) string {
	s = strings.Map(func(r rune) rune {
		if upsets(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
	if len(s) <= MaxText {
		return s
	}
	cut := MaxText
	for !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut]
}

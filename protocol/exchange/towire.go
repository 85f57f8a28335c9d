package exchange

import (
	"strings"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/roster"
	"github.com/kithmesh/kith/proto/wirepb"
)

func (h Hello) toWire() *wirepb.Hello {
	return &wirepb.Hello{Protocol: Protocol, Name: h.Name, Software: h.Software, Clock: uint64(h.Clock)}
}

func foldersToWire(states []FolderState) *wirepb.Folders {
	m := &wirepb.Folders{}
	for _, f := range states {
		m.Folders = append(m.Folders, &wirepb.FolderState{
			Folder: f.Folder[:], Index: f.Index, Head: uint64(f.Head), Replica: uint64(f.Replica), Roster: f.Roster[:],
			Settled: f.Settled,
		})
	}
	return m
}

func offersToWire(offers []Offer) *wirepb.Offers {
	m := &wirepb.Offers{}
	for _, o := range offers {
		w := &wirepb.Offer{
			Folder: o.Folder[:], Label: o.Label, Role: uint32(o.Role), Statements: statementsToWire(o.Statements),
		}
		w.Keys = folderKeysToWire(o.Keys)
		m.Offers = append(m.Offers, w)
	}
	return m
}

func statementsToWire(statements []roster.Statement) [][]byte {
	var out [][]byte
	for i := range statements {
		out = append(out, statements[i].Encode())
	}
	return out
}

func (b *Batch) toWire() *wirepb.Records {
	m := &wirepb.Records{
		Folder: b.Folder[:], Index: b.Index, After: uint64(b.After), Through: uint64(b.Through), Head: uint64(b.Head),
		Session: b.Session,
	}
	if len(b.Sealed) > 0 {
		m.Batch = &wirepb.Batch{Epoch: uint32(b.Epoch), Sealed: b.Sealed}
	}
	last := b.After
	step := func(s entry.Sequence) {
		m.Steps = append(m.Steps, uint64(s-last))
		last = s
	}
	for _, it := range b.Items {
		m.Records = append(m.Records, it.Record.ToWire())
		step(it.Sequence)
	}
	for _, s := range b.Sequences {
		step(s)
	}
	before := 0
	for _, at := range b.Absent {
		m.Absent = append(m.Absent, uint32(at-before))
		before = at
	}
	return m
}

func (s Start) toWire() *wirepb.Start {
	return &wirepb.Start{
		Folder: s.Folder[:], Index: s.Index, After: uint64(s.After), Seen: s.Seen, Roster: s.Roster[:],
		Epochs: epochsToWire(s.Epochs), Session: s.Session, SessionSeen: s.SessionSeen,
	}
}

func (a Ack) toWire() *wirepb.Ack {
	return &wirepb.Ack{
		Folder: a.Folder[:], Index: a.Index, Received: uint64(a.Received), Held: uint64(a.Held),
		NeedFiles: a.NeedFiles, NeedBytes: a.NeedBytes, OwnIndex: a.OwnIndex, OwnHead: uint64(a.OwnHead),
	}
}

func (a Answer) toWire() *wirepb.Answer {
	return &wirepb.Answer{
		Folder: a.Folder[:], Nonce: a.Nonce, Index: a.Index, Head: uint64(a.Head),
		Problem: strings.ToValidUTF8(a.Problem[:min(len(a.Problem), maxProblem)], ""),
	}
}

func statementsMessage(folder entry.FolderID, s []roster.Statement) *wirepb.Tell {
	return &wirepb.Tell{What: &wirepb.Tell_Statements{
		Statements: &wirepb.Statements{Folder: folder[:], Statements: statementsToWire(s)},
	}}
}

package exchange

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/roster"
	"github.com/kithmesh/kith/index/version"
	"github.com/kithmesh/kith/proto/wirepb"
	"github.com/kithmesh/kith/protocol/seal"
)

func refuse(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrMessage, fmt.Errorf(format, args...))
}

func folderFromWire(b []byte) (entry.FolderID, error) {
	if len(b) != len(entry.FolderID{}) {
		return entry.FolderID{}, refuse("a folder ID of %d bytes", len(b))
	}
	return entry.FolderID(b), nil
}

func digestFromWire(b []byte) ([16]byte, error) {
	if len(b) != 16 {
		return [16]byte{}, refuse("a digest of %d bytes", len(b))
	}
	return [16]byte(b), nil
}

func nameFromWire(what, s string, limit int) error {
	if s == "" || len(s) > limit || !utf8.ValidString(s) || strings.ContainsFunc(s, upsets) {
		return refuse("%s %q", what, s[:min(len(s), limit)])
	}
	return nil
}

// upsets tells of characters that would change how a terminal shows what
// surrounds them.
func upsets(r rune) bool {
	return unicode.In(r, unicode.Cc, unicode.Zl, unicode.Zp, unicode.Bidi_Control)
}

func helloFromWire(m *wirepb.Hello) (Hello, error) {
	if m.GetProtocol() != Protocol {
		return Hello{}, fmt.Errorf("%w: it speaks %d, this device speaks %d", ErrProtocol, m.GetProtocol(), Protocol)
	}
	if err := nameFromWire("device name", m.GetName(), maxName); err != nil {
		return Hello{}, err
	}
	if len(m.GetSoftware()) > maxLabel {
		return Hello{}, refuse("software name of %d bytes", len(m.GetSoftware()))
	}
	return Hello{Name: m.GetName(), Software: m.GetSoftware(), Clock: version.Clock(m.GetClock())}, nil
}

func foldersFromWire(m *wirepb.Folders) ([]FolderState, error) {
	if len(m.GetFolders()) > maxFolders {
		return nil, refuse("%d folders", len(m.GetFolders()))
	}
	var out []FolderState
	for _, w := range m.GetFolders() {
		id, err := folderFromWire(w.GetFolder())
		if err != nil {
			return nil, err
		}
		digest, err := digestFromWire(w.GetRoster())
		if err != nil {
			return nil, err
		}
		if w.GetReplica() == 0 {
			return nil, refuse("folder %s: replica 0", id)
		}
		out = append(out, FolderState{
			Folder: id, Index: w.GetIndex(), Head: entry.Sequence(w.GetHead()),
			Replica: version.ReplicaID(w.GetReplica()), Roster: digest, Settled: w.GetSettled(),
		})
	}
	return out, nil
}

func offersFromWire(m *wirepb.Offers) ([]Offer, error) {
	if len(m.GetOffers()) > maxOffers {
		return nil, refuse("%d offers", len(m.GetOffers()))
	}
	var out []Offer
	for _, w := range m.GetOffers() {
		o, err := offerFromWire(w)
		if err != nil {
			return nil, err
		}
		out = append(out, o)
	}
	return out, nil
}

func offerFromWire(w *wirepb.Offer) (Offer, error) {
	id, err := folderFromWire(w.GetFolder())
	if err != nil {
		return Offer{}, err
	}
	if err := nameFromWire("folder label", w.GetLabel(), maxLabel); err != nil {
		return Offer{}, err
	}
	o := Offer{Folder: id, Label: w.GetLabel(), Role: entry.Role(w.GetRole())}
	if o.Role < entry.RoleSync || o.Role > entry.RoleBackup || w.GetRole() > 255 {
		return Offer{}, refuse("folder %s: role %d", id, w.GetRole())
	}
	if o.Role.HoldsKey() != (len(w.GetKeys()) > 0) {
		return Offer{}, refuse("folder %s: %d keys for role %s", id, len(w.GetKeys()), o.Role)
	}
	if o.Keys, err = folderKeysFromWire(id, w.GetKeys()); err != nil {
		return Offer{}, err
	}
	o.Statements, err = statementsFromWire(w.GetStatements())
	return o, err
}

func saidFromWire(m *wirepb.Statements) (entry.FolderID, []roster.Statement, error) {
	id, err := folderFromWire(m.GetFolder())
	if err != nil {
		return entry.FolderID{}, nil, err
	}
	statements, err := statementsFromWire(m.GetStatements())
	return id, statements, err
}

// statementsFromWire bounds what a roster will then verify.
func statementsFromWire(in [][]byte) ([]roster.Statement, error) {
	if len(in) > roster.MaxStatements {
		return nil, refuse("%d membership statements", len(in))
	}
	var out []roster.Statement
	for _, b := range in {
		s, err := roster.Decode(b)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrMessage, err)
		}
		out = append(out, s)
	}
	return out, nil
}

// batchFromWire returns the batch and, beside it, why single records in it
// were refused: one bad record does not hold up the others.
func batchFromWire(m *wirepb.Records) (Batch, []error, error) {
	id, err := folderFromWire(m.GetFolder())
	if err != nil {
		return Batch{}, nil, err
	}
	b := Batch{
		Folder: id, Index: m.GetIndex(), After: entry.Sequence(m.GetAfter()),
		Through: entry.Sequence(m.GetThrough()), Head: entry.Sequence(m.GetHead()),
		Sealed: m.GetBatch().GetSealed(), Epoch: entry.Epoch(m.GetBatch().GetEpoch()),
		Session: m.GetSession(),
	}
	if b.Through < b.After || b.Head < b.Through {
		return Batch{}, nil, refuse("a batch after %d through %d of %d", b.After, b.Through, b.Head)
	}
	sequences, err := stepsFromWire(m.GetSteps(), b.After, b.Through)
	if err != nil {
		return Batch{}, nil, err
	}
	absent, err := absentFromWire(m.GetAbsent(), len(sequences))
	if err != nil {
		return Batch{}, nil, err
	}
	if len(b.Sealed) > 0 {
		if len(m.GetRecords()) > 0 || len(sequences) == 0 || b.Epoch == 0 {
			return Batch{}, nil, refuse("a sealed batch of epoch %d with %d sequences and %d records", b.Epoch, len(sequences), len(m.GetRecords()))
		}
		b.Sequences, b.Absent = sequences, absent
		return b, nil, nil
	}
	if len(m.GetRecords()) != len(sequences) {
		return Batch{}, nil, refuse("%d records with %d sequences", len(m.GetRecords()), len(sequences))
	}
	refused := b.takeRecords(m.GetRecords(), sequences, absent)
	return b, refused, nil
}

// takeRecords makes items of the records that are well-formed. Those that are
// not leave no gap, so positions move up with them.
func (b *Batch) takeRecords(records []*wirepb.Record, sequences []entry.Sequence, absent []int) (refused []error) {
	for i, w := range records {
		isAbsent := len(absent) > 0 && absent[0] == i
		if isAbsent {
			absent = absent[1:]
		}
		r, err := seal.RecordFromWire(w)
		if err != nil {
			refused = append(refused, fmt.Errorf("record %d: %w", sequences[i], err))
			continue
		}
		if isAbsent {
			b.Absent = append(b.Absent, len(b.Items))
		}
		b.Items = append(b.Items, Item{Sequence: sequences[i], Record: r})
	}
	return refused
}

// absentFromWire are positions among n changes: ascending, and within them.
func absentFromWire(steps []uint32, n int) ([]int, error) {
	if len(steps) > n {
		return nil, refuse("%d of %d changes are absent", len(steps), n)
	}
	var out []int
	last := 0
	for i, s := range steps {
		if (s == 0 && i > 0) || uint64(last)+uint64(s) >= uint64(n) {
			return nil, refuse("change %d after %d of %d is absent", uint64(last)+uint64(s), last, n)
		}
		last += int(s)
		out = append(out, last)
	}
	return out, nil
}

// stepsFromWire are the sequences of a batch: ascending, and within it.
func stepsFromWire(steps []uint64, after, through entry.Sequence) ([]entry.Sequence, error) {
	if len(steps) > maxBatch {
		return nil, refuse("%d sequences", len(steps))
	}
	out := make([]entry.Sequence, len(steps))
	last := after
	for i, s := range steps {
		step := entry.Sequence(s)
		if step == 0 || last+step < last || last+step > through {
			return nil, refuse("sequence %d after %d in a batch through %d", last+step, last, through)
		}
		last += step
		out[i] = last
	}
	return out, nil
}

func startFromWire(m *wirepb.Start) (Start, error) {
	id, err := folderFromWire(m.GetFolder())
	if err != nil {
		return Start{}, err
	}
	digest, err := digestFromWire(m.GetRoster())
	if err != nil {
		return Start{}, err
	}
	epochs, err := epochsFromWire(m.GetEpochs())
	if err != nil {
		return Start{}, err
	}
	return Start{
		Folder: id, Index: m.GetIndex(), After: entry.Sequence(m.GetAfter()), Seen: m.GetSeen(), Roster: digest,
		Epochs: epochs, Session: m.GetSession(), SessionSeen: m.GetSessionSeen(),
	}, nil
}

func ackFromWire(m *wirepb.Ack) (Ack, error) {
	id, err := folderFromWire(m.GetFolder())
	if err != nil {
		return Ack{}, err
	}
	if m.GetHeld() > m.GetReceived() {
		return Ack{}, refuse("folder %s: holds %d of %d received", id, m.GetHeld(), m.GetReceived())
	}
	return Ack{
		Folder: id, Index: m.GetIndex(), Received: entry.Sequence(m.GetReceived()), Held: entry.Sequence(m.GetHeld()),
		NeedFiles: m.GetNeedFiles(), NeedBytes: m.GetNeedBytes(),
		OwnIndex: m.GetOwnIndex(), OwnHead: entry.Sequence(m.GetOwnHead()),
	}, nil
}

func askFromWire(m *wirepb.Ask) (Ask, error) {
	id, err := folderFromWire(m.GetFolder())
	return Ask{Folder: id, Nonce: m.GetNonce()}, err
}

func answerFromWire(m *wirepb.Answer) (Answer, error) {
	id, err := folderFromWire(m.GetFolder())
	if err != nil {
		return Answer{}, err
	}
	if len(m.GetProblem()) > maxProblem || !utf8.ValidString(m.GetProblem()) {
		return Answer{}, refuse("a problem of %d bytes", len(m.GetProblem()))
	}
	return Answer{
		Folder: id, Nonce: m.GetNonce(), Index: m.GetIndex(), Head: entry.Sequence(m.GetHead()), Problem: m.GetProblem(),
	}, nil
}

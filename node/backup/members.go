package backup

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/protocol/exchange"
	"github.com/kithmesh/kith/protocol/seal"
)

// Member is a connection to another member of the folder.
type Member interface {
	// Device is who is at the other end.
	Device() entry.DeviceID
	// Fetch gets blocks, as [blocks.Client] does, small rather than quick.
	Fetch(ctx context.Context, ids []entry.BlockID, got func(i int, sealed []byte) error) error
	// Start asks the member to tell its changes; Ack tells it how far this
	// device is. Neither blocks.
	Start(exchange.Start)
	Ack(exchange.Ack)
	// Versions gets what the member itself keeps of the past of records.
	Versions(ctx context.Context, ids []seal.RecordID, each func(*seal.Record) error) error
}

// member is one that is connected.
type member struct {
	Member
	told  exchange.FolderState      // of its index
	head  entry.Sequence            // of its index, as last heard
	heard entry.Sequence            // all up to here is in the queue, or beyond it
	queue []*item                   // heard, and not begun; ascending
	open  []*item                   // all that is not done, ascending, and some that is
	again map[seal.RecordID][]*item // what could not be had yet, by its record
	wants map[seal.RecordID][]*item // all that is not done, by its record
	bytes int64                     // of queue
	jobs  int
	began time.Time // when the last of them did
	// asked: it was asked to tell what comes after heard. Not so while a
	// schedule says to wait, or while there is too much to do.
	asked bool
	anew  bool // it was asked again, and what comes may be of the time before
	acked exchange.Ack
	// theirs is how far it says it is with what this device tells.
	theirs exchange.Ack
	// barren is when it may be asked again, after it could not be asked.
	barren time.Time
}

// held is up to where all that the member told is in the vault.
func (m *member) held() entry.Sequence {
	n := 0
	for n < len(m.open) && m.open[n].done {
		n++
	}
	m.open = m.open[n:]
	if len(m.open) > 0 {
		return m.open[0].sequence - 1
	}
	return m.heard
}

// caughtUp tells whether all that the member has to tell is in the vault.
func (m *member) caughtUp() bool { return m.held() >= m.head }

// Attach begins to listen to a member that is connected and has told where its
// index stands. A member that was attached before is replaced; what it told
// stays in the queue.
func (k *Keeper) Attach(ctx context.Context, link Member, told exchange.FolderState) error {
	return k.do(ctx, func(a *actor) { a.attach(link, told) })
}

func (a *actor) attach(link Member, told exchange.FolderState) {
	d := link.Device()
	m := a.roll[d]
	if m == nil || m.told.Index != told.Index {
		m = &member{again: map[seal.RecordID][]*item{}, wants: map[seal.RecordID][]*item{}, theirs: a.acks[d]}
		if n := a.notes.Members[d]; n.Index == told.Index && n.Held <= told.Head {
			m.heard = n.Held // beyond its head: it was set back, and is heard anew
		}
		a.roll[d] = m
	}
	if m.heard > told.Head {
		m.heard = 0
	}
	m.Member, m.told, m.head = link, told, max(m.heard, told.Head)
	m.asked, m.anew, m.barren = false, false, time.Time{}
	m.acked = exchange.Ack{}
	a.retry()
}

// ask asks a member for what comes after the last that was heard.
func (a *actor) ask(m *member) {
	m.asked, m.anew = true, true
	m.Start(exchange.Start{Folder: a.ID, Index: m.told.Index, After: m.heard})
}

// DetachIf ends what Attach began, if the member is attached by a connection
// that is meant.
func (k *Keeper) DetachIf(ctx context.Context, d entry.DeviceID, meant func(Member) bool) error {
	return k.do(ctx, func(a *actor) {
		m := a.roll[d]
		if m == nil || !meant(m.Member) {
			return
		}
		a.note(d, m)
		delete(a.roll, d)
		delete(a.acks, d)
	})
}

// Detach ends what Attach began.
func (k *Keeper) Detach(ctx context.Context, d entry.DeviceID) error {
	return k.DetachIf(ctx, d, func(Member) bool { return true })
}

// note remembers how far a member was taken in.
func (a *actor) note(d entry.DeviceID, m *member) {
	now := heardOf{Index: m.told.Index, Held: m.held()}
	if a.notes.Members[d] != now {
		a.notes.Members[d], a.noted = now, false
	}
}

// Hear takes changes that a member tells; refused says which of them were
// malformed. It returns when they are in the queue.
func (k *Keeper) Hear(ctx context.Context, d entry.DeviceID, b exchange.Batch, refused []error) error {
	for _, err := range refused {
		k.log().Warn("refused a record", "device", d, "error", err)
	}
	if len(b.Sealed) > 0 {
		// The member has not heard yet that this device holds no key any more.
		return k.do(ctx, func(a *actor) {
			if m := a.roll[d]; m != nil {
				m.asked, m.barren = false, a.Clock().Add(barrenWait)
			}
		})
	}
	var failed error
	err := k.do(ctx, func(a *actor) { failed = a.hear(d, b) })
	if err != nil {
		return err
	}
	return failed
}

func (a *actor) hear(d entry.DeviceID, b exchange.Batch) error {
	m := a.roll[d]
	switch {
	case m == nil:
		return errNotAttached
	case b.Index != m.told.Index || !m.asked:
		m.head = max(m.head, b.Head)
		return nil // it will be asked again
	case b.After <= m.heard:
		m.anew = false
	case m.anew:
		return nil // it was on its way already
	default:
		return fmt.Errorf("%w: changes after %d follow on %d", exchange.ErrMessage, b.After, m.heard)
	}
	m.head = max(m.head, b.Head)
	if len(m.open) > maxQueue || m.bytes > maxQueueBytes {
		m.asked = false
		return nil
	}
	absent := map[int]bool{}
	for _, i := range b.Absent {
		absent[i] = true
	}
	for i, it := range b.Items {
		if it.Sequence <= m.heard {
			continue
		}
		a.enqueue(m, &item{member: m, from: d, sequence: it.Sequence, record: it.Record, absent: absent[i]})
	}
	m.heard = max(m.heard, b.Through)
	return nil
}

// Told says how far a member's index had come when it answered an ask.
func (k *Keeper) Told(ctx context.Context, d entry.DeviceID, index uint64, head entry.Sequence) error {
	return k.do(ctx, func(a *actor) {
		if m := a.roll[d]; m != nil && m.told.Index == index {
			m.head = max(m.head, head)
		}
	})
}

// Started takes what a member asks of this device. One that asks for what comes
// after more than the vault has remembers a vault that was set back since.
func (k *Keeper) Started(ctx context.Context, d entry.DeviceID, s exchange.Start) error {
	return k.do(ctx, func(a *actor) {
		if m := a.roll[d]; m != nil {
			m.acked = exchange.Ack{}
		}
		h := a.vault.Head()
		if s.Index == indexOf(h.Vault) && s.After > h.Sequence {
			a.wasSetBack(d, s.After)
		}
	})
}

func (a *actor) wasSetBack(d entry.DeviceID, remembered entry.Sequence) {
	had := a.vault.Head().Sequence
	a.log().Error("the vault was set back", "folder", a.ID, "device", d, "remembers", remembered, "has", had)
	if a.notes.SetBack == nil || a.notes.SetBack.Sequence < remembered {
		a.notes.SetBack, a.noted = &SetBack{Found: a.Clock(), Device: d, Sequence: remembered, Had: had}, false
		a.setBack.Store(a.notes.SetBack)
	}
}

// Acked takes what a member says of how far it is with what this device tells.
func (k *Keeper) Acked(ctx context.Context, d entry.DeviceID, ack exchange.Ack) error {
	return k.do(ctx, func(a *actor) {
		a.acks[d] = ack
		if m := a.roll[d]; m != nil {
			m.theirs = ack
			if ack.OwnIndex == m.told.Index {
				m.head = max(m.head, ack.OwnHead)
			}
		}
	})
}

// ackEvery is how often members are told of progress while there is any.
const ackEvery = 250 * time.Millisecond

// sendAcks tells each member how far this device is, where that has changed. It
// tells in how long there is more to say, if that has to wait.
func (a *actor) sendAcks(at time.Time) (next time.Duration) {
	next = idleEvery
	now := a.State()
	for _, d := range slices.Sorted(maps.Keys(a.roll)) {
		m := a.roll[d]
		k := exchange.Ack{
			Folder: a.ID, Index: m.told.Index, Received: m.heard, Held: m.held(), OwnIndex: now.Index, OwnHead: now.Head,
		}
		k.NeedFiles, k.NeedBytes = m.needs()
		if k == m.acked {
			continue
		}
		if k.NeedFiles > 0 && at.Before(a.ackDue) {
			next = a.ackDue.Sub(at)
			continue
		}
		m.acked = k
		m.Ack(k)
		a.note(d, m)
	}
	if !at.Before(a.ackDue) {
		a.ackDue = at.Add(ackEvery)
	}
	return next
}

// needs is how much of what the member told is not in the vault. How many
// changes it has not told yet is known, their size is not.
func (m *member) needs() (records, bytes uint64) {
	for _, it := range m.open {
		if !it.done {
			records++
			bytes += uint64(it.size())
		}
	}
	if !m.asked && m.head > m.heard {
		records += uint64(m.head - m.heard)
	}
	return records, bytes
}

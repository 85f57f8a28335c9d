package folder

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/kithmesh/kith/index"
	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/version"
	"github.com/kithmesh/kith/node/folder/gather"
	"github.com/kithmesh/kith/node/folder/merge"
	"github.com/kithmesh/kith/protocol/exchange"
)

// Member is a connection to another member of the folder.
type Member interface {
	gather.Source
	// Start asks the member to tell its changes; Ack tells it how far this
	// device is. Neither blocks.
	Start(exchange.Start)
	Ack(exchange.Ack)
}

// roll is who is connected.
type roll map[entry.DeviceID]*member

// inOrder are the devices, by ID: what follows from their order is then the
// same each time.
func (r roll) inOrder() []entry.DeviceID { return slices.Sorted(maps.Keys(r)) }

type member struct {
	Member
	told  exchange.FolderState // of its index
	peer  index.Peer
	head  entry.Sequence // of its index, as last heard
	acked exchange.Ack   // what it was last told
	anew  bool           // it was asked to begin anew, and has not yet
	news  time.Time      // when it last told anything, or was attached
	// lacking counts the files in a row that it announced and nobody could
	// give; after too many it is not asked for anything until barren is over.
	lacking int
	barren  time.Time
}

// caughtUp tells whether all that the member had to tell was heard.
func (m *member) caughtUp() bool { return m.peer.Received >= m.head }

// Attach begins to listen to a member that is connected and has told where its
// index stands. A member that was attached before is replaced.
func (f *Folder) Attach(ctx context.Context, m Member, told exchange.FolderState) error {
	var failed error
	err := f.do(ctx, func(a *actor) { failed = a.attach(m, told) })
	return errors.Join(err, failed)
}

func (a *actor) attach(link Member, told exchange.FolderState) error {
	d := link.Device()
	m := &member{Member: link, told: told, head: told.Head, news: a.Clock()}
	settled := false
	err := a.update(func(x *index.Folder) (err error) {
		if m.peer, err = x.Peer(d); err != nil {
			return err
		}
		if was := a.roll[d]; was != nil {
			m.peer = was.peer // with what it has acknowledged: it will not say so again
		}
		if m.peer.Epoch != told.Index {
			if err := a.forgetTold(x, d); err != nil {
				return err
			}
			m.peer.Epoch, m.peer.Received, m.peer.Session, m.peer.SessionSeen = told.Index, 0, 0, 0
		}
		if m.peer.Received > told.Head && a.blind(d) {
			// Its vault was set back, and what it numbers from now on is
			// something else than what it told under these numbers before. One
			// with a tree notices that itself, and is fenced.
			a.Log.Warn("the index of a device was set back", "device", d, "had", m.peer.Received, "has", told.Head)
			m.peer.Received = 0
		}
		if m.peer.Ours != x.Epoch() {
			m.peer.Ours, m.peer.TheyReceived, m.peer.TheyHold = x.Epoch(), 0, 0
		}
		m.peer.LastSeen = a.Clock().UnixNano()
		settled = x.Joined()
		return x.SetPeer(d, m.peer)
	})
	if err != nil {
		return fmt.Errorf("attach %s: %w", d, err)
	}
	a.settled = settled
	a.roll[d] = m
	if k, ok := a.acks[d]; ok {
		a.takeAck(m, k)
	}
	a.stuck.retryAll() // it may have what nobody else could give
	a.listen(m)
	a.pass.again = true
	return nil
}

// listen asks a member for what comes after the last that was heard of it.
func (a *actor) listen(m *member) {
	if a.interrupted {
		return // the first scan that ends begins it
	}
	start := exchange.Start{
		Folder: a.ID, Index: m.peer.Epoch, After: m.peer.Received, Session: m.peer.Session, SessionSeen: m.peer.SessionSeen,
	}
	_ = a.view(func(x *index.Folder) error {
		start.Seen = x.Seen(m.told.Replica)
		return nil
	})
	m.Start(start)
	a.stale = true
}

// HearAnew has a member tell everything once more: the numbers under which it
// told before may stand for something else by now.
func (f *Folder) HearAnew(ctx context.Context, d entry.DeviceID) error {
	return f.do(ctx, func(a *actor) {
		m := a.roll[d]
		if m == nil {
			return
		}
		m.peer.Received, m.anew = 0, true
		if a.update(func(x *index.Folder) error { return x.SetPeer(d, m.peer) }) == nil {
			a.listen(m)
		}
	})
}

// listenAnew has all members tell everything once more.
func (a *actor) listenAnew() {
	for _, d := range a.roll.inOrder() {
		m := a.roll[d]
		m.peer.Received, m.anew = 0, true
		if a.update(func(x *index.Folder) error { return x.SetPeer(d, m.peer) }) == nil {
			a.listen(m)
		}
	}
	// Who is not connected now is heard anew when it comes.
	_ = a.update(func(x *index.Folder) error {
		var away []entry.DeviceID
		for d := range x.Peers() {
			if a.roll[d] == nil {
				away = append(away, d)
			}
		}
		for _, d := range away {
			p, err := x.Peer(d)
			if err != nil {
				return err
			}
			p.Received = 0
			if err := x.SetPeer(d, p); err != nil {
				return err
			}
		}
		return nil
	})
}

// rememberPeers writes how far the members are that are connected as the folder
// ends: should this index ever be set back to now, it is known that they have
// what they have received.
func (a *actor) rememberPeers() error {
	return a.update(func(x *index.Folder) error {
		for _, d := range a.roll.inOrder() {
			if err := x.SetPeer(d, a.roll[d].peer); err != nil {
				return err
			}
		}
		return nil
	})
}

// forgetTold takes back all that an index which is gone had announced.
func (a *actor) forgetTold(x *index.Folder, d entry.DeviceID) error {
	var paths []entry.Path
	for w, err := range x.WantedRange("") {
		if err != nil {
			return err
		}
		for _, v := range w {
			if _, ok := v.Tellers[d]; ok {
				paths = append(paths, v.Entry.Path)
				break
			}
		}
	}
	for _, p := range paths {
		if err := a.changeWanted(x, p, func(w []merge.Want) []merge.Want { return merge.Withdraw(w, d) }); err != nil {
			return err
		}
		if err := unsettle(x, p); err != nil {
			return err
		}
	}
	return nil
}

// Detach ends what Attach began: the member is no longer connected.
func (f *Folder) Detach(ctx context.Context, d entry.DeviceID) error {
	return f.DetachIf(ctx, d, func(Member) bool { return true })
}

// DetachIf is Detach if the member is attached by a connection that is meant:
// one that ends may be heard of after the next has taken its place.
func (f *Folder) DetachIf(ctx context.Context, d entry.DeviceID, meant func(Member) bool) error {
	return f.do(ctx, func(a *actor) {
		if m := a.roll[d]; m != nil {
			if !meant(m.Member) {
				return
			}
			m.peer.LastSeen = a.Clock().UnixNano()
			_ = a.update(func(x *index.Folder) error { return x.SetPeer(d, m.peer) })
		}
		delete(a.roll, d)
		delete(a.acks, d)
		f.echoes.forget(d)
		a.stale, a.pass.again = true, true // what waited for its word waits no more
	})
}

// Started checks what a member asks for against what this device remembers
// telling. It fences a folder whose index is older than that.
func (f *Folder) Started(ctx context.Context, d entry.DeviceID, s exchange.Start) error {
	f.echoes.forget(d)
	return f.do(ctx, func(a *actor) {
		if m := a.roll[d]; m != nil {
			// It has just been attached there, and may not have heard the last.
			m.acked, a.stale = exchange.Ack{}, true
		}
		_ = a.update(func(x *index.Folder) error {
			if s.Index != x.Epoch() {
				return nil // of an index that is gone
			}
			if s.Seen > x.Count() || s.After > x.Head() || !x.Remembers(s.Session, s.SessionSeen) {
				// Remembered, so that no restart makes events of numbers that
				// have been used.
				if err := x.Saw(version.Vector{{Replica: x.Replica(), Count: max(s.Seen, x.Count()+1)}}); err != nil {
					return err
				}
				a.fence(fmt.Errorf("%s has seen event %d of %d and change %d of %d: %w",
					d, s.Seen, x.Count(), s.After, x.Head(), index.ErrFenced))
				return nil
			}
			if s.After > x.HeadOf(s.Session) {
				// It has changes under numbers that stand for others by now,
				// though none of them was this device's own: it is told anew.
				a.Log.Warn("an index that was set back begins anew with all devices", "device", d)
				return a.beginAnew(x)
			}
			return nil
		})
	})
}

// beginAnew has all members hear this index from its beginning.
func (a *actor) beginAnew(x *index.Folder) error {
	if err := x.NewEpoch(a.around.random()); err != nil {
		return err
	}
	for _, m := range a.roll {
		m.peer.Ours, m.peer.TheyReceived, m.peer.TheyHold = x.Epoch(), 0, 0
	}
	return nil
}

// Acked takes what a member says of how far it is.
func (f *Folder) Acked(ctx context.Context, d entry.DeviceID, k exchange.Ack) error {
	return f.do(ctx, func(a *actor) {
		a.acks[d] = k // it may come before the member is attached, and once only
		if m := a.roll[d]; m != nil {
			a.takeAck(m, k)
		}
	})
}

// takeAck notes how far a member is.
func (a *actor) takeAck(m *member, k exchange.Ack) {
	now := a.State()
	if k.Index != now.Index {
		return
	}
	m.peer.Ours = k.Index
	// What it has read it has read, though it asks to be told once more.
	m.peer.TheyReceived = max(m.peer.TheyReceived, min(k.Received, now.Head))
	m.peer.TheyHold = min(k.Held, now.Head)
	m.peer.NeedFiles, m.peer.NeedBytes = clampInt(k.NeedFiles), clampInt(k.NeedBytes)
	if k.OwnIndex == m.peer.Epoch {
		m.head = max(m.head, k.OwnHead)
	}
	a.stale = true
}

func clampInt(n uint64) int64 { return int64(min(n, 1<<62)) }

const (
	// ackEvery is how often members are told of progress while there is any.
	ackEvery = 250 * time.Millisecond
	// ackExactly is up to how many wanted paths it is worked out which of a
	// member's changes are all held; beyond, that stays where it was.
	ackExactly = 5000
)

// sendAcks tells each member how far this device is, where that has changed.
func (a *actor) sendAcks(at time.Time) {
	need := index.WantedTotals{}
	_ = a.view(func(x *index.Folder) error { need = x.WantedTotals(); return nil })
	if !takes(a.role) {
		need = index.WantedTotals{} // it wants none of it
	}
	if len(a.roll) == 0 || need.Paths > 0 && at.Before(a.ackDue) {
		return
	}
	a.ackDue = at.Add(ackEvery)
	held, now := a.firstWanted(need.Paths), a.State()
	for _, d := range a.roll.inOrder() {
		m := a.roll[d]
		k := exchange.Ack{
			Folder: a.ID, Index: m.peer.Epoch, Received: m.peer.Received, Held: m.peer.Received,
			NeedFiles: uint64(need.Paths), NeedBytes: uint64(max(need.Bytes-a.inflight.here(), 0)), OwnIndex: now.Index, OwnHead: now.Head,
		}
		if need.Paths > ackExactly {
			k.Held = min(m.acked.Held, k.Held)
		}
		if s, ok := held[d]; ok {
			k.Held = min(k.Held, s-1)
		}
		if k != m.acked {
			m.acked = k
			m.Ack(k)
		}
	}
}

// firstWanted is the lowest sequence of each member that is still wanted.
func (a *actor) firstWanted(paths int64) map[entry.DeviceID]entry.Sequence {
	first := map[entry.DeviceID]entry.Sequence{}
	if paths == 0 || paths > ackExactly {
		return first
	}
	_ = a.view(func(x *index.Folder) error {
		for w, err := range x.WantedRange("") {
			if err != nil {
				return err
			}
			for _, v := range w {
				for d, s := range v.Tellers {
					if had, ok := first[d]; s > 0 && (!ok || s < had) {
						first[d] = s
					}
				}
			}
		}
		return nil
	})
	return first
}

// memberStatuses is what the status says of the members.
func (a *actor) memberStatuses(x *index.Folder) map[entry.DeviceID]MemberStatus {
	out := map[entry.DeviceID]MemberStatus{}
	for d, p := range x.Peers() {
		out[d] = MemberStatus{NeedFiles: p.NeedFiles, NeedBytes: p.NeedBytes}
	}
	for d, m := range a.roll {
		st := MemberStatus{Connected: true, NeedFiles: m.peer.NeedFiles, NeedBytes: m.peer.NeedBytes}
		// What it said on an earlier connection it may have lost since.
		if _, said := a.acks[d]; said && m.peer.Ours == x.Epoch() {
			st.Held, st.Same = m.peer.TheyHold, m.caughtUp() && m.peer.TheyHold >= x.Head()
		}
		out[d] = st
	}
	return out
}

// Told says how far a member's index had come when it answered an ask: until
// that was heard, it is not known to be in sync.
func (f *Folder) Told(ctx context.Context, d entry.DeviceID, epoch uint64, head entry.Sequence) error {
	return f.do(ctx, func(a *actor) {
		if m := a.roll[d]; m != nil && m.peer.Epoch == epoch {
			m.head = max(m.head, head)
			a.stale, a.pass.again = true, true
		}
	})
}

package node

import (
	"context"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/roster"
	"github.com/kithmesh/kith/index/version"
	"github.com/kithmesh/kith/protocol"
	"github.com/kithmesh/kith/protocol/exchange"
	"github.com/kithmesh/kith/protocol/seal"
)

// witness is a device that the holder of recovery words talks with: what it is
// told, and what it tells. Its fields are guarded by the mutex of the rescue.
type witness struct {
	rescue *rescue
	id     entry.DeviceID
	teller *exchange.Teller

	name   string
	listed bool // it has said of which folders it knows the words
	told   map[entry.FolderID]exchange.FolderState
	heard  map[entry.FolderID]bool // whose roster it has told
}

func newWitness(x *rescue, id entry.DeviceID) *witness {
	w := &witness{rescue: x, id: id, told: map[entry.FolderID]exchange.FolderState{}, heard: map[entry.FolderID]bool{}}
	w.teller = exchange.NewTeller(rescueBook{w})
	return w
}

// tell tells the device, on one stream after the other, until ctx ends.
func (w *witness) tell(ctx context.Context, who peer.ID) {
	x := w.rescue
	for ctx.Err() == nil {
		err := w.tellOnce(ctx, who)
		if ctx.Err() == nil {
			x.device.Log.Debug("telling a device of the recovery ended", "device", w.id, "error", err)
		}
		if pause(ctx, firstRedial) != nil {
			return
		}
	}
}

func (w *witness) tellOnce(ctx context.Context, who peer.ID) error {
	open, cancel := context.WithTimeout(network.WithNoDial(ctx, "discovery dials"), openTimeout)
	raw, err := w.rescue.net.Host().NewStream(open, who, protocol.Exchange)
	cancel()
	if err != nil {
		return err
	}
	return w.teller.Run(ctx, w.rescue.server.Open(raw, 0), w.rescue.device.hello())
}

// listen is the handler of an exchange stream that a device opened.
func (x *rescue) listen(ctx context.Context, id entry.DeviceID, s *protocol.Stream) error {
	e := &rescueEar{witness: x.witness(id), started: map[entry.FolderID]uint64{}}
	e.listener = exchange.NewListener(e, e)
	return e.listener.Run(ctx, s, x.device.hello())
}

// ready tells whether the device has told all that it knows.
func (w *witness) ready() bool {
	w.rescue.mu.Lock()
	defer w.rescue.mu.Unlock()
	if !w.listed {
		return false
	}
	for id := range w.told {
		if !w.heard[id] {
			return false
		}
	}
	return true
}

// tells tells whether the device knows a folder.
func (w *witness) tells(id entry.FolderID) bool {
	w.rescue.mu.Lock()
	defer w.rescue.mu.Unlock()
	_, ok := w.told[id]
	return ok
}

// rescueBook is what a device is told: the rosters of the folders that it has
// told of itself, with what the words have to say.
type rescueBook struct{ witness *witness }

// News implements [exchange.Book].
func (b rescueBook) News() (n exchange.News) {
	x := b.witness.rescue
	for id, r := range x.opens() {
		if b.witness.tells(id) {
			n.Folders = append(n.Folders, exchange.FolderState{
				Folder: id, Index: x.index, Replica: version.ReplicaID(x.index), Roster: r.Digest(),
			})
		}
	}
	return n
}

// Statements implements [exchange.Book].
func (b rescueBook) Statements(id entry.FolderID) []roster.Statement {
	if !b.witness.tells(id) {
		return nil
	}
	return b.witness.rescue.opens()[id].Statements()
}

// Keys implements [exchange.Book].
func (b rescueBook) Keys(entry.FolderID) map[entry.Epoch]seal.FolderKey { return nil }

// Records implements [exchange.Book].
func (b rescueBook) Records(_ context.Context, id entry.FolderID, after entry.Sequence, _ exchange.Limit) (exchange.Batch, error) {
	return exchange.Batch{Folder: id, After: after, Through: after, Head: after}, nil
}

// Replied implements [exchange.Book].
func (b rescueBook) Replied(context.Context, exchange.Reply) error { return nil }

// rescueEar takes what a device tells of rosters, and nothing else.
type rescueEar struct {
	witness  *witness
	listener *exchange.Listener
	started  map[entry.FolderID]uint64 // by index
}

// Met implements [exchange.Ear].
func (e *rescueEar) Met(h exchange.Hello) {
	e.witness.rescue.mu.Lock()
	defer e.witness.rescue.mu.Unlock()
	e.witness.name = h.Name
}

// Folders implements [exchange.Ear].
func (e *rescueEar) Folders(_ context.Context, states []exchange.FolderState) error {
	w, x := e.witness, e.witness.rescue
	x.mu.Lock()
	w.listed, w.told = true, map[entry.FolderID]exchange.FolderState{}
	for _, st := range states {
		w.told[st.Folder] = st
		digest := x.rosters[st.Folder].Digest()
		if digest == st.Roster {
			w.heard[st.Folder] = true
		}
		if index, did := e.started[st.Folder]; !did || index != st.Index {
			e.started[st.Folder] = st.Index
			e.listener.Start(exchange.Start{Folder: st.Folder, Index: st.Index, Roster: digest})
		}
	}
	x.news = time.Now()
	x.mu.Unlock()
	x.tellAll()
	x.changed.tell()
	return nil
}

// Joined implements [exchange.Registry].
func (e *rescueEar) Joined(id entry.FolderID, statements []roster.Statement) error {
	w, x := e.witness, e.witness.rescue
	if !w.tells(id) {
		return nil
	}
	if err := x.learn(id, statements); err != nil {
		return err
	}
	x.mu.Lock()
	w.heard[id] = true
	x.mu.Unlock()
	x.tellAll()
	x.changed.tell()
	return nil
}

// Heard implements [exchange.Ear].
func (e *rescueEar) Heard(_ context.Context, h exchange.Heard) error {
	if h.Ask != nil {
		e.listener.Answer(exchange.Answer{Folder: h.Ask.Folder, Nonce: h.Ask.Nonce, Problem: "not a folder of this device"})
	}
	return nil
}

// Invited implements [exchange.Registry].
func (e *rescueEar) Invited([]exchange.Offer) error { return nil }

// Keyed implements [exchange.Registry].
func (e *rescueEar) Keyed(context.Context, entry.FolderID, map[entry.Epoch]seal.FolderKey) error {
	return nil
}

// Acquainted implements [exchange.Registry].
func (e *rescueEar) Acquainted(context.Context, []exchange.Contact) error { return nil }

package rescue

import (
	"context"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/roster"
	"github.com/kithmesh/kith/index/version"
	"github.com/kithmesh/kith/protocol/exchange"
	"github.com/kithmesh/kith/protocol/seal"
)

// Witness is a device that the holder of recovery words talks with: what it is
// told, and what it tells. Its fields are guarded by the mutex of the rescue.
type Witness struct {
	rescue *Rescue
	id     entry.DeviceID
	teller *exchange.Teller

	name   string
	listed bool // it has said of which folders it knows the words
	told   map[entry.FolderID]exchange.FolderState
	heard  map[entry.FolderID]bool // whose roster it has told
}

// Witness is a device that was met, always the same for one device.
func (x *Rescue) Witness(id entry.DeviceID) *Witness {
	x.mu.Lock()
	defer x.mu.Unlock()
	w := x.met[id]
	if w == nil {
		w = &Witness{rescue: x, id: id, told: map[entry.FolderID]exchange.FolderState{}, heard: map[entry.FolderID]bool{}}
		w.teller = exchange.NewTeller(book{w})
		x.met[id] = w
	}
	return w
}

// Tell tells the device on one stream, as [exchange.Teller.Run] does.
func (w *Witness) Tell(ctx context.Context, stream exchange.Stream, me exchange.Hello) error {
	return w.teller.Run(ctx, stream, me)
}

// Listen hears the device on a stream that it opened, as [exchange.Listener.Run]
// does.
func (w *Witness) Listen(ctx context.Context, stream exchange.Stream, me exchange.Hello) error {
	e := &ear{witness: w, started: map[entry.FolderID]uint64{}}
	e.listener = exchange.NewListener(e, e)
	return e.listener.Run(ctx, stream, me)
}

// ready tells whether the device has told all that it knows.
func (w *Witness) ready() bool {
	for id := range w.told {
		if !w.heard[id] {
			return false
		}
	}
	return true
}

// tells tells whether the device knows a folder.
func (w *Witness) tells(id entry.FolderID) bool {
	w.rescue.mu.Lock()
	defer w.rescue.mu.Unlock()
	_, ok := w.told[id]
	return ok
}

// book is what a device is told: the rosters of the folders that it has told of
// itself, with what the words have to say.
type book struct{ witness *Witness }

// News implements [exchange.Book].
func (b book) News() (n exchange.News) {
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
func (b book) Statements(id entry.FolderID) []roster.Statement {
	if !b.witness.tells(id) {
		return nil
	}
	return b.witness.rescue.opens()[id].Statements()
}

// Keys implements [exchange.Book].
func (b book) Keys(entry.FolderID) map[entry.Epoch]seal.FolderKey { return nil }

// Records implements [exchange.Book].
func (b book) Records(_ context.Context, id entry.FolderID, after entry.Sequence, _ exchange.Limit) (exchange.Batch, error) {
	return exchange.Batch{Folder: id, After: after, Through: after, Head: after}, nil
}

// Replied implements [exchange.Book].
func (b book) Replied(context.Context, exchange.Reply) error { return nil }

// ear takes what a device tells of rosters, and nothing else.
type ear struct {
	witness  *Witness
	listener *exchange.Listener
	started  map[entry.FolderID]uint64 // by index
}

// Met implements [exchange.Ear].
func (e *ear) Met(h exchange.Hello) {
	e.witness.rescue.mu.Lock()
	defer e.witness.rescue.mu.Unlock()
	e.witness.name = h.Name
}

// Folders implements [exchange.Ear].
func (e *ear) Folders(_ context.Context, states []exchange.FolderState) error {
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
	x.Changed()
	return nil
}

// Joined implements [exchange.Registry].
func (e *ear) Joined(id entry.FolderID, statements []roster.Statement) error {
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
	x.Changed()
	return nil
}

// Heard implements [exchange.Ear].
func (e *ear) Heard(_ context.Context, h exchange.Heard) error {
	if h.Ask != nil {
		e.listener.Answer(exchange.Answer{Folder: h.Ask.Folder, Nonce: h.Ask.Nonce, Problem: "not a folder of this device"})
	}
	return nil
}

// Invited implements [exchange.Registry].
func (e *ear) Invited([]exchange.Offer) error { return nil }

// Keyed implements [exchange.Registry].
func (e *ear) Keyed(context.Context, entry.FolderID, map[entry.Epoch]seal.FolderKey) error {
	return nil
}

// Acquainted implements [exchange.Registry].
func (e *ear) Acquainted(context.Context, []exchange.Contact) error { return nil }

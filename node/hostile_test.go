package node_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	libp2ptls "github.com/libp2p/go-libp2p/p2p/security/tls"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	"github.com/multiformats/go-multiaddr"
	"google.golang.org/protobuf/proto"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/roster"
	"github.com/kithmesh/kith/index/version"
	"github.com/kithmesh/kith/node/identity"
	"github.com/kithmesh/kith/node/membership"
	"github.com/kithmesh/kith/proto/wirepb"
	"github.com/kithmesh/kith/protocol"
	"github.com/kithmesh/kith/protocol/frame"
	"github.com/kithmesh/kith/protocol/pair"
	"github.com/kithmesh/kith/protocol/seal"
)

// hostile is a member that has gone bad: it has paired as everybody does, was
// given the folder's key, and from then on says whatever a test makes it say.
type hostile struct {
	t      testing.TB
	id     *identity.Identity
	host   host.Host
	victim peer.ID
	addrs  []multiaddr.Multiaddr

	replica version.ReplicaID
	index   uint64
	count   uint64 // of its own events
	talk    *talk

	mu      sync.Mutex
	folder  entry.FolderID
	sealer  *sealer
	keys    *seal.Keys // of the first epoch
	ring    map[entry.Epoch]seal.FolderKey
	given   []membership.Key // by itself
	removed int              // that it was told of
	roster  roster.Roster
	states  []*wirepb.FolderState
	batches []*wirepb.Records          // that hold anything, as the victim told them
	entries map[entry.Path]entry.Entry // what the victim has told
	honest  bool                       // it says truly how much it has seen of the victim
	blocks  map[entry.BlockID][]byte
	give    func(s network.Stream) // answers the victim's requests for blocks
	head    uint64                 // of the hostile's index
	asked   int
	replies *frame.Writer // to what the victim tells
}

// talk is one stream on which the hostile tells the victim.
type talk struct {
	network.Stream
	out *frame.Writer

	mu     sync.Mutex
	starts []*wirepb.Start
	acks   []*wirepb.Ack
	others int
	err    error // how it ended
}

const hostileName = "mallory"

var hostiles atomic.Uint64

// intrude makes a hostile member of the victim's folder.
func intrude(t testing.TB, victim *device) *hostile {
	t.Helper()
	id, err := identity.Create(filepath.Join(t.TempDir(), "key"))
	if err != nil {
		t.Fatal(err)
	}
	h := &hostile{
		t: t, id: id, replica: version.ReplicaID(0x6d616c6c6f7279 + hostiles.Add(1)), index: 0xbad,
		ring: map[entry.Epoch]seal.FolderKey{}, entries: map[entry.Path]entry.Entry{}, blocks: map[entry.BlockID][]byte{},
	}
	h.give = h.giveHonestly
	if h.victim, err = peer.Decode(string(victim.id)); err != nil {
		t.Fatal(err)
	}
	h.addrs = h.addrsOf(victim)
	h.host, err = libp2p.New(libp2p.Identity(id.Key()), libp2p.NoListenAddrs, libp2p.Transport(tcp.NewTCPTransport),
		libp2p.Security(libp2ptls.ID, libp2ptls.New), libp2p.ResourceManager(&network.NullResourceManager{}),
		libp2p.DisableRelay(), libp2p.DisableMetrics(), libp2p.Ping(false))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.host.Close() })
	h.host.SetStreamHandler(protocol.Exchange, h.listen)
	h.host.SetStreamHandler(protocol.Blocks, func(s network.Stream) {
		h.mu.Lock()
		give := h.give
		h.mu.Unlock()
		give(s)
	})
	victim.invite(h.pair)
	_ = h.host.Network().ClosePeer(h.victim) // a connection from before is never promoted
	h.connect()
	until(t, "the folder's key", func() bool { h.mu.Lock(); defer h.mu.Unlock(); return h.keys != nil })
	h.tell()
	return h
}

func (h *hostile) ID() entry.DeviceID { return h.id.ID() }

func (h *hostile) connect() {
	h.t.Helper()
	until(h.t, "a connection", func() bool {
		ctx, cancel := context.WithTimeout(h.t.Context(), 5*time.Second)
		defer cancel()
		return h.host.Connect(ctx, peer.AddrInfo{ID: h.victim, Addrs: h.addrs}) == nil
	})
}

// reconnect connects with a victim that has come up again. That the last
// connection is gone this side may not have noticed yet.
func (h *hostile) reconnect(victim *device) {
	h.t.Helper()
	h.addrs = h.addrsOf(victim)
	_ = h.host.Network().ClosePeer(h.victim)
	h.connect()
}

// pair proves the ticket, like a device that is welcome.
func (h *hostile) pair(text string) entry.DeviceID {
	ticket, err := pair.ParseTicket(text)
	if err != nil {
		h.t.Error(err)
		return ""
	}
	h.connect()
	s, err := h.host.NewStream(h.t.Context(), h.victim, protocol.ID(pair.Protocol))
	if err != nil {
		h.t.Error(err)
		return ""
	}
	defer func() { _ = s.Close() }()
	if _, err := pair.Enter(s, pair.Self{ID: h.ID(), Name: hostileName}, entry.DeviceID(h.victim.String()), ticket.Secret()); err != nil {
		h.t.Error(err)
	}
	return h.ID()
}

func (h *hostile) hello() *wirepb.Hello {
	return &wirepb.Hello{Protocol: 1, Name: hostileName, Software: "evil", Clock: uint64(version.ClockAt(time.Now()))}
}

// listen takes what the victim tells: the key, the members, its files.
func (h *hostile) listen(s network.Stream) {
	defer func() { _ = s.Reset() }()
	in, out := frame.NewReader(s, 16<<20), frame.NewWriter(s)
	h.mu.Lock()
	h.replies = out
	h.mu.Unlock()
	reply := func(m *wirepb.Reply) bool { return out.Write(m) == nil && out.Flush() == nil }
	if !reply(&wirepb.Reply{What: &wirepb.Reply_Hello{Hello: h.hello()}}) {
		return
	}
	for {
		var m wirepb.Tell
		if in.Read(&m) != nil {
			return
		}
		switch w := m.GetWhat().(type) {
		case *wirepb.Tell_Folders:
			h.mu.Lock()
			h.states = w.Folders.GetFolders()
			h.mu.Unlock()
			for _, f := range w.Folders.GetFolders() {
				if !reply(&wirepb.Reply{What: &wirepb.Reply_Start{Start: h.start(f)}}) {
					return
				}
			}
		case *wirepb.Tell_Offers:
			for _, o := range w.Offers.GetOffers() {
				h.offered(o)
			}
		case *wirepb.Tell_Statements:
			h.stated(w.Statements.GetStatements())
		case *wirepb.Tell_Keys:
			h.keyed(w.Keys.GetKeys())
		case *wirepb.Tell_Records:
			h.told(w.Records)
		case *wirepb.Tell_Ask:
			h.mu.Lock()
			h.asked++
			head := h.head
			h.mu.Unlock()
			if !reply(&wirepb.Reply{What: &wirepb.Reply_Answer{Answer: &wirepb.Answer{
				Folder: w.Ask.GetFolder(), Nonce: w.Ask.GetNonce(), Index: h.index, Head: head}}}) {
				return
			}
		}
	}
}

// start asks for everything, and says truly what was seen of the victim if the
// hostile is honest for once.
func (h *hostile) start(f *wirepb.FolderState) *wirepb.Start {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := &wirepb.Start{Folder: f.GetFolder(), Index: f.GetIndex(), Roster: make([]byte, 16)}
	if !h.honest {
		return s
	}
	for _, e := range h.entries {
		s.Seen = max(s.Seen, e.Version.Vector.Count(version.ReplicaID(f.GetReplica())))
	}
	if n := len(h.batches); n > 0 {
		s.Session, s.SessionSeen = h.batches[n-1].GetSession(), s.GetSeen()
	}
	return s
}

// stated counts the removals that it was told of.
func (h *hostile) stated(statements [][]byte) {
	n := 0
	for _, b := range statements {
		if s, err := roster.Decode(b); err != nil {
			h.t.Error(err)
		} else if s.Kind == roster.Revoke {
			n++
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.removed = max(h.removed, n)
}

// keyed takes keys. That of an epoch comes after the removals before it, or
// whoever is told it would not know whom not to tell it.
func (h *hostile) keyed(keys []*wirepb.FolderKey) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, k := range keys {
		if int(k.GetEpoch()>>20) > h.removed {
			h.t.Errorf("the victim tells a key of generation %d after %d removals", k.GetEpoch()>>20, h.removed)
		}
		h.ring[entry.Epoch(k.GetEpoch())] = seal.FolderKey(k.GetKey())
	}
}

// key is the keys of one epoch; nil if the hostile was not given any.
func (h *hostile) key(e entry.Epoch) *seal.Keys {
	key, ok := h.ring[e]
	if !ok {
		return nil
	}
	keys, err := seal.Derive(h.folder, e, key)
	if err != nil {
		h.t.Error(err)
	}
	return keys
}

func (h *hostile) offered(o *wirepb.Offer) {
	h.stated(o.GetStatements())
	h.keyed(o.GetKeys())
	h.mu.Lock()
	defer h.mu.Unlock()
	h.folder = entry.FolderID(o.GetFolder())
	key := seal.FolderKey(o.GetKeys()[0].GetKey())
	keys, err := seal.Derive(h.folder, 1, key)
	if err != nil {
		h.t.Error(err)
		return
	}
	h.roster = roster.New(h.folder, identity.Verify)
	for _, b := range o.GetStatements() {
		s, err := roster.Decode(b)
		if err != nil {
			h.t.Error(err)
		}
		h.roster, _, _ = h.roster.Add(s)
	}
	h.keys, h.sealer = keys, newSealer(h.t, h.folder, key)
}

func (h *hostile) told(m *wirepb.Records) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(m.GetRecords()) > 0 || m.GetBatch() != nil {
		h.batches = append(h.batches, m)
	}
	for _, w := range m.GetRecords() {
		r, err := seal.RecordFromWire(w)
		if err != nil {
			h.t.Errorf("the victim tells: %v", err)
			continue
		}
		keys := h.key(r.Epoch)
		if keys == nil {
			h.t.Errorf("the victim tells a record of epoch %d, and has not told its key", r.Epoch)
			continue
		}
		e, err := keys.OpenRecord(r)
		if err != nil {
			h.t.Errorf("the victim tells: %v", err)
			continue
		}
		h.entries[e.Path] = e
	}
	if m.GetBatch() == nil {
		return
	}
	keys := h.key(entry.Epoch(m.GetBatch().GetEpoch()))
	if keys == nil {
		h.t.Errorf("the victim tells a batch of epoch %d, and has not told its key", m.GetBatch().GetEpoch())
		return
	}
	opened, err := keys.OpenBatch(m.GetBatch().GetSealed())
	if err != nil {
		h.t.Errorf("the victim tells: %v", err)
	}
	for _, o := range opened {
		if o.Err != nil {
			h.t.Errorf("the victim tells: %v", o.Err)
			continue
		}
		h.entries[o.Entry.Path] = o.Entry
	}
}

// knows is the entry that the victim has told of a path.
func (h *hostile) knows(p entry.Path) (entry.Entry, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	e, ok := h.entries[p]
	return e, ok
}

// tell begins to tell the victim, as a member with a replica of its own.
func (h *hostile) tell() {
	h.t.Helper()
	var s network.Stream
	until(h.t, "an exchange stream", func() (ok bool) {
		ctx, cancel := context.WithTimeout(h.t.Context(), 5*time.Second)
		defer cancel()
		var err error
		s, err = h.host.NewStream(ctx, h.victim, protocol.Exchange)
		return err == nil
	})
	h.talk = &talk{Stream: s, out: frame.NewWriter(s)}
	go h.talk.read()
	claim, err := h.roster.Claim(h.id, h.replica, version.ClockAt(time.Now()))
	if err != nil {
		h.t.Fatal(err)
	}
	h.say(
		&wirepb.Tell{What: &wirepb.Tell_Hello{Hello: h.hello()}},
		h.state(h.head),
		&wirepb.Tell{What: &wirepb.Tell_Statements{Statements: &wirepb.Statements{
			Folder: h.folder[:], Statements: [][]byte{claim.Encode()}}}},
	)
	until(h.t, "the victim's start", func() bool {
		h.talk.mu.Lock()
		defer h.talk.mu.Unlock()
		return len(h.talk.starts) > 0 || h.talk.err != nil
	})
}

// state is what the hostile says of its index.
func (h *hostile) state(head uint64) *wirepb.Tell {
	return &wirepb.Tell{What: &wirepb.Tell_Folders{Folders: &wirepb.Folders{Folders: []*wirepb.FolderState{{
		Folder: h.folder[:], Index: h.index, Head: head, Replica: uint64(h.replica), Roster: make([]byte, 16), Settled: true,
	}}}}}
}

func (t *talk) read() {
	in := frame.NewReader(t, 16<<20)
	for {
		var m wirepb.Reply
		err := in.Read(&m)
		t.mu.Lock()
		switch w := m.GetWhat().(type) {
		case *wirepb.Reply_Start:
			t.starts = append(t.starts, w.Start)
		case *wirepb.Reply_Ack:
			t.acks = append(t.acks, w.Ack)
		default:
			t.others++
		}
		t.err = err
		t.mu.Unlock()
		if err != nil {
			_ = t.Reset()
			return
		}
	}
}

// ended tells how the stream ended, nil if it has not.
func (t *talk) ended() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.err
}

// say sends messages. A victim that has given up the stream is no failure.
func (h *hostile) say(messages ...proto.Message) {
	h.t.Helper()
	for _, m := range messages {
		if err := h.talk.out.Write(m); err != nil {
			return
		}
	}
	_ = h.talk.out.Flush()
}

// announce tells of changes and waits until the victim has read them.
func (h *hostile) announce(records ...*wirepb.Record) {
	h.t.Helper()
	m := &wirepb.Records{Folder: h.folder[:], Index: h.index, After: h.head, Records: records}
	for range records {
		m.Steps = append(m.Steps, 1)
	}
	h.mu.Lock()
	h.head += uint64(len(records))
	m.Through, m.Head = h.head, h.head
	h.mu.Unlock()
	h.say(&wirepb.Tell{What: &wirepb.Tell_Records{Records: m}})
	until(h.t, "the victim's ack", func() bool { return h.received() >= m.GetThrough() || h.talk.ended() != nil })
}

func (h *hostile) received() (n uint64) {
	h.talk.mu.Lock()
	defer h.talk.mu.Unlock()
	for _, k := range h.talk.acks {
		n = max(n, k.GetReceived())
	}
	return n
}

// next is a version of the hostile's own on top of another.
func (h *hostile) next(base version.Version) version.Version {
	h.count++
	return base.Next(h.replica, h.count, version.ClockAt(time.Now()))
}

// file is an entry for new content, which the hostile then holds.
func (h *hostile) file(p entry.Path, base version.Version, content string) *entry.Entry {
	e := &entry.Entry{
		Path: p, Kind: entry.File, Mode: 0o644, ModTime: time.Now().UnixNano(), Size: int64(len(content)), Epoch: 1,
		AuthorName: hostileName, Version: h.next(base),
	}
	if content != "" {
		id := h.keys.BlockID([]byte(content))
		e.Blocks = []entry.Block{{ID: id, Length: uint32(len(content))}}
		h.mu.Lock()
		h.blocks[id] = []byte(content)
		h.mu.Unlock()
	}
	return e
}

func (h *hostile) sealed(e *entry.Entry) *wirepb.Record { return h.sealer.seal(h.t, bareOf(e)) }

// barrier tells of one honest file and waits for it: all that was told before
// has then been dealt with, and the hostile is still listened to.
func (h *hostile) barrier(victim *device) string {
	h.t.Helper()
	name := fmt.Sprintf("zz-barrier-%d", h.count)
	h.announce(h.sealed(h.file(entry.Path(name), version.Version{}, name)))
	until(h.t, "a good file after the bad ones", func() bool { return victim.holds(name, name) })
	return name
}

// startWith asks the victim for changes as one that has seen a lot.
func (h *hostile) startWith(seen, after uint64) {
	h.t.Helper()
	h.mu.Lock()
	out, state := h.replies, h.states[0]
	h.mu.Unlock()
	if err := errors.Join(out.Write(&wirepb.Reply{What: &wirepb.Reply_Start{Start: &wirepb.Start{
		Folder: h.folder[:], Index: state.GetIndex(), After: after, Seen: seen, Roster: make([]byte, 16),
	}}}), out.Flush()); err != nil {
		h.t.Fatal(err)
	}
}

// giveHonestly answers requests for the blocks that the hostile holds.
func (h *hostile) giveHonestly(s network.Stream) {
	h.giveBy(s, func(out *frame.Writer, id entry.BlockID) error {
		h.mu.Lock()
		plain, ok := h.blocks[id]
		h.mu.Unlock()
		if !ok {
			return out.Write(&wirepb.BlockHeader{Status: wirepb.BlockHeader_STATUS_MISSING})
		}
		return h.giveSealed(out, plain)
	})
}

func (h *hostile) giveSealed(out *frame.Writer, plain []byte) error {
	sealed, err := h.keys.SealBlock(nil, h.keys.BlockID(plain), plain, seal.Raw)
	if err != nil {
		return err
	}
	return giveBytes(out, sealed)
}

func giveBytes(out *frame.Writer, sealed []byte) error {
	return errors.Join(out.Write(&wirepb.BlockHeader{Status: wirepb.BlockHeader_STATUS_OK, Size: uint32(len(sealed))}), out.WriteRaw(sealed))
}

// giveBy answers each block of each request with what one writes.
func (h *hostile) giveBy(s network.Stream, one func(*frame.Writer, entry.BlockID) error) {
	defer func() { _ = s.Reset() }()
	in, out := frame.NewReader(s, 1<<20), frame.NewWriter(s)
	for {
		var m wirepb.BlockRequest
		if err := in.Read(&m); err != nil {
			if errors.Is(err, io.EOF) {
				_ = s.Close()
			}
			return
		}
		for ids := m.GetIds(); len(ids) >= 32; ids = ids[32:] {
			if one(out, entry.BlockID(ids)) != nil {
				return
			}
		}
		if out.Flush() != nil {
			return
		}
	}
}

// evil makes the hostile answer requests for blocks so.
func (h *hostile) evil(give func(s network.Stream)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.give = give
}

// request asks the victim for blocks on a stream of its own.
func (h *hostile) request(folder entry.FolderID, ids ...entry.BlockID) (network.Stream, *frame.Reader, error) {
	s, err := h.host.NewStream(h.t.Context(), h.victim, protocol.Blocks)
	if err != nil {
		return nil, nil, err
	}
	r := &wirepb.BlockRequest{Folder: folder[:]}
	for _, id := range ids {
		r.Ids = append(r.Ids, id[:]...)
	}
	out := frame.NewWriter(s)
	return s, frame.NewReader(s, 64), errors.Join(out.Write(r), out.Flush())
}

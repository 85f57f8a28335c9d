package node_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"testing"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	libp2ptls "github.com/libp2p/go-libp2p/p2p/security/tls"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/roster"
	"github.com/kithmesh/kith/index/version"
	"github.com/kithmesh/kith/node/control"
	"github.com/kithmesh/kith/node/identity"
	"github.com/kithmesh/kith/node/recovery"
	"github.com/kithmesh/kith/proto/wirepb"
	"github.com/kithmesh/kith/protocol"
	"github.com/kithmesh/kith/protocol/blocks"
	"github.com/kithmesh/kith/protocol/frame"
	"github.com/kithmesh/kith/protocol/history"
	"github.com/kithmesh/kith/protocol/seal"
)

// holder is who has the words of a device's folder, and means no good.
func holder(t testing.TB, victim *device, words string) *hostile {
	t.Helper()
	phrase, err := identity.ParsePhrase(words)
	if err != nil {
		t.Fatal(err)
	}
	id, err := phrase.Identity()
	if err != nil {
		t.Fatal(err)
	}
	h := &hostile{
		t: t, id: id, replica: 0x776f726473, index: 0xbad,
		ring: map[entry.Epoch]seal.FolderKey{}, entries: map[entry.Path]entry.Entry{}, blocks: map[entry.BlockID][]byte{},
	}
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
	until(t, "the folder", func() bool {
		h.connect() // it is let in a moment after the words are in effect
		h.mu.Lock()
		defer h.mu.Unlock()
		return len(h.states) > 0
	})
	h.mu.Lock()
	h.folder = entry.FolderID(h.states[0].GetFolder())
	h.mu.Unlock()
	s, err := h.host.NewStream(t.Context(), h.victim, protocol.Exchange)
	if err != nil {
		t.Fatal(err)
	}
	h.talk = &talk{Stream: s, out: frame.NewWriter(s)}
	go h.talk.read()
	h.say(&wirepb.Tell{What: &wirepb.Tell_Hello{Hello: h.hello()}}, h.state(5))
	until(t, "the victim's start", func() bool {
		h.talk.mu.Lock()
		defer h.talk.mu.Unlock()
		return len(h.talk.starts) > 0 || h.talk.err != nil
	})
	return h
}

// TestWhoHasTheWordsIsNoMember of a device that still has the folder: rosters
// are told and heard, and nothing else is.
func TestWhoHasTheWordsIsNoMember(t *testing.T) {
	t.Parallel()
	laptop := start(t, "laptop")
	laptop.write("a.txt", "a")
	addFolder(t, laptop)
	spy := intrude(t, laptop)
	until(t, "the file", func() bool { _, ok := spy.knows("a.txt"); return ok })
	h := holder(t, laptop, laptop.words())
	f := h.folder
	known, _ := spy.knows("a.txt")

	open := func(id protocol.ID) func(context.Context) (network.Stream, error) {
		return func(ctx context.Context) (network.Stream, error) { return h.host.NewStream(ctx, h.victim, id) }
	}
	get := blocks.NewClient(func(ctx context.Context) (blocks.Stream, error) { return open(protocol.Blocks)(ctx) })
	defer get.Close()
	err := get.Fetch(t.Context(), blocks.Request{Folder: f, IDs: []entry.BlockID{known.Blocks[0].ID}}, func(int, []byte) error { return nil })
	if !errors.Is(err, blocks.ErrRefused) {
		t.Errorf("a block: %v", err)
	}
	past := history.NewClient(f, func(ctx context.Context) (history.Stream, error) { return open(protocol.History)(ctx) })
	defer past.Close()
	if _, err := past.State(t.Context()); !errors.Is(err, history.ErrRefused) {
		t.Errorf("the past: %v", err)
	}

	// What only a member may say is not heard.
	other := f
	other[0] ^= 1
	h.gives(keyOf(0), keyOf(1))
	h.say(
		&wirepb.Tell{What: &wirepb.Tell_Offers{Offers: &wirepb.Offers{Offers: []*wirepb.Offer{{Folder: other[:], Label: "gift", Role: uint32(entry.RoleBackup)}}}}},
		&wirepb.Tell{What: &wirepb.Tell_Contacts{Contacts: &wirepb.Contacts{Contacts: []*wirepb.Contact{{Device: string(spy.ID()), Name: "x", Addresses: []string{"/ip4/127.0.0.1/tcp/9"}}}}}},
		&wirepb.Tell{What: &wirepb.Tell_Records{Records: &wirepb.Records{Folder: f[:], Index: h.index, Through: 1, Head: 1, Steps: []uint64{1},
			Records: []*wirepb.Record{spy.sealed(spy.file("evil.txt", version.Version{}, "evil"))}}}},
		&wirepb.Tell{What: &wirepb.Tell_Ask{Ask: &wirepb.Ask{Folder: f[:], Nonce: 1}}},
	)
	until(t, "an answer", func() bool { h.talk.mu.Lock(); defer h.talk.mu.Unlock(); return h.talk.others > 1 })
	if o, err := laptop.Offers(t.Context()); err != nil || len(o) > 0 {
		t.Errorf("an offer was taken: %v, %v", o, err)
	}
	st, err := laptop.Status(t.Context(), "")
	if err != nil || slices.ContainsFunc(st.Peers, func(p control.PeerStatus) bool { return p.ID == h.ID() }) || laptop.counts(&device{id: h.ID()}) {
		t.Errorf("it is a peer, or a member: %+v, %v", st.Peers, err)
	}
	if _, known := listing(t, laptop.root)["evil.txt"]; known {
		t.Error("a record was taken")
	}
	h.mu.Lock()
	if len(h.ring) > 0 || len(h.batches) > 0 || h.keys != nil || h.states[0].GetHead() > 0 {
		t.Errorf("it was told %d keys, %d batches, head %d", len(h.ring), len(h.batches), h.states[0].GetHead())
	}
	h.mu.Unlock()

	laptop.words() // others, so that these are void
	until(t, "it to be let go", func() bool { return len(h.host.Network().ConnsToPeer(h.victim)) == 0 })
	_ = h.host.Connect(t.Context(), peer.AddrInfo{ID: h.victim, Addrs: h.addrs})
	until(t, "it not to be let in again", func() bool { return len(h.host.Network().ConnsToPeer(h.victim)) == 0 })
}

// TestAMemberThatSealsFalseKeysHoldsNothingUp has one say, with a clock set back
// and before anybody else, that the first key is another.
func TestAMemberThatSealsFalseKeysHoldsNothingUp(t *testing.T) {
	t.Parallel()
	laptop, nas := start(t, "laptop"), start(t, "nas")
	laptop.write("a.txt", "a")
	addFolder(t, laptop)
	liar := intrude(t, laptop)
	words := laptop.words()
	nas.backup(laptop, "docs")
	phrase, err := identity.ParsePhrase(words)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := recovery.Unlock(phrase)
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := secret.Public().Seal(liar.folder, map[entry.Epoch]seal.FolderKey{1: seal.NewFolderKey(), 77: seal.NewFolderKey()})
	if err != nil {
		t.Fatal(err)
	}
	lie := roster.Statement{
		Folder: liar.folder, Kind: roster.Recover, Clock: 1, Author: liar.ID(), Subject: secret.Public().Device(), Payload: sealed[0],
	}
	if lie, err = lie.Sign(liar.id); err != nil {
		t.Fatal(err)
	}
	liar.say(&wirepb.Tell{What: &wirepb.Tell_Statements{Statements: &wirepb.Statements{Folder: liar.folder[:], Statements: [][]byte{lie.Encode()}}}})
	_, before := laptop.opens(words, "docs")
	nas.settled()
	until(t, "the lie at the backup", func() bool { _, f := nas.opens(words, "docs"); return f.Epochs == 2 })
	if _, f := laptop.opens(words, "docs"); !before.Covered || !f.Covered || f.Epochs != 1 {
		t.Errorf("the words open %+v, and before %+v", f, before)
	}
	want := listing(t, laptop.root)
	laptop.down()
	fresh := start(t, "fresh")
	if _, err := fresh.recover(control.RecoverRequest{Phrase: words, At: nas.addrs, Revoke: []string{"laptop", hostileName}}); err != nil {
		t.Fatal(err)
	}
	until(t, "the file", func() bool { return maps.Equal(want, listing(t, fresh.at("docs"))) })
	if lines := fresh.log.with("could not be found"); len(lines) > 0 {
		t.Errorf("%q", lines)
	}
}

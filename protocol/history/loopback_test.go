package history_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	libp2ptls "github.com/libp2p/go-libp2p/p2p/security/tls"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/version"
	"github.com/kithmesh/kith/protocol"
	"github.com/kithmesh/kith/protocol/history"
	"github.com/kithmesh/kith/protocol/seal"
)

var photos = entry.FolderID{'p', 'h', 'o', 't', 'o', 's'}

func newHost(t *testing.T) host.Host {
	t.Helper()
	h, err := libp2p.New(libp2p.ListenAddrStrings("/ip4/127.0.0.1/tcp/0"), libp2p.Transport(tcp.NewTCPTransport),
		libp2p.Security(libp2ptls.ID, libp2ptls.New), libp2p.DisableRelay(), libp2p.DisableMetrics(), libp2p.Ping(false))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.Close() })
	return h
}

// diary is a vault of many versions that breaks after some.
type diary struct {
	record *seal.Record
	member entry.DeviceID
	breaks entry.Sequence
}

var errDisk = errors.New("the disk is gone")

func (d *diary) State(context.Context, history.Asker) (history.State, error) {
	return history.State{}, nil
}

func (d *diary) AsOf(context.Context, history.Asker, time.Time, func(history.Held) error) error {
	return history.ErrFuture
}

func (d *diary) Versions(context.Context, history.Asker, []seal.RecordID, func(history.Held) error) error {
	return nil
}

func (d *diary) Received(_ context.Context, by history.Asker, after entry.Sequence, each func(history.Held) error) error {
	if by != (history.Asker{Peer: d.member, Folder: photos}) {
		return history.ErrRefused
	}
	for n := after + 1; n <= 20_000; n++ {
		if n == d.breaks {
			return errDisk
		}
		if err := each(history.Held{Record: d.record, Sequence: n, Received: time.UnixMicro(int64(n)), From: by.Peer}); err != nil {
			return err
		}
	}
	return nil
}

// TestAVaultIsAskedOverTheNetwork by the rules by which all streams are served.
func TestAVaultIsAskedOverTheNetwork(t *testing.T) {
	vault, asker := newHost(t), newHost(t)
	if err := asker.Connect(t.Context(), peer.AddrInfo{ID: vault.ID(), Addrs: vault.Addrs()}); err != nil {
		t.Fatal(err)
	}
	d := &diary{record: anyRecord(t), member: entry.DeviceID(asker.ID().String())}
	server := protocol.NewServer(func(id peer.ID) bool { return id == asker.ID() }, slog.New(slog.DiscardHandler))
	t.Cleanup(server.Close)
	rule := protocol.Rule{Name: "history", Streams: 4, Memory: 256 << 10, Idle: 10 * time.Second}
	vault.SetStreamHandler(protocol.History, server.Serve(rule, func(ctx context.Context, by entry.DeviceID, s *protocol.Stream) error {
		return (&history.Server{Source: d}).Handle(ctx, by, s)
	}))
	streams := 0
	open := func(ctx context.Context) (history.Stream, error) {
		streams++
		s, err := asker.NewStream(ctx, vault.ID(), protocol.History)
		return s, err
	}
	client, stranger := history.NewClient(photos, open), history.NewClient(entry.FolderID{1}, open)
	t.Cleanup(client.Close)
	t.Cleanup(stranger.Close)
	count := func(c *history.Client, after entry.Sequence) (n int, err error) {
		err = c.Received(t.Context(), after, func(history.Held) error { n++; return nil })
		return n, err
	}
	for range 3 {
		if n, err := count(client, 5); n != 19_995 || err != nil {
			t.Errorf("%d versions: %v", n, err)
		}
	}
	if streams != 1 {
		t.Errorf("%d streams for three requests", streams)
	}
	if _, err := count(stranger, 0); !errors.Is(err, history.ErrRefused) {
		t.Errorf("another folder: %v", err)
	}
	d.breaks = 19_000
	if n, err := count(client, 0); err == nil || n >= 19_000 {
		t.Errorf("a vault that broke gave %d versions: %v", n, err)
	}
}

func anyRecord(t *testing.T) *seal.Record {
	t.Helper()
	keys, err := seal.Derive(photos, 1, seal.FolderKey{1})
	if err != nil {
		t.Fatal(err)
	}
	r, err := keys.SealRecord(&entry.Entry{
		Path: "a", Kind: entry.Directory, Epoch: 1, Mode: 0o755,
		Version: version.Version{Vector: version.Vector{{Replica: 1, Count: 1}}, Clock: 1, Author: 1},
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

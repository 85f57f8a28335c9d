package rendezvous

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/ipfs/boxo/ipns"
	"github.com/ipfs/go-cid"
	ds "github.com/ipfs/go-datastore"
	dssync "github.com/ipfs/go-datastore/sync"
	"github.com/libp2p/go-libp2p"
	dht "github.com/libp2p/go-libp2p-kad-dht"
	pb "github.com/libp2p/go-libp2p-kad-dht/pb"
	record "github.com/libp2p/go-libp2p-record"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	"github.com/multiformats/go-multihash"
)

// observer is a node of the DHT that keeps all that it is asked and told.
type observer struct {
	host  host.Host
	dht   *dht.IpfsDHT
	store ds.Batching

	mu    sync.Mutex
	seen  bytes.Buffer
	given int // records to store
	asked int
}

func observe(t testing.TB, entry []string, opts ...dht.Option) *observer {
	t.Helper()
	h, err := libp2p.New(libp2p.ListenAddrStrings("/ip4/127.0.0.1/tcp/0"), libp2p.DisableMetrics(), libp2p.DisableRelay(), libp2p.ForceReachabilityPrivate())
	if err != nil {
		t.Fatal(err)
	}
	o := &observer{host: h, store: dssync.MutexWrap(ds.NewMapDatastore())}
	o.dht, err = dht.New(context.Background(), h, append([]dht.Option{
		dht.Mode(dht.ModeServer), dht.Datastore(o.store), dht.DisableAutoRefresh(), dht.OnRequestHook(o.note),
	}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := o.dht.Close(); err != nil {
			t.Error(err)
		}
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	for _, text := range entry {
		n, err := peer.AddrInfoFromString(text)
		if err != nil {
			t.Fatal(err)
		}
		if err := h.Connect(within(t), *n); err != nil {
			t.Fatal(err)
		}
	}
	return o
}

// note keeps a whole message, and what is known of who has sent it.
func (o *observer) note(_ context.Context, s network.Stream, m *pb.Message) {
	o.mu.Lock()
	defer o.mu.Unlock()
	fmt.Fprintf(&o.seen, "%s %s %s\n", s.Conn().RemotePeer(), s.Conn().RemoteMultiaddr(), m.String())
	o.asked++
	if m.GetType() == pb.Message_PUT_VALUE {
		o.given++
	}
	o.seen.Write(m.GetKey())
	o.seen.Write(m.GetRecord().GetValue())
}

// leaks tells what was heard of that must stay unknown, in whatever form.
func leaks(t testing.TB, heard []byte, ids []peer.ID, at []ma.Multiaddr) {
	t.Helper()
	for _, id := range ids {
		key, err := deviceKey(id)
		if err != nil {
			t.Fatal(err)
		}
		for _, form := range [][]byte{[]byte(id), []byte(id.String()), key} {
			if bytes.Contains(heard, form) {
				t.Errorf("the observer has heard of device %s", id)
			}
		}
	}
	for _, a := range at {
		ip, err := a.ValueForProtocol(ma.P_IP4)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(heard, a.Bytes()) || bytes.Contains(heard, []byte(ip)) {
			t.Errorf("the observer has heard of %s", a)
		}
	}
}

// guesses are keys that one who knows all IDs could think of.
func guesses(t testing.TB, ids []peer.ID) []string {
	t.Helper()
	var out []string
	today := dayOf(time.Now())
	name := func(seed []byte) {
		key, _, err := crypto.GenerateEd25519Key(bytes.NewReader(seed))
		if err != nil {
			t.Fatal(err)
		}
		id, err := peer.IDFromPrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, string(ipns.NameFromPeer(id).RoutingKey()))
	}
	for _, a := range ids {
		out = append(out, string(ipns.NameFromPeer(a).RoutingKey()), "/pk/"+string(a))
		for _, b := range ids {
			ka, _ := deviceKey(a)
			kb, _ := deviceKey(b)
			for day := today - 1; day <= today+1; day++ {
				// With everything right but the secret.
				for _, secret := range [][]byte{nil, ka, kb, append(ka[:32:32], kb...)} {
					s, err := noticeSlot(secret, day, ka, kb)
					if err != nil {
						t.Fatal(err)
					}
					out = append(out, s.key())
				}
			}
			sum := sha256.Sum256(fmt.Append(nil, pairLabel, a, b, today))
			name(sum[:])
		}
	}
	return out
}

func TestAnObserverWhoKnowsAllIDsGetsNoAddressInAThousandLookUps(t *testing.T) {
	first, all := mesh(t, 8, nowhere)
	o := observe(t, first.Nodes()[:1], dht.ProtocolPrefix(privatePrefix),
		dht.Validator(record.NamespacedValidator{"ipns": ipns.Validator{}}))
	eventually(t, "the observer is in the DHT", func() bool {
		if err := <-o.dht.RefreshRoutingTable(); err != nil {
			t.Log(err)
		}
		return o.dht.RoutingTable().Size() >= 8
	})

	publishAll(t, all, 0)
	findAll(t, all, 0)

	var ids []peer.ID
	var secret []ma.Multiaddr
	for i, a := range all {
		ids = append(ids, a.id)
		secret = append(secret, place(i)...)
	}
	keys := guesses(t, ids)
	lookUps, got := 0, bytes.Buffer{}
	for lookUps < 800 {
		value, err := o.dht.GetValue(within(t), keys[lookUps%len(keys)])
		if err == nil {
			t.Errorf("a value under a guessed key: %x", value)
		}
		lookUps++
	}
	for _, id := range ids {
		for range 13 { // again and again, as the answers come from many nodes
			if info, err := o.dht.FindPeer(within(t), id); err == nil {
				t.Errorf("the device is in the DHT: %v", info)
			}
			hash, err := multihash.Sum([]byte(id), multihash.SHA2_256, -1)
			if err != nil {
				t.Fatal(err)
			}
			for who := range o.dht.FindProvidersAsync(within(t), cid.NewCidV1(cid.Raw, hash), 0) {
				t.Errorf("a provider: %v", who)
			}
			lookUps += 2
		}
	}
	if lookUps < 1000 {
		t.Errorf("only %d look-ups", lookUps)
	}

	// And what has come to it, as one of those who store.
	o.mu.Lock()
	got.Write(o.seen.Bytes())
	given, asked := o.given, o.asked
	o.mu.Unlock()
	if given == 0 {
		t.Error("the observer has not been given a record to store")
	}
	leaks(t, got.Bytes(), ids, secret)
	for _, id := range o.host.Peerstore().Peers() {
		leaks(t, []byte(id), ids, nil)
		for _, a := range o.host.Peerstore().Addrs(id) {
			leaks(t, []byte(a.String()), nil, secret)
		}
	}
	t.Logf("%d look-ups; %d records given to store, %d messages heard of %d bytes", lookUps, given, asked, got.Len())
}

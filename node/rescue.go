package node

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"golang.org/x/sync/errgroup"

	"github.com/kithmesh/kith/discovery"
	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/roster"
	"github.com/kithmesh/kith/index/version"
	"github.com/kithmesh/kith/node/identity"
	"github.com/kithmesh/kith/node/recovery"
	"github.com/kithmesh/kith/protocol"
)

// rescue is the holder of recovery words on the network, for as long as it takes
// to get folders back: a host of its own, under the identity of the words. The
// members of the folders let it in, as their rosters name it; they tell it the
// rosters, and it tells them what it has to say. It has no part in anything
// else.
//
// Nobody is known to it beforehand but by an address. On the local network it
// announces itself; who knows it connects, and is believed nothing that a
// roster does not prove.
type rescue struct {
	device  *Device
	secret  *recovery.Secret
	net     *discovery.Net
	server  *protocol.Server
	index   uint64
	changed notice

	mu      sync.Mutex
	met     map[entry.DeviceID]*witness
	rosters map[entry.FolderID]roster.Roster // as all together know them
	heard   int                              // bytes of statements
	news    time.Time                        // when somebody last told something
}

// Bounds of what strangers can cost while folders are got back.
const (
	maxWitnesses = 16
	maxTold      = 256 << 20 // bytes of statements
)

// rescue calls do while the holder of the words is on the network; near says to
// be found on the local one.
func (d *Device) rescue(parent context.Context, secret *recovery.Secret, near bool, do func(context.Context, *rescue) error) error {
	net, err := discovery.New(discovery.Options{
		Key: secret.Identity().Key(), Listen: d.rescueListen(near), LANOnly: d.Settings.LANOnly, MDNS: near && d.Settings.MDNS,
		Log: d.Log, UserAgent: d.Software,
	})
	if err != nil {
		return err
	}
	x := &rescue{
		device: d, secret: secret, net: net, server: protocol.NewServer(net.Trusted, d.Log), changed: newNotice(), news: time.Now(),
		met: map[entry.DeviceID]*witness{}, rosters: map[entry.FolderID]roster.Roster{}, index: randomIndex(),
	}
	net.Host().SetStreamHandler(protocol.Exchange, x.server.Serve(
		protocol.Rule{Name: "recovery", Streams: exchangeSlots, Memory: 256 << 10}, x.listen))
	ctx, cancel := context.WithCancel(parent)
	defer cancel()
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return net.Run(ctx) })
	g.Go(func() error { x.watch(ctx, g); return nil })
	if near {
		x.welcome()
	}
	err = do(ctx, x)
	cancel()
	x.server.Close()
	return errors.Join(err, g.Wait(), net.Close())
}

func randomIndex() uint64 {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	return binary.BigEndian.Uint64(b[:]) | 1
}

// rescueListen is where the holder of the words listens: nowhere that others
// can reach, unless it is to be found.
func (d *Device) rescueListen(near bool) []string {
	if !near {
		return []string{"/ip4/127.0.0.1/tcp/0"}
	}
	return []string{"/ip4/0.0.0.0/tcp/0", "/ip6/::/tcp/0", "/ip4/0.0.0.0/udp/0/quic-v1", "/ip6/::/udp/0/quic-v1"}
}

// welcome lets in whoever connects. They have heard an announcement that only
// those can read who know the words' identity; anybody else can connect as
// well, and gets nothing by it.
func (x *rescue) welcome() {
	x.net.OpenDoor()
	x.net.Host().Network().Notify(&network.NotifyBundle{ConnectedF: func(_ network.Network, c network.Conn) {
		who := c.RemotePeer()
		if c.Stat().Direction != network.DirInbound || x.net.Trusted(who) || len(x.net.Peers()) >= maxWitnesses {
			return
		}
		if err := x.net.Trust(who); err != nil {
			x.device.Log.Info("a device cannot help to recover", "device", who, "error", err)
		}
	}})
}

// seek looks for devices at addresses, and returns those that are there.
func (x *rescue) seek(ctx context.Context, at []string) (who []entry.DeviceID, failed error) {
	var mu sync.Mutex
	var g errgroup.Group
	for _, addr := range at {
		g.Go(func() error {
			id, err := x.net.WhoIs(ctx, addr)
			if err == nil {
				err = x.trust(id, addr)
			}
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				failed = errors.Join(failed, err)
				return nil
			}
			who = append(who, entry.DeviceID(id.String()))
			return nil
		})
	}
	_ = g.Wait()
	return who, failed
}

func (x *rescue) trust(id peer.ID, addrs ...string) error {
	if err := x.net.Trust(id); err != nil {
		return err
	}
	x.net.Remember(id, addrs)
	return nil
}

// watch talks with whoever is connected, until the network ends.
func (x *rescue) watch(ctx context.Context, g *errgroup.Group) {
	telling := map[entry.DeviceID]context.CancelFunc{}
	for e := range x.net.Events() {
		if e.Kind == discovery.Learned {
			continue
		}
		id := entry.DeviceID(e.Device.String())
		if stop := telling[id]; stop != nil {
			stop()
			delete(telling, id)
		}
		if e.Kind != discovery.Connected {
			x.changed.tell()
			continue
		}
		w := x.witness(id)
		talk, stop := context.WithCancel(ctx)
		telling[id] = stop
		g.Go(func() error { w.tell(talk, e.Device); return nil })
	}
	for _, stop := range telling {
		stop()
	}
}

func (x *rescue) witness(id entry.DeviceID) *witness {
	x.mu.Lock()
	defer x.mu.Unlock()
	w := x.met[id]
	if w == nil {
		w = newWitness(x, id)
		x.met[id] = w
	}
	return w
}

// say makes statements about a folder in the name of the words, and tells them.
func (x *rescue) say(id entry.FolderID, make func(r roster.Roster, by roster.Signer, now version.Clock) (roster.Statement, error)) error {
	x.mu.Lock()
	r := x.rosters[id]
	st, err := make(r, x.secret.Identity(), version.ClockAt(time.Now()))
	if err == nil {
		var refused []error
		r, _, refused = r.Add(st)
		err = errors.Join(refused...)
	}
	if err == nil {
		x.rosters[id] = r
	}
	x.mu.Unlock()
	x.tellAll()
	return err
}

func (x *rescue) tellAll() {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, w := range x.met {
		w.teller.Wake()
	}
}

// learn takes statements about a folder.
func (x *rescue) learn(id entry.FolderID, statements []roster.Statement) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	for i := range statements {
		x.heard += len(statements[i].Encode())
	}
	if x.heard > maxTold {
		return fmt.Errorf("too much was told about the members of folders: %d MiB", x.heard>>20)
	}
	r, known := x.rosters[id]
	if !known {
		r = roster.New(id, identity.Verify)
	}
	x.rosters[id], _, _ = r.Add(statements...)
	x.news = time.Now()
	return nil
}

// opens are the folders in which the words are in force, with their rosters.
func (x *rescue) opens() map[entry.FolderID]roster.Roster {
	x.mu.Lock()
	defer x.mu.Unlock()
	out := map[entry.FolderID]roster.Roster{}
	for id, r := range x.rosters {
		if r.IsRecovery(x.secret.Identity().ID()) {
			out[id] = r
		}
	}
	return out
}

// taken tells whether some witness knows all that was said about a folder.
func (x *rescue) taken(id entry.FolderID) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	digest := x.rosters[id].Digest()
	for _, w := range x.met {
		if st, tells := w.told[id]; tells && st.Roster == digest {
			return true
		}
	}
	return false
}

// await waits until something is so.
func (x *rescue) await(ctx context.Context, limit time.Duration, is func() bool) bool {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for {
		changed := x.changed.next()
		if is() {
			return true
		}
		timer := time.NewTimer(awaitEvery)
		select {
		case <-changed:
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
		if ctx.Err() != nil {
			return is()
		}
	}
}

const awaitEvery = 100 * time.Millisecond

// listed are the devices that have told which folders they know.
func (x *rescue) listed() (out []*witness) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, w := range x.met {
		if w.listed {
			out = append(out, w)
		}
	}
	slices.SortFunc(out, func(a, b *witness) int { return cmp.Compare(a.id, b.id) })
	return out
}

// ready tells whether all of them have told all that they know.
func (x *rescue) ready() bool {
	return !slices.ContainsFunc(x.listed(), func(w *witness) bool { return !w.ready() })
}

// quietFor tells whether nobody has told anything for a time.
func (x *rescue) quietFor(t time.Duration) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return time.Since(x.news) >= t
}

// tellers are the devices that know a folder, and where they are.
func (x *rescue) tellers(id entry.FolderID) (out []whereabouts) {
	addrs := map[entry.DeviceID][]string{}
	for _, p := range x.net.Peers() {
		addrs[entry.DeviceID(p.Device.String())] = p.Addrs
	}
	for _, w := range x.listed() {
		if w.tells(id) {
			x.mu.Lock()
			name := w.name
			x.mu.Unlock()
			out = append(out, whereabouts{w.id, name, addrs[w.id]})
		}
	}
	return out
}

package node

import (
	"context"
	"errors"
	"sync"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"golang.org/x/sync/errgroup"

	"github.com/kithmesh/kith/discovery"
	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/recovery"
	"github.com/kithmesh/kith/node/recovery/rescue"
	"github.com/kithmesh/kith/protocol"
)

// rescuing is a holder of recovery words on the network, for as long as it takes
// to get folders back: a host of its own, under the identity of the words. The
// members of the folders let it in, as their rosters name it; they tell it the
// rosters, and it tells them what it has to say. It has no part in anything
// else.
//
// Nobody is known to it beforehand but by an address. On the local network it
// announces itself; who knows it connects, and is believed nothing that a
// roster does not prove.
type rescuing struct {
	*rescue.Rescue
	device *Device
	net    *discovery.Net
	server *protocol.Server
}

// rescue calls do while the holder of the words is on the network; near says to
// be found on the local one.
func (d *Device) rescue(parent context.Context, secret *recovery.Secret, near bool, do func(context.Context, *rescuing) error) error {
	net, err := discovery.New(discovery.Options{
		Key: secret.Identity().Key(), Listen: d.rescueListen(near), LANOnly: d.Settings.LANOnly, MDNS: near && d.Settings.MDNS,
		Log: d.Log, UserAgent: d.Software,
	})
	if err != nil {
		return err
	}
	x := &rescuing{Rescue: rescue.New(secret), device: d, net: net, server: protocol.NewServer(net.Trusted, d.Log)}
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
func (x *rescuing) welcome() {
	x.net.OpenDoor()
	x.net.Host().Network().Notify(&network.NotifyBundle{ConnectedF: func(_ network.Network, c network.Conn) {
		who := c.RemotePeer()
		if c.Stat().Direction != network.DirInbound || x.net.Trusted(who) || len(x.net.Peers()) >= rescue.MaxWitnesses {
			return
		}
		if err := x.net.Trust(who); err != nil {
			x.device.Log.Info("a device cannot help to recover", "device", who, "error", err)
		}
	}})
}

// seek looks for devices at addresses, and returns those that are there.
func (x *rescuing) seek(ctx context.Context, at []string) (who []entry.DeviceID, failed error) {
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

func (x *rescuing) trust(id peer.ID, addrs ...string) error {
	if err := x.net.Trust(id); err != nil {
		return err
	}
	x.net.Vouch(id, addrs) // a person has given them
	x.net.Remember(id, addrs)
	return nil
}

// watch talks with whoever is connected, until the network ends.
func (x *rescuing) watch(ctx context.Context, g *errgroup.Group) {
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
			x.Changed()
			continue
		}
		talk, stop := context.WithCancel(ctx)
		telling[id] = stop
		g.Go(func() error { x.tell(talk, e.Device); return nil })
	}
	for _, stop := range telling {
		stop()
	}
}

// tell tells a device, on one stream after the other, until ctx ends.
func (x *rescuing) tell(ctx context.Context, who peer.ID) {
	id := entry.DeviceID(who.String())
	for ctx.Err() == nil {
		err := x.tellOnce(ctx, who, x.Witness(id))
		if ctx.Err() == nil {
			x.device.Log.Debug("telling a device of the recovery ended", "device", id, "error", err)
		}
		if pause(ctx, firstRedial) != nil {
			return
		}
	}
}

func (x *rescuing) tellOnce(ctx context.Context, who peer.ID, w *rescue.Witness) error {
	open, cancel := context.WithTimeout(network.WithNoDial(ctx, "discovery dials"), openTimeout)
	raw, err := x.net.Host().NewStream(open, who, protocol.Exchange)
	cancel()
	if err != nil {
		return err
	}
	return w.Tell(ctx, x.server.Open(raw, 0), x.device.hello())
}

// listen is the handler of an exchange stream that a device opened.
func (x *rescuing) listen(ctx context.Context, id entry.DeviceID, s *protocol.Stream) error {
	return x.Witness(id).Listen(ctx, s, x.device.hello())
}

// whereabouts is a device that was met, and where.
type whereabouts struct {
	rescue.Teller
	addresses []string
}

// found are the folders that the words open, and those that they should open
// and do not, with where the devices are that know them.
func (x *rescuing) found() (opened, keyless []*regained) {
	addrs := map[entry.DeviceID][]string{}
	for _, p := range x.net.Peers() {
		addrs[entry.DeviceID(p.Device.String())] = p.Addrs
	}
	with := func(all []rescue.Folder) (out []*regained) {
		for _, f := range all {
			r := &regained{Folder: f}
			for _, t := range f.Tellers {
				r.members = append(r.members, whereabouts{t, addrs[t.ID]})
			}
			out = append(out, r)
		}
		return out
	}
	good, bad := x.Folders()
	return with(good), with(bad)
}

package node

import (
	"context"
	"errors"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/kithmesh/kith/discovery"
	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/membership"
	"github.com/kithmesh/kith/node/traffic"
	"github.com/kithmesh/kith/protocol"
	"github.com/kithmesh/kith/protocol/blocks"
	"github.com/kithmesh/kith/protocol/history"
	"github.com/kithmesh/kith/protocol/pair"
)

// serve sets the handlers of all protocols.
func (d *Device) serve() {
	h := d.net.Host()
	h.SetStreamHandler(protocol.Exchange, d.server.Serve(
		protocol.Rule{Name: "exchange", Streams: exchangeSlots, Memory: 256 << 10}, d.onLane(d.listen)))
	give := &blocks.Server{Source: d}
	h.SetStreamHandler(protocol.Blocks, d.server.Serve(
		protocol.Rule{Name: "blocks", Streams: blockSlots, Memory: 256 << 10, Idle: blockIdle},
		d.onLane(func(ctx context.Context, id entry.DeviceID, s *traffic.Lane) error { return give.Handle(ctx, id, s) })))
	told := &history.Server{Source: archive{d}, Keeping: archive{d}}
	h.SetStreamHandler(protocol.History, d.server.Serve(
		protocol.Rule{Name: "history", Streams: historySlots, Memory: 1 << 20, Idle: blockIdle},
		d.onLane(func(ctx context.Context, id entry.DeviceID, s *traffic.Lane) error { return told.Handle(ctx, id, s) })))
	d.net.HandlePairing(protocol.ID(pair.Protocol), d.showTo)
}

// watchNet makes links of connections, until discovery ends.
func (d *Device) watchNet() {
	for e := range d.net.Events() {
		id := entry.DeviceID(e.Device.String())
		switch e.Kind {
		case discovery.Connected:
			d.Log.Info("connected", "device", id, "via", string(e.Route.Via), "transport", string(e.Route.Transport), "addr", e.Route.Addr)
			d.connect(e.Device)
			d.found(e.Device)
		case discovery.Rerouted:
			d.Log.Info("reached in another way", "device", id, "via", string(e.Route.Via), "transport", string(e.Route.Transport), "addr", e.Route.Addr)
			d.reroute(id)
		case discovery.Disconnected:
			d.Log.Info("disconnected", "device", id)
			d.disconnect(id)
			d.saw(id, nil) // until now
		case discovery.Learned:
			d.saw(id, e.Addrs)
		}
	}
	d.eachLink(func(l *link) { d.saw(l.id, nil) })
}

// found stores where a device is that was met: others may have told of it, and
// then there is nothing more to learn.
func (d *Device) found(id peer.ID) {
	for _, p := range d.net.Peers() {
		if p.Device == id {
			d.saw(entry.DeviceID(id.String()), p.Addrs)
		}
	}
}

func (d *Device) saw(id entry.DeviceID, addrs []string) {
	err := d.store.Saw(id, time.Now(), addrs...)
	if err != nil && !errors.Is(err, membership.ErrUnknown) { // who has recovery words is no peer
		d.Log.Warn("store addresses", "device", id, "error", err)
	}
}

package node

import (
	"context"
	"errors"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/kithmesh/kith/discovery"
	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/membership"
	"github.com/kithmesh/kith/protocol"
	"github.com/kithmesh/kith/protocol/blocks"
	"github.com/kithmesh/kith/protocol/history"
	"github.com/kithmesh/kith/protocol/pair"
)

// serve sets the handlers of all protocols.
func (d *Device) serve() {
	h := d.net.Host()
	h.SetStreamHandler(protocol.Exchange, d.server.Serve(
		protocol.Rule{Name: "exchange", Streams: exchangeSlots, Memory: 256 << 10}, d.listen))
	give := &blocks.Server{Source: d}
	h.SetStreamHandler(protocol.Blocks, d.server.Serve(
		protocol.Rule{Name: "blocks", Streams: blockSlots, Memory: 256 << 10, Idle: blockIdle},
		func(ctx context.Context, id entry.DeviceID, s *protocol.Stream) error { return give.Handle(ctx, id, s) }))
	told := &history.Server{Source: archive{d}, Keeping: archive{d}}
	h.SetStreamHandler(protocol.History, d.server.Serve(
		protocol.Rule{Name: "history", Streams: historySlots, Memory: 1 << 20, Idle: blockIdle},
		func(ctx context.Context, id entry.DeviceID, s *protocol.Stream) error { return told.Handle(ctx, id, s) }))
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
		case discovery.Disconnected:
			d.Log.Info("disconnected", "device", id)
			d.disconnect(id)
		case discovery.Learned:
			d.saw(id, e.Addrs)
		}
	}
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

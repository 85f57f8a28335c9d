package node

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	"github.com/multiformats/go-multiaddr"

	"github.com/kithmesh/kith/discovery"
	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/control"
	"github.com/kithmesh/kith/protocol"
	"github.com/kithmesh/kith/protocol/pair"
)

// How long the parts of using a code may take.
const (
	reachWait   = 15 * time.Second // connecting with one device
	askingWait  = 8 * time.Second  // one that was found, to get to the proof
	askedAtOnce = 8                // addresses whose owners are asked at once
)

// UseCode implements [control.Pairing].
func (d *Device) UseCode(ctx context.Context, r control.UseCodeRequest) (control.Paired, error) {
	p, err := d.useCode(ctx, r)
	if err != nil {
		return control.Paired{}, fmt.Errorf("pair: %w", pairingError(err))
	}
	return p, nil
}

func (d *Device) useCode(ctx context.Context, r control.UseCodeRequest) (control.Paired, error) {
	if pair.IsTicket(r.Code) {
		t, err := pair.ParseTicket(r.Code)
		if err != nil {
			return control.Paired{}, fmt.Errorf("%w: %w", control.ErrInvalid, err)
		}
		return d.enterTicket(ctx, t, r.At)
	}
	c, err := pair.ParseCode(r.Code)
	if err != nil {
		return control.Paired{}, fmt.Errorf("%w: %w", control.ErrInvalid, err)
	}
	if len(r.At) > 0 {
		return d.enterAt(ctx, c.Secret(), r.At)
	}
	return d.enterFound(ctx, c)
}

// enterTicket proves a ticket's secret to the device that it names, at the
// addresses that it names and those given beside it, and nowhere else.
func (d *Device) enterTicket(ctx context.Context, t pair.Ticket, at []string) (control.Paired, error) {
	who, err := peer.Decode(string(t.Device))
	if err != nil {
		return control.Paired{}, fmt.Errorf("%w: %w: %w", control.ErrInvalid, pair.ErrTicket, err)
	}
	addrs, err := placesToDial(slices.Concat(at, t.Addresses))
	if err != nil {
		return control.Paired{}, err
	}
	if len(addrs) == 0 {
		return control.Paired{}, control.WithHint(fmt.Errorf("the ticket names no address that this device can dial: %w", control.ErrUnreachable),
			"say where the other device is with --at, or use its code on the same network")
	}
	p, err := d.tryOne(ctx, t.Secret(), known{id: who, addrs: addrs, asked: true})
	return p, offTicket(err)
}

// enterAt proves a code to the device at one of the addresses.
func (d *Device) enterAt(ctx context.Context, secret *pair.Secret, at []string) (control.Paired, error) {
	if _, err := placesToDial(at); err != nil {
		return control.Paired{}, err
	}
	devices, failed := d.whoAreThere(ctx, at)
	for _, k := range devices {
		p, err := d.tryOne(ctx, secret, k)
		if err == nil || secret.Spent() {
			return p, err
		}
		failed = append(failed, err)
	}
	return control.Paired{}, offAddresses(failed)
}

// whoAreThere asks at all addresses at once who is there, and returns the
// devices in the order in which their addresses came.
func (d *Device) whoAreThere(ctx context.Context, at []string) (devices []known, failed []error) {
	ids, errs := make([]peer.ID, len(at)), make([]error, len(at))
	var all sync.WaitGroup
	slots := make(chan struct{}, askedAtOnce)
	for i, addr := range at {
		all.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			ids[i], errs[i] = d.net.WhoIs(ctx, addr)
		})
	}
	all.Wait()
	for i, addr := range at {
		if errors.Is(errs[i], discovery.ErrNobody) {
			errs[i] = &unanswered{addr, whyNot(errs[i])}
		}
		if errs[i] != nil {
			failed = append(failed, errs[i])
			continue
		}
		addrs, _ := placesToDial([]string{addr}) // which has been done before
		if j := slices.IndexFunc(devices, func(k known) bool { return k.id == ids[i] }); j >= 0 {
			devices[j].addrs = append(devices[j].addrs, addrs...)
			continue
		}
		devices = append(devices, known{id: ids[i], addrs: addrs, asked: true})
	}
	return devices, failed
}

// known is a device that may show a code, and where it may be.
type known struct {
	id    peer.ID
	addrs []multiaddr.Multiaddr
	asked bool // a person has said so
}

func (k known) texts() []string {
	out := make([]string, len(k.addrs))
	for i, a := range k.addrs {
		out[i] = a.String()
	}
	return out
}

// tryOne proves a secret to one device, and stores it if that went well.
func (d *Device) tryOne(ctx context.Context, secret *pair.Secret, k known) (control.Paired, error) {
	s, release, err := d.approach(ctx, k)
	if err != nil {
		return control.Paired{}, err
	}
	defer release()
	return d.converse(ctx, s, secret, k)
}

// approach connects to a device that is not trusted, most likely, and opens a
// stream. Release ends the connection unless the device has become trusted.
func (d *Device) approach(ctx context.Context, k known) (_ network.Stream, release func(), err error) {
	if k.id == d.net.ID() {
		return nil, nil, control.WithHint(pair.ErrSelf, "use it on the other device")
	}
	release, err = d.net.AllowDial(k.id)
	if err != nil {
		return nil, nil, err
	}
	if k.asked {
		d.net.Vouch(k.id, k.texts())
	}
	ctx, cancel := context.WithTimeout(ctx, reachWait)
	defer cancel()
	s, err := d.reach(ctx, k)
	if err != nil {
		release()
		return nil, nil, err
	}
	return s, release, nil
}

// reach dials a device at the addresses that are known now, and at none that
// somebody told of earlier.
func (d *Device) reach(ctx context.Context, k known) (network.Stream, error) {
	h := d.net.Host()
	if !d.net.Trusted(k.id) {
		h.Peerstore().ClearAddrs(k.id)
		defer h.Peerstore().ClearAddrs(k.id)
	}
	if w, ok := h.Network().(*swarm.Swarm); ok {
		w.Backoff().Clear(k.id) // a person has just asked for it
	}
	ctx = network.WithAllowLimitedConn(ctx, "pairing")
	if err := h.Connect(ctx, peer.AddrInfo{ID: k.id, Addrs: k.addrs}); err != nil {
		return nil, unreached(k, err)
	}
	s, err := h.NewStream(ctx, k.id, protocol.ID(pair.Protocol))
	if err != nil {
		return nil, shut(k, err)
	}
	return s, nil
}

// converse leads the conversation on a stream, and stores the device in the end.
func (d *Device) converse(ctx context.Context, s network.Stream, secret *pair.Secret, k known) (control.Paired, error) {
	defer func() { _ = s.Close() }()
	stop := context.AfterFunc(ctx, func() { _ = s.Reset() })
	defer stop()
	if err := s.SetDeadline(time.Now().Add(talkTime)); err != nil {
		return control.Paired{}, shut(k, err)
	}
	p, err := pair.Enter(s, d.self(), entry.DeviceID(k.id.String()), secret)
	if err != nil {
		if brokeOff(err) && !secret.Spent() {
			return control.Paired{}, shut(k, err)
		}
		return control.Paired{}, err
	}
	if err := d.keepPeer(p, k); err != nil {
		return control.Paired{}, fmt.Errorf("store %q: %w", p.Name, err)
	}
	return d.paired(p), nil
}

// placesToDial reads addresses that a person gave. What is no address is an
// error; what is none that kith dials is left out.
func placesToDial(texts []string) ([]multiaddr.Multiaddr, error) {
	var out []multiaddr.Multiaddr
	for _, text := range texts {
		a, err := multiaddr.NewMultiaddr(text)
		if err != nil {
			return nil, fmt.Errorf("%w: address %q: %w", control.ErrInvalid, text, err)
		}
		if bare := placeOf(a); bare != nil && !multiaddr.Contains(out, bare) {
			out = append(out, bare)
		}
	}
	return out, nil
}

// brokeOff tells whether a conversation ended because the stream did.
func brokeOff(err error) bool {
	var n interface{ Timeout() bool }
	return errors.Is(err, network.ErrReset) || errors.As(err, &n)
}

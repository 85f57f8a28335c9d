package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/control"
	"github.com/kithmesh/kith/node/membership"
	"github.com/kithmesh/kith/protocol"
	"github.com/kithmesh/kith/protocol/pair"
)

// How long the parts of pairing may take.
const (
	talkTime   = 30 * time.Second // one conversation
	hearTime   = 2 * time.Second  // for the other device to hear the last word
	searchTime = 20 * time.Second // finding the device that shows a code
)

func (d *Device) self() pair.Self { return pair.Self{ID: d.id.ID(), Name: d.Name()} }

// ShowCode implements [control.Pairing].
func (d *Device) ShowCode(
	ctx context.Context, r control.ShowCodeRequest, shown func(control.Invitation) error,
) (control.Paired, error) {
	for _, o := range r.Shares {
		if _, err := d.findShare(o.Folder); err != nil {
			return control.Paired{}, fmt.Errorf("share: %w", err)
		}
	}
	w, err := d.gate.Open(pair.Near)
	if err != nil {
		return control.Paired{}, fmt.Errorf("pair: %w", pairingError(err))
	}
	defer w.Close()
	d.net.OpenDoor()
	defer d.net.CloseDoor()
	defer d.awaitShown() // a refusal that is on its way is still to arrive
	ticket, err := w.Ticket(d.id.ID(), clipped(d.net.Addrs(), pair.MaxAddresses))
	if err != nil {
		return control.Paired{}, err
	}
	stop, announced := d.tasks.start(func(ctx context.Context) error {
		if err := d.net.AnnouncePairing(ctx, int(w.Code().Plate())); err != nil && ctx.Err() == nil {
			d.Log.Info("a code cannot be found on the local network", "error", err)
		}
		return nil
	})
	defer func() { stop(); <-announced }()
	invitation := control.Invitation{Code: w.Code().String(), Ticket: ticket.String(), Expires: w.Expires()}
	if err := shown(invitation); err != nil {
		return control.Paired{}, err
	}
	p, err := d.awaitPairing(ctx, w)
	if err != nil {
		return control.Paired{}, fmt.Errorf("pair: %w", pairingError(err))
	}
	for _, o := range r.Shares {
		req := control.ShareRequest{Folder: o.Folder, Device: string(p.ID), Role: o.Role}
		if _, err := d.Share(ctx, req); err != nil {
			return control.Paired{}, fmt.Errorf("paired with %q, but: %w", p.Name, err)
		}
	}
	return d.paired(p), nil
}

func clipped(all []string, n int) []string { return all[:min(n, len(all))] }

// awaitShown waits until every device that is being answered has its answer.
func (d *Device) awaitShown() {
	d.showing.Lock()
	defer d.showing.Unlock()
}

// awaitPairing waits until a code has been used, has burnt or is too old.
func (d *Device) awaitPairing(ctx context.Context, w *pair.Window) (pair.Peer, error) {
	timer := time.NewTimer(time.Until(w.Expires()))
	defer timer.Stop()
	select {
	case <-w.Done():
		return w.Result()
	case <-ctx.Done():
		return pair.Peer{}, ctx.Err()
	case <-timer.C:
	}
	// A device that came in time may be using it just now.
	late, cancel := context.WithTimeout(ctx, talkTime)
	defer cancel()
	for {
		p, err := w.Result()
		if !errors.Is(err, pair.ErrBusy) {
			return p, err
		}
		select {
		case <-w.Done():
		case <-late.Done():
			return pair.Peer{}, pair.ErrExpired
		}
	}
}

// showTo answers a device that wants to prove the code being shown.
func (d *Device) showTo(s network.Stream) {
	d.showing.RLock()
	defer d.showing.RUnlock()
	remote := entry.DeviceID(s.Conn().RemotePeer().String())
	if err := s.SetDeadline(time.Now().Add(talkTime)); err != nil {
		_ = s.Reset()
		return
	}
	_, err := d.gate.Show(s, d.self(), remote, func(p pair.Peer) error {
		return d.keepPeer(p, nil)
	})
	switch {
	case err == nil:
		d.Log.Info("paired", "device", remote)
	case errors.Is(err, pair.ErrBurnt):
		d.Log.Warn("a wrong pairing code was tried; the code is burnt", "device", remote, "error", err)
	default:
		d.Log.Info("a device did not pair", "device", remote, "error", err)
	}
	// The last message tells the other person why, so it has to arrive before
	// the connection goes: the other device closes the stream when it has it.
	_ = s.CloseWrite()
	_ = s.SetReadDeadline(time.Now().Add(hearTime))
	_, _ = io.Copy(io.Discard, io.LimitReader(s, 1<<10))
	_ = s.Close()
}

// keepPeer stores and trusts a device that has paired.
func (d *Device) keepPeer(p pair.Peer, addresses []string) error {
	rec := membership.Peer{ID: p.ID, Name: p.Name, PairedAt: time.Now(), Addresses: addresses}
	if old, ok := d.store.Peer(p.ID); ok {
		rec.Given, rec.LastSeen = old.Given, old.LastSeen
		rec.Addresses = append(rec.Addresses, old.Addresses...)
	}
	if err := d.store.PutPeer(rec); err != nil {
		return err
	}
	defer d.changed.tell()
	return d.trust(rec)
}

func (d *Device) paired(p pair.Peer) control.Paired {
	return control.Paired{Identity: d.identity(p.ID), Check: p.Check}
}

// UseCode implements [control.Pairing].
func (d *Device) UseCode(ctx context.Context, r control.UseCodeRequest) (control.Paired, error) {
	if pair.IsTicket(r.Code) {
		t, err := pair.ParseTicket(r.Code)
		if err != nil {
			return control.Paired{}, fmt.Errorf("%w: %w", control.ErrInvalid, err)
		}
		at := slices.Concat(r.At, t.Addresses)
		return d.enterAt(ctx, t.Secret(), at, t.Device)
	}
	c, err := pair.ParseCode(r.Code)
	if err != nil {
		return control.Paired{}, fmt.Errorf("%w: %w", control.ErrInvalid, err)
	}
	if len(r.At) > 0 {
		return d.enterAt(ctx, c.Secret(), r.At, "")
	}
	return d.enterNear(ctx, c)
}

// enterAt proves a secret to the device at one of the addresses.
func (d *Device) enterAt(ctx context.Context, secret *pair.Secret, at []string, id entry.DeviceID) (control.Paired, error) {
	byDevice := map[peer.ID][]string{}
	var failed error
	for _, addr := range at {
		who := peer.ID("")
		var err error
		if id != "" {
			who, err = peer.Decode(string(id))
		} else {
			who, err = d.net.WhoIs(ctx, addr)
		}
		if err != nil {
			failed = errors.Join(failed, err)
			continue
		}
		byDevice[who] = append(byDevice[who], addr)
	}
	for who, addrs := range byDevice {
		p, err := d.enter(ctx, secret, who, addrs)
		if err == nil {
			return p, nil
		}
		failed = errors.Join(failed, err)
		if secret.Spent() {
			return control.Paired{}, fmt.Errorf("pair: %w", pairingError(err))
		}
	}
	return control.Paired{}, fmt.Errorf("pair: %w", notReached(failed))
}

// enterNear finds the device that shows a code on the local network.
func (d *Device) enterNear(ctx context.Context, c pair.Code) (control.Paired, error) {
	ctx, cancel := context.WithTimeout(ctx, searchTime)
	defer cancel()
	found := make(chan peer.AddrInfo)
	stop, done := d.tasks.start(func(task context.Context) error {
		_ = d.net.FindPairing(task, int(c.Plate()), func(i peer.AddrInfo) {
			select {
			case found <- i:
			case <-task.Done():
			}
		})
		return nil
	})
	defer func() { stop(); <-done }()
	secret := c.Secret()
	var failed error
	for {
		select {
		case i := <-found:
			addrs := make([]string, 0, len(i.Addrs))
			for _, a := range i.Addrs {
				addrs = append(addrs, a.String())
			}
			p, err := d.enter(ctx, secret, i.ID, addrs)
			if err == nil {
				return p, nil
			}
			if secret.Spent() {
				return control.Paired{}, fmt.Errorf("pair: %w", pairingError(err))
			}
			failed = errors.Join(failed, err)
		case <-done:
			return control.Paired{}, fmt.Errorf("pair: %w", notReached(failed))
		case <-ctx.Done():
			return control.Paired{}, fmt.Errorf("pair: %w", notReached(failed))
		}
	}
}

// enter proves a secret to one device, and stores it if that went well.
func (d *Device) enter(ctx context.Context, secret *pair.Secret, who peer.ID, addrs []string) (control.Paired, error) {
	release, err := d.net.AllowDial(who)
	if err != nil {
		return control.Paired{}, err
	}
	defer release()
	ctx, cancel := context.WithTimeout(ctx, talkTime)
	defer cancel()
	s, err := d.reach(ctx, who, addrs)
	if err != nil {
		return control.Paired{}, err
	}
	defer func() { _ = s.Close() }()
	if deadline, ok := ctx.Deadline(); ok {
		_ = s.SetDeadline(deadline)
	}
	p, err := pair.Enter(s, d.self(), entry.DeviceID(who.String()), secret)
	if err != nil {
		return control.Paired{}, err
	}
	if err := d.keepPeer(p, addrs); err != nil {
		return control.Paired{}, fmt.Errorf("store %q: %w", p.Name, err)
	}
	return d.paired(p), nil
}

// reach connects to a device that is not trusted yet and opens a stream.
func (d *Device) reach(ctx context.Context, who peer.ID, addrs []string) (network.Stream, error) {
	info, err := addrInfo(who, addrs)
	if err != nil {
		return nil, err
	}
	h := d.net.Host()
	if err := h.Connect(ctx, info); err != nil {
		return nil, err
	}
	return h.NewStream(ctx, who, protocol.ID(pair.Protocol))
}

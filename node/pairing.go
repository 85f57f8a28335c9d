package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/libp2p/go-libp2p/core/network"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/control"
	"github.com/kithmesh/kith/node/membership"
	"github.com/kithmesh/kith/protocol/pair"
)

// How long the parts of showing a code may take.
const (
	talkTime = 30 * time.Second // one conversation
	hearTime = 2 * time.Second  // for the other device to hear the last word
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
	reach := pair.Near
	if r.Anywhere {
		if err := d.mayPublish(); err != nil {
			return control.Paired{}, fmt.Errorf("pair: %w", err)
		}
		reach = pair.Far
	}
	w, err := d.gate.Open(reach)
	if err != nil {
		return control.Paired{}, fmt.Errorf("pair: %w", pairingError(err))
	}
	defer w.Close()
	d.net.OpenDoor()
	defer d.net.CloseDoor()
	defer d.awaitShown() // a refusal that is on its way is still to arrive
	stop := d.announceLAN(w.Code().Plate())
	defer stop()
	if r.Anywhere {
		stop, err := d.publish(ctx, w.Code().Plate())
		if err != nil {
			return control.Paired{}, fmt.Errorf("pair: %w", err)
		}
		defer stop()
	}
	invitation, err := d.invitation(w)
	if err != nil {
		return control.Paired{}, err
	}
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

// invitation is a window as the other device needs it.
func (d *Device) invitation(w *pair.Window) (control.Invitation, error) {
	addrs := invited(d.places())
	ticket, err := w.Ticket(d.id.ID(), addrs)
	if err != nil {
		return control.Invitation{}, err
	}
	return control.Invitation{
		Code: w.Code().String(), Ticket: ticket.String(), Expires: w.Expires(),
		Anywhere: w.Code().Plate().Reach() == pair.Far, Outside: outside(addrs),
	}, nil
}

// announceLAN has a code found on the local network until it is stopped.
func (d *Device) announceLAN(plate pair.Plate) (stop func()) {
	end, ended := d.tasks.start(func(ctx context.Context) error {
		if err := d.net.AnnouncePairing(ctx, int(plate)); err != nil && ctx.Err() == nil {
			d.Log.Info("a code cannot be found on the local network", "error", err)
		}
		return nil
	})
	return func() { end(); <-ended }
}

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
		return d.keepPeer(p, known{})
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

// keepPeer stores and trusts a device that has paired. Where a person has said
// that it is stays apart from what is learnt: it may be dialled there always.
func (d *Device) keepPeer(p pair.Peer, k known) error {
	rec := membership.Peer{ID: p.ID, Name: p.Name, PairedAt: time.Now()}
	if old, ok := d.store.Peer(p.ID); ok {
		rec.Given, rec.LastSeen, rec.Addresses, rec.Asked = old.Given, old.LastSeen, old.Addresses, old.Asked
	}
	places := slices.DeleteFunc(k.texts(), func(a string) bool { return strings.Contains(a, "/p2p-circuit") }) // relays change
	rec.Learn(places...)
	if k.asked {
		rec.Ask(places...)
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

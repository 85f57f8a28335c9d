package node

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/kithmesh/kith/discovery"
	"github.com/kithmesh/kith/node/config"
	"github.com/kithmesh/kith/node/control"
	"github.com/kithmesh/kith/protocol/pair"
)

// discovery is how devices are found beyond the local network now.
func (d *Device) discovery() config.Discovery {
	now := d.setting()
	if now.LANOnly || now.Discovery == "" {
		return config.DiscoveryOff
	}
	return now.Discovery
}

// Widen implements [control.Pairing].
func (d *Device) Widen(_ context.Context, on bool, code string) (control.Discovery, error) {
	if err := mayBeCode(code); code != "" && err != nil {
		return control.Discovery{}, fmt.Errorf("pair: %w", err)
	}
	d.changing.Lock()
	defer d.changing.Unlock()
	now := d.setting()
	out := control.Discovery{Mode: string(now.Discovery), LANOnly: now.LANOnly}
	if out.Mode == "" {
		out.Mode = string(config.DiscoveryOff)
	}
	switch {
	case !on, out.Mode != string(config.DiscoveryOff) && !out.LANOnly:
		return out, nil
	case out.LANOnly:
		return out, errLANOnly()
	}
	if err := config.Set(d.Places.Config, "discovery", string(config.DiscoveryPublic)); err != nil {
		return out, fmt.Errorf("switch discovery on: %w", err)
	}
	d.widen(config.DiscoveryPublic)
	d.Log.Info("discovery beyond the local network is switched on, as a person has asked", "mode", config.DiscoveryPublic)
	d.changed.tell()
	out.Mode, out.Changed = string(config.DiscoveryPublic), true
	return out, nil
}

// mayBeCode refuses what is neither a code nor a ticket.
func mayBeCode(text string) error {
	var err error
	if pair.IsTicket(text) {
		_, err = pair.ParseTicket(text)
	} else {
		_, err = pair.ParseCode(text)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", control.ErrInvalid, err)
	}
	return nil
}

// widen begins to find devices beyond the local network.
func (d *Device) widen(mode config.Discovery) {
	d.net.Widen(d.wide(mode))
	d.hold(func(s *config.Settings) { s.Discovery = mode })
}

func errLANOnly() error {
	return control.WithHint(fmt.Errorf("%w: this device is to stay within the local network (its setting lan-only)", control.ErrInvalid),
		"kith config tells where that is set")
}

// mayPublish tells whether a code may be told beyond the local network.
func (d *Device) mayPublish() error {
	switch {
	case d.setting().LANOnly:
		return errLANOnly()
	case d.discovery() == config.DiscoveryOff:
		return control.WithHint(control.ErrDiscoveryOff, "kith pair --anywhere asks for it on a terminal, and switches it on")
	}
	return nil
}

// How long publishing a code may take.
const (
	outsideTime = 15 * time.Second // to have an address that others can dial
	outsideStep = 250 * time.Millisecond
	publishTime = time.Minute // for the DHT to take the number
)

// publish has a code found beyond the local network until it is stopped. It
// returns once that is so, or else why not.
func (d *Device) publish(ctx context.Context, plate pair.Plate) (stop func(), err error) {
	if err := d.awaitOutside(ctx); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, publishTime)
	defer cancel()
	published, failed := make(chan struct{}), make(chan error, 1)
	end, ended := d.tasks.start(func(ctx context.Context) error {
		err := d.net.AnnouncePlate(ctx, uint32(plate), sync.OnceFunc(func() { close(published) }))
		if err != nil && ctx.Err() == nil {
			d.Log.Warn("a code can no longer be found beyond the local network", "error", err)
		}
		failed <- err
		return nil
	})
	stop = func() { end(); <-ended }
	select {
	case <-published:
		return stop, nil
	case err = <-failed:
	case <-ctx.Done():
		stop()
		err = <-failed
	}
	stop()
	if cause := context.Cause(ctx); errors.Is(cause, context.Canceled) {
		return nil, cause
	}
	if err == nil || nobodyOnBoard(err) || errors.Is(err, context.Canceled) {
		return nil, control.WithHint(fmt.Errorf("publish the code's number: %w", control.ErrNoNodes), hintNodes)
	}
	return nil, fmt.Errorf("publish the code's number: %w", err)
}

// awaitOutside waits until there is an address that is worth publishing: the
// router may still be asked for one.
func (d *Device) awaitOutside(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, outsideTime)
	defer cancel()
	tick := time.NewTicker(outsideStep)
	defer tick.Stop()
	for d.discovery() == config.DiscoveryPublic && !outside(invited(d.places())) {
		select {
		case <-tick.C:
			continue
		case <-ctx.Done():
		}
		if errors.Is(ctx.Err(), context.Canceled) {
			return ctx.Err()
		}
		return control.WithHint(fmt.Errorf("from beyond its own network this device is %w: it has no public address, and no router has opened a port for it",
			control.ErrUnreachable), "have the router forward a port to it, or show the code on the other device")
	}
	return nil
}

// places are where this device may be reached, best first.
func (d *Device) places() []string { return d.net.Places() }

// wide is what is done beyond the local network in a mode of discovery.
func (d *Device) wide(mode config.Discovery) discovery.Wide {
	now := d.setting()
	return discovery.Wide{
		Relay: discovery.RelayMode(now.Relay), PortMapping: now.PortMapping,
		Board: &discovery.BoardOptions{Mode: discovery.BoardMode(mode), Dir: d.Places.State, Bootstrap: now.Bootstrap},
	}
}

// nobodyOnBoard tells whether the DHT could not be asked at all.
func nobodyOnBoard(err error) bool {
	return errors.Is(err, discovery.ErrAlone) || errors.Is(err, discovery.ErrNoBoard)
}

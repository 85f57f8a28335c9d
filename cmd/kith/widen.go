package main

import (
	"context"
	"fmt"

	"github.com/kithmesh/kith/node/control"
)

// What a person says yes to, once, and what then holds.
const (
	widening = `To be found from anywhere, this device has to take part in the public DHT of libp2p, whose
nodes are strangers. From now on it leaves its addresses there, sealed so that only the devices
it is paired with can read them, and looks for theirs; a node sees that somebody at your IP
address does so, not who. While a code with a long number is shown, whoever tries that number
learns this device's ID and addresses. Your router is asked to let connections in.
`
	widened = `Discovery beyond the local network is public from now on; discovery = "off" in the settings
file (kith paths) ends that when the device next starts.
`
)

// widen has devices found beyond the local network, if they are not so far. A
// person at a terminal is asked; who cannot be asked has said so by --anywhere. It
// fails for a code that cannot be one, and then nothing changes.
func (a *app) widen(ctx context.Context, c *control.Client, code string) error {
	d, err := c.Widen(ctx, false, code)
	if err != nil || d.Mode != "off" && !d.LANOnly {
		return err
	}
	if a.inTerminal && !a.json && !d.LANOnly {
		if _, err := fmt.Fprint(a.err, widening); err != nil {
			return err
		}
		if err := a.confirm(ctx, "Switch it on?"); err != nil {
			return err
		}
	}
	d, err = c.Widen(ctx, true, code)
	if err == nil && d.Changed {
		_, err = fmt.Fprint(a.err, widened)
	}
	return err
}

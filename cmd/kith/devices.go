package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/kithmesh/kith/node/control"
)

func (a *app) devicesCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "devices",
		Short: "List the devices that this one is paired with, or meets in a folder",
		Long: "List the devices that this one is paired with, or meets in a folder: how each is reached\n" +
			"and how long the way there and back takes, or why it is not reached, as far as known.\n\n" +
			"  lan     on the local network\n" +
			"  direct  beyond it, with nobody in between; punched: through routers that let nothing in\n" +
			"  relay   through another device of yours, which sees sealed bytes only\n\n" +
			"kith doctor DEVICE tries every way and says more.",
		Example: "  kith devices\n  kith devices rename phone pocket\n  kith devices revoke phone",
		Args:    cobra.NoArgs,
		RunE: a.ask(func(ctx context.Context, c *control.Client, _ []string) error {
			peers, err := c.Devices(ctx)
			if err != nil {
				return err
			}
			v := map[string][]peerView{"devices": views(peers, viewPeer)}
			return a.show(v, func(w io.Writer) error { return a.deviceTable(w, peers) })
		}),
	}
	cmd.AddCommand(a.renameCommand(), a.revokeCommand())
	return cmd
}

func (a *app) deviceTable(w io.Writer, peers []control.PeerStatus) error {
	if len(peers) == 0 {
		return say(w, "No other devices yet: kith pair shows a code for one.\n")
	}
	var t table
	for _, p := range peers {
		online := cell{text: "offline"}
		if p.Connected {
			online = cell{text: "online", style: good}
		}
		t.row(cell{text: p.Name, style: bold}, online, howReached(p), p.ID.Short(), p.Addr)
	}
	return t.write(w, a.outTerminal)
}

// howReached says how a device is reached, or else when it was seen and why it
// is not: "direct quic, punched, 38 ms, since 14:02", "relay tcp by nas", "seen 3 h ago: in
// another network".
func howReached(p control.PeerStatus) string {
	var parts []string
	switch {
	case !p.Connected:
		how := seen(p.LastSeen, now())
		if p.Why.Message != "" && !p.Paused {
			how += ": " + p.Why.Message
		}
		parts = append(parts, how)
	case p.Relay != "":
		parts = append(parts, strings.TrimSpace("relay "+string(p.Transport))+" by "+p.Relay)
	default:
		parts = append(parts, strings.TrimSpace(string(p.Via)+" "+string(p.Transport)))
	}
	if p.Punched {
		parts = append(parts, "punched")
	}
	if p.RoundTrip > 0 {
		parts = append(parts, roundTrip(p.RoundTrip))
	}
	if !p.Since.IsZero() {
		parts = append(parts, "since "+clock(p.Since, now()))
	}
	if p.Paused {
		parts = append(parts, "paused")
	}
	if p.Through {
		parts = append(parts, "through a folder")
	}
	return strings.Join(parts, ", ")
}

// roundTrip is "0.4 ms", "38 ms".
func roundTrip(d time.Duration) string {
	if d < 10*time.Millisecond {
		return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000)
	}
	return fmt.Sprintf("%d ms", d.Milliseconds())
}

func (a *app) renameCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "rename DEVICE NAME",
		Short: "Give a device another name",
		Long: "Give a device another name. That of a peer is for this device alone; that of this\n" +
			"device is what others get to know.",
		Example: "  kith devices rename phone pocket",
		Args:    cobra.ExactArgs(2),
		RunE: a.ask(func(ctx context.Context, c *control.Client, args []string) error {
			d, err := c.Rename(ctx, control.RenameRequest{Device: args[0], Name: args[1]})
			if err != nil {
				return err
			}
			v := struct {
				Device string `json:"device"`
				Name   string `json:"name"`
			}{string(d.ID), d.Name}
			return a.show(v, func(w io.Writer) error { return say(w, "%s is now called %s.\n", args[0], d.Name) })
		}),
		ValidArgsFunction: a.completeDevice,
	}
}

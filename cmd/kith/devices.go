package main

import (
	"context"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/kithmesh/kith/node/control"
)

func (a *app) devicesCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "devices",
		Short:   "List the devices that this one is paired with, or meets in a folder",
		Example: "  kith devices\n  kith devices rename phone pocket\n  kith devices revoke phone",
		Args:    cobra.NoArgs,
		RunE: a.ask(func(ctx context.Context, c *control.Client, _ []string) error {
			s, err := c.Status(ctx, "")
			if err != nil {
				return err
			}
			v := map[string][]peerView{"devices": views(s.Peers, viewPeer)}
			return a.show(v, func(w io.Writer) error { return a.deviceTable(w, s.Peers) })
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
		online, how := cell{text: "offline"}, seen(p.LastSeen, now())
		if p.Connected {
			online = cell{text: "online", style: good}
			how = strings.TrimSpace(string(p.Via) + " " + string(p.Transport))
		}
		if p.Paused {
			how += ", paused"
		}
		if p.Through {
			how += ", through a folder"
		}
		t.row(cell{text: p.Name, style: bold}, online, how, p.ID.Short(), p.Addr)
	}
	return t.write(w, a.outTerminal)
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

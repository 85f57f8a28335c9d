package main

import (
	"context"
	"io"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/control"
)

func (a *app) shareCommand() *cobra.Command {
	var as role
	cmd := &cobra.Command{
		Use:   "share FOLDER DEVICE",
		Short: "Offer a folder to a peer",
		Long: "Offer a folder to a peer, who takes it with kith accept. The role is what the peer\n" +
			"will do for the folder.",
		Example: "  kith share Documents phone\n  kith share Photos nas --role receive",
		Args:    cobra.ExactArgs(2),
		RunE: a.ask(func(ctx context.Context, c *control.Client, args []string) error {
			s, err := c.Share(ctx, control.ShareRequest{Folder: args[0], Device: args[1], Role: entry.Role(as)})
			if err != nil {
				return err
			}
			return a.show(viewShare(s), func(w io.Writer) error {
				where := " PATH"
				if !s.Role.HoldsKey() {
					where = ""
				}
				return say(w, "Offered %s to %s, as %s.\nOn %s: kith accept %s%s\n",
					s.Folder.Label, s.Device.Name, s.Role, s.Device.Name, quoted(s.Folder.Label), where)
			})
		}),
		ValidArgsFunction: a.completeFolderAndDevice,
	}
	cmd.Flags().Var(&as, "role", roleHelp)
	return cmd
}

func (a *app) unshareCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "unshare FOLDER DEVICE",
		Short: "Remove a peer from a folder, or take an offer back",
		Long: "Remove a peer from a folder, or take an offer back. The peer keeps the files that\n" +
			"it has, and gets no more.",
		Example: "  kith unshare Documents phone",
		Args:    cobra.ExactArgs(2),
		RunE: a.ask(func(ctx context.Context, c *control.Client, args []string) error {
			s, err := c.Unshare(ctx, control.UnshareRequest{Folder: args[0], Device: args[1]})
			if err != nil {
				return err
			}
			return a.show(viewShare(s), func(w io.Writer) error {
				return say(w, "%s no longer takes part in %s. It keeps the files that it has.\n", s.Device.Name, s.Folder.Label)
			})
		}),
		ValidArgsFunction: a.completeFolderAndDevice,
	}
}

type shareView struct {
	Folder string `json:"folder"`
	Label  string `json:"label"`
	Device string `json:"device"`
	Name   string `json:"name"`
	Role   string `json:"role"`
}

func viewShare(s control.Share) shareView {
	return shareView{s.Folder.ID.String(), s.Folder.Label, string(s.Device.ID), s.Device.Name, s.Role.String()}
}

func (a *app) offersCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "offers",
		Short:   "List what peers offer",
		Example: "  kith offers",
		Args:    cobra.NoArgs,
		RunE: a.ask(func(ctx context.Context, c *control.Client, _ []string) error {
			offers, err := c.Offers(ctx)
			if err != nil {
				return err
			}
			v := map[string][]offerView{"offers": views(offers, viewOffer)}
			return a.show(v, func(w io.Writer) error {
				if len(offers) == 0 {
					return say(w, "No peer offers anything. On the other device: kith share FOLDER DEVICE\n")
				}
				var t table
				for _, o := range offers {
					t.row(cell{text: o.Label, style: bold}, o.Role.String(), "from "+o.From.Name, acceptLine(o))
				}
				return t.write(w, a.outTerminal)
			})
		}),
	}
}

type offerView struct {
	Folder string `json:"folder"`
	Label  string `json:"label"`
	From   string `json:"from"`
	Name   string `json:"name"`
	Role   string `json:"role"`
}

func viewOffer(o control.Offer) offerView {
	return offerView{o.Folder.String(), o.Label, string(o.From.ID), o.From.Name, o.Role.String()}
}

func acceptLine(o control.Offer) string {
	if !o.Role.HoldsKey() {
		return "kith accept " + quoted(o.Label)
	}
	return "kith accept " + quoted(o.Label) + " PATH"
}

func (a *app) acceptCommand() *cobra.Command {
	var as role
	cmd := &cobra.Command{
		Use:   "accept FOLDER [PATH]",
		Short: "Take what a peer offers",
		Long: "Take what a peer offers, and keep it at PATH. The directory is made if there is none;\n" +
			"files that are in it take part: none is lost, and what is the same is not sent. It\n" +
			"returns as soon as the folder is set up; syncing goes on behind (kith status, kith\n" +
			"wait).\n\n" +
			"As a backup this device needs no PATH: it keeps every version, sealed, and can read\n" +
			"nothing. A PATH then says where the vault is to lie.",
		Example: "  kith accept Documents ~/Documents\n  kith accept Photos /srv/photos --role receive\n" +
			"  kith accept Documents --role backup",
		Args: cobra.RangeArgs(1, 2),
		RunE: a.ask(func(ctx context.Context, c *control.Client, args []string) error {
			r := control.AcceptRequest{Folder: args[0], Role: entry.Role(as)}
			if len(args) > 1 {
				path, err := filepath.Abs(args[1])
				if err != nil {
					return err
				}
				r.Path = path
			}
			f, err := c.AcceptOffer(ctx, r)
			if err != nil {
				return err
			}
			return a.show(viewFolder(f), func(w io.Writer) error {
				if f.Path == "" {
					return say(w, "Accepted %s as %s. kith status tells how far it is.\n", f.Label, f.Role)
				}
				return say(w, "Accepted %s as %s, in %s. kith status tells how far it is.\n", f.Label, f.Role, f.Path)
			})
		}),
		ValidArgsFunction: a.completeOffer,
	}
	cmd.Flags().Var(&as, "role", roleHelp+"; if not given, the one that is offered")
	return cmd
}

// quoted is s as a shell takes it.
func quoted(s string) string {
	if s != "" && !strings.ContainsAny(s, " \t'\"\\$&|;<>()*?[]{}~#!`") {
		return s
	}
	if strings.Contains(s, "'") {
		return strconv.Quote(s)
	}
	return "'" + s + "'"
}

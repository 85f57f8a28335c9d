package main

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/kithmesh/kith/node/control"
)

// completeTime bounds how long a shell waits for names from the device.
const completeTime = time.Second

// complete asks the running device for names; a device that does not answer
// has none.
func (a *app) complete(names func(context.Context, *control.Client) []string) ([]string, cobra.ShellCompDirective) {
	ctx, cancel := context.WithTimeout(context.Background(), completeTime)
	defer cancel()
	c, err := a.dial(ctx)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	defer c.Close()
	return names(ctx, c), cobra.ShellCompDirectiveNoFileComp
}

func folderNames(ctx context.Context, c *control.Client) []string {
	s, err := c.Status(ctx, "")
	if err != nil {
		return nil
	}
	return views(s.Folders, func(f control.FolderStatus) string { return f.Label })
}

func deviceNames(ctx context.Context, c *control.Client) []string {
	s, err := c.Status(ctx, "")
	if err != nil {
		return nil
	}
	return views(s.Peers, func(p control.PeerStatus) string { return p.Name })
}

func offerNames(ctx context.Context, c *control.Client) []string {
	offers, err := c.Offers(ctx)
	if err != nil {
		return nil
	}
	return views(offers, func(o control.Offer) string { return o.Label })
}

func batchNames(ctx context.Context, c *control.Client) []string {
	held, err := c.Held(ctx, "")
	if err != nil {
		return nil
	}
	return views(held, func(b control.HeldBatch) string { return b.ID })
}

func (a *app) completeBatch(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return a.complete(batchNames)
}

// completeFolderOrPath completes the labels of folders, and else leaves it to
// the shell.
func (a *app) completeFolderOrPath(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	labels, _ := a.complete(folderNames)
	return labels, cobra.ShellCompDirectiveDefault
}

// completeSnapshot completes the labels of the snapshots of the folder that
// was named.
func (a *app) completeSnapshot(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) == 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	folder, _, _ := strings.Cut(args[0], "/")
	return a.complete(func(ctx context.Context, c *control.Client) []string {
		all, err := c.Snapshots(ctx, folder)
		if err != nil {
			return nil
		}
		return views(all, func(s control.Snapshot) string { return s.Label })
	})
}

func (a *app) completeFolder(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return a.complete(folderNames)
}

func (a *app) completeFolders(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return a.complete(folderNames)
}

func (a *app) completeDevice(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return a.complete(deviceNames)
}

func (a *app) completeFolderAndDevice(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	switch len(args) {
	case 0:
		return a.complete(folderNames)
	case 1:
		return a.complete(deviceNames)
	}
	return nil, cobra.ShellCompDirectiveNoFileComp
}

func (a *app) completeOffer(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	switch len(args) {
	case 0:
		return a.complete(offerNames)
	case 1:
		return nil, cobra.ShellCompDirectiveFilterDirs
	}
	return nil, cobra.ShellCompDirectiveNoFileComp
}

package main

import (
	"context"
	"errors"
	"io"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/control"
)

// role is a flag that takes a role; zero when it was not given.
type role entry.Role

// String is empty for no role.
func (r *role) String() string {
	if *r == 0 {
		return ""
	}
	return entry.Role(*r).String()
}

// Type names the value in help texts.
func (r *role) Type() string { return "ROLE" }

// Set reads what was given.
func (r *role) Set(s string) error {
	parsed, err := entry.ParseRole(s)
	*r = role(parsed)
	return err
}

const roleHelp = "sync, send, receive, archive or backup"

// roleTexts says what each role means for the device that has it.
var roleTexts = map[entry.Role]string{
	entry.RoleSync:    "changes go both ways",
	entry.RoleSend:    "changes go out from here, and none is taken",
	entry.RoleReceive: "changes are taken, and edits here stay here",
	entry.RoleArchive: "new files and edits go out; what is deleted here stays elsewhere",
	entry.RoleBackup:  "every version is kept, sealed",
}

func roleLines() string {
	var b strings.Builder
	for r := entry.RoleSync; r <= entry.RoleBackup; r++ {
		b.WriteString("  " + r.String() + strings.Repeat(" ", 9-len(r.String())) + roleTexts[r] + "\n")
	}
	return b.String()
}

func (a *app) roleCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "role FOLDER ROLE [PATH]",
		Short: "Change what this device does for a folder",
		Long: "Change what this device does for a folder, at once. What lies here stays, and nothing\n" +
			"is sent again. A backup that gets another role needs a PATH for its tree, and the\n" +
			"folder's key from a device that has it (kith share there). The roles:\n\n" + roleLines(),
		Example: "  kith role Photos archive\n  kith role Photos sync /srv/photos",
		Args:    cobra.RangeArgs(2, 3),
		RunE: func(cmd *cobra.Command, args []string) error {
			r, err := entry.ParseRole(args[1])
			if err != nil {
				return usageError(cmd, err)
			}
			req := control.RoleRequest{Folder: args[0], Role: r}
			if len(args) > 2 {
				if req.Path, err = filepath.Abs(args[2]); err != nil {
					return err
				}
			}
			return a.ask(func(ctx context.Context, c *control.Client, _ []string) error {
				f, err := c.SetRole(ctx, req)
				if err != nil {
					return err
				}
				return a.show(viewFolder(f), func(w io.Writer) error {
					return say(w, "%s is now %s here: %s.\n", f.Label, f.Role, roleTexts[f.Role])
				})
			})(cmd, args)
		},
		ValidArgsFunction: func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			if len(args) == 0 {
				return a.complete(folderNames)
			}
			if len(args) == 1 {
				return []string{"sync", "send", "receive", "archive", "backup"}, cobra.ShellCompDirectiveNoFileComp
			}
			if len(args) == 2 {
				return nil, cobra.ShellCompDirectiveFilterDirs
			}
			return nil, cobra.ShellCompDirectiveNoFileComp
		},
	}
}

func (a *app) revokeCommand() *cobra.Command {
	yes := false
	cmd := &cobra.Command{
		Use:   "revoke DEVICE",
		Short: "Put a lost or stolen device out of everything",
		Long: "Put a device out of every folder in which this one may do so, with new keys for what\n" +
			"comes after, and end the pairing. The device keeps what it has, and gets no more, from\n" +
			"anybody. It can come back only by pairing anew.",
		Example: "  kith devices revoke phone",
		Args:    cobra.ExactArgs(1),
		RunE: a.ask(func(ctx context.Context, c *control.Client, args []string) error {
			if a.inTerminal && !yes {
				if err := a.confirm(ctx, "Put "+args[0]+" out of every folder, for good?"); err != nil {
					return err
				}
			}
			r, err := c.Revoke(ctx, args[0])
			if err != nil {
				return err
			}
			v := revokedView{viewDevice(r.Identity), views(r.Folders, viewFolderRef), views(r.Kept, viewFolderRef)}
			return a.show(v, func(w io.Writer) error { return revokedLines(w, r) })
		}),
		ValidArgsFunction: a.completeDevice,
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask")
	return cmd
}

// errDeclined is a no to a question.
var errDeclined = errors.New("nothing was done: the answer was no")

// confirm asks a person; anything but yes is a no.
func (a *app) confirm(ctx context.Context, question string) error {
	answer, err := a.readLine(ctx, printable(question)+" [y/N] ")
	if err != nil {
		return err
	}
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return nil
	}
	return errDeclined
}

type revokedView struct {
	deviceView
	Folders []folderRefView `json:"folders"`
	Kept    []folderRefView `json:"kept"`
}

type folderRefView struct {
	Folder string `json:"folder"`
	Label  string `json:"label"`
}

func viewFolderRef(f control.Folder) folderRefView { return folderRefView{f.ID.String(), f.Label} }

func revokedLines(w io.Writer, r control.Revoked) error {
	out := "no folder, since it was in none of them"
	if len(r.Folders) > 0 {
		out = labelsOf(r.Folders)
	}
	if err := say(w, "%s is no longer paired with this device, and is put out of %s.\n", r.Name, out); err != nil {
		return err
	}
	if len(r.Kept) == 0 {
		return nil
	}
	return say(w, "It is still a member of %s: this device has no right to change that.\n", labelsOf(r.Kept))
}

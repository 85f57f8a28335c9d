package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/kithmesh/kith/node/control"
)

func (a *app) addCommand() *cobra.Command {
	label := ""
	cmd := &cobra.Command{
		Use:   "add PATH",
		Short: "Make a tree a folder",
		Long: "Make a tree a folder. It returns as soon as the folder is set up; the first scan\n" +
			"goes on behind (kith status).",
		Example: "  kith add ~/Documents\n  kith add /srv/photos --name Photos",
		Args:    cobra.ExactArgs(1),
		RunE: a.ask(func(ctx context.Context, c *control.Client, args []string) error {
			path, err := filepath.Abs(args[0])
			if err != nil {
				return err
			}
			f, err := c.AddFolder(ctx, control.AddRequest{Path: path, Label: label})
			if err != nil {
				return err
			}
			return a.show(viewFolder(f), func(w io.Writer) error {
				return say(w, "%s is now a folder, called %s.\nNext: kith share %s DEVICE, or kith pair --share %s for a new device.\n",
					f.Path, f.Label, quoted(f.Label), quoted(f.Label))
			})
		}),
	}
	cmd.Flags().StringVar(&label, "name", "", "its `LABEL`, instead of the last name of PATH")
	return cmd
}

func (a *app) foldersCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "folders",
		Short:   "List the folders of this device",
		Example: "  kith folders\n  kith folders --json",
		Args:    cobra.NoArgs,
		RunE: a.ask(func(ctx context.Context, c *control.Client, _ []string) error {
			s, err := c.Status(ctx, "")
			if err != nil {
				return err
			}
			v := map[string][]folderStatusView{"folders": views(s.Folders, viewFolderStatus)}
			return a.show(v, func(w io.Writer) error { return a.folderTable(w, s.Folders) })
		}),
	}
}

func (a *app) folderTable(w io.Writer, folders []control.FolderStatus) error {
	if len(folders) == 0 {
		return say(w, "No folders yet: kith add PATH makes a tree a folder.\n")
	}
	var t table
	for _, f := range folders {
		where := f.Path
		if where == "" {
			where = "sealed, no tree here"
		}
		t.row(cell{text: f.Label, style: bold}, f.Role.String(), f.ID.String()[:8], where)
	}
	return t.write(w, a.outTerminal)
}

func (a *app) scanCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "scan [FOLDER]",
		Short:   "Look for changes now",
		Long:    "Look for changes now, and return when they are found and announced to peers.",
		Example: "  kith scan Documents",
		Args:    cobra.MaximumNArgs(1),
		RunE: a.ask(func(ctx context.Context, c *control.Client, args []string) error {
			folder := ""
			if len(args) > 0 {
				folder = args[0]
			}
			scanned, err := c.ScanFolders(ctx, folder)
			if err != nil {
				return err
			}
			v := map[string][]folderStatusView{"folders": views(scanned, viewFolderStatus)}
			return a.show(v, func(w io.Writer) error {
				var t table
				for _, f := range scanned {
					t.row(cell{text: f.Label, style: bold}, "scanned", cell{text: plural(f.Files, "file"), right: true}, size(f.Bytes))
				}
				return t.write(w, a.outTerminal)
			})
		}),
		ValidArgsFunction: a.completeFolder,
	}
}

func (a *app) leaveCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "leave FOLDER",
		Short:   "Stop taking part in a folder; its files stay",
		Long:    "Stop taking part in a folder. Its files stay where they are, here and elsewhere.",
		Example: "  kith leave Documents",
		Args:    cobra.ExactArgs(1),
		RunE: a.ask(func(ctx context.Context, c *control.Client, args []string) error {
			f, err := c.LeaveFolder(ctx, args[0])
			if err != nil {
				return err
			}
			return a.show(viewFolder(f), func(w io.Writer) error {
				if f.Path == "" {
					return say(w, "Left %s.\n", f.Label)
				}
				return say(w, "Left %s. Its files stay in %s.\n", f.Label, f.Path)
			})
		}),
		ValidArgsFunction: a.completeFolder,
	}
}

// say prints a sentence; the operands come from elsewhere and are made fit for
// a terminal.
func say(w io.Writer, format string, operands ...any) error {
	for i, o := range operands {
		operands[i] = printable(fmt.Sprint(o))
	}
	_, err := fmt.Fprintf(w, format, operands...)
	return err
}

package main

import (
	"context"
	"errors"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/kithmesh/kith/node/control"
)

// overwrite is a flag that takes what becomes of what is there.
type overwrite control.Overwrite

// String is what was given.
func (o *overwrite) String() string { return string(*o) }

// Type names the value in help texts.
func (o *overwrite) Type() string { return "HOW" }

// Set reads what was given.
func (o *overwrite) Set(s string) error {
	switch control.Overwrite(s) {
	case control.OverwriteNever, control.OverwriteIfChanged, control.OverwriteAlways:
		*o = overwrite(s)
		return nil
	}
	return errors.New("not one of never, if-changed and always")
}

const overwriteHelp = "  never       it stays as it is, mode and time included; what has other content goes\n              beside it, as NAME (restored ...).EXT\n" +
	"  if-changed  it is replaced if a history or the index knows it, so that nothing is lost\n" +
	"  always      it is replaced\n\n"

func (a *app) restoreCommand() *cobra.Command {
	var r control.RestoreRequest
	how, to := overwrite(control.OverwriteNever), ""
	cmd := &cobra.Command{
		Use:   "restore FOLDER[/PATH]",
		Short: "Give back what was",
		Long: "Give back a folder, or what was at a path of it and below, as it was at a moment: in\n" +
			"place, or into a directory with --to. Where something else lies in place of what is\n" +
			"restored, --overwrite says what becomes of that:\n\n" + overwriteHelp +
			"In place a snapshot of the present is made first. What was written is read again and\n" +
			"compared. A restore that was interrupted goes on where it was.\n\n" + momentHelp + "\n\n" +
			"The exit code is 3 if not all could be had, or something was skipped.",
		Example: "  kith restore Documents/plan.txt --at yesterday\n  kith restore Documents --at '2026-11-20 14:00' --to ~/then\n" +
			"  kith restore Documents --at 'before the move' --overwrite if-changed --dry-run",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var err error
			if r.At, err = pastMoment(cmd, "at"); err != nil {
				return err
			}
			if cmd.Flags().Changed("to") {
				if r.To, err = absolute(cmd, "to", to); err != nil {
					return err
				}
			}
			r.Overwrite = control.Overwrite(how)
			return a.ask(func(ctx context.Context, c *control.Client, args []string) error { return a.restore(ctx, c, args, r) })(cmd, args)
		},
		ValidArgsFunction: a.completeFolderOrPath,
	}
	a.momentFlag(cmd, "at", "as it was at `T`; if not given, as the history has it now")
	a.fromFlag(cmd, &r.Source, "from")
	cmd.Flags().StringVar(&to, "to", "", "write into `DIR`, which is made if there is none")
	cmd.Flags().Var(&how, "overwrite", "never, if-changed or always")
	cmd.Flags().BoolVar(&r.DryRun, "dry-run", false, "only tell what would be restored")
	return cmd
}

// absolute is the path that a flag names.
func absolute(cmd *cobra.Command, flag, path string) (string, error) {
	if path == "" {
		return "", usagef(cmd, "--%s needs a directory", flag)
	}
	return filepath.Abs(path)
}

func (a *app) restore(ctx context.Context, c *control.Client, args []string, r control.RestoreRequest) error {
	places, err := placesOf(args)
	if err != nil {
		return err
	}
	r.Place = places[0]
	line := a.progressLine(control.Synced)
	done, err := c.Restore(ctx, r, func(p control.RestoreProgress) error { return line.update(restoreProgress("restore", p), now()) })
	if cerr := line.clear(); err == nil {
		err = cerr
	}
	if err != nil {
		return err
	}
	done.DryRun = r.DryRun
	return a.showRestored(done, "Restored", "Would restore")
}

// restoreProgress shows a restore as if it were a wait for one folder.
func restoreProgress(what string, p control.RestoreProgress) control.Progress {
	return control.Progress{Folders: []control.FolderProgress{{
		Folder: control.Folder{Label: what}, State: "at work",
		NeedFiles: max(p.TotalFiles-p.Files, 0), NeedBytes: max(p.TotalBytes-p.Bytes, 0),
	}}}
}

func (a *app) undoCommand() *cobra.Command {
	var r control.UndoRequest
	cmd := &cobra.Command{
		Use:   "undo BATCH",
		Short: "Take back a batch of changes",
		Long: "Take back a batch of changes that kith log shows, here and so on every device: each path\n" +
			"becomes what it was before, unless it was changed again since; that is skipped.\n\n" +
			"The exit code is 3 if something was skipped or could not be had.",
		Example: "  kith undo k3f9 --dry-run\n  kith undo k3f9",
		Args:    cobra.ExactArgs(1),
		RunE: a.ask(func(ctx context.Context, c *control.Client, args []string) error {
			r.Batch = args[0]
			line := a.progressLine(control.Synced)
			done, err := c.Undo(ctx, r, func(p control.RestoreProgress) error { return line.update(restoreProgress("undo", p), now()) })
			if cerr := line.clear(); err == nil {
				err = cerr
			}
			if err != nil {
				return err
			}
			done.DryRun = r.DryRun
			return a.showRestored(done, "Gave back", "Would give back")
		}),
		ValidArgsFunction: noCompletion,
	}
	cmd.Flags().BoolVar(&r.DryRun, "dry-run", false, "only tell what would be taken back")
	return cmd
}

func noCompletion(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return nil, cobra.ShellCompDirectiveNoFileComp
}

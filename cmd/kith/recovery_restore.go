package main

import (
	"context"
	"errors"
	"io"

	"github.com/spf13/cobra"

	"github.com/kithmesh/kith/node/control"
)

// recovering is what a recovery was asked for, beside its words.
type recovering struct {
	control.RecoverRequest
	once bool
}

func (a *app) recoveryRestoreCommand() *cobra.Command {
	var r recovering
	to := ""
	cmd := &cobra.Command{
		Use:   "restore",
		Short: "Get everything back with the recovery words",
		Long: "Get the folders, with their keys, back with the recovery words, from a backup or another\n" +
			"member that can be reached: on the local network, by a code that it shows (kith pair), or\n" +
			"at an address. This device becomes a member of each; then the files come like any others,\n" +
			"those of --path first.\n\n" + phraseHelp + "\n\n" +
			"If no device runs here one is started, as kith up does, and stays up until Ctrl-C or\n" +
			"kith down; with --once it ends when everything is here.\n\n" +
			"The exit code is 3 if a folder could not be opened.",
		Example: "  kith recovery restore --to ~ --revoke all\n" +
			"  kith recovery restore --at /ip4/192.168.1.9/tcp/22000/p2p/12D3KooW... --folder Documents --path Documents/taxes",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var err error
			if r.To, err = absolute(cmd, "to", to); err != nil {
				return err
			}
			if r.Code == "" {
				r.Code = a.getenv("KITH_CODE")
			}
			if r.Phrase, err = a.phrase(cmd.Context()); err != nil {
				return err
			}
			c, err := a.dial(cmd.Context())
			if errors.Is(err, control.ErrNotRunning) {
				return a.recoverAlone(cmd.Context(), givenSettings(cmd.Flags()), r)
			}
			if err != nil {
				return err
			}
			defer c.Close()
			return a.recover(cmd.Context(), c, r)
		},
		ValidArgsFunction: noCompletion,
	}
	flags := cmd.Flags()
	flags.StringArrayVar(&r.At, "at", nil, "where a member is, as a `MULTIADDR` (repeatable)")
	flags.StringVar(&r.Code, "code", "", "the `CODE` that a member shows (KITH_CODE)")
	flags.StringVar(&to, "to", ".", "put the folders into `DIR`, each under its label")
	flags.StringArrayVar(&r.Folders, "folder", nil, "only `FOLDER` (repeatable)")
	flags.StringArrayVar(&r.Paths, "path", nil, "have `FOLDER/PATH` come first (repeatable)")
	flags.StringArrayVar(&r.Revoke, "revoke", nil, "put the lost `DEVICE` out of the folders, for good; or all (repeatable)")
	flags.BoolVar(&r.once, "once", false, "wait until everything is here, and end")
	flags.String("name", "", "the `NAME` of this device, if it is started")
	flags.StringArray("listen", nil, "listen at `MULTIADDR`, if it is started (repeatable)")
	flags.Bool("lan-only", false, "let nothing leave the local network, if it is started")
	return cmd
}

type stepView struct {
	Event   string `json:"event"`
	Message string `json:"message"`
}

type recoveredView struct {
	Event   string       `json:"event"`
	From    deviceView   `json:"from"`
	Folders []folderView `json:"folders"`
	Revoked []deviceView `json:"revoked"`
	Left    []string     `json:"left"`
}

// recover asks a device that runs.
func (a *app) recover(ctx context.Context, c *control.Client, r recovering) error {
	done, err := c.Recover(ctx, r.RecoverRequest, func(step string) error {
		if a.json {
			return a.emit(stepView{"progress", step})
		}
		return say(a.err, "%s\n", step)
	})
	if err != nil {
		return err
	}
	v := recoveredView{
		"recovered", viewDevice(done.From), views(done.Folders, viewFolder), views(done.Revoked, viewDevice), append([]string{}, done.Left...),
	}
	if err := a.show(v, func(w io.Writer) error { return recoveredLines(w, done, r) }); err != nil {
		return err
	}
	if r.once && len(done.Folders) > 0 {
		ids := views(done.Folders, func(f control.Folder) string { return f.ID.String() })
		if err := a.wait(ctx, c, control.WaitRequest{Folders: ids, For: control.Synced}); err != nil {
			return err
		}
	}
	if len(done.Left) > 0 && len(r.Folders) == 0 {
		return errAttention
	}
	return nil
}

func recoveredLines(w io.Writer, done control.Recovered, r recovering) error {
	text := "No folder came back"
	if len(done.Folders) > 0 {
		text = "This device is a member of " + labelsOf(done.Folders) + " again"
	}
	if done.From.Name != "" {
		text += ", with what " + done.From.Name + " keeps"
	}
	if err := say(w, "%s.\n", text); err != nil {
		return err
	}
	var t table
	for _, f := range done.Folders {
		t.row(cell{text: f.Label, style: bold}, f.Path)
	}
	if err := t.write(w, terminal{}); err != nil {
		return err
	}
	if len(done.Revoked) > 0 {
		if err := say(w, "Put out of them, for good: %s.\n", names(done.Revoked)); err != nil {
			return err
		}
	}
	for _, label := range done.Left {
		why := "the words do not open it"
		if len(r.Folders) > 0 {
			why = "it was not asked for"
		}
		if err := say(w, "Left: %s, since %s.\n", label, why); err != nil {
			return err
		}
	}
	if len(done.Folders) == 0 {
		return nil
	}
	return say(w, "The files come now: kith status tells how far it is.\n")
}

// recoverAlone runs a device in this process, as `kith up` does, and asks it.
func (a *app) recoverAlone(ctx context.Context, given map[string]string, r recovering) error {
	running, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	ready, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		ended <- a.up(running, given, func(is control.Ready) {
			a.showReady(is)
			close(ready)
		})
	}()
	select {
	case err := <-ended:
		return err
	case <-ready:
	}
	err := a.recoverFrom(ctx, r)
	if r.once || err != nil && !errors.Is(err, errAttention) {
		stop(errInterrupted)
		if uerr := <-ended; err == nil {
			err = uerr
		}
		return err
	}
	if !a.json {
		if serr := say(a.out, "This device stays up until Ctrl-C or kith down.\n"); serr != nil && err == nil {
			err = serr
		}
	}
	if uerr := <-ended; uerr != nil {
		return uerr
	}
	return err
}

func (a *app) recoverFrom(ctx context.Context, r recovering) error {
	c, err := a.dial(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	return a.recover(ctx, c, r)
}

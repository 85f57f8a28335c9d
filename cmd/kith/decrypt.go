package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/kithmesh/kith/node/config"
	"github.com/kithmesh/kith/node/control"
)

// decryptRequest asks to open a vault with no device running.
type decryptRequest struct {
	Vault                        string        // a directory, or a place in a store
	AccessKey, SecretKey, Region string        // of a bucket
	To                           string        // a directory
	Phrase                       string        // empty: the keys that lie in Home
	Home                         config.Places // of a device that was a member
	At                           time.Time     // zero: the newest
	Path                         string        // within the folder; empty: all
	List                         bool          // only tell what there is
	Overwrite                    control.Overwrite
}

// decrypter opens a vault.
type decrypter func(context.Context, decryptRequest, func(control.RestoreProgress)) (control.Restored, error)

func (a *app) decryptCommand() *cobra.Command {
	var r decryptRequest
	how, ask := overwrite(control.OverwriteNever), false
	cmd := &cobra.Command{
		Use:   "decrypt VAULT",
		Short: "Open the disk of a backup, with no device running",
		Long: "Open the directory of a backup's vault (kith paths tells where they lie on a backup; a\n" +
			"copy will do), or the store its packs lie in (as kith store shows it there), and write\n" +
			"what is in it to a directory. No device has to run. It takes the keys of the device of\n" +
			"this home, or else the recovery words.\n" + phraseHelp + "\n\n" +
			"Where something else lies in place of what is written, --overwrite says what becomes of\n" +
			"that:\n\n" + overwriteHelp +
			"The exit code is 3 if not all could be had.",
		Example: "  kith decrypt /mnt/nas/vaults/d0c5 --to ~/back\n  kith decrypt /mnt/nas/vaults/d0c5 --list --at 2026-11-20\n" +
			"  kith decrypt s3:https://s3.example.org/photos/d0c5/12D3 --to ~/back --phrase",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var err error
			if r.At, err = pastTime(cmd, "at"); err != nil {
				return err
			}
			if r.Vault = args[0]; !isBucket(r.Vault) {
				r.Vault, err = filepath.Abs(args[0])
			} else if r.AccessKey, r.SecretKey, r.Region, err = a.bucketKeys(cmd.Context()); err == nil {
				err = cmd.Context().Err()
			}
			if err != nil {
				return err
			}
			switch to := cmd.Flag("to").Value.String(); {
			case r.List && to != "":
				return usagef(cmd, "--list writes nothing: give it or --to")
			case !r.List:
				if r.To, err = absolute(cmd, "to", to); err != nil {
					return err
				}
			}
			r.Overwrite = control.Overwrite(how)
			return a.decryptVault(cmd.Context(), r, ask)
		},
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return nil, cobra.ShellCompDirectiveFilterDirs
		},
	}
	cmd.Flags().String("to", "", "write into `DIR`, which is made if there is none")
	cmd.Flags().String("at", "", "as it was at the time `T`; if not given, the newest")
	cmd.Flags().StringVar(&r.Path, "path", "", "only `PATH` of the folder, and what is below")
	cmd.Flags().BoolVar(&r.List, "list", false, "only tell what there is")
	cmd.Flags().BoolVar(&ask, "phrase", false, "take the recovery words, even if this device has keys")
	cmd.Flags().Var(&how, "overwrite", "never, if-changed or always")
	return cmd
}

func (a *app) decryptVault(ctx context.Context, r decryptRequest, ask bool) error {
	var err error
	if r.Home, err = config.Find(a.home); err != nil {
		return err
	}
	_, err = os.Stat(r.Home.Key)
	if ask || a.getenv("KITH_PHRASE") != "" || errors.Is(err, fs.ErrNotExist) {
		if r.Phrase, err = a.phrase(ctx); err != nil {
			return err
		}
	}
	if a.decrypt == nil {
		return fmt.Errorf("decrypt %q: %w", r.Vault, control.ErrUnsupported)
	}
	line := a.progressLine(control.Synced)
	done, err := a.decrypt(ctx, r, func(p control.RestoreProgress) { _ = line.update(restoreProgress("decrypt", p), now()) })
	if cerr := line.clear(); err == nil {
		err = cerr
	}
	if err != nil {
		return err
	}
	if r.List && !a.json {
		return a.listDecrypted(done)
	}
	return a.showRestored(done, "Wrote", "Would write")
}

func (a *app) listDecrypted(r control.Restored) error {
	for _, p := range r.Paths {
		if err := say(a.out, "%s\n", shown(p.Path)); err != nil {
			return err
		}
	}
	if r.More > 0 {
		if err := say(a.out, "and %s more\n", count(r.More)); err != nil {
			return err
		}
	}
	if len(r.Problems) == 0 {
		return nil
	}
	return errors.Join(problemLines(a.out, r.Problems), errAttention)
}

package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/control"
)

// The second half of the story: what a backup that can read nothing is good for.

// backUp brings in a nas as a blind replica.
func (s *story) backUp(ctx context.Context) (string, error) {
	if err := s.nas.start(ctx); err != nil {
		return "", err
	}
	if _, _, err := pairDevices(ctx, s.laptop, s.nas); err != nil {
		return "", err
	}
	_, err := s.laptop.Share(ctx, control.ShareRequest{Folder: demoLabel, Device: s.nas.ready.Device, Role: entry.RoleBackup})
	if err != nil {
		return "", err
	}
	err = eventually(ctx, "the offer to arrive", func() (bool, error) {
		offers, err := s.nas.Offers(ctx)
		return len(offers) > 0, err
	})
	if err != nil {
		return "", err
	}
	if _, err := s.nas.AcceptOffer(ctx, control.AcceptRequest{Folder: demoLabel, Role: entry.RoleBackup}); err != nil {
		return "", err
	}
	if err := s.protected(ctx); err != nil {
		return "", err
	}
	found, err := findText(s.nas.home, "meet on Monday", "letter 0", filepath.Base(noteName))
	if err == nil && found != "" {
		err = fmt.Errorf("%w: %s can be read on the nas", errDemo, found)
	}
	st, serr := s.nas.Status(ctx, demoLabel)
	if err != nil || serr != nil || len(st.Folders) != 1 || st.Folders[0].Vault == nil {
		return "", fmt.Errorf("%w: the nas: %w", errDemo, firstError(err, serr))
	}
	return fmt.Sprintf("a nas holds %s sealed, %s on its disk, and can read neither names nor contents",
		plural(st.Folders[0].Vault.Versions, "version"), size(st.Folders[0].Vault.Bytes)), nil
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return control.ErrNotFound
}

// protected waits until the nas holds all that the laptop has.
func (s *story) protected(ctx context.Context) error {
	r := control.WaitRequest{Folders: []string{demoLabel}, For: control.Protected, Timeout: patience}
	return s.laptop.Wait(ctx, r, func(control.Progress) error { return nil })
}

// findText is the first file beneath root that holds one of some texts.
func findText(root string, texts ...string) (string, error) {
	found := ""
	err := filepath.WalkDir(root, func(path string, e os.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() || found != "" {
			return err
		}
		b, err := os.ReadFile(path)
		for _, t := range texts {
			if strings.Contains(string(b), t) {
				found = fmt.Sprintf("%q in %s", t, path)
			}
		}
		return err
	})
	return found, err
}

// words makes the words of a recovery, as a person would who writes them down.
func (s *story) words(ctx context.Context) (string, error) {
	draft, err := s.laptop.DraftRecovery(ctx)
	if err != nil {
		return "", err
	}
	var answers []string
	for _, at := range draft.Ask {
		answers = append(answers, draft.Words[at-1])
	}
	st, err := s.laptop.ConfirmRecovery(ctx, draft.ID, answers)
	if err != nil {
		return "", err
	}
	s.phrase = strings.Join(draft.Words, " ")
	if err := s.protected(ctx); err != nil {
		return "", err
	}
	return fmt.Sprintf("24 words that open %s, should all devices be lost: %s … %s",
		plural(int64(len(st.Folders)), "folder"), draft.Words[0], draft.Words[23]), nil
}

// mistake deletes and mangles files on the laptop, which the phone follows.
func (s *story) mistake(ctx context.Context) (string, error) {
	digest, err := s.same(ctx)
	if err != nil {
		return "", err
	}
	if err := s.protected(ctx); err != nil {
		return "", err
	}
	s.good, s.goodAt = digest, now()
	if err := pauseFor(ctx, 50*time.Millisecond); err != nil { // the mistake comes later, by any clock
		return "", err
	}
	if err := os.Remove(s.laptop.at(renamedName)); err != nil {
		return "", err
	}
	if err := s.laptop.write(noteName, "ENCRYPTED, PAY NOW\n"); err != nil {
		return "", err
	}
	bad, err := s.same(ctx)
	if err != nil {
		return "", err
	}
	if bad == s.good || s.phone.size(renamedName) >= 0 {
		return "", fmt.Errorf("%w: the mistake has not reached the phone", errDemo)
	}
	if err := s.protected(ctx); err != nil {
		return "", err
	}
	return fmt.Sprintf("the film is deleted and %q mangled on the laptop; the phone follows, as sync does: now %s", filepath.Base(noteName), bad), nil
}

// past takes the folder back to what it was.
func (s *story) past(ctx context.Context) (string, error) {
	r := control.RestoreRequest{
		Place: control.Place{Text: demoLabel}, At: control.Moment{At: s.goodAt}, Overwrite: control.OverwriteAlways, Source: s.nas.ready.Device,
	}
	done, err := s.laptop.Restore(ctx, r, func(control.RestoreProgress) error { return nil })
	if err != nil {
		return "", err
	}
	digest, err := s.same(ctx)
	if err != nil {
		return "", err
	}
	if digest != s.good {
		return "", fmt.Errorf("%w: restored to %s and not to %s", errDemo, digest, s.good)
	}
	if err := s.protected(ctx); err != nil {
		return "", err
	}
	return fmt.Sprintf("as of before, from the nas: %s, %s; both trees have the hash %s again", plural(done.Files, "file"), size(done.Bytes), digest), nil
}

// loss destroys the laptop and the phone.
func (s *story) loss(context.Context) (string, error) {
	for _, d := range []*demoDevice{s.laptop, s.phone} {
		if err := d.leave(); err != nil {
			return "", err
		}
		for _, dir := range []string{d.home, d.files} {
			if err := os.RemoveAll(dir); err != nil {
				return "", err
			}
		}
	}
	return "laptop and phone are destroyed, with all their files and keys; only the nas is left", nil
}

// rebuild makes a new laptop out of the words and the nas.
func (s *story) rebuild(ctx context.Context) (string, error) {
	start := now()
	d := s.fresh
	if err := d.start(ctx); err != nil {
		return "", err
	}
	r := control.RecoverRequest{Phrase: s.phrase, At: s.nas.ready.Listen, To: filepath.Dir(d.files), Revoke: []string{"all"}}
	got, err := d.Recover(ctx, r, func(string) error { return nil })
	if err != nil {
		return "", err
	}
	digest := ""
	err = eventually(ctx, "everything to be back", func() (bool, error) {
		var err error
		digest, err = treeDigest(filepath.Join(filepath.Dir(d.files), demoLabel))
		return err == nil && digest == s.good, nil
	})
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("a new laptop has the words and the nas: %s back after %s, with the hash %s; %s put out for good",
		plural(int64(len(got.Folders)), "folder"), elapsed(now().Sub(start)), digest, plural(int64(len(got.Revoked)), "lost device")), nil
}

func pauseFor(ctx context.Context, t time.Duration) error {
	select {
	case <-time.After(t):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

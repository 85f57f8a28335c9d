package node_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/control"
)

// words makes recovery words on a device.
func (d *device) words() string {
	d.t.Helper()
	draft, err := d.DraftRecovery(d.t.Context())
	if err != nil {
		d.t.Fatal(err)
	}
	if len(draft.Words) != 24 || len(draft.Ask) != 3 {
		d.t.Fatalf("%d words, of which %v are asked for", len(draft.Words), draft.Ask)
	}
	st, err := d.ConfirmRecovery(d.t.Context(), draft.ID, answersTo(draft))
	if err != nil || !st.Matches || st.Created.IsZero() {
		d.t.Fatalf("%+v: %v", st, err)
	}
	return strings.Join(draft.Words, " ")
}

func answersTo(draft control.RecoveryDraft) (out []string) {
	for _, at := range draft.Ask {
		out = append(out, draft.Words[at-1])
	}
	return out
}

// opens tells what a device says that words open of the folder.
func (d *device) opens(words, label string) (control.RecoveryState, control.RecoveryFolder) {
	d.t.Helper()
	st, err := d.TestRecovery(d.t.Context(), words)
	if err != nil {
		d.t.Fatal(err)
	}
	for _, f := range st.Folders {
		if f.Folder.Label == label {
			return st, f
		}
	}
	return st, control.RecoveryFolder{}
}

// covers waits until a device says that words open all of a folder.
func (d *device) covers(words, label string) {
	d.t.Helper()
	until(d.t, d.name+" to cover "+label, func() bool { _, f := d.opens(words, label); return f.Covered })
}

// backup pairs a device with another and makes it a backup of a folder.
func (d *device) backup(of *device, label string) {
	d.t.Helper()
	if _, known := d.peer(of); !known {
		of.pair(d)
	}
	_, err := of.Share(d.t.Context(), control.ShareRequest{Folder: label, Device: string(d.id), Role: entry.RoleBackup})
	if err != nil {
		d.t.Fatal(err)
	}
	until(d.t, "an offer of "+label, func() bool {
		o, err := d.Offers(d.t.Context())
		return err == nil && slices.ContainsFunc(o, func(o control.Offer) bool { return o.Label == label })
	})
	if _, err := d.AcceptOffer(d.t.Context(), control.AcceptRequest{Folder: label, Role: entry.RoleBackup}); err != nil {
		d.t.Fatal(err)
	}
}

// add makes a directory beside the device's own a folder.
func (d *device) add(label string, files map[string]string) string {
	d.t.Helper()
	root := filepath.Join(filepath.Dir(d.root), label)
	if err := os.MkdirAll(root, 0o755); err != nil {
		d.t.Fatal(err)
	}
	for name, text := range files {
		path := filepath.Join(root, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
			d.t.Fatal(err)
		}
	}
	if _, err := d.AddFolder(d.t.Context(), control.AddRequest{Path: root, Label: label}); err != nil {
		d.t.Fatal(err)
	}
	return root
}

// settled waits until a device and those that it is connected with have the
// same.
func (d *device) settled(labels ...string) {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(d.t.Context(), patience)
	defer cancel()
	r := control.WaitRequest{For: control.Synced, Folders: labels}
	if err := d.Wait(ctx, r, func(control.Progress) error { return nil }); err != nil {
		d.t.Fatalf("%s: %v", d.name, err)
	}
}

// codes are those of the problems of a folder.
func (d *device) codes(label string) (out []string) {
	d.t.Helper()
	st, err := d.Status(d.t.Context(), label)
	if err != nil {
		d.t.Fatal(err)
	}
	for _, p := range st.Folders[0].Problems {
		out = append(out, p.Code)
	}
	return out
}

func TestWordsHaveNoEffectBeforeTheyAreGivenBack(t *testing.T) {
	t.Parallel()
	d := start(t, "laptop")
	addFolder(t, d)
	draft, err := d.DraftRecovery(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	words := strings.Join(draft.Words, " ")
	if st, f := d.opens(words, "docs"); st.Matches || !st.Created.IsZero() || f.Covered || f.Epochs != 0 {
		t.Errorf("a draft opens %+v", st)
	}
	wrong := answersTo(draft)
	wrong[1] = "zoo"
	if wrong[1] == draft.Words[draft.Ask[1]-1] {
		wrong[1] = "abandon"
	}
	if _, err := d.ConfirmRecovery(t.Context(), draft.ID, wrong); !errors.Is(err, control.ErrInvalid) || strings.Contains(err.Error(), draft.Words[draft.Ask[1]-1]) {
		t.Errorf("a wrong word: %v", err)
	}
	if _, err := d.ConfirmRecovery(t.Context(), draft.ID, answersTo(draft)); !errors.Is(err, control.ErrInvalid) {
		t.Errorf("a draft after a wrong word: %v", err)
	}
	older, _ := d.DraftRecovery(t.Context())
	newer, _ := d.DraftRecovery(t.Context())
	if _, err := d.ConfirmRecovery(t.Context(), older.ID, answersTo(older)); !errors.Is(err, control.ErrInvalid) {
		t.Errorf("a draft after another: %v", err)
	}
	if st, err := d.ConfirmRecovery(t.Context(), newer.ID, answersTo(newer)); err != nil || !st.Matches || len(st.Folders) != 1 || !st.Folders[0].Covered {
		t.Errorf("%+v: %v", st, err)
	}
	if _, err := d.TestRecovery(t.Context(), "these are no words of any phrase"); !errors.Is(err, control.ErrInvalid) {
		t.Errorf("no words: %v", err)
	}
}

func TestWordsCoverFoldersAndKeysThatComeLater(t *testing.T) {
	t.Parallel()
	laptop, phone := start(t, "laptop"), start(t, "phone")
	words := laptop.words() // with no folder at all
	laptop.write("a.txt", "a")
	addFolder(t, laptop)
	laptop.covers(words, "docs")
	phone.join(laptop)
	until(t, "the file on the phone", func() bool { return phone.holds("a.txt", "a") })
	if st, f := phone.opens(words, "docs"); !f.Covered || !st.Matches {
		t.Errorf("the phone says %+v", st)
	}
	// A folder of another member is not opened to the words of this one.
	phone.add("own", map[string]string{"b.txt": "b"})
	laptop.restart()
	laptop.add("late", nil)
	laptop.covers(words, "late")
	tablet := start(t, "tablet")
	tablet.join(laptop)
	laptop.unshare(tablet)
	until(t, "the words to open two keys", func() bool { _, f := laptop.opens(words, "docs"); return f.Covered && f.Epochs == 2 })
	until(t, "the same on the phone", func() bool { _, f := phone.opens(words, "docs"); return f.Covered && f.Epochs == 2 })
	if _, f := phone.opens(words, "own"); f.Covered || f.Epochs > 0 {
		t.Errorf("the words open a folder of the phone: %+v", f)
	}
	if c := laptop.codes("docs"); len(c) > 0 {
		t.Errorf("problems: %v", c)
	}
}

func TestNewWordsTakeThePlaceOfTheOldOnes(t *testing.T) {
	t.Parallel()
	laptop, nas := start(t, "laptop"), start(t, "nas")
	laptop.write("a.txt", "a")
	addFolder(t, laptop)
	old := laptop.words()
	nas.backup(laptop, "docs")
	words := laptop.words()
	if st, f := laptop.opens(old, "docs"); st.Matches || f.Covered {
		t.Errorf("the old words: %+v, %+v", st, f)
	}
	if _, f := laptop.opens(words, "docs"); !f.Covered || f.Epochs != 2 {
		t.Errorf("the new words: %+v", f)
	}
	if c := laptop.codes("docs"); slices.Contains(c, "recovery_several") {
		t.Errorf("problems: %v", c)
	}
	until(t, "the backup to know of it", func() bool { _, f := nas.opens(words, "docs"); return f.Covered })
	lost := start(t, "lost")
	if _, err := lost.recover(control.RecoverRequest{Phrase: old, At: nas.addrs}); !errors.Is(err, control.ErrNotFound) {
		t.Errorf("the old words: %v", err)
	}
}

func TestTwoWhoMakeWordsAreToldOfEachOther(t *testing.T) {
	t.Parallel()
	laptop, phone := start(t, "laptop"), start(t, "phone")
	addFolder(t, laptop)
	phone.join(laptop)
	mine, theirs := laptop.words(), phone.words()
	for _, d := range []*device{laptop, phone} {
		d.covers(mine, "docs")
		d.covers(theirs, "docs")
		until(t, "the condition on "+d.name, func() bool { return slices.Contains(d.codes("docs"), "recovery_several") })
	}
	if st, _ := laptop.opens(theirs, "docs"); st.Matches {
		t.Error("the words of the phone are in effect on the laptop")
	}
}

// recover gets everything back, in a directory of the device's own.
func (d *device) recover(r control.RecoverRequest) (control.Recovered, error) {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(d.t.Context(), 2*patience)
	defer cancel()
	if r.To == "" {
		r.To = d.root
	}
	begun := time.Now()
	out, err := d.Recover(ctx, r, func(what string) error {
		d.t.Logf("%s, %s: %s", d.name, time.Since(begun).Round(time.Millisecond), what)
		return nil
	})
	return out, err
}

// restart starts a device again.
func (d *device) restart() {
	d.t.Helper()
	d.down()
	d.up()
}

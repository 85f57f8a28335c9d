package offline_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/roster"
	"github.com/kithmesh/kith/node/backup"
	"github.com/kithmesh/kith/node/identity"
	"github.com/kithmesh/kith/node/membership"
	"github.com/kithmesh/kith/node/recovery"
	"github.com/kithmesh/kith/node/recovery/offline"
	"github.com/kithmesh/kith/node/recovery/recoverytest"
	"github.com/kithmesh/kith/node/vault"
	"github.com/kithmesh/kith/node/vault/store"
	"github.com/kithmesh/kith/protocol/seal"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// disk is what is left of a backup.
type disk struct {
	*recoverytest.Folder
	dir    string
	laptop *identity.Identity
	liar   *identity.Identity
	words  *recovery.Secret
	keys   recoverytest.Keys
}

// left makes the directory of a keeper, whose vault has a version sealed with
// each of two keys.
func left(t *testing.T) *disk {
	t.Helper()
	d := &disk{laptop: recoverytest.Device(t), liar: recoverytest.Device(t), words: recoverytest.Secret(t), keys: recoverytest.Founding(1)}
	d.Folder = recoverytest.New(t, d.laptop, "docs")
	d.Admit(d.laptop, d.liar, "liar", entry.RoleSync, roster.Every)
	gone := recoverytest.Device(t)
	d.Admit(d.laptop, gone, "gone", entry.RoleSync, roster.Every)
	d.Revoke(d.laptop, gone.ID())
	maps.Copy(d.keys, recoverytest.After(1, 2))
	d.Recover(d.laptop, d.words, d.keys)
	d.dir = filepath.Join(t.TempDir(), "renamed by somebody")
	d.keep(d.dir)
	return d
}

// keep writes the directory of a keeper.
func (d *disk) keep(dir string) {
	d.T.Helper()
	k, err := backup.Open(backup.Options{ID: d.Folder.Folder(), Dir: dir})
	if err != nil {
		d.T.Fatal(err)
	}
	var records []*seal.Record
	for e, key := range d.keys {
		records = append(records, d.Record(e, key, entry.Path("epoch-"+string(rune('a'+len(records))))))
	}
	none := func(context.Context, []entry.BlockID, func(entry.BlockID, []byte) error) error { return nil }
	if err := errors.Join(k.StoreAll(d.T.Context(), records, none), k.KeepRoster(d.Statements()), k.Close()); err != nil {
		d.T.Fatal(err)
	}
}

// open opens the vault until the test ends.
func open(t testing.TB, where string) *offline.Vault {
	t.Helper()
	v, err := offline.Open(t.Context(), store.Address{URL: where})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := v.Close(); err != nil {
			t.Error(err)
		}
	})
	return v
}

// contents are the digests of all files below a directory.
func contents(t testing.TB, dir string) map[string][32]byte {
	t.Helper()
	out := map[string][32]byte{}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		out[path] = sha256.Sum256(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// paths are those of the past as keys open it.
func paths(t testing.TB, v *offline.Vault, keys recoverytest.Keys) (out []string) {
	t.Helper()
	p, err := v.Past(keys)
	if err != nil {
		t.Fatal(err)
	}
	tree, err := p.AsOf(t.Context(), v.Keeper.Vault().Head().Moment)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tree.Close() }()
	for e, err := range tree.Entries("") {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, string(e.Path))
	}
	return out
}

func TestAVaultIsOpenedByItsWordsAndNothingInItChanges(t *testing.T) {
	for dir, at := t.TempDir(), []string{"TMPDIR", "TMP", "TEMP"}; len(at) > 0; at = at[1:] {
		t.Setenv(at[0], dir)
	}
	d := left(t)
	before := contents(t, d.dir)
	for name, where := range map[string]string{"the keeper": d.dir, "the vault within": backup.VaultDir(d.dir)} {
		v, err := offline.Open(t.Context(), store.Address{URL: where})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		keys, err := v.Opened(t.Context(), d.words)
		if err != nil || !maps.Equal(keys, d.keys) || v.Roster.Label() != "docs" || v.Keeper.ID != d.Folder.Folder() {
			t.Errorf("%s: %d keys of %q: %v", name, len(keys), v.Roster.Label(), err)
		}
		if got := paths(t, v, keys); !slices.Equal(got, []string{"epoch-a", "epoch-b"}) {
			t.Errorf("%s: %q", name, got)
		}
		if err := v.Close(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got := contents(t, d.dir); !maps.Equal(got, before) {
		t.Errorf("%d files are %d", len(before), len(got))
	}
	if rest := contents(t, os.TempDir()); len(rest) > 0 {
		t.Errorf("%d files are left", len(rest))
	}
}

// A member that has sealed another key than the true one changes nothing: what
// lies in the vault tells.
func TestWhatLiesInTheVaultTellsWhichKeyIsTrue(t *testing.T) {
	d := left(t)
	lie := maps.Clone(d.keys)
	lie[1] = seal.FolderKey{66}
	other := recoverytest.Secret(t)
	d.Recover(d.liar, other, lie)
	d.Keep(d.laptop, other, d.keys)
	dir := filepath.Join(t.TempDir(), "again")
	d.keep(dir)
	v := open(t, dir)
	if c := other.Candidates(v.Roster); len(c[1]) != 2 || c[1][0] != lie[1] {
		t.Fatalf("the liar is not heard: %d keys", len(c[1]))
	}
	if keys, err := v.Opened(t.Context(), other); err != nil || !maps.Equal(keys, d.keys) {
		t.Errorf("%d keys, %v", len(keys), err)
	}
}

func TestWhatCannotBeOpenedIsSaid(t *testing.T) {
	d := left(t)
	v := open(t, d.dir)
	if _, err := v.Opened(t.Context(), recoverytest.Secret(t)); !errors.Is(err, offline.ErrOtherWords) {
		t.Errorf("other words: %v", err)
	}
	if _, err := offline.Open(t.Context(), store.Address{URL: t.TempDir()}); !errors.Is(err, offline.ErrNoVault) {
		t.Errorf("no vault: %v", err)
	}
	var far *offline.StoreError
	if _, err := offline.Open(t.Context(), store.Address{URL: "s3://"}); !errors.As(err, &far) || !errors.Is(err, store.ErrAddress) || far.Error() != err.Error() {
		t.Errorf("no store: %v", err)
	}
	k, err := backup.Open(backup.Options{ID: d.Folder.Folder(), Dir: d.dir})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := offline.Open(t.Context(), store.Address{URL: d.dir}); !errors.Is(err, vault.ErrLocked) {
		t.Errorf("a vault in use: %v", err)
	}
	if err := k.Close(); err != nil {
		t.Fatal(err)
	}
}

// Without the list of members the words alone do not help; the name of the
// directory says which folder it is of, for who has its keys.
func TestWithoutTheListOfMembersTheNameOfTheDirectoryCounts(t *testing.T) {
	d := left(t)
	named := filepath.Join(t.TempDir(), d.Folder.Folder().String())
	d.keep(named)
	for _, dir := range []string{d.dir, named} {
		if err := os.Remove(filepath.Join(dir, "roster")); err != nil {
			t.Fatal(err)
		}
	}
	_, err := offline.Open(t.Context(), store.Address{URL: d.dir})
	if !errors.Is(err, offline.ErrUnlisted) || !strings.HasPrefix(err.Error(), "the list of its folder's members is missing\n") {
		t.Errorf("under another name: %v", err)
	}
	v := open(t, named)
	if _, err := v.Opened(t.Context(), d.words); !errors.Is(err, offline.ErrOtherWords) {
		t.Errorf("by words: %v", err)
	}
	if got := paths(t, v, d.keys); len(got) != 2 {
		t.Errorf("by keys: %q", got)
	}
}

func TestTheKeysOfAMemberOpenItAndItsHomeStaysAsItIs(t *testing.T) {
	d := left(t)
	v := open(t, d.dir)
	home, other := t.TempDir(), t.TempDir()
	for dir, id := range map[string]entry.FolderID{home: d.Folder.Folder(), other: {7}} {
		s, err := membership.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		f := membership.Folder{ID: id, Label: "docs", Path: "/docs", Role: entry.RoleSync, Keys: map[entry.Epoch]membership.Key{}, AddedAt: recoverytest.Began}
		for e, k := range d.keys {
			f.Keys[e] = membership.Key(k)
		}
		if err := errors.Join(s.PutFolder(f), s.Flush()); err != nil {
			t.Fatal(err)
		}
	}
	before := contents(t, home)
	if keys, err := v.AtHome(home); err != nil || !maps.Equal(keys, d.keys) {
		t.Errorf("%d keys, %v", len(keys), err)
	}
	if got := contents(t, home); len(got) == 0 || !maps.Equal(got, before) {
		t.Error("the home has changed")
	}
	w := open(t, d.dir)
	if _, err := w.AtHome(filepath.Join(home, "nowhere")); !errors.Is(err, offline.ErrNoHome) {
		t.Errorf("no home: %v", err)
	}
	if _, err := w.AtHome(other); !errors.Is(err, offline.ErrNoKeys) {
		t.Errorf("another folder's: %v", err)
	}
}

package node_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kithmesh/kith/node"
	"github.com/kithmesh/kith/node/control"
	"github.com/kithmesh/kith/node/vault"
	"github.com/kithmesh/kith/node/vault/store/storetest"
)

// vaultOf is the directory of the vault that a device keeps of a folder.
func (d *device) vaultOf(label string) string {
	d.t.Helper()
	st, err := d.Status(d.t.Context(), label)
	if err != nil {
		d.t.Fatal(err)
	}
	return filepath.Join(d.places.Vaults, st.Folders[0].ID.String())
}

func decrypt(t testing.TB, r node.DecryptRequest) (control.Restored, error) {
	t.Helper()
	return node.Decrypt(t.Context(), r, func(control.RestoreProgress) {})
}

func TestTheDiskOfABackupIsOpenedByTheWords(t *testing.T) {
	t.Parallel()
	l := destroyed(t)
	dir := l.nas.vaultOf("docs")
	if _, err := decrypt(t, node.DecryptRequest{Vault: dir, To: t.TempDir(), Phrase: l.words}); !errors.Is(err, vault.ErrLocked) {
		t.Errorf("a vault in use: %v", err)
	}
	l.nas.down()
	before := listing(t, dir)
	delete(l.docs, ".") // the directory itself
	for name, harm := range map[string]func() error{
		"as it is": func() error { return nil },
		"no index": func() error { return os.Remove(filepath.Join(dir, "vault", "index.db")) },
	} {
		if err := harm(); err != nil {
			t.Fatal(err)
		}
		to := filepath.Join(t.TempDir(), "to")
		out, err := decrypt(t, node.DecryptRequest{Vault: dir, To: to, Phrase: l.words})
		if err != nil || out.Folder.Label != "docs" || out.Files != 4 || len(out.Problems) > 0 {
			t.Errorf("%s: %+v, %v", name, out, err)
		}
		got := listing(t, to)
		delete(got, ".")
		if d := difference(l.docs, got); len(d) > 0 {
			t.Errorf("%s: %q", name, d)
		}
		if out, err = decrypt(t, node.DecryptRequest{Vault: filepath.Join(dir, "vault"), To: to, Phrase: l.words}); err != nil || out.Same != 4 || out.Files != 0 {
			t.Errorf("%s, once more: %+v, %v", name, out, err)
		}
	}
	delete(before, "vault/index.db")
	if d := difference(before, listing(t, dir)); len(d) > 0 {
		t.Errorf("the vault has changed: %q", d)
	}
	for name, c := range map[string]struct {
		r    node.DecryptRequest
		want error
	}{
		"no words":        {node.DecryptRequest{Phrase: "these are no words"}, control.ErrInvalid},
		"other words":     {node.DecryptRequest{Phrase: otherWords}, control.ErrInvalid},
		"no vault":        {node.DecryptRequest{Vault: t.TempDir()}, control.ErrNoVault},
		"no such path":    {node.DecryptRequest{Path: "nothing/here"}, control.ErrNoPath},
		"an invalid path": {node.DecryptRequest{Path: "../x"}, control.ErrNoPath},
		"no target":       {node.DecryptRequest{To: "here"}, control.ErrInvalid},
	} {
		if c.r.Vault == "" {
			c.r.Vault = dir
		}
		if c.r.Phrase == "" {
			c.r.Phrase = l.words
		}
		if c.r.To == "" {
			c.r.To = filepath.Join(t.TempDir(), "none")
		}
		if _, err := decrypt(t, c.r); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := os.Stat(c.r.To); err == nil {
			t.Errorf("%s: something was written", name)
		}
	}
}

// otherWords are those of a phrase that opens nothing here.
var otherWords = strings.Repeat("abandon ", 23) + "art"

func TestAPartOfAVaultIsOpenedByTheKeysOfAMember(t *testing.T) {
	t.Parallel()
	l := destroyed(t)
	dir := l.nas.vaultOf("docs")
	l.nas.down()
	out, err := decrypt(t, node.DecryptRequest{Vault: dir, Home: l.laptop.places, List: true})
	var paths []string
	for _, p := range out.Paths {
		paths = append(paths, p.Path)
	}
	if want := []string{"a.txt", "later.txt", "taxes", "taxes/2025.txt", "taxes/2026.txt"}; err != nil || !slices.Equal(paths, want) || out.Files != 4 {
		t.Errorf("%q, %v", paths, err)
	}
	to := t.TempDir()
	if _, err = decrypt(t, node.DecryptRequest{Vault: dir, Home: l.laptop.places, Path: "taxes", To: to}); err != nil {
		t.Fatal(err)
	}
	if got := listing(t, to); !slices.ContainsFunc([]string{"2025.txt", "taxes/2025.txt"}, func(n string) bool { return got[n] == l.docs["taxes/2025.txt"] }) {
		t.Errorf("%v", got)
	}
	for name, c := range map[string]struct {
		at   time.Time
		home *device
		want error
	}{
		"before the beginning":       {at: time.Now().Add(-240 * time.Hour), home: l.laptop},
		"a home without the folder":  {home: start(t, "other"), want: control.ErrNotFound},
		"the home of a blind backup": {home: l.nas, want: control.ErrNotFound},
	} {
		out, err := decrypt(t, node.DecryptRequest{Vault: dir, Home: c.home.places, At: c.at, List: true})
		if !errors.Is(err, c.want) || len(out.Paths) > 0 {
			t.Errorf("%s: %+v, %v", name, out, err)
		}
	}
}

func TestWhatABackupHasPutIntoABucketIsOpenedByTheWordsAlone(t *testing.T) {
	t.Parallel()
	s := storetest.Start(t)
	l := destroyed(t)
	at := control.StoreRequest{
		Folder: "docs", URL: &s.Address.URL, AccessKey: s.Address.AccessKey, SecretKey: "another", Region: s.Address.Region,
	}
	if _, err := l.nas.SetStore(t.Context(), at); !errors.Is(err, control.ErrInvalid) {
		t.Fatalf("with a wrong key: %v", err)
	}
	at.SecretKey = s.Address.SecretKey
	out, err := l.nas.SetStore(t.Context(), at)
	if err != nil {
		t.Fatal(err)
	}
	until(t, "all lies in the bucket", func() bool {
		st, err := l.nas.Status(t.Context(), "docs")
		return err == nil && !st.Folders[0].Vault.Store.AsOf.IsZero()
	})
	l.nas.down()
	if err := os.RemoveAll(filepath.Dir(l.nas.places.Vaults)); err != nil {
		t.Fatal(err)
	}
	delete(l.docs, ".")
	to := filepath.Join(t.TempDir(), "to")
	r := node.DecryptRequest{
		Vault: out.Store.Where, AccessKey: at.AccessKey, SecretKey: at.SecretKey, Region: at.Region, To: to, Phrase: l.words,
	}
	done, err := decrypt(t, r)
	if err != nil || done.Folder.Label != "docs" || done.Files != 4 || len(done.Problems) > 0 {
		t.Errorf("%+v, %v", done, err)
	}
	got := listing(t, to)
	delete(got, ".")
	if d := difference(l.docs, got); len(d) > 0 {
		t.Errorf("%q", d)
	}

	r.Vault = *at.URL
	if _, err := decrypt(t, r); !errors.Is(err, control.ErrNoVault) {
		t.Errorf("where no vault is: %v", err)
	}
}

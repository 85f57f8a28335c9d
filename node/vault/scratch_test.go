package vault

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kithmesh/kith/node/vault/retention"
)

// onDisk is every file below a directory: when it was changed, and its bytes.
func onDisk(t testing.TB, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	must(t, filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		b, err := os.ReadFile(path)
		out[path] = fmt.Sprintf("%s %s %x", info.Mode(), info.ModTime(), b)
		return err
	}))
	return out
}

// TestAVaultThatIsOnlyReadIsTheSameAndStaysAsItIs whatever has become of it.
func TestAVaultThatIsOnlyReadIsTheSameAndStaysAsItIs(t *testing.T) {
	errStop := errors.New("stop")
	for name, become := range map[string]func(v *Vault, w *world){
		"closed in order": func(*Vault, *world) {},
		"no index": func(v *Vault, _ *world) {
			must(t, v.Close())
			must(t, os.Remove(v.indexPath()))
		},
		"a damaged index": func(v *Vault, _ *world) {
			must(t, v.Close())
			must(t, os.Truncate(v.indexPath(), 5000))
		},
		"an old index": func(v *Vault, w *world) {
			must(t, v.Close())
			old, err := os.ReadFile(v.indexPath())
			must(t, err)
			w.v = testVault(t, v.dir, w.c)
			w.live(t, 40)
			prunes(t, w.v, w.c, retention.Policy{Last: 5})
			must(t, w.v.Close())
			must(t, os.WriteFile(v.indexPath(), old, 0o600))
		},
		"torn ends": func(v *Vault, _ *world) {
			files := packFiles(t, v)
			must(t, v.Close())
			for _, f := range files {
				path := packPath(v.packDir, f.id, f.class)
				b, err := os.ReadFile(path)
				must(t, err)
				must(t, os.WriteFile(path, append(b, b[packHeader:packHeader+40]...), 0o600))
			}
		},
		"packs that were to be removed": func(v *Vault, w *world) {
			v.hook = func(step string) error {
				if step == "remove" {
					return errStop
				}
				return nil
			}
			for range 4 {
				if _, err := v.Prune(t.Context(), retention.Policy{Last: 1}); err != nil && !errors.Is(err, errStop) {
					t.Fatal(err)
				}
				w.c.pass(2 * v.grace)
			}
			v.hook = nil
		},
		"such packs, and no index": func(v *Vault, w *world) {
			v.hook = func(step string) error {
				if step == "remove" {
					return errStop
				}
				return nil
			}
			for range 4 {
				_, _ = v.Prune(t.Context(), retention.Policy{Last: 1})
				w.c.pass(2 * v.grace)
			}
			v.hook = nil
			must(t, v.Close())
			must(t, os.Remove(v.indexPath()))
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := newClock()
			v := testVault(t, t.TempDir(), c)
			w := newWorld(v, c, 5)
			w.live(t, 150)
			become(v, w)
			must(t, v.Close())
			twin := filepath.Join(t.TempDir(), "twin")
			must(t, os.CopyFS(twin, os.DirFS(v.dir)))
			before := onDisk(t, v.dir)

			read, err := Open(Options{Dir: v.dir, Folder: testFolder, Clock: c.read, Scratch: t.TempDir()})
			must(t, err)
			defer func() { must(t, read.Close()) }()
			want := testVault(t, twin, c)
			equal(t, "all that is newest", asOf(t, read, c.read()), asOf(t, want, c.read()))
			checkReadable(t, read)
			r, blocks := w.change()
			if err := read.Put(t.Context(), blocks, received(r)); !errors.Is(err, ErrReadOnly) {
				t.Errorf("put: %v", err)
			}
			if _, err := read.Pin(c.read(), nil); !errors.Is(err, ErrReadOnly) {
				t.Errorf("pin: %v", err)
			}
			if _, err := read.Prune(t.Context(), retention.Policy{Last: 1}); err != nil && !errors.Is(err, ErrReadOnly) {
				t.Errorf("prune: %v", err)
			}
			if d := cmp.Diff(before, onDisk(t, v.dir)); d != "" {
				t.Errorf("on disk (-before +after):\n%s", d[:min(len(d), 2000)])
			}
		})
	}
}

func TestAVaultThatIsInUseOrNotThereIsNotRead(t *testing.T) {
	c := newClock()
	v := testVault(t, t.TempDir(), c)
	if _, err := Open(Options{Dir: v.dir, Folder: testFolder, Scratch: t.TempDir()}); !errors.Is(err, ErrLocked) {
		t.Errorf("in use: %v", err)
	}
	none := filepath.Join(t.TempDir(), "none")
	if _, err := Open(Options{Dir: none, Folder: testFolder, Scratch: t.TempDir()}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("not there: %v", err)
	}
	if _, err := os.Stat(none); err == nil {
		t.Error("it was made")
	}
}

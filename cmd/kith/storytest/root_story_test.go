package storytest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestAFolderWhoseRootOrMarkerIsGoneStopsAndDeletesNothing(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, code string
		// lose makes the laptop's folder unusable and returns what mends it.
		lose func(t *testing.T, d *device) (mend func())
	}{
		{"the root moved away", "root_missing", func(t *testing.T, d *device) func() {
			mustRename(t, d.files, d.files+" elsewhere")
			return func() { mustRename(t, d.files+" elsewhere", d.files) }
		}},
		{"the root deleted", "root_missing", func(t *testing.T, d *device) func() {
			clone(t, d.files, d.files+" kept")
			if err := os.RemoveAll(d.files); err != nil {
				t.Fatal(err)
			}
			return func() { mustRename(t, d.files+" kept", d.files) }
		}},
		{"the marker deleted", "marker_missing", func(t *testing.T, d *device) func() {
			mustRename(t, d.at(".kith/folder"), d.files+" marker")
			return func() { mustRename(t, d.files+" marker", d.at(".kith/folder")) }
		}},
		{"kith's own directory deleted", "marker_missing", func(t *testing.T, d *device) func() {
			clone(t, d.at(".kith"), d.files+" own")
			if err := os.RemoveAll(d.at(".kith")); err != nil {
				t.Fatal(err)
			}
			return func() { mustRename(t, d.files+" own", d.at(".kith")) }
		}},
		{"an empty directory in its place", "marker_missing", func(t *testing.T, d *device) func() {
			mustRename(t, d.files, d.files+" elsewhere")
			if err := os.Mkdir(d.files, 0o755); err != nil {
				t.Fatal(err)
			}
			return func() {
				if err := os.Remove(d.files); err != nil {
					t.Fatalf("the directory in its place is not empty any more: %v", err)
				}
				mustRename(t, d.files+" elsewhere", d.files)
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			laptop, phone := atHome(t)
			for i := range size(200, 2000) {
				write(t, laptop.at(fmt.Sprintf("%d/%d/%d.txt", i%3, i%7, i)), fmt.Sprint("file ", i))
			}
			share(t, laptop, phone)
			before := sameTrees(t, phone, laptop, time.Minute)
			mend := c.lose(t, laptop)
			laptop.hasStopped(c.code)
			throughout(t, "what the phone has while the laptop's folder is gone", 2*time.Second, func() error {
				if diff := before.differences(look(t, phone.files)); diff != "" {
					return errors.New("it changed:\n" + diff)
				}
				return nil
			})
			write(t, phone.at("news.txt"), "written meanwhile")
			throughout(t, "the stopped folder", 500*time.Millisecond, func() error {
				if _, err := os.Lstat(filepath.Join(laptop.files, "news.txt")); err == nil {
					return errors.New("a file was written into it")
				}
				return nil
			})
			mend()
			laptop.isBack()
			last := sameTrees(t, laptop, phone, time.Minute)
			delete(last, "news.txt")
			if diff := before.differences(last); diff != "" {
				t.Errorf("after it is back (the other is now):\n%s", diff)
			}
			write(t, laptop.at("again.txt"), "it goes on")
			sameTrees(t, laptop, phone, time.Minute)
		})
	}
}

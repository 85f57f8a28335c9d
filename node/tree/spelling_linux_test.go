package tree

import (
	"errors"
	"io/fs"
	"os"
	"testing"
)

// Where a file system finds a name under other spellings, a path is there only
// under the one that is listed.
func TestANameIsThereOnlyAsItIsSpelled(t *testing.T) {
	for _, f := range fileSystems {
		if !f.traits.FoldsCase || f.traits.Lowers {
			continue // it knows no spelling, or keeps none
		}
		t.Run(f.name, func(t *testing.T) {
			root := mounted(t, f)
			must(t, Create(root, testID))
			tr, err := Open(root, testID)
			must(t, err)
			t.Cleanup(func() { must(t, tr.Close()) })
			st, err := tr.Place("report", staged(t, tr, "text"), Meta{Mode: 0o644}, nil)
			must(t, err)

			if _, err := tr.Lstat("Report"); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("another spelling is found: %v", err)
			}
			if err := tr.Remove("Report", st); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("another spelling is removed: %v", err)
			}
			if _, err := tr.Place("REPORT", staged(t, tr, "other"), Meta{Mode: 0o644}, nil); !errors.Is(err, fs.ErrExist) {
				t.Errorf("another spelling takes its place: %v", err)
			}
			other, err := tr.Place("other", staged(t, tr, "x"), Meta{Mode: 0o644}, nil)
			must(t, err)
			if _, err := tr.Move("other", "another", other, Meta{Mode: 0o644}); err != nil {
				t.Skipf("a file is another one here once it has another name: %v", err)
			}
			must(t, os.Remove(tr.file("another")))
			if _, err := tr.Move("report", "Report", st, Meta{Mode: 0o644}); err != nil {
				t.Fatalf("it cannot be respelled: %v", err)
			}
			children, err := tr.List("")
			if err != nil || len(children) != 1 || children[0].Name != "Report" {
				t.Errorf("%+v, %v", children, err)
			}
			if _, err := tr.Lstat("report"); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("the old spelling is still found: %v", err)
			}
		})
	}
}

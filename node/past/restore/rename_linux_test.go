package restore

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/kithmesh/kith/node/tree"
)

func TestWhatCameIntoTheWayAtTheLastMomentGoesBack(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "f")
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.WriteFile(name, []byte("seen"), 0o600))
	d, err := Into(dir)
	must(err)
	must(d.Begin())
	seen, err := d.Lstat("f")
	must(err)
	must(os.WriteFile(name, []byte("unseen"), 0o600))
	staged := func() *stagedFile {
		s, err := d.Stage("s")
		must(err)
		must(s.Finish(tree.Meta{Mode: 0o644}))
		return s.(*stagedFile)
	}
	s := staged()
	if err := d.rename(s, d.top, "f", seen); !errors.Is(err, tree.ErrChanged) {
		t.Errorf("over what nobody has seen: %v", err)
	}
	if b, err := os.ReadFile(name); string(b) != "unseen" {
		t.Errorf("it is %q: %v", b, err)
	}
	must(s.Discard(false))
	seen, err = d.Lstat("f")
	must(err)
	if err := d.rename(staged(), d.top, "f", seen); err != nil {
		t.Errorf("over what was seen: %v", err)
	}
	if b, err := os.ReadFile(name); len(b) > 0 {
		t.Errorf("it is %q: %v", b, err)
	}
	must(d.Close())
	if left, err := os.ReadDir(dir); len(left) != 1 {
		t.Errorf("%v is left, %v", left, err)
	}
}

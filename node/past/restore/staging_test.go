package restore

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/kithmesh/kith/node/tree"
)

func TestWhatIsStagedIsKeptForADay(t *testing.T) {
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		later time.Duration
		finds bool
	}{"at once": {0, true}, "hours later": {20 * time.Hour, true}, "days later": {49 * time.Hour, false}} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			run := func(later time.Duration, each func(d *Directory)) {
				d, err := Into(dir)
				must(err)
				d.now = func() time.Time { return time.Now().Add(later) }
				must(d.Begin())
				each(d)
				must(d.Close())
			}
			file, link := StagedPrefix+"a1", StagedPrefix+"b2"
			run(0, func(d *Directory) {
				s, err := d.Stage(file)
				must(err)
				_, err = s.WriteAt([]byte("half"), 0)
				must(err)
				must(s.Finish(tree.Meta{Mode: 0o400, ModTime: 1})) // long ago
				_, err = d.StageSymlink(link, "x")
				must(err)
			})
			run(c.later, func(d *Directory) {
				s, err := d.Reopen(file)
				must(err)
				if (s != nil) != c.finds {
					t.Errorf("found: %v", s != nil)
				}
				if s != nil {
					must(s.Discard(true))
				}
				if _, err := d.StageSymlink(link, "y"); err != nil {
					t.Error(err)
				}
				must(d.part(link).root.Remove(link))
			})
			left, err := filepath.Glob(filepath.Join(dir, stagingName, "*", "*"))
			must(err)
			if (len(left) == 1) != c.finds {
				t.Errorf("%v is left", left)
			}
			if _, err := os.Stat(filepath.Join(dir, stagingName)); (err == nil) != c.finds {
				t.Errorf("the directory: %v", err)
			}
		})
	}
}

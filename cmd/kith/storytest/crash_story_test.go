package storytest

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestKillingADeviceAtAnyMomentLosesNothingAndShowsNothingTorn(t *testing.T) {
	t.Parallel()
	laptop, phone := atHome(t)
	rng := chance(t, "when to kill whom")
	w := &writer{rng: chance(t, "what to write"), device: laptop, written: map[[sha256.Size]byte]bool{}}
	w.work(t, 60)
	share(t, laptop, phone)
	end := watchForTorn(t, phone, w)
	kills := size(4, 20)
	for i := range kills {
		victim := []*device{laptop, phone}[i%2]
		w.work(t, 25)
		let(between(rng, 0, 400*time.Millisecond))
		victim.kill()
		victim.start()
	}
	last := sameTrees(t, phone, laptop, time.Duration(size(1, 5))*time.Minute)
	good := end()
	n, bytes := last.files()
	t.Logf("%d kills; %d files, %d MB; %d whole contents were seen as they arrived", kills, n, bytes/1e6, good)
	if good < 10 {
		t.Errorf("the one who watches has seen %d contents: too few to tell", good)
	}
	want := look(t, laptop.files)
	for path := range want {
		if !w.wrote(want[path].digest) && want[path].kind == 0 {
			t.Errorf("%q holds what nobody wrote", path)
		}
	}
	noConflicts(t, last)
	nothingLeft(t, laptop, phone)
}

// writer writes whole files on one device, and remembers each content.
type writer struct {
	rng    *rand.Rand
	device *device

	mu      sync.Mutex
	written map[[sha256.Size]byte]bool
}

// work writes so many files: each is made outside of the folder and renamed
// into it, so that the folder never holds a part of one.
func (w *writer) work(t *testing.T, files int) {
	t.Helper()
	beside := filepath.Join(w.device.base(), "being written")
	for range files {
		content := noise(w.rng, w.length())
		w.mu.Lock()
		w.written[sha256.Sum256(content)] = true
		w.mu.Unlock()
		if err := os.WriteFile(beside, content, 0o644); err != nil {
			t.Fatal(err)
		}
		mustRename(t, beside, w.device.at(fmt.Sprintf("%d/%02d", w.rng.IntN(4), w.rng.IntN(12))))
	}
}

// length is mostly small, and sometimes a good part of a second on the wire.
func (w *writer) length() int {
	if w.rng.IntN(6) == 0 {
		return size(1, 4) << 20 * (1 + w.rng.IntN(6))
	}
	return 1 + w.rng.IntN(100_000)
}

func (w *writer) wrote(digest [sha256.Size]byte) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.written[digest]
}

// watchForTorn looks at a device's files again and again. Under its final name
// no file may ever hold anything but one of the contents that were written, in
// full. The function that it returns ends it and tells how many contents it
// has seen.
func watchForTorn(t *testing.T, d *device, w *writer) func() int {
	stop, done := make(chan struct{}), make(chan struct{})
	known := map[string]fs.FileInfo{}
	var once sync.Once
	good := 0
	end := func() int {
		once.Do(func() { close(stop) })
		<-done
		return good
	}
	go func() {
		defer close(done)
		for {
			n, err := lookForTorn(d.files, w, known)
			good += n
			if err != nil {
				t.Error(err)
				return
			}
			select {
			case <-stop:
				return
			case <-time.After(2 * time.Millisecond):
			}
		}
	}()
	t.Cleanup(func() { end() })
	return end
}

func lookForTorn(root string, w *writer, known map[string]fs.FileInfo) (good int, err error) {
	err = filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil // gone meanwhile
		case err != nil:
			return err
		case e.IsDir() && e.Name() == ".kith":
			return fs.SkipDir
		case !e.Type().IsRegular():
			return nil
		}
		seen, err := whole(path, w, known)
		if seen {
			good++
		}
		return err
	})
	return good, err
}

// whole reads a file that is new or has changed since it was known, and tells
// whether it did.
func whole(path string, w *writer, known map[string]fs.FileInfo) (bool, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return false, nil // gone meanwhile
	}
	if old := known[path]; old != nil && os.SameFile(old, info) && old.Size() == info.Size() && old.ModTime().Equal(info.ModTime()) {
		return false, nil
	}
	digest, err := digestOf(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if !w.wrote(digest) {
		return false, fmt.Errorf("%q was visible with %d bytes, digest %s, which nobody wrote",
			filepath.Base(filepath.Dir(path))+"/"+filepath.Base(path), info.Size(), hex.EncodeToString(digest[:4]))
	}
	known[path] = info
	return true, nil
}

func TestTheOneWhoWatchesForTornFilesSeesThem(t *testing.T) {
	root := t.TempDir()
	w := &writer{written: map[[sha256.Size]byte]bool{sha256.Sum256([]byte("whole")): true}}
	write(t, filepath.Join(root, ".kith/tmp/part"), "wh")
	write(t, filepath.Join(root, "a"), "whole")
	known := map[string]fs.FileInfo{}
	if n, err := lookForTorn(root, w, known); n != 1 || err != nil {
		t.Fatalf("%d whole files, %v; want 1", n, err)
	}
	write(t, filepath.Join(root, "b"), "who")
	if _, err := lookForTorn(root, w, known); err == nil || !strings.Contains(err.Error(), "nobody wrote") {
		t.Fatalf("a torn file went unseen: %v", err)
	}
}

package folder_test

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/kithmesh/kith/index"
	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/version"
)

// files is what a person sees of a folder: by path, what is there. kith's own
// directory is left out.
type files map[string]string

func (d *device) files() files {
	d.w.t.Helper()
	all := files{}
	d.w.must(filepath.WalkDir(d.root, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(d.root, path)
		if rel == "." {
			return nil
		}
		if rel == entry.Reserved {
			return filepath.SkipDir
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		switch {
		case e.IsDir():
			all[rel] = fmt.Sprintf("directory %o", info.Mode().Perm())
		case e.Type()&fs.ModeSymlink != 0:
			target, err := os.Readlink(path)
			all[rel] = "-> " + target
			return err
		case e.Type().IsRegular():
			b, err := os.ReadFile(path)
			all[rel] = fmt.Sprintf("file %o: %s", info.Mode().Perm(), b)
			return err
		}
		return nil
	}))
	return all
}

func (f files) String() string {
	var b strings.Builder
	for _, p := range slices.Sorted(maps.Keys(f)) {
		v := f[p]
		if len(v) > 60 {
			v = fmt.Sprintf("%s... (%d bytes)", v[:60], len(v))
		}
		fmt.Fprintf(&b, "\n  %q %s", p, v)
	}
	return b.String()
}

// entries is what the index of a device says, wanted versions aside.
func (d *device) entries() map[entry.Path]*entry.Entry {
	d.w.t.Helper()
	all := map[entry.Path]*entry.Entry{}
	d.read(func(x *index.Folder) error {
		for e, err := range x.Range("") {
			if err != nil {
				return err
			}
			all[e.Path] = e
		}
		return nil
	})
	return all
}

func (d *device) read(fn func(x *index.Folder) error) {
	d.w.t.Helper()
	d.w.must(d.db.View(func(tx *index.Tx) error {
		x, err := tx.Folder(d.w.id)
		if err != nil {
			return err
		}
		return fn(x)
	}))
}

// agree fails unless all devices have the same files, and nothing is amiss in
// their indexes. All must have settled.
func (w *world) agree() files {
	w.t.Helper()
	first := w.all[0].files()
	for _, d := range w.all[1:] {
		if f := d.files(); !maps.Equal(f, first) {
			w.t.Fatalf("%s has:%v\n%s has:%v", w.all[0].name, first, d.name, f)
		}
	}
	w.sound()
	return first
}

// sound checks what must hold at any rest: equal vectors mean equal payloads,
// an index says what is on its disk, and nothing of kith's own is left behind.
func (w *world) sound() {
	w.t.Helper()
	type state struct {
		vector string
		path   entry.Path
	}
	seen := map[state]*entry.Entry{}
	for _, d := range w.all {
		entries := d.entries()
		for p, e := range entries {
			if e.Unknown {
				continue
			}
			k := state{fmt.Sprint(e.Version.Vector), p}
			if o := seen[k]; o != nil && !o.SamePayload(e) {
				w.t.Errorf("one vector, two states of %q:\n%+v\n%+v", p, o, e)
			}
			seen[k] = e
			if v := e.Version; v.Vector.Compare(version.Vector(nil)) != version.After {
				w.t.Errorf("%s: %q has no version", d.name, p)
			}
		}
		d.indexMatches(entries)
		d.nothingLeft()
	}
}

// indexMatches checks that what lives in the index lies on disk.
func (d *device) indexMatches(entries map[entry.Path]*entry.Entry) {
	d.w.t.Helper()
	onDisk := d.files()
	for p, e := range entries {
		got, there := onDisk[string(p)]
		kind := entry.File
		switch {
		case !there:
			kind = entry.Deleted
		case strings.HasPrefix(got, "directory"):
			kind = entry.Directory
		case strings.HasPrefix(got, "->"):
			kind = entry.Symlink
		}
		if kind != e.Kind && !(e.Kind == entry.Deleted && kind == entry.Directory && e.Disk.Inode != 0) {
			d.w.t.Errorf("%s: %q is a %v on disk and a %v in the index", d.name, p, kind, e.Kind)
		}
	}
}

// nothingLeft checks that no temporary file remains.
func (d *device) nothingLeft() {
	d.w.t.Helper()
	for _, in := range []string{"tmp", "aside", "notes"} {
		left, err := os.ReadDir(filepath.Join(d.root, entry.Reserved, in))
		d.w.must(err)
		for _, l := range left {
			d.w.t.Errorf("%s: left behind: .kith/%s/%s", d.name, in, l.Name())
		}
	}
}

// holds fails unless every device has each of these contents in some file.
func (w *world) holds(contents ...string) {
	w.t.Helper()
	for _, d := range w.all {
		all := d.files()
		for _, c := range contents {
			if !slices.ContainsFunc(slices.Collect(maps.Values(all)), func(s string) bool { return strings.Contains(s, c) }) {
				w.t.Errorf("%s has lost %q:%v", d.name, c, all)
			}
		}
	}
}

package folder_test

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kithmesh/kith/index"
	"github.com/kithmesh/kith/index/entry"
)

// What must hold of devices at rest where not everything lies everywhere.

// locals is what lies on a device instead of the folder's versions.
func (d *device) locals() map[entry.Path]*entry.Entry {
	d.w.t.Helper()
	all := map[entry.Path]*entry.Entry{}
	d.read(func(x *index.Folder) error {
		for l, err := range x.Locals("") {
			if err != nil {
				return err
			}
			all[l.Path] = l
		}
		return nil
	})
	return all
}

// coherent checks what [world.sound] does, where content may be absent: equal
// vectors mean equal payloads, each index says what is on its disk and what is
// not, and nothing of kith's own is left behind.
func (w *world) coherent() {
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
		}
		d.lies(entries)
		d.nothingLeft()
	}
}

// lies checks that just what the index says to lie here does.
func (d *device) lies(entries map[entry.Path]*entry.Entry) {
	d.w.t.Helper()
	here := map[entry.Path]entry.Kind{}
	for p, e := range entries {
		if e.Lives() && !e.Absent {
			here[p] = e.Kind
		}
	}
	for p, l := range d.locals() {
		delete(here, p)
		if l.Lives() {
			here[p] = l.Kind
		}
	}
	for p, f := range d.files() {
		kind := entry.File
		switch {
		case strings.HasPrefix(f, "directory"):
			kind = entry.Directory
		case strings.HasPrefix(f, "->"):
			kind = entry.Symlink
		}
		e := entries[entry.Path(p)]
		leftover := e != nil && e.Kind == entry.Deleted && e.Disk.Inode != 0
		if here[entry.Path(p)] != kind && !leftover {
			d.w.t.Errorf("%s: a %v lies at %q, and the index says %v", d.name, kind, p, here[entry.Path(p)])
		}
		delete(here, entry.Path(p))
	}
	for p, kind := range here {
		d.w.t.Errorf("%s: no %v lies at %q", d.name, kind, p)
	}
}

// held checks that of each file that lives some device has the content.
func (w *world) held() {
	w.t.Helper()
	has := map[entry.Digest]bool{}
	for _, d := range w.all {
		for _, e := range d.entries() {
			has[e.Digest()] = has[e.Digest()] || e.Kind == entry.File && !e.Absent
		}
	}
	for _, d := range w.all {
		for p, e := range d.entries() {
			if e.Kind == entry.File && !has[e.Digest()] {
				w.t.Errorf("%s: nobody has the content of %q", d.name, p)
			}
		}
	}
}

// known fails unless all devices know the same versions of the same paths,
// wherever the content is.
func (w *world) known() {
	w.t.Helper()
	list := func(d *device) (out []string) {
		for p, e := range d.entries() {
			if !e.Unknown {
				out = append(out, fmt.Sprint(p, " ", e.Kind, " ", e.Version.Vector))
			}
		}
		slices.Sort(out)
		return out
	}
	first := list(w.all[0])
	for _, d := range w.all[1:] {
		if l := list(d); !slices.Equal(l, first) {
			w.t.Errorf("%s knows:\n%s\n%s knows:\n%s", w.all[0].name, strings.Join(first, "\n"), d.name, strings.Join(l, "\n"))
		}
	}
}

// atRest settles, and checks all of this.
func (w *world) atRest() {
	w.t.Helper()
	w.settle()
	w.coherent()
	w.held()
}

// somewhere fails unless each of these contents is in a file of some device.
func (w *world) somewhere(contents ...string) {
	w.t.Helper()
	for _, c := range contents {
		found := false
		for _, d := range w.all {
			for _, f := range d.files() {
				found = found || strings.Contains(f, c)
			}
		}
		if !found {
			w.t.Errorf("%q is lost", c)
		}
	}
}

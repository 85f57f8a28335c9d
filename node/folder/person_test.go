package folder_test

import (
	"os"
	"path/filepath"
	"testing"
)

// What a person does to the files of a device.

func (d *device) path(p string) string { return filepath.Join(d.root, p) }

// write puts a file in place whole, as most programs do: it is written
// elsewhere first.
func (d *device) write(p, content string) {
	d.w.t.Helper()
	draft := filepath.Join(d.home, "draft")
	d.w.must(os.WriteFile(draft, []byte(content), 0o644))
	d.mkdir(filepath.Dir(p))
	d.w.must(os.Rename(draft, d.path(p)))
}

func (d *device) mkdir(p string) {
	d.w.t.Helper()
	d.w.must(os.MkdirAll(d.path(p), 0o755))
}

func (d *device) remove(p string) {
	d.w.t.Helper()
	d.w.must(os.RemoveAll(d.path(p)))
}

func (d *device) rename(from, to string) {
	d.w.t.Helper()
	d.mkdir(filepath.Dir(to))
	d.w.must(os.Rename(d.path(from), d.path(to)))
}

func (d *device) symlink(p, target string) {
	d.w.t.Helper()
	d.mkdir(filepath.Dir(p))
	_ = os.Remove(d.path(p))
	d.w.must(os.Symlink(target, d.path(p)))
}

func (d *device) chmod(p string, mode os.FileMode) {
	d.w.t.Helper()
	d.w.must(os.Chmod(d.path(p), mode))
}

// two are two devices that share an empty folder and are linked.
func two(t testing.TB) (w *world, a, b *device) {
	t.Helper()
	w = newWorld(t, "anna", "ben")
	a, b = w.all[0].up(), w.all[1].up()
	w.link(a, b)
	return w, a, b
}

package treetest

import (
	"fmt"
	"io/fs"
	"maps"
	"slices"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/tree"
)

func noticedByNobody(entry.Path, bool) {}

// Item is one thing in a folder, or that was in it.
type Item struct {
	Path entry.Path // empty of what has none any more
	Stat tree.Stat
	Body string // of a file
}

// Items are all things in the folder, parents first.
func (d *Disk) Items() []Item { return items(nil, d.root, "") }

func items(out []Item, dir *node, at entry.Path) []Item {
	for _, name := range slices.Sorted(maps.Keys(dir.children)) {
		n := dir.children[name]
		p := at.Join(name)
		out = append(out, Item{p, n.stat(), string(n.body)})
		out = items(out, n, p)
	}
	return out
}

// Trash are all things that people have taken out of the folder.
func (d *Disk) Trash() []Item {
	var out []Item
	for _, n := range d.trash {
		out = append(out, Item{"", n.stat(), string(n.body)})
		out = items(out, n, "")
	}
	for i := range out {
		out[i].Path = ""
	}
	return out
}

// Left counts what lies in kith's own directory.
func (d *Disk) Left() (staged, aside int) { return len(d.tmp.children), len(d.aside.children) }

// Aside are things that have no name for the moment, or until the next Open.
func (d *Disk) Aside() []Item { return items(nil, d.aside, "") }

func (d *Disk) all() []*node {
	var out []*node
	var walk func(*node)
	walk = func(n *node) {
		out = append(out, n)
		for _, name := range slices.Sorted(maps.Keys(n.children)) {
			walk(n.children[name])
		}
	}
	for _, n := range []*node{d.root, d.tmp, d.aside} {
		walk(n)
	}
	return out
}

// userSpot is where a person acts.
func (d *Disk) userSpot(p entry.Path) (spot, error) {
	dir, err := descend(d.root, p.Parent())
	return spot{dir, p.Name(), p}, err
}

// take takes out what lies at a spot, if anything does.
func (d *Disk) take(at spot) {
	if n := at.node(); n != nil {
		d.unlink(n)
		d.trash = append(d.trash, n)
	}
}

// put gives a spot to a node, in place of what is there.
func (d *Disk) put(n *node, at spot) {
	if old := at.node(); old != nil {
		d.create(n, spot{dir: d.tmp, name: ".user"})
		d.exchange(n, old)
		d.unlink(old)
		d.trash = append(d.trash, old)
		return
	}
	d.create(n, at)
}

// Write puts a new file at p, whole, in place of what is there.
func (d *Disk) Write(p entry.Path, body []byte, mode uint32) error {
	at, err := d.userSpot(p)
	if err != nil {
		return err
	}
	n := d.newNode(entry.File, mode)
	d.write(n, body)
	d.put(n, at)
	return nil
}

// Symlink puts a new symlink at p, in place of what is there.
func (d *Disk) Symlink(p entry.Path, target string) error {
	at, err := d.userSpot(p)
	if err != nil {
		return err
	}
	n := d.newNode(entry.Symlink, 0o777)
	n.target = target
	d.put(n, at)
	return nil
}

// Fifo puts something at p that is not to be synced.
func (d *Disk) Fifo(p entry.Path) error {
	at, err := d.userSpot(p)
	if err != nil {
		return err
	}
	d.put(d.newNode(0, 0o644), at)
	return nil
}

// Mkdir makes a directory at p.
func (d *Disk) Mkdir(p entry.Path, mode uint32) error {
	at, err := d.userSpot(p)
	if err == nil && at.node() != nil {
		err = fs.ErrExist
	}
	if err != nil {
		return err
	}
	d.create(d.newNode(entry.Directory, mode), at)
	return nil
}

// Remove takes out what lies at p, with all below it.
func (d *Disk) Remove(p entry.Path) error {
	at, err := d.userSpot(p)
	if err == nil && at.node() == nil {
		err = fs.ErrNotExist
	}
	if err != nil {
		return err
	}
	d.take(at)
	return nil
}

// Rename moves what lies at p to q, in place of what is there. Neither may lie
// below the other.
func (d *Disk) Rename(p, q entry.Path) error {
	from, err := d.userSpot(p)
	if err != nil {
		return err
	}
	to, err := d.userSpot(q)
	switch {
	case err != nil:
		return err
	case from.node() == nil:
		return fs.ErrNotExist
	case p == q, p.Below(q), q.Below(p):
		return fmt.Errorf("rename %q to %q: %w", p, q, fs.ErrInvalid)
	}
	d.take(to)
	d.rename(from.node(), to)
	return nil
}

// Swap exchanges what lies at p and q.
func (d *Disk) Swap(p, q entry.Path) error {
	a, err := d.userSpot(p)
	if err != nil {
		return err
	}
	b, err := d.userSpot(q)
	switch {
	case err != nil:
		return err
	case a.node() == nil, b.node() == nil:
		return fs.ErrNotExist
	case p == q, p.Below(q), q.Below(p):
		return fmt.Errorf("swap %q and %q: %w", p, q, fs.ErrInvalid)
	}
	d.exchange(a.node(), b.node())
	return nil
}

// SetMeta sets mode and time of what lies at p.
func (d *Disk) SetMeta(p entry.Path, m tree.Meta) error {
	at, err := d.userSpot(p)
	if err == nil && at.node() == nil {
		err = fs.ErrNotExist
	}
	if err != nil {
		return err
	}
	d.setMeta(at.node(), m)
	return nil
}

// Stat is what lies at p.
func (d *Disk) Stat(p entry.Path) (tree.Stat, bool) {
	at, err := d.userSpot(p)
	if err != nil || at.node() == nil {
		return tree.Stat{}, false
	}
	return at.node().stat(), true
}

// Body is the content of the file at p.
func (d *Disk) Body(p entry.Path) (string, bool) {
	at, err := d.userSpot(p)
	if err != nil || at.node() == nil || at.node().kind != entry.File {
		return "", false
	}
	return string(at.node().body), true
}

// Fail makes what lies at p unreadable, with all below it; nil mends it.
func (d *Disk) Fail(p entry.Path, failing error) {
	if at, err := d.userSpot(p); err == nil && at.node() != nil {
		at.node().failing = failing
	}
}

// Mend makes all readable.
func (d *Disk) Mend() {
	for _, n := range d.all() {
		n.failing = nil
	}
}

// Writer is a file that a person's program has open for writing.
type Writer struct {
	disk *Disk
	node *node
}

// Edit opens the file at p for writing, as it is.
func (d *Disk) Edit(p entry.Path) (*Writer, error) {
	at, err := d.userSpot(p)
	if err == nil && (at.node() == nil || at.node().kind != entry.File) {
		err = fs.ErrNotExist
	}
	if err != nil {
		return nil, err
	}
	at.node().writers++
	return &Writer{d, at.node()}, nil
}

// Body is what the file holds.
func (w *Writer) Body() string { return string(w.node.body) }

// Write makes the file hold just this. What it held is in the trash, unless it
// is the beginning of this.
func (w *Writer) Write(body []byte) {
	old := w.node.body
	if len(old) > len(body) || string(old) != string(body[:len(old)]) {
		w.disk.trash = append(w.disk.trash, &node{kind: entry.File, body: old})
	}
	w.node.staged = false
	w.disk.write(w.node, body)
}

// Close ends it, and says where the file lies in the folder, if it does.
func (w *Writer) Close() (entry.Path, bool) {
	w.node.writers = max(w.node.writers-1, 0)
	p, ok := w.disk.path(w.node)
	if ok {
		w.disk.Noticed(p, false) // IN_CLOSE_WRITE
	}
	return p, ok
}

package folder

import (
	"errors"
	"fmt"
	"slices"

	"github.com/kithmesh/kith/index"
	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/folder/merge"
	"github.com/kithmesh/kith/node/tree"
	"github.com/kithmesh/kith/node/tree/names"
)

// Names are bytes, and every device keeps them as they are. What the file
// system here cannot hold is a condition of that one file: it is neither
// renamed nor merged with another, and holds up nothing else.

// kin are the names that live in a directory, by what this file system makes
// of them. They are worked out anew for each slice of a pass.
type kin map[entry.Path]map[string]string

// fits tells whether the file system can hold the path of an item beside what
// lies there. If not, that is a condition of the path.
func (a *actor) fits(x *index.Folder, it *item) bool {
	traits := a.disk.names
	if it.choice.Action == merge.Forget || !it.remote.Lives() || it.absent || it.here() != nil {
		return true
	}
	name := it.path.Name()
	if why, refused := traits.Refuses(name); refused {
		a.stuck.add(a.Clock(), it.path, Problem{
			Path: it.path, Code: "name_not_allowed", Text: "the file system here cannot hold the name: " + why,
			Hint: fmt.Sprintf("Rename it on %s; its other copies are not touched.", it.remote.AuthorName),
		})
		return false
	}
	if !traits.Folds() {
		return true
	}
	names := a.kinOf(x, it.path.Parent())
	other, taken := names[traits.Key(name)]
	if taken && other != name && (it.from == nil || it.from.Path != it.path.Parent().Join(other)) {
		a.stuck.add(a.Clock(), it.path, Problem{
			Path: it.path, Code: clashCode(traits, name, other), Text: fmt.Sprintf("the file system here takes it for %q, which lies there", other),
			Hint: "Rename one of the two on a device that has both.",
		})
		return false
	}
	names[traits.Key(name)] = name
	return true
}

// clashCode tells names that differ in case from those that differ in form.
func clashCode(t names.Traits, name, other string) string {
	t.FoldsCase, t.Expands = false, false
	if t.Key(name) == t.Key(other) {
		return "form_clash"
	}
	return "case_clash"
}

// kinOf are the names that lie in a directory, or are about to.
func (a *actor) kinOf(x *index.Folder, dir entry.Path) map[string]string {
	if known, ok := a.pass.kin[dir]; ok {
		return known
	}
	if a.pass.kin == nil {
		a.pass.kin = kin{}
	}
	found := map[string]string{}
	for row := range x.Light(dir) {
		switch {
		case row.Path == dir:
			continue
		case dir != "" && !row.Path.Below(dir):
		case row.Path.Parent() == dir && row.Kind != entry.Deleted && !row.Absent:
			found[a.disk.names.Key(row.Path.Name())] = row.Path.Name()
			continue
		default:
			continue
		}
		break
	}
	for p := range a.inflight.paths {
		if p.Parent() == dir {
			if key := a.disk.names.Key(p.Name()); found[key] == "" {
				found[key] = p.Name()
			}
		}
	}
	a.pass.kin[dir] = found
	return found
}

// spelled tells whether what lies at a path lies there under just this name. A
// file system that folds names finds it under others, too.
func (d *disk) spelled(p entry.Path) bool {
	if !d.names.Folds() || p == "" {
		return true
	}
	children, err := d.tree.List(p.Parent())
	if errors.Is(err, tree.ErrNotDirectory) {
		return false
	}
	return err != nil || slices.ContainsFunc(children, func(c tree.Child) bool { return c.Name == p.Name() })
}

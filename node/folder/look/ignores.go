package look

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/tree"
	"github.com/kithmesh/kith/node/tree/ignore"
)

// Ignores is what a folder's rules of ignoring say, read from its tree as
// needed and remembered until [Ignores.Forget].
type Ignores struct {
	tree  Tree
	local func() ([]byte, error) // reads the rules of this device

	mu    sync.Mutex
	known map[entry.Path]rules
	base  *ignore.Set // of the root, without the root's own rules
}

// rules are those of one directory.
type rules struct {
	*ignore.Rules           // nil: it has none
	file          tree.Stat // of the file that they were read from
}

// NewIgnores reads the rules of the tree t. Those of this device alone are what
// local reads, [LocalRules] say, which returns fs.ErrNotExist if there are none.
func NewIgnores(t Tree, local func() ([]byte, error)) *Ignores {
	return &Ignores{tree: t, local: local, known: map[entry.Path]rules{}}
}

// LocalRules reads the rules of this device for the tree whose root is at a path.
func LocalRules(root string) func() ([]byte, error) {
	path := filepath.Join(root, filepath.FromSlash(ignore.LocalPath))
	return func() ([]byte, error) { return os.ReadFile(path) }
}

// Forget makes the rules be read again: a file of rules has changed.
func (g *Ignores) Forget() {
	g.mu.Lock()
	defer g.mu.Unlock()
	clear(g.known)
	g.base = nil
}

// Match tells whether a path is ignored, and by which rule.
func (g *Ignores) Match(p entry.Path, isDir bool) (bool, ignore.Rule, error) {
	root, err := g.In("")
	if err != nil {
		return false, ignore.Rule{}, err
	}
	var failed error
	ignored, rule := root.Find(p, isDir, func(dir entry.Path) *ignore.Rules {
		r, err := g.rules(dir)
		failed = errors.Join(failed, err)
		return r
	})
	return ignored, rule, failed
}

// Problems are lines of the rules read so far that do not do what their
// writer may think.
func (g *Ignores) Problems() []ignore.Problem {
	g.mu.Lock()
	defer g.mu.Unlock()
	var out []ignore.Problem
	for _, r := range g.known {
		if r.Rules != nil {
			out = append(out, r.Problems()...)
		}
	}
	return out
}

// In is the set of rules that holds in a directory.
func (g *Ignores) In(dir entry.Path) (*ignore.Set, error) {
	set, err := g.common()
	if err != nil {
		return nil, err
	}
	own, err := g.rules("")
	if err != nil {
		return nil, err
	}
	set = set.With(own)
	for i := range len(dir) + 1 {
		if dir != "" && (i == len(dir) || dir[i] == '/') {
			r, err := g.rules(dir[:i])
			if err != nil {
				return nil, err
			}
			set = set.With(r)
		}
	}
	return set, nil
}

// above is the set that holds in the directory of p, and whether p is ignored:
// by the files of rules as they are now, since what a person has written last
// may be about p.
func (g *Ignores) above(p entry.Path, isDir bool) (*ignore.Set, bool, error) {
	g.refresh(p)
	ignored, _, err := g.Match(p, isDir)
	if err != nil || ignored {
		return nil, ignored, err
	}
	set, err := g.In(p.Parent())
	return set, false, err
}

// in is the set that holds in dir, whose children a walk has just listed.
func (g *Ignores) in(dir entry.Path, above *ignore.Set, children []tree.Child) (*ignore.Set, error) {
	if dir == "" {
		return above, nil // [Ignores.In] has read the root's
	}
	at := slices.IndexFunc(children, func(c tree.Child) bool {
		return c.Name == ignore.FileName && c.Stat.Kind == entry.File
	})
	if at < 0 {
		g.found(dir, tree.Stat{})
		return above, nil
	}
	g.found(dir, children[at].Stat)
	r, err := g.rules(dir)
	return above.With(r), err
}

// found drops what was remembered of a directory whose file of rules is another
// by now, or has come or gone.
func (g *Ignores) found(dir entry.Path, file tree.Stat) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if r, ok := g.known[dir]; ok && r.file != file {
		delete(g.known, dir)
	}
}

// refresh looks at the files of rules above p that were read.
func (g *Ignores) refresh(p entry.Path) {
	for dir := p; dir != ""; {
		dir = dir.Parent()
		g.mu.Lock()
		_, known := g.known[dir]
		g.mu.Unlock()
		if !known {
			continue
		}
		st, err := g.tree.Lstat(dir.Join(ignore.FileName))
		if err != nil || st.Kind != entry.File {
			st = tree.Stat{} // who reads it again finds out why
		}
		g.found(dir, st)
	}
}

func (g *Ignores) common() (*ignore.Set, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.base != nil {
		return g.base, nil
	}
	text, err := g.local()
	var local *ignore.Rules
	switch {
	case err == nil:
		local = ignore.Parse("", ignore.LocalPath, text)
	case !errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("read the rules of this device: %w", err)
	}
	g.base = ignore.New(local)
	return g.base, nil
}

// rules are those of the file in dir; nil if there is none.
func (g *Ignores) rules(dir entry.Path) (*ignore.Rules, error) {
	g.mu.Lock()
	r, ok := g.known[dir]
	g.mu.Unlock()
	if ok {
		return r.Rules, nil
	}
	r, err := g.load(dir)
	if err != nil {
		return nil, err
	}
	g.mu.Lock()
	g.known[dir] = r
	g.mu.Unlock()
	return r.Rules, nil
}

func (g *Ignores) load(dir entry.Path) (r rules, err error) {
	p := dir.Join(ignore.FileName)
	f, err := g.tree.OpenFile(p)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, tree.ErrNotRegular):
		return r, nil
	case err != nil:
		return r, fmt.Errorf("read %q: %w", p, err)
	}
	defer f.Close()
	var text []byte
	if r.file, err = f.Stat(); err == nil {
		text, err = io.ReadAll(io.LimitReader(f, ignore.MaxSize+1))
	}
	if err != nil {
		return r, fmt.Errorf("read %q: %w", p, err)
	}
	r.Rules = ignore.Parse(dir, string(p), text)
	return r, nil
}

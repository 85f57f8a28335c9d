//go:build !portable

package tree

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/kithmesh/kith/index/entry"
)

// nobody is whom the tests become to whom permissions matter.
const nobody = 65534

func TestPermissionsOfAnOrdinaryUser(t *testing.T) {
	if os.Geteuid() != 0 {
		root := filepath.Join(t.TempDir(), "folder")
		must(t, unprivileged(root, "", ""))
		must(t, filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if d.IsDir() { // before it is read: so that it can be, and removed
				return os.Chmod(path, 0o700) //nolint:gosec // a directory
			}
			return err
		}))
		return
	}
	base, err := os.MkdirTemp("", "kith-tree") // the test's own would be closed to nobody
	must(t, err)
	defer func() { must(t, os.RemoveAll(base)) }()
	must(t, os.Chown(base, nobody, nobody))
	root := filepath.Join(base, "folder")
	cmd := child(t, "canary", root, "", "")
	cmd.Dir = base
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	exe, err := os.ReadFile(cmd.Path)
	must(t, err)
	cmd.Path = filepath.Join(base, "test") // where go put it, nobody may not look
	must(t, os.WriteFile(cmd.Path, exe, 0o755))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

// unprivileged works in directories without the owner's write permission.
func unprivileged(root, _, _ string) error {
	if err := Create(root, testID); err != nil {
		return err
	}
	tr, err := Open(root, testID)
	if err != nil {
		return err
	}
	for name, check := range map[string]func(*Tree) error{
		"read-only directories":          readOnlyDirectories,
		"a moved read-only directory":    movedReadOnly,
		"what a crash leaves writable":   crashWhilePermitted,
		"what is seen meanwhile":         seenMeanwhile,
		"unreadable is not empty":        unreadable,
		"the root itself":                readOnlyRoot,
		"of what kith may not do at all": refused,
	} {
		if err := check(tr); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return tr.Close()
}

func stageFor(tr *Tree, content string) (*Staged, error) {
	s, err := tr.Stage(fresh())
	if err == nil {
		_, err = s.WriteAt([]byte(content), 0)
	}
	return s, err
}

func readOnlyDirectories(tr *Tree) error {
	for _, mode := range []uint32{0o555, 0o500, 0o444, 0o000} {
		dir := entry.Path("d" + fresh())
		if _, err := tr.Mkdir(dir, mode); err != nil {
			return err
		}
		s, err := stageFor(tr, "one")
		if err != nil {
			return err
		}
		st, err := tr.Place(dir+"/f", s, Meta{Mode: 0o400}, nil)
		if err != nil {
			return fmt.Errorf("place in %o: %w", mode, err)
		}
		if mode&0o100 != 0 {
			if err := changeWithin(tr, dir, st); err != nil {
				return fmt.Errorf("in %o: %w", mode, err)
			}
		}
		if now, err := tr.Lstat(dir); err != nil || now.Mode != mode {
			return fmt.Errorf("mode %o became %o: %w", mode, now.Mode, err)
		}
		if err := os.Chmod(tr.file(dir), 0o700); err != nil { //nolint:gosec // to remove it
			return err
		}
		if err := os.RemoveAll(tr.file(dir)); err != nil {
			return err
		}
	}
	return leftNothing(tr)
}

// changeWithin replaces, moves and removes in a read-only directory.
func changeWithin(tr *Tree, dir entry.Path, st Stat) error {
	s, err := stageFor(tr, "two")
	if err != nil {
		return err
	}
	if st, err = tr.Place(dir+"/f", s, Meta{Mode: 0o400}, &st); err != nil {
		return err
	}
	if st, err = tr.Move(dir+"/f", dir+"/g", st, Meta{Mode: 0o400}); err != nil {
		return err
	}
	sub, err := tr.Mkdir(dir+"/sub", 0o555)
	if err != nil {
		return err
	}
	if err := tr.Remove(dir+"/sub", sub); err != nil {
		return err
	}
	wrong := st
	wrong.Size++
	if err := tr.Remove(dir+"/g", wrong); !errors.Is(err, ErrChanged) {
		return fmt.Errorf("removed what was not expected: %w", err)
	}
	return tr.Remove(dir+"/g", st)
}

func movedReadOnly(tr *Tree) error {
	for _, d := range []entry.Path{"a", "b"} {
		if _, err := tr.Mkdir(d, 0o555); err != nil {
			return err
		}
	}
	st, err := tr.Mkdir("a/x", 0o555)
	if err != nil {
		return err
	}
	if st, err = tr.Move("a/x", "b/x", st, Meta{Mode: 0o555}); err != nil {
		return err
	}
	s, err := stageFor(tr, "file over directory")
	if err != nil {
		return err
	}
	if st, err = tr.Place("b/x", s, meta, &st); err != nil {
		return err
	}
	if err := tr.Remove("b/x", st); err != nil {
		return err
	}
	return leftNothing(tr)
}

// crashWhilePermitted plays a crash by an operation that never comes back.
func crashWhilePermitted(tr *Tree) error {
	if _, err := tr.Mkdir("c", 0o555); err != nil {
		return err
	}
	d, err := tr.root.descend("c")
	if err != nil {
		return err
	}
	_ = tr.permit(d, "c")
	d.close()
	if st, err := tr.Lstat("c"); err != nil || st.Mode != 0o755 {
		return fmt.Errorf("mode %o: %w", st.Mode, err)
	}
	if err := tr.recover(); err != nil {
		return err
	}
	if st, err := tr.Lstat("c"); err != nil || st.Mode != 0o555 {
		return fmt.Errorf("mode %o after: %w", st.Mode, err)
	}
	return leftNothing(tr)
}

func seenMeanwhile(tr *Tree) error {
	if _, err := tr.Mkdir("s", 0o555); err != nil {
		return err
	}
	s, err := stageFor(tr, "x")
	if err != nil {
		return err
	}
	seen := make(chan error, 1)
	tr.at = func(at string) {
		if at != "permitted" {
			return
		}
		tr.at = func(string) {}
		if info, err := os.Lstat(tr.file("s")); err != nil || info.Mode().Perm() != 0o755 {
			seen <- fmt.Errorf("not at the right moment: %v, %w", info.Mode(), err)
			return
		}
		looked := make(chan struct{})
		go func() {
			close(looked)
			st, err := tr.Lstat("s")
			if err == nil && st.Mode != 0o555 {
				err = fmt.Errorf("seen with mode %o", st.Mode)
			}
			seen <- err
		}()
		<-looked
	}
	if _, err := tr.Place("s/f", s, meta, nil); err != nil {
		return err
	}
	return <-seen
}

func unreadable(tr *Tree) error {
	if _, err := tr.Mkdir("u", 0o000); err != nil {
		return err
	}
	children, err := tr.List("u")
	if !errors.Is(err, fs.ErrPermission) || errors.Is(err, fs.ErrNotExist) || children != nil {
		return fmt.Errorf("list: %v, %w", children, err)
	}
	if _, err := tr.Mkdir("v", 0o444); err != nil { // its names can be read, and nothing else
		return err
	}
	s, err := stageFor(tr, "x")
	if err != nil {
		return err
	}
	if _, err := tr.Place("v/f", s, meta, nil); err != nil {
		return err
	}
	if children, err := tr.List("v"); !errors.Is(err, fs.ErrPermission) || children != nil {
		return fmt.Errorf("list of names alone: %v, %w", children, err)
	}
	if _, err := tr.Lstat("u/x"); !errors.Is(err, fs.ErrPermission) || errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("lstat: %w", err)
	}
	return nil
}

func readOnlyRoot(tr *Tree) error {
	if err := os.Chmod(tr.path, 0o555); err != nil { //nolint:gosec // that is the test
		return err
	}
	s, err := stageFor(tr, "x")
	if err != nil {
		return err
	}
	if _, err := tr.Place("in-root", s, meta, nil); err != nil {
		return err
	}
	info, err := os.Stat(tr.path)
	if err != nil || info.Mode().Perm() != 0o555 {
		return fmt.Errorf("%v, %w", info.Mode(), err)
	}
	return errors.Join(os.Chmod(tr.path, 0o700), leftNothing(tr)) //nolint:gosec // a directory
}

// refused checks that what belongs to another user is reported by name.
func refused(tr *Tree) error {
	if os.Geteuid() != nobody {
		return nil
	}
	d, err := openTop("/")
	if err != nil {
		return err
	}
	defer d.close()
	at := spot{dir: d, name: "kith-test", path: "elsewhere/kith-test"}
	err = tr.permitted(func() error { return d.mkdir(at.name, 0o700) }, at)
	if !errors.Is(err, fs.ErrPermission) || err.Error() != `permission denied (in directory "elsewhere")` {
		return fmt.Errorf("got %w", err)
	}
	return leftNothing(tr)
}

func leftNothing(tr *Tree) error {
	for _, dir := range []string{notesDir, asideDir} {
		left, err := os.ReadDir(tr.file(entry.Path(dir)))
		if err != nil || len(left) > 0 {
			return fmt.Errorf("left in %s: %v, %w", dir, left, err)
		}
	}
	return nil
}

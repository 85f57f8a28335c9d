//go:build !portable

package tree

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func TestAFolderMaySpanFileSystems(t *testing.T) {
	for _, how := range []string{"exchange", "by hand"} {
		tr := testTree(t)
		must(t, os.Mkdir(tr.file("mnt"), 0o755))
		must(t, tr.Close())
		cmd := child(t, "devices", tr.path, how, "")
		cmd.SysProcAttr = &syscall.SysProcAttr{
			Cloneflags:  syscall.CLONE_NEWNS | syscall.CLONE_NEWUSER,
			UidMappings: []syscall.SysProcIDMap{{HostID: os.Geteuid(), Size: 1}},
			GidMappings: []syscall.SysProcIDMap{{HostID: os.Getegid(), Size: 1}},
		}
		out, err := cmd.CombinedOutput()
		if errors.Is(err, syscall.EPERM) || strings.Contains(string(out), "mount: ") {
			t.Skipf("no mount namespaces here: %v %s", err, out)
		}
		if err != nil {
			t.Fatalf("%s: %v: %s", how, err, out)
		}
		again, err := Open(tr.path, testID)
		must(t, err)
		tr.root, tr.lock = again.root, again.lock
	}
}

// overDevices mounts a file system within the folder and works across.
func overDevices(root, how, _ string) error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("mount: %w", err)
	}
	if err := unix.Mount("kith", filepath.Join(root, "mnt"), "tmpfs", 0, "size=1m"); err != nil {
		return fmt.Errorf("mount: %w", err)
	}
	testNoRenameFlags = how == "by hand"
	tr, err := Open(root, testID)
	if err != nil {
		return err
	}
	if err := across(tr); err != nil {
		return err
	}
	if err := acrossWithUser(tr); err != nil {
		return err
	}
	if err := acrossFull(tr); err != nil {
		return err
	}
	if err := tr.Sync(); err != nil {
		return err
	}
	left, err := os.ReadDir(tr.file("mnt"))
	for _, e := range left {
		if strings.HasPrefix(e.Name(), tempPrefix) {
			return fmt.Errorf("left behind: %q", e.Name())
		}
	}
	return errors.Join(err, acrossCrashed(tr))
}

func across(tr *Tree) error {
	s, err := stageFor(tr, "one")
	if err != nil {
		return err
	}
	st, err := tr.Place("mnt/f", s, meta, nil)
	if err != nil {
		return err
	}
	if s, err = stageFor(tr, "two"); err != nil {
		return err
	}
	if st, err = tr.Place("mnt/f", s, meta, &st); err != nil {
		return err
	}
	now, err := tr.Lstat("mnt/f")
	if err != nil || !now.Same(st) || now.ModTime != meta.ModTime || now.Mode != meta.Mode {
		return fmt.Errorf("placed %+v, there is %+v: %w", st, now, err)
	}
	if _, err := tr.Move("mnt/f", "f", st, meta); !errors.Is(err, ErrOtherDevice) {
		return fmt.Errorf("move: %w", err)
	}
	l, err := tr.StageSymlink(fresh(), "to")
	if err != nil {
		return err
	}
	ls, err := tr.Place("mnt/l", l, meta, nil)
	if err != nil || ls.Target != "to" || ls.ModTime != meta.ModTime {
		return fmt.Errorf("link %+v: %w", ls, err)
	}
	if err := tr.Remove("mnt/l", ls); err != nil {
		return err
	}
	if err := tr.Remove("mnt/f", st); err != nil {
		return err
	}
	if left, err := os.ReadDir(tr.file(tmpDir)); err != nil || len(left) > 0 {
		return fmt.Errorf("temporaries %v: %w", left, err)
	}
	return nil
}

// acrossWithUser has a user write while a file is replaced and removed.
func acrossWithUser(tr *Tree) error {
	for _, remove := range []bool{false, true} {
		if err := os.WriteFile(tr.file("mnt/f"), []byte("old"), 0o600); err != nil {
			return err
		}
		st, err := tr.Lstat("mnt/f")
		if err != nil {
			return err
		}
		tr.at = func(at string) {
			if at == "put" || at == "remove" {
				_ = os.WriteFile(tr.file("mnt/f"), []byte("user"), 0o600)
			}
		}
		if remove {
			err = tr.Remove("mnt/f", st)
		} else {
			s, serr := stageFor(tr, "new")
			if serr != nil {
				return serr
			}
			_, err = tr.Place("mnt/f", s, meta, &st)
			if derr := s.Discard(); derr != nil {
				return derr
			}
		}
		tr.at = func(string) {}
		if !errors.Is(err, ErrChanged) {
			return fmt.Errorf("remove %v: %w", remove, err)
		}
		if b, err := os.ReadFile(tr.file("mnt/f")); err != nil || string(b) != "user" {
			return fmt.Errorf("there is %q: %w", b, err)
		}
	}
	return os.Remove(tr.file("mnt/f"))
}

func acrossFull(tr *Tree) error {
	s, err := stageFor(tr, strings.Repeat("x", 2<<20))
	if err != nil {
		return err
	}
	if _, err = tr.Place("mnt/f", s, meta, nil); !errors.Is(err, syscall.ENOSPC) {
		return fmt.Errorf("a full disk: %w", err)
	}
	if _, err := os.Lstat(tr.file("mnt/f")); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("after a full disk: %w", err)
	}
	if _, err := tr.Place("f", s, meta, nil); err != nil { // there is room here
		return err
	}
	return os.Remove(tr.file("f"))
}

// acrossCrashed leaves what a crash would, and has it put right.
func acrossCrashed(tr *Tree) error {
	a := asideName{want: Stat{Kind: 2, Size: 1}, tag: fresh(), base: "user's"}
	for name, content := range map[string]string{newTemp + "x": "half", tempPrefix + a.String(): "user"} {
		if err := os.WriteFile(tr.file("mnt")+"/"+name, []byte(content), 0o600); err != nil {
			return err
		}
	}
	if err := tr.Close(); err != nil {
		return err
	}
	again, err := Open(tr.path, testID)
	if err != nil {
		return err
	}
	left, err := os.ReadDir(again.file("mnt"))
	if err != nil || len(left) != 1 || len(again.Recovered()) != 1 || "mnt/"+left[0].Name() != string(again.Recovered()[0]) {
		return fmt.Errorf("left %v, recovered %q: %w", left, again.Recovered(), err)
	}
	return again.Close()
}

package watch

import (
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func exchange(a, b string) error {
	return unix.Renameat2(unix.AT_FDCWD, a, unix.AT_FDCWD, b, unix.RENAME_EXCHANGE)
}

func queueLimit(t *testing.T) int {
	t.Helper()
	text, err := os.ReadFile("/proc/sys/fs/inotify/max_queued_events")
	if err != nil {
		t.Skipf("no limit to exceed: %v", err)
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || n > 1<<17 {
		t.Skipf("a queue of %q is too long to fill", text)
	}
	return n
}

// A user namespace has a limit of its own below that of the system, so a
// child in a new one can lower it without harm to anyone else. (The limit in
// /proc/sys/fs/inotify is the system's in every namespace: never write that.)
func TestBeyondTheLimitOfWatchesTheRestIsKept(t *testing.T) {
	const (
		limit     = "/proc/sys/user/max_inotify_watches"
		namespace = "/proc/self/ns/user"
		child     = "KITH_WATCH_TEST_OUTSIDE" // tells the child its parent's namespace
	)
	here, err := os.Readlink(namespace)
	if err != nil {
		t.Skipf("no user namespaces: %v", err)
	}
	outside := os.Getenv(child)
	if outside == "" {
		cmd := exec.Command(os.Args[0], "-test.run", "^"+t.Name()+"$", "-test.v")
		cmd.Env = append(os.Environ(), child+"="+here)
		cmd.SysProcAttr = &syscall.SysProcAttr{
			Cloneflags:  syscall.CLONE_NEWUSER,
			UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}},
			GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}},
		}
		out, err := cmd.CombinedOutput()
		if _, ran := err.(*exec.ExitError); err != nil && !ran {
			t.Skipf("no user namespace to be had: %v", err)
		}
		if strings.Contains(string(out), "--- SKIP") {
			t.Skipf("%s", out)
		}
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	if outside == here {
		t.Fatal("the child is in the namespace of its parent")
	}
	if err := os.WriteFile(limit, []byte("10"), 0o644); err != nil {
		t.Skipf("cannot lower the limit: %v", err)
	}
	b := &bench{T: t, root: t.TempDir()}
	for i := range 30 {
		b.mkdir(strconv.Itoa(i))
	}
	b.run(Options{})
	reason, ok := b.Degraded()
	if !ok || !strings.Contains(reason, "10 directories") {
		t.Errorf("degraded: %v, %q", ok, reason)
	}
	b.write("f")
	b.tells("f", false)
	for i := range 30 {
		b.must(os.Remove(b.path(strconv.Itoa(i))))
	}
	b.mkdir("late")
	b.covers("late")
	b.forget()
	b.Renew()
	b.tells("", true)
	if reason, ok := b.Degraded(); ok {
		t.Errorf("degraded although there is room: %s", reason)
	}
	b.write("late/f")
	b.tells("late/f", false)
}

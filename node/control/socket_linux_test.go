package control_test

import (
	"net"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/kithmesh/kith/node/control/controltest"
)

func TestAnotherUserIsNotServedEvenIfTheSocketWereOpen(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, to connect as another user")
	}
	path := serve(t, &controltest.Device{})
	if err := os.Chmod(path, 0o666); err != nil {
		t.Fatal(err)
	}
	for dir := filepath.Dir(path); dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	const nobody = 65534
	if answer := asUser(t, nobody, path); answer != 0 {
		t.Errorf("nobody got %d bytes of an answer", answer)
	}
	if answer := asUser(t, 0, path); answer == 0 {
		t.Error("root got no answer: the test cannot tell")
	}
}

// asUser connects as uid, asks for something and returns the length of the
// answer. The user changes for one thread, which ends with its goroutine.
func asUser(t *testing.T, uid uintptr, path string) int {
	t.Helper()
	got := make(chan int)
	go func() {
		runtime.LockOSThread() // never unlocked
		defer close(got)
		const keep = ^uintptr(0)
		if _, _, e := syscall.RawSyscall(syscall.SYS_SETRESUID, keep, uid, keep); e != 0 {
			t.Errorf("become user %d: %v", uid, e)
			return
		}
		fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
		if err != nil {
			t.Error(err)
			return
		}
		defer func() { _ = syscall.Close(fd) }()
		if err := syscall.Connect(fd, &syscall.SockaddrUnix{Name: path}); err != nil {
			t.Errorf("connect as user %d: %v", uid, err)
			return
		}
		buf := make([]byte, 1024)
		if _, err := syscall.Write(fd, []byte("GET / HTTP/1.0\r\n\r\n")); err == nil {
			n, _ := syscall.Read(fd, buf)
			got <- max(n, 0)
		}
	}()
	return <-got
}

func TestAConnectionThatSaysNothingDoesNotHoldTheEnd(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kith.sock")
	stop := serveAt(t, path, &controltest.Device{})
	for _, said := range []string{"", "POST /kith.control.States/Status HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{"} {
		conn, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		if _, err := conn.Write([]byte(said)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := dial(t, path).Status(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	stop()
	if d := time.Since(start); d > 5*time.Second {
		t.Errorf("the end took %v", d)
	}
}

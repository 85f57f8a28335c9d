package control

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"
)

// socket is a listening unix socket that this process alone holds.
type socket struct {
	net.Listener
	path string
	lock *os.File
}

// listen takes the socket at path: a lock beside it decides between two that
// start at once, an answer from it between one that runs and one that died.
func listen(path string) (*socket, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("listen at %q: %w", path, err)
	}
	lock, err := takeLock(path + ".lock")
	if err != nil {
		return nil, fmt.Errorf("listen at %q: %w", path, err)
	}
	l, err := replaceStale(path)
	if err != nil {
		_ = lock.Close()
		return nil, fmt.Errorf("listen at %q: %w", path, err)
	}
	return &socket{Listener: l, path: path, lock: lock}, nil
}

// replaceStale listens at path after removing what a dead process left there.
// It removes nothing but a socket at which nobody answers.
func replaceStale(path string) (net.Listener, error) {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return bind(path)
	case err != nil:
		return nil, err
	case info.Mode()&fs.ModeSocket == 0:
		return nil, fmt.Errorf("%w: something else lies there", ErrInvalid)
	}
	ctx, cancel := context.WithTimeout(context.Background(), probeTime)
	defer cancel()
	conn, err := connectTo(ctx, path)
	if err == nil {
		_ = conn.Close()
		return nil, ErrAlreadyRunning
	}
	if !nobodyAnswers(err) {
		return nil, err
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return bind(path)
}

func bind(path string) (net.Listener, error) {
	var l net.Listener
	err := withShortPath(path, func(short string) error {
		c := net.ListenConfig{Control: private}
		var err error
		l, err = c.Listen(context.Background(), "unix", short)
		return err
	})
	if err != nil {
		return nil, err
	}
	// The socket's own name may be the short one; Close removes the real one.
	if u, ok := l.(*net.UnixListener); ok {
		u.SetUnlinkOnClose(false)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		_ = l.Close()
		return nil, err
	}
	return l, nil
}

// private makes the socket 0600 before it has a name, where the system can.
func private(_, _ string, c syscall.RawConn) error {
	return c.Control(func(fd uintptr) { privateFile(fd) })
}

// Close ends listening and removes the socket. The lock file stays: removing
// it would let two processes hold locks on different files of one name.
func (s *socket) Close() error {
	err := s.Listener.Close()
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	if rerr := os.Remove(s.path); rerr != nil && !errors.Is(rerr, fs.ErrNotExist) {
		err = errors.Join(err, rerr)
	}
	return errors.Join(err, s.lock.Close())
}

// Accept returns the next connection of a user that may use this device;
// others are turned away.
func (s *socket) Accept() (net.Conn, error) {
	for {
		conn, err := s.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if mayUse(conn) {
			return conn, nil
		}
		_ = conn.Close()
	}
}

func connectTo(ctx context.Context, path string) (net.Conn, error) {
	var conn net.Conn
	err := withShortPath(path, func(short string) error {
		var d net.Dialer
		var err error
		conn, err = d.DialContext(ctx, "unix", short)
		return err
	})
	return conn, err
}

func nobodyAnswers(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, refused) || errors.Is(err, syscall.ENOTDIR)
}

package watch

import (
	"errors"
	"sync"
	"syscall"

	"github.com/fsnotify/fsnotify"
)

// source is one instance of the operating system's facility, with its own
// queue of events.
type source struct {
	*fsnotify.Watcher
	faults chan error // the first that matters
	pump   sync.WaitGroup
}

// open makes an instance that watches nothing yet.
func open() (*source, error) {
	fs, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, err
	}
	s := &source{Watcher: fs, faults: make(chan error, 1)}
	// fsnotify can hold its lock while it waits for an error to be taken, and
	// adding a watch wants that lock: so errors have a goroutine of their own.
	s.pump.Go(func() {
		for err := range fs.Errors {
			if errors.Is(err, syscall.EINVAL) {
				continue // the watch of a directory that moved and is gone by now
			}
			select {
			case s.faults <- err:
			default:
			}
		}
	})
	return s, nil
}

func (s *source) close() {
	_ = s.Close() // can only have been closed before
	s.pump.Wait()
}

package node

import (
	"context"
	"sync"

	"golang.org/x/sync/errgroup"
)

// tasks are the goroutines of a running device that come and go. An error of
// one ends the device.
type tasks struct {
	mu    sync.Mutex
	group *errgroup.Group
	base  func() context.Context
}

func (t *tasks) begin(ctx context.Context, g *errgroup.Group) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.group, t.base = g, func() context.Context { return ctx }
}

// start runs fn until it returns, and at the latest the device ends, which
// waits for it. The context ends by stop, too.
func (t *tasks) start(fn func(context.Context) error) (stop context.CancelFunc, done <-chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	ctx, cancel := context.WithCancel(t.base())
	ended := make(chan struct{})
	t.group.Go(func() error {
		defer close(ended)
		defer cancel()
		return fn(ctx)
	})
	return cancel, ended
}

// notice wakes whoever waits for something to change.
type notice struct {
	state *noticeState
}

type noticeState struct {
	mu sync.Mutex
	ch chan struct{}
}

func newNotice() notice { return notice{&noticeState{ch: make(chan struct{})}} }

// next is closed at the next change.
func (n notice) next() <-chan struct{} {
	n.state.mu.Lock()
	defer n.state.mu.Unlock()
	return n.state.ch
}

func (n notice) tell() {
	n.state.mu.Lock()
	defer n.state.mu.Unlock()
	close(n.state.ch)
	n.state.ch = make(chan struct{})
}

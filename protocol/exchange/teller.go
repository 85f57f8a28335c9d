package exchange

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/proto/wirepb"
	"github.com/kithmesh/kith/protocol/frame"
)

// Teller tells one peer over one stream.
type Teller struct {
	book Book
	wake chan struct{}

	mu    sync.Mutex
	sent  map[entry.FolderID]*progress
	known map[entry.FolderID]bool // that the listener was told of
}

// progress is how far one folder has been told.
type progress struct {
	index   uint64
	through entry.Sequence
	roster  [16]byte      // digest of the statements that the listener has
	epochs  []entry.Epoch // whose keys the listener said it has; ascending
}

// NewTeller tells what book holds.
func NewTeller(book Book) *Teller {
	return &Teller{book: book, wake: make(chan struct{}, 1), sent: map[entry.FolderID]*progress{}}
}

// Wake says that there may be news. It never blocks.
func (t *Teller) Wake() {
	select {
	case t.wake <- struct{}{}:
	default:
	}
}

// Run introduces this device as me and tells until the stream ends or ctx
// does; it closes the stream. It returns nil when the peer ended the stream in
// order, and wraps [ErrProtocol] or [ErrMessage] where the peer cannot be
// talked with. When it has returned it may be called again, with a new stream.
func (t *Teller) Run(ctx context.Context, stream Stream, me Hello) error {
	t.forget()
	g, ctx := errgroup.WithContext(ctx)
	stop := context.AfterFunc(ctx, func() { _ = stream.Reset() })
	defer stop()
	g.Go(func() error { return t.read(ctx, stream) })
	g.Go(func() error { return t.tell(ctx, frame.NewWriter(stream), me) })
	err := g.Wait()
	_ = stream.Reset()
	return ended(err)
}

// Stream is an exchange stream to a peer.
type Stream interface {
	io.ReadWriter
	// Reset gives the stream up; pending reads and writes end.
	Reset() error
}

// errEnded ends the group of a session whose stream was closed in order.
var errEnded = errors.New("exchange ended")

func ended(err error) error {
	if errors.Is(err, errEnded) {
		return nil
	}
	return err
}

func (t *Teller) read(ctx context.Context, stream io.Reader) error {
	in := reader(stream)
	for first := true; ; first = false {
		var m wirepb.Reply
		if err := in.Read(&m); err != nil {
			if errors.Is(err, io.EOF) {
				return errEnded
			}
			return err
		}
		r, err := replyFromWire(&m)
		if err != nil {
			return err
		}
		if first != (r.Met != nil) {
			return refuse("a hello out of place")
		}
		if r == (Reply{}) {
			continue
		}
		// The book goes first: it may find that nothing is to be told any more.
		if err := t.book.Replied(ctx, r); err != nil {
			return err
		}
		if r.Start != nil {
			t.start(*r.Start)
		}
		t.Wake()
	}
}

func replyFromWire(m *wirepb.Reply) (Reply, error) {
	switch w := m.GetWhat().(type) {
	case *wirepb.Reply_Hello:
		h, err := helloFromWire(w.Hello)
		return Reply{Met: &h}, err
	case *wirepb.Reply_Start:
		s, err := startFromWire(w.Start)
		return Reply{Start: &s}, err
	case *wirepb.Reply_Ack:
		a, err := ackFromWire(w.Ack)
		return Reply{Ack: &a}, err
	case *wirepb.Reply_Answer:
		a, err := answerFromWire(w.Answer)
		return Reply{Answer: &a}, err
	}
	return Reply{}, nil // of a later version
}

// forget is for a new stream: what was told on the last one may not have
// arrived, and the listener will say where it is.
func (t *Teller) forget() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sent, t.known = map[entry.FolderID]*progress{}, nil
}

func (t *Teller) start(s Start) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.known[s.Folder] {
		return // it will be asked for again when it has been told of
	}
	t.sent[s.Folder] = &progress{index: s.Index, through: s.After, roster: s.Roster, epochs: s.Epochs}
}

// knows notes which folders the listener may ask for.
func (t *Teller) knows(folders []FolderState) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.known = make(map[entry.FolderID]bool, len(folders))
	for _, f := range folders {
		t.known[f.Folder] = true
	}
	for id := range t.sent {
		if !t.known[id] {
			delete(t.sent, id)
		}
	}
}

// tell writes news as they come, and records for as long as there are any.
func (t *Teller) tell(ctx context.Context, out *frame.Writer, me Hello) error {
	if err := out.Write(&wirepb.Tell{What: &wirepb.Tell_Hello{Hello: me.toWire()}}); err != nil {
		return err
	}
	told := newTold()
	for {
		news := t.book.News()
		t.knows(news.Folders)
		if err := told.tell(out, news); err != nil {
			return err
		}
		more := false
		for _, f := range news.Folders {
			m, err := t.tellFolder(ctx, out, f, told)
			if err != nil {
				return fmt.Errorf("tell folder %s: %w", f.Folder, err)
			}
			more = more || m
		}
		if more {
			continue // one batch of each folder in turn: none waits for another
		}
		if err := out.Flush(); err != nil {
			return err
		}
		select {
		case <-t.wake:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// tellFolder tells one batch of a folder that the listener has started, and
// whether there is more.
func (t *Teller) tellFolder(ctx context.Context, out *frame.Writer, f FolderState, told *told) (bool, error) {
	t.mu.Lock()
	p := t.sent[f.Folder]
	t.mu.Unlock()
	if p == nil || p.index != f.Index {
		return false, nil // a Start for the new index will come
	}
	if p.roster != f.Roster {
		if err := out.Write(statementsMessage(f.Folder, t.book.Statements(f.Folder))); err != nil {
			return false, err
		}
		p.roster = f.Roster
	}
	b, err := t.next(ctx, f, p)
	if err != nil {
		return false, err
	}
	// Asked for after the batch was made, and told before it: the key that it
	// is sealed under is among them.
	if err := told.tellKeys(out, f.Folder, p.epochs, t.book.Keys(f.Folder)); err != nil {
		return false, err
	}
	if b == nil {
		return false, nil
	}
	if err := out.Write(&wirepb.Tell{What: &wirepb.Tell_Records{Records: b.toWire()}}); err != nil {
		return false, err
	}
	p.through = b.Through
	return b.Through < b.Head, nil
}

// next is the batch to be told after what was; nil if there is none.
func (t *Teller) next(ctx context.Context, f FolderState, p *progress) (*Batch, error) {
	if p.through >= f.Head {
		return nil, nil
	}
	b, err := t.book.Records(ctx, f.Folder, p.through, Limit{Records: batchRecords, Bytes: batchBytes})
	if err != nil || b.Index != f.Index || b.Through <= p.through {
		return nil, err
	}
	return &b, nil
}

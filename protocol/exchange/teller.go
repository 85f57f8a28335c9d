package exchange

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/proto"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/roster"
	"github.com/kithmesh/kith/proto/wirepb"
	"github.com/kithmesh/kith/protocol/frame"
)

// News is what there is to tell one peer, records aside.
type News struct {
	// Folders are those that the peer is a member of.
	Folders []FolderState
	// Offers are those that it was admitted to and is not known to have
	// joined.
	Offers []Offer
	// Asks are told once: the Book forgets them as it returns them.
	Asks []Ask
}

// Book is what a teller draws on; its methods may be called at the same time.
type Book interface {
	// News is what there is to tell now.
	News() News
	// Statements are the membership statements of a folder.
	Statements(folder entry.FolderID) []roster.Statement
	// Records are the changes of a folder's index after a sequence, in
	// order, within some [Limit]. The batch must end at Through with nothing
	// left out; it is empty when there is nothing after.
	Records(ctx context.Context, folder entry.FolderID, after entry.Sequence, limit Limit) (Batch, error)
	// Replied takes what the listener replied. An error ends the stream.
	Replied(ctx context.Context, reply Reply) error
}

// Limit bounds one batch: it ends when either is reached.
type Limit struct {
	Records int
	Bytes   int
}

// Reply is what a listener said; exactly one of its fields is set.
type Reply struct {
	Met    *Hello
	Start  *Start
	Ack    *Ack
	Answer *Answer
}

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
	roster  [16]byte // digest of the statements that the listener has
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
// talked with.
func (t *Teller) Run(ctx context.Context, stream Stream, me Hello) error {
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
		if r.Start != nil {
			t.start(*r.Start)
		}
		if r != (Reply{}) {
			if err := t.book.Replied(ctx, r); err != nil {
				return err
			}
			t.Wake()
		}
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

func (t *Teller) start(s Start) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.known[s.Folder] {
		return // it will be asked for again when it has been told of
	}
	t.sent[s.Folder] = &progress{index: s.Index, through: s.After, roster: s.Roster}
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
	told := told{}
	for {
		news := t.book.News()
		t.knows(news.Folders)
		if err := told.tell(out, news); err != nil {
			return err
		}
		more := false
		for _, f := range news.Folders {
			m, err := t.tellFolder(ctx, out, f)
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
func (t *Teller) tellFolder(ctx context.Context, out *frame.Writer, f FolderState) (bool, error) {
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
	if p.through >= f.Head {
		return false, nil
	}
	b, err := t.book.Records(ctx, f.Folder, p.through, Limit{Records: batchRecords, Bytes: batchBytes})
	if err != nil {
		return false, err
	}
	if b.Index != f.Index || b.Through <= p.through {
		return false, nil
	}
	if err := out.Write(&wirepb.Tell{What: &wirepb.Tell_Records{Records: b.toWire()}}); err != nil {
		return false, err
	}
	p.through = b.Through
	return b.Through < b.Head, nil
}

// told remembers what the peer was last told, so that only changes are sent.
type told struct {
	folders, offers string
}

func (t *told) tell(out *frame.Writer, n News) error {
	folders := foldersToWire(n.Folders)
	if k := folderKey(n.Folders); k != t.folders {
		if err := out.Write(&wirepb.Tell{What: &wirepb.Tell_Folders{Folders: folders}}); err != nil {
			return err
		}
		t.folders = k
	}
	offers := offersToWire(n.Offers)
	k, err := proto.MarshalOptions{Deterministic: true}.Marshal(offers)
	if err != nil {
		return fmt.Errorf("encode offers: %w", err)
	}
	if k := "." + string(k); k != t.offers {
		if err := out.Write(&wirepb.Tell{What: &wirepb.Tell_Offers{Offers: offers}}); err != nil {
			return err
		}
		t.offers = k
	}
	for _, a := range n.Asks {
		m := &wirepb.Ask{Folder: a.Folder[:], Nonce: a.Nonce}
		if err := out.Write(&wirepb.Tell{What: &wirepb.Tell_Ask{Ask: m}}); err != nil {
			return err
		}
	}
	return nil
}

// folderKey changes when a listener has to know: not with each new head, which
// the records themselves carry.
func folderKey(states []FolderState) string {
	k := "."
	for _, f := range states {
		k += fmt.Sprintf("%x %x %x %x %t;", f.Folder, f.Index, f.Replica, f.Roster, f.Settled)
	}
	return k
}

package exchange

import (
	"context"
	"errors"
	"io"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/roster"
	"github.com/kithmesh/kith/proto/wirepb"
	"github.com/kithmesh/kith/protocol/frame"
	"github.com/kithmesh/kith/protocol/seal"
)

// Ear takes what a teller says of itself and its folders. Its methods and
// those of the [Registry] are called one at a time, in the order in which things
// are said. A method that blocks holds the teller back; an error ends the
// stream.
type Ear interface {
	// Met is the first to be called.
	Met(h Hello)
	// Folders replaces what the teller shares with this device.
	Folders(ctx context.Context, states []FolderState) error
	// Heard takes changes, or an ask where ask is not nil; refused says
	// which records of the batch were malformed and left out.
	Heard(ctx context.Context, h Heard) error
}

// Registry takes what a teller says of the members of folders, and what they
// share. Nothing of it is verified; of folders that the teller does not share
// with this device, or to which this device was never admitted, it may speak
// as well.
type Registry interface {
	// Invited replaces the teller's offers.
	Invited(offers []Offer) error
	// Joined adds membership statements to a folder.
	Joined(folder entry.FolderID, statements []roster.Statement) error
	// Keyed adds keys of epochs to a folder; at least one. Batches of those
	// epochs are heard after it.
	Keyed(ctx context.Context, folder entry.FolderID, keys map[entry.Epoch]seal.FolderKey) error
	// Acquainted replaces what the teller knows of the whereabouts of others.
	Acquainted(ctx context.Context, contacts []Contact) error
}

// Heard is a batch of records, or an ask; exactly one of them is set.
type Heard struct {
	Batch   *Batch
	Refused []error
	Ask     *Ask
}

// Listener listens to one peer on one stream.
type Listener struct {
	ear      Ear
	registry Registry
	wake     chan struct{}

	mu  sync.Mutex
	out outbox
}

// outbox holds what has to be said; of starts and acknowledgements only the
// latest of each folder.
type outbox struct {
	starts  map[entry.FolderID]Start
	acks    map[entry.FolderID]Ack
	answers []Answer
}

func newOutbox() outbox {
	return outbox{starts: map[entry.FolderID]Start{}, acks: map[entry.FolderID]Ack{}}
}

// NewListener hands what it hears to ear and registry, which may be the same.
func NewListener(ear Ear, registry Registry) *Listener {
	return &Listener{ear: ear, registry: registry, wake: make(chan struct{}, 1), out: newOutbox()}
}

// Start asks the teller for a folder. Like Ack and Answer it never blocks, and
// may be called before Run and at any time during it.
func (l *Listener) Start(s Start) {
	l.post(func(o *outbox) { o.starts[s.Folder] = s })
}

// Ack says how far this device is; only the latest of each folder is sent.
func (l *Listener) Ack(a Ack) {
	l.post(func(o *outbox) { o.acks[a.Folder] = a })
}

// Answer answers an ask. To a teller that asks and asks and does not read what
// it is answered, nothing more is said than fits.
func (l *Listener) Answer(a Answer) {
	l.post(func(o *outbox) {
		if len(o.answers) < maxAnswers {
			o.answers = append(o.answers, a)
		}
	})
}

func (l *Listener) post(put func(*outbox)) {
	l.mu.Lock()
	put(&l.out)
	l.mu.Unlock()
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// Run introduces this device as me and listens until the stream ends or ctx
// does; it gives up the stream at the end. It returns nil when the peer ended
// the stream in order, an error of the Ear or Registry as it is, and wraps [ErrProtocol]
// or [ErrMessage] where the peer cannot be talked with.
func (l *Listener) Run(ctx context.Context, stream Stream, me Hello) error {
	g, ctx := errgroup.WithContext(ctx)
	stop := context.AfterFunc(ctx, func() { _ = stream.Reset() })
	defer stop()
	g.Go(func() error { return l.hear(ctx, stream) })
	g.Go(func() error { return l.reply(ctx, frame.NewWriter(stream), me) })
	err := g.Wait()
	_ = stream.Reset()
	return ended(err)
}

func (l *Listener) hear(ctx context.Context, stream io.Reader) error {
	in := reader(stream)
	for first := true; ; first = false {
		var m wirepb.Tell
		if err := in.Read(&m); err != nil {
			if errors.Is(err, io.EOF) {
				return errEnded
			}
			return err
		}
		if _, hello := m.GetWhat().(*wirepb.Tell_Hello); hello != first {
			return refuse("a hello out of place")
		}
		if err := l.take(ctx, &m); err != nil {
			return err
		}
	}
}

func (l *Listener) take(ctx context.Context, m *wirepb.Tell) error {
	switch w := m.GetWhat().(type) {
	case *wirepb.Tell_Hello:
		h, err := helloFromWire(w.Hello)
		if err != nil {
			return err
		}
		l.ear.Met(h)
		return nil
	case *wirepb.Tell_Folders:
		states, err := foldersFromWire(w.Folders)
		if err != nil {
			return err
		}
		return l.ear.Folders(ctx, states)
	case *wirepb.Tell_Records:
		b, refused, err := batchFromWire(w.Records)
		if err != nil {
			return err
		}
		return l.ear.Heard(ctx, Heard{Batch: &b, Refused: refused})
	case *wirepb.Tell_Ask:
		a, err := askFromWire(w.Ask)
		if err != nil {
			return err
		}
		return l.ear.Heard(ctx, Heard{Ask: &a})
	}
	return l.register(ctx, m)
}

// register takes what is said of members.
func (l *Listener) register(ctx context.Context, m *wirepb.Tell) error {
	switch w := m.GetWhat().(type) {
	case *wirepb.Tell_Offers:
		offers, err := offersFromWire(w.Offers)
		if err != nil {
			return err
		}
		return l.registry.Invited(offers)
	case *wirepb.Tell_Statements:
		folder, statements, err := saidFromWire(w.Statements)
		if err != nil {
			return err
		}
		return l.registry.Joined(folder, statements)
	case *wirepb.Tell_Keys:
		folder, keys, err := keysFromWire(w.Keys)
		if err != nil {
			return err
		}
		return l.registry.Keyed(ctx, folder, keys)
	case *wirepb.Tell_Contacts:
		contacts, err := contactsFromWire(w.Contacts)
		if err != nil {
			return err
		}
		return l.registry.Acquainted(ctx, contacts)
	}
	return nil // of a later version
}

// reply writes the hello and then whatever is in the outbox.
func (l *Listener) reply(ctx context.Context, out *frame.Writer, me Hello) error {
	if err := out.Write(&wirepb.Reply{What: &wirepb.Reply_Hello{Hello: me.toWire()}}); err != nil {
		return err
	}
	for {
		l.mu.Lock()
		todo := l.out
		l.out = newOutbox()
		l.mu.Unlock()
		if err := todo.write(out); err != nil {
			return err
		}
		if err := out.Flush(); err != nil {
			return err
		}
		select {
		case <-l.wake:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (o *outbox) write(out *frame.Writer) error {
	for _, s := range o.starts {
		if err := out.Write(&wirepb.Reply{What: &wirepb.Reply_Start{Start: s.toWire()}}); err != nil {
			return err
		}
	}
	for _, a := range o.acks {
		if err := out.Write(&wirepb.Reply{What: &wirepb.Reply_Ack{Ack: a.toWire()}}); err != nil {
			return err
		}
	}
	for _, a := range o.answers {
		if err := out.Write(&wirepb.Reply{What: &wirepb.Reply_Answer{Answer: a.toWire()}}); err != nil {
			return err
		}
	}
	return nil
}

package exchange

import (
	"errors"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/proto/wirepb"
)

// FuzzTell takes any bytes as a message to a listener: what reaches the ear
// keeps the bounds, and the rest is refused with a known error.
func FuzzTell(f *testing.F) {
	add := func(m proto.Message) {
		b, err := proto.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	add(helloTell())
	add(askTell('a', 9))
	add(&wirepb.Tell{What: &wirepb.Tell_Folders{Folders: &wirepb.Folders{Folders: []*wirepb.FolderState{goodState()}}}})
	add(&wirepb.Tell{What: &wirepb.Tell_Offers{Offers: &wirepb.Offers{Offers: []*wirepb.Offer{goodOffer()}}}})
	add(&wirepb.Tell{What: &wirepb.Tell_Statements{Statements: &wirepb.Statements{Folder: id16}}})
	add(&wirepb.Tell{What: &wirepb.Tell_Records{Records: goodRecords(f)}})
	absent := goodRecords(f)
	absent.Absent = []uint32{0, 1}
	add(&wirepb.Tell{What: &wirepb.Tell_Records{Records: absent}})
	add(&wirepb.Tell{What: &wirepb.Tell_Keys{Keys: goodKeys()}})
	add(&wirepb.Tell{What: &wirepb.Tell_Contacts{Contacts: &wirepb.Contacts{Contacts: []*wirepb.Contact{goodContact()}}}})
	f.Fuzz(func(t *testing.T, b []byte) {
		var m wirepb.Tell
		if proto.Unmarshal(b, &m) != nil {
			return
		}
		ear := &fakeEar{}
		if err := NewListener(ear, ear).take(t.Context(), &m); err != nil && !errors.Is(err, ErrMessage) && !errors.Is(err, ErrProtocol) {
			t.Fatalf("refused for no reason of the protocol: %v", err)
		}
		checkContacts(t, ear.contacts)
		for _, h := range ear.heard {
			checkHeard(t, h)
		}
	})
}

func checkContacts(t *testing.T, contacts []Contact) {
	if len(contacts) > MaxContacts {
		t.Fatalf("%d contacts", len(contacts))
	}
	for _, c := range contacts {
		if len(c.Name) == 0 || len(c.Name) > maxName || len(c.Addresses) > MaxContactAddresses {
			t.Fatalf("a contact of %d addresses called %q", len(c.Addresses), c.Name)
		}
	}
	again, err := contactsFromWire(contactsToWire(contacts))
	if err != nil || len(again) != len(contacts) {
		t.Fatalf("said again: %d of %d contacts, %v", len(again), len(contacts), err)
	}
}

func checkHeard(t *testing.T, h Heard) {
	if (h.Batch == nil) == (h.Ask == nil) {
		t.Fatal("neither a batch nor an ask, or both")
	}
	if h.Ask != nil {
		return
	}
	b := h.Batch
	if b.After > b.Through || b.Through > b.Head {
		t.Fatalf("a batch after %d through %d of %d", b.After, b.Through, b.Head)
	}
	last := b.After
	for _, it := range b.Items {
		if it.Sequence <= last || it.Sequence > b.Through {
			t.Fatalf("sequence %d after %d", it.Sequence, last)
		}
		last = it.Sequence
		if err := it.Record.Version.Check(); err != nil {
			t.Fatal(err)
		}
		if len(it.Record.Blocks) > entry.MaxBlocks {
			t.Fatalf("%d blocks", len(it.Record.Blocks))
		}
	}
	for i, at := range b.Absent {
		if at < 0 || at >= max(len(b.Items), len(b.Sequences)) || i > 0 && at <= b.Absent[i-1] {
			t.Fatalf("of %d items and %d entries these are absent: %v", len(b.Items), len(b.Sequences), b.Absent)
		}
	}
	// What is understood is what is said again.
	again, refused, err := batchFromWire(b.toWire())
	if err != nil || len(refused) > 0 || len(again.Items) != len(b.Items) || !slices.Equal(again.Absent, b.Absent) {
		t.Fatalf("said again: %d of %d items, %v, %v", len(again.Items), len(b.Items), refused, err)
	}
}

// FuzzReply does the same for a teller.
func FuzzReply(f *testing.F) {
	add := func(m *wirepb.Reply) {
		b, err := proto.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	add(helloReply())
	add(startReply('a', 5, 6))
	start := Start{Folder: folderID('a'), Index: 6, After: 5, Epochs: []entry.Epoch{1, 1<<20 | 77, 1 << 31}}
	add(&wirepb.Reply{What: &wirepb.Reply_Start{Start: start.toWire()}})
	add(&wirepb.Reply{What: &wirepb.Reply_Ack{Ack: Ack{Folder: folderID('a'), Received: 9, Held: 8}.toWire()}})
	add(&wirepb.Reply{What: &wirepb.Reply_Answer{Answer: Answer{Folder: folderID('a'), Nonce: 3, Problem: "none"}.toWire()}})
	f.Fuzz(func(t *testing.T, b []byte) {
		var m wirepb.Reply
		if proto.Unmarshal(b, &m) != nil {
			return
		}
		r, err := replyFromWire(&m)
		if err != nil {
			if !errors.Is(err, ErrMessage) && !errors.Is(err, ErrProtocol) {
				t.Fatalf("refused for no reason of the protocol: %v", err)
			}
			return
		}
		set := 0
		for _, is := range []bool{r.Met != nil, r.Start != nil, r.Ack != nil, r.Answer != nil} {
			if is {
				set++
			}
		}
		if (set != 1) != (m.GetWhat() == nil) {
			t.Fatalf("%d of the fields are set", set)
		}
		if r.Start != nil && (len(r.Start.Epochs) > maxEpochs || !slices.IsSorted(r.Start.Epochs) || slices.Contains(r.Start.Epochs, 0)) {
			t.Fatalf("epochs %v", r.Start.Epochs)
		}
		if r.Ack != nil && r.Ack.Held > r.Ack.Received {
			t.Fatalf("it holds %d of %d", r.Ack.Held, r.Ack.Received)
		}
	})
}

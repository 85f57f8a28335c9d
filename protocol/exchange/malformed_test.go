package exchange

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/roster"
	"github.com/kithmesh/kith/proto/wirepb"
	"github.com/kithmesh/kith/protocol/frame"
	"github.com/kithmesh/kith/protocol/seal"
)

// hearing is how a listener ends that hears these messages, and what its ear
// heard.
func hearing(t testing.TB, messages ...proto.Message) (heard []string, err error) {
	t.Helper()
	a, b := newStream(plenty)
	ear := &fakeEar{}
	y := run(func(ctx context.Context) error { return NewListener(ear, ear).Run(ctx, b, me) })
	newFar(t, a).say(messages...)
	a.CloseWrite()
	err = <-y.ended
	return ear.all(), err
}

// telling is how a teller ends that is replied to with these messages.
func telling(t testing.TB, messages ...proto.Message) (replies []Reply, err error) {
	t.Helper()
	a, b := newStream(plenty)
	book := newBook(t, 1)
	x := run(func(ctx context.Context) error { return NewTeller(book).Run(ctx, a, me) })
	newFar(t, b).say(messages...)
	b.CloseWrite()
	err = <-x.ended
	return book.said(), err
}

func TestAHelloIsFirstAndOnce(t *testing.T) {
	folders := &wirepb.Tell{What: &wirepb.Tell_Folders{Folders: &wirepb.Folders{}}}
	for name, said := range map[string][]proto.Message{
		"none": {folders}, "a second one": {helloTell(), helloTell()}, "a later one": {helloTell(), folders, helloTell()},
		"an unknown message first": {&wirepb.Tell{}, helloTell()},
	} {
		if _, err := hearing(t, said...); !errors.Is(err, ErrMessage) {
			t.Errorf("a listener that hears %s ends with %v", name, err)
		}
	}
	for name, said := range map[string][]proto.Message{
		"none": {startReply('a', 0, 1)}, "a second one": {helloReply(), helloReply()},
		"an unknown message first": {&wirepb.Reply{}, helloReply()},
	} {
		if _, err := telling(t, said...); !errors.Is(err, ErrMessage) {
			t.Errorf("a teller that hears %s ends with %v", name, err)
		}
	}
}

func TestAnUnknownProtocolIsNamed(t *testing.T) {
	for _, p := range []uint32{0, 2, math.MaxUint32} {
		h := them.toWire()
		h.Protocol = p
		if _, err := hearing(t, &wirepb.Tell{What: &wirepb.Tell_Hello{Hello: h}}); !errors.Is(err, ErrProtocol) {
			t.Errorf("a listener that hears of protocol %d ends with %v", p, err)
		}
		if _, err := telling(t, &wirepb.Reply{What: &wirepb.Reply_Hello{Hello: h}}); !errors.Is(err, ErrProtocol) {
			t.Errorf("a teller that hears of protocol %d ends with %v", p, err)
		}
	}
}

// TestWhatALaterVersionSaysIsSkipped has kinds of messages that this one does
// not know, and unknown fields in those that it does.
func TestWhatALaterVersionSaysIsSkipped(t *testing.T) {
	later := protowire.AppendBytes(protowire.AppendTag(nil, 15, protowire.BytesType), []byte("news from the future"))
	tell, reply := &wirepb.Tell{}, &wirepb.Reply{}
	tell.ProtoReflect().SetUnknown(later)
	reply.ProtoReflect().SetUnknown(later)
	ask := askTell('a', 5)
	ask.GetAsk().ProtoReflect().SetUnknown(later)
	events, err := hearing(t, helloTell(), tell, ask)
	if err != nil || len(events) != 2 || events[1] != "ask 5 of a" {
		t.Errorf("a listener heard %v and ended with %v", events, err)
	}
	replies, err := telling(t, helloReply(), reply, startReply('a', 3, 1))
	if err != nil || len(replies) != 2 || replies[1].Start == nil || replies[1].Start.After != 3 {
		t.Errorf("a teller heard %v and ended with %v", replies, err)
	}
}

func askTell(letter byte, nonce uint64) *wirepb.Tell {
	id := folderID(letter)
	return &wirepb.Tell{What: &wirepb.Tell_Ask{Ask: &wirepb.Ask{Folder: id[:], Nonce: nonce}}}
}

var (
	digest = make([]byte, 16)
	id16   = bytes.Repeat([]byte{'a'}, 16)
)

func goodState() *wirepb.FolderState {
	return &wirepb.FolderState{Folder: id16, Index: 1, Head: 2, Replica: 3, Roster: digest}
}

func goodOffer() *wirepb.Offer {
	return &wirepb.Offer{
		Folder: id16, Label: "photos", Role: uint32(entry.RoleSync),
		Keys: []*wirepb.FolderKey{{Epoch: 1, Key: bytes.Repeat([]byte{7}, 32)}},
	}
}

// goodRecords are two changes, after 3 and through 9 of 12.
func goodRecords(t testing.TB) *wirepb.Records {
	id := entry.FolderID(id16)
	return &wirepb.Records{
		Folder: id16, Index: 5, After: 3, Through: 9, Head: 12, Steps: []uint64{1, 5},
		Records: []*wirepb.Record{record(t, id, "x").ToWire(), record(t, id, "y").ToWire()},
	}
}

func goodKeys() *wirepb.Keys {
	return &wirepb.Keys{Folder: id16, Keys: []*wirepb.FolderKey{
		{Epoch: 1, Key: bytes.Repeat([]byte{7}, 32)}, {Epoch: math.MaxUint32, Key: bytes.Repeat([]byte{8}, 32)},
	}}
}

func goodContact() *wirepb.Contact {
	return &wirepb.Contact{
		Device: "12D3KooW", Name: "phone", LastSeen: 1_700_000_000, Connected: true,
		Addresses: []string{"/ip4/192.0.2.1/udp/4001/quic-v1", "/ip6/2001:db8::1/tcp/4001"},
	}
}

// goodContacts are as many and as long as they may be.
func goodContacts() *wirepb.Contacts {
	m := &wirepb.Contacts{}
	for i := range MaxContacts {
		c := goodContact()
		c.Device = fmt.Sprintf("%0*d", maxDevice, i)
		c.Name = strings.Repeat("n", maxName)
		c.Addresses = many(MaxContactAddresses, strings.Repeat("a", maxAddress))
		c.LastSeen = maxSeen
		m.Contacts = append(m.Contacts, c)
	}
	return m
}

// many repeats a value.
func many[T any](n int, v T) []T {
	out := make([]T, n)
	for i := range out {
		out[i] = v
	}
	return out
}

// malformedTells are messages that differ in one thing from a good one. A nil
// change checks the good one.
func malformedTells(t testing.TB) map[string]*wirepb.Tell {
	out := map[string]*wirepb.Tell{}
	hello := func(name string, change func(*wirepb.Hello)) {
		m := them.toWire()
		change(m)
		out["hello: "+name] = &wirepb.Tell{What: &wirepb.Tell_Hello{Hello: m}}
	}
	hello("no name", func(m *wirepb.Hello) { m.Name = "" })
	hello("a long name", func(m *wirepb.Hello) { m.Name = strings.Repeat("n", maxName+1) })
	hello("a name with a line break", func(m *wirepb.Hello) { m.Name = "a\nb" })
	hello("a name with an escape", func(m *wirepb.Hello) { m.Name = "a\x1b[2Jb" })
	hello("a name with a NUL", func(m *wirepb.Hello) { m.Name = "a\x00" })
	hello("a name with a DEL", func(m *wirepb.Hello) { m.Name = "a\x7f" })
	hello("a name with a C1 control", func(m *wirepb.Hello) { m.Name = "a\u009b2J" })
	hello("a name that turns the direction", func(m *wirepb.Hello) { m.Name = "a\u202eb" })
	hello("a name with a line separator", func(m *wirepb.Hello) { m.Name = "a\u2028b" })
	hello("long software", func(m *wirepb.Hello) { m.Software = strings.Repeat("s", maxLabel+1) })

	state := func(name string, change func(*wirepb.FolderState)) {
		m := goodState()
		change(m)
		out["folders: "+name] = &wirepb.Tell{What: &wirepb.Tell_Folders{Folders: &wirepb.Folders{Folders: []*wirepb.FolderState{goodState(), m}}}}
	}
	state("no ID", func(m *wirepb.FolderState) { m.Folder = nil })
	state("an ID of 15 bytes", func(m *wirepb.FolderState) { m.Folder = id16[1:] })
	state("an ID of 17 bytes", func(m *wirepb.FolderState) { m.Folder = append([]byte{1}, id16...) })
	state("no roster", func(m *wirepb.FolderState) { m.Roster = nil })
	state("a roster of 15 bytes", func(m *wirepb.FolderState) { m.Roster = digest[1:] })
	state("a roster of 32 bytes", func(m *wirepb.FolderState) { m.Roster = make([]byte, 32) })
	state("replica 0", func(m *wirepb.FolderState) { m.Replica = 0 })
	out["folders: too many"] = &wirepb.Tell{What: &wirepb.Tell_Folders{
		Folders: &wirepb.Folders{Folders: many(maxFolders+1, goodState())},
	}}

	offer := func(name string, change func(*wirepb.Offer)) {
		m := goodOffer()
		change(m)
		out["offers: "+name] = &wirepb.Tell{What: &wirepb.Tell_Offers{Offers: &wirepb.Offers{Offers: []*wirepb.Offer{goodOffer(), m}}}}
	}
	offer("an ID of 15 bytes", func(m *wirepb.Offer) { m.Folder = id16[1:] })
	offer("no label", func(m *wirepb.Offer) { m.Label = "" })
	offer("a long label", func(m *wirepb.Offer) { m.Label = strings.Repeat("l", maxLabel+1) })
	offer("a label with a line break", func(m *wirepb.Offer) { m.Label = "a\r\nb" })
	offer("a label with an escape", func(m *wirepb.Offer) { m.Label = "\x1b]0;x\a" })
	offer("a label with a C1 control", func(m *wirepb.Offer) { m.Label = "a\u009d0;x\u009c" })
	offer("a label that turns the direction", func(m *wirepb.Offer) { m.Label = "a\u2066b" })
	offer("role 0", func(m *wirepb.Offer) { m.Role = 0 })
	offer("role 6", func(m *wirepb.Offer) { m.Role = 6 })
	offer("role 9", func(m *wirepb.Offer) { m.Role = 9 })
	offer("a role that wraps to 1", func(m *wirepb.Offer) { m.Role = 257 })
	offer("a role that wraps to 5", func(m *wirepb.Offer) { m.Role = 1<<31 | 5 })
	offer("keys for a backup", func(m *wirepb.Offer) { m.Role = uint32(entry.RoleBackup) })
	offer("no keys for a sync", func(m *wirepb.Offer) { m.Keys = nil })
	offer("a key of 31 bytes", func(m *wirepb.Offer) { m.Keys[0].Key = m.Keys[0].Key[1:] })
	offer("a key of 33 bytes", func(m *wirepb.Offer) { m.Keys[0].Key = make([]byte, 33) })
	offer("an empty key", func(m *wirepb.Offer) { m.Keys[0].Key = nil })
	offer("a key of zeros", func(m *wirepb.Offer) { m.Keys[0].Key = make([]byte, 32) })
	offer("a key for epoch 0", func(m *wirepb.Offer) { m.Keys[0].Epoch = 0 })
	offer("two keys for one epoch", func(m *wirepb.Offer) {
		m.Keys = append(m.Keys, &wirepb.FolderKey{Epoch: 1, Key: bytes.Repeat([]byte{8}, 32)})
	})
	offer("too many keys", func(m *wirepb.Offer) {
		m.Keys = nil
		for i := range uint32(maxKeys + 1) {
			m.Keys = append(m.Keys, &wirepb.FolderKey{Epoch: i + 1, Key: bytes.Repeat([]byte{7}, 32)})
		}
	})
	offer("an empty statement", func(m *wirepb.Offer) { m.Statements = [][]byte{{}} })
	offer("a statement that is none", func(m *wirepb.Offer) { m.Statements = [][]byte{[]byte("let me in")} })
	offer("too many statements", func(m *wirepb.Offer) { m.Statements = make([][]byte, roster.MaxStatements+1) })
	out["offers: too many"] = &wirepb.Tell{What: &wirepb.Tell_Offers{Offers: &wirepb.Offers{Offers: many(maxOffers+1, goodOffer())}}}

	said := func(name string, m *wirepb.Statements) {
		out["statements: "+name] = &wirepb.Tell{What: &wirepb.Tell_Statements{Statements: m}}
	}
	said("no ID", &wirepb.Statements{})
	said("one that is none", &wirepb.Statements{Folder: id16, Statements: [][]byte{{1, 2, 3}}})
	said("too many", &wirepb.Statements{Folder: id16, Statements: make([][]byte, roster.MaxStatements+1)})

	batch := func(name string, change func(*wirepb.Records)) {
		m := goodRecords(t)
		change(m)
		out["records: "+name] = &wirepb.Tell{What: &wirepb.Tell_Records{Records: m}}
	}
	batch("no ID", func(m *wirepb.Records) { m.Folder = nil })
	batch("an ID of 32 bytes", func(m *wirepb.Records) { m.Folder = make([]byte, 32) })
	batch("no steps", func(m *wirepb.Records) { m.Steps = nil })
	batch("a step too few", func(m *wirepb.Records) { m.Steps = m.Steps[1:] })
	batch("a step too many", func(m *wirepb.Records) { m.Steps = append(m.Steps, 1) })
	batch("a step of zero first", func(m *wirepb.Records) { m.Steps[0] = 0 })
	batch("a step of zero", func(m *wirepb.Records) { m.Steps[1] = 0 })
	batch("a step beyond through", func(m *wirepb.Records) { m.Steps[1] = 6 })
	batch("a step that overflows", func(m *wirepb.Records) { m.Steps[1] = math.MaxUint64 - 3 })
	batch("a step that overflows to just before", func(m *wirepb.Records) { m.Steps[1] = math.MaxUint64 })
	batch("a step that overflows within bounds", func(m *wirepb.Records) {
		m.After, m.Through, m.Head = 1<<63, math.MaxUint64, math.MaxUint64
		m.Steps[0] = 1<<63 + 5
	})
	batch("through before after", func(m *wirepb.Records) { m.Records, m.Steps, m.Through = nil, nil, 2 })
	batch("head before through", func(m *wirepb.Records) { m.Head = 8 })
	batch("head before after, empty", func(m *wirepb.Records) { m.Records, m.Steps, m.Head = nil, nil, 0 })
	batch("too many", func(m *wirepb.Records) {
		m.Records, m.Steps = many(maxBatch+1, m.Records[0]), many(maxBatch+1, uint64(1))
		m.Through, m.Head = 1<<20, 1<<20
	})

	batch("absent beyond the records", func(m *wirepb.Records) { m.Absent = []uint32{2} })
	batch("absent beyond the records later", func(m *wirepb.Records) { m.Absent = []uint32{1, 1} })
	batch("absent twice", func(m *wirepb.Records) { m.Absent = []uint32{0, 0} })
	batch("absent, more often than there are records", func(m *wirepb.Records) { m.Absent = []uint32{0, 1, 1} })
	batch("absent, without records", func(m *wirepb.Records) { m.Records, m.Steps, m.Absent = nil, nil, []uint32{0} })
	batch("absent, the largest", func(m *wirepb.Records) { m.Absent = []uint32{math.MaxUint32} })
	batch("absent, and it overflows", func(m *wirepb.Records) { m.Absent = []uint32{1, math.MaxUint32} })
	batch("absent beyond the sealed entries", func(m *wirepb.Records) {
		m.Records, m.Batch, m.Absent = nil, &wirepb.Batch{Epoch: 1, Sealed: make([]byte, 100)}, []uint32{1, 1}
	})

	batch("sealed as well", func(m *wirepb.Records) { m.Batch = &wirepb.Batch{Epoch: 1, Sealed: make([]byte, 100)} })
	batch("sealed, of epoch 0", func(m *wirepb.Records) { m.Records, m.Batch = nil, &wirepb.Batch{Sealed: make([]byte, 100)} })
	batch("sealed, without steps", func(m *wirepb.Records) {
		m.Records, m.Steps, m.Batch = nil, nil, &wirepb.Batch{Epoch: 1, Sealed: make([]byte, 100)}
	})
	batch("sealed, but nothing", func(m *wirepb.Records) { m.Records, m.Batch = nil, &wirepb.Batch{Epoch: 1} })
	batch("sealed, a step of zero", func(m *wirepb.Records) {
		m.Records, m.Steps, m.Batch = nil, []uint64{1, 0}, &wirepb.Batch{Epoch: 1, Sealed: make([]byte, 100)}
	})

	keys := func(name string, change func(*wirepb.Keys)) {
		m := goodKeys()
		change(m)
		out["keys: "+name] = &wirepb.Tell{What: &wirepb.Tell_Keys{Keys: m}}
	}
	keys("no ID", func(m *wirepb.Keys) { m.Folder = nil })
	keys("an ID of 15 bytes", func(m *wirepb.Keys) { m.Folder = id16[1:] })
	keys("none", func(m *wirepb.Keys) { m.Keys = nil })
	keys("one of 31 bytes", func(m *wirepb.Keys) { m.Keys[1].Key = m.Keys[1].Key[1:] })
	keys("one of 33 bytes", func(m *wirepb.Keys) { m.Keys[1].Key = make([]byte, 33) })
	keys("an empty one", func(m *wirepb.Keys) { m.Keys[1].Key = nil })
	keys("one of zeros", func(m *wirepb.Keys) { m.Keys[1].Key = make([]byte, 32) })
	keys("one for epoch 0", func(m *wirepb.Keys) { m.Keys[0].Epoch = 0 })
	keys("two for one epoch", func(m *wirepb.Keys) { m.Keys[0].Epoch = math.MaxUint32 })
	keys("the same twice", func(m *wirepb.Keys) { m.Keys[1] = m.Keys[0] })
	keys("too many", func(m *wirepb.Keys) {
		m.Keys = nil
		for i := range uint32(maxKeys + 1) {
			m.Keys = append(m.Keys, &wirepb.FolderKey{Epoch: i + 1, Key: bytes.Repeat([]byte{7}, 32)})
		}
	})

	contact := func(name string, change func(*wirepb.Contact)) {
		m, other := goodContact(), goodContact()
		other.Device = "another"
		change(m)
		out["contacts: "+name] = &wirepb.Tell{What: &wirepb.Tell_Contacts{Contacts: &wirepb.Contacts{Contacts: []*wirepb.Contact{other, m}}}}
	}
	contact("no device", func(m *wirepb.Contact) { m.Device = "" })
	contact("a long device", func(m *wirepb.Contact) { m.Device = strings.Repeat("d", maxDevice+1) })
	contact("a device with an escape", func(m *wirepb.Contact) { m.Device = "a\x1b[2Jb" })
	contact("one device twice", func(m *wirepb.Contact) { m.Device = "another" })
	contact("no name", func(m *wirepb.Contact) { m.Name = "" })
	contact("a long name", func(m *wirepb.Contact) { m.Name = strings.Repeat("n", maxName+1) })
	contact("a name with a line break", func(m *wirepb.Contact) { m.Name = "a\nb" })
	contact("a name that turns the direction", func(m *wirepb.Contact) { m.Name = "a\u202eb" })
	contact("too many addresses", func(m *wirepb.Contact) { m.Addresses = many(MaxContactAddresses+1, "/ip4/192.0.2.1") })
	contact("an empty address", func(m *wirepb.Contact) { m.Addresses[1] = "" })
	contact("a long address", func(m *wirepb.Contact) { m.Addresses[1] = strings.Repeat("/", maxAddress+1) })
	contact("an address with an escape", func(m *wirepb.Contact) { m.Addresses[0] = "/dns/a\x1b[2Jb" })
	contact("seen beyond all times", func(m *wirepb.Contact) { m.LastSeen = maxSeen + 1 })
	contact("seen when the numbers end", func(m *wirepb.Contact) { m.LastSeen = math.MaxUint64 })
	tooMany := goodContacts()
	tooMany.Contacts = append(tooMany.Contacts, goodContact())
	out["contacts: too many"] = &wirepb.Tell{What: &wirepb.Tell_Contacts{Contacts: tooMany}}

	out["ask: no ID"] = &wirepb.Tell{What: &wirepb.Tell_Ask{Ask: &wirepb.Ask{Nonce: 1}}}
	out["ask: an ID of 15 bytes"] = &wirepb.Tell{What: &wirepb.Tell_Ask{Ask: &wirepb.Ask{Folder: id16[1:]}}}
	return out
}

func malformedReplies() map[string]*wirepb.Reply {
	out := map[string]*wirepb.Reply{}
	hello := func(name string, change func(*wirepb.Hello)) {
		m := them.toWire()
		change(m)
		out["hello: "+name] = &wirepb.Reply{What: &wirepb.Reply_Hello{Hello: m}}
	}
	hello("no name", func(m *wirepb.Hello) { m.Name = "" })
	hello("a name with a tabulator", func(m *wirepb.Hello) { m.Name = "a\tb" })
	start := func(name string, change func(*wirepb.Start)) {
		m := Start{Folder: folderID('a'), Index: 1}.toWire()
		change(m)
		out["start: "+name] = &wirepb.Reply{What: &wirepb.Reply_Start{Start: m}}
	}
	start("no ID", func(m *wirepb.Start) { m.Folder = nil })
	start("an ID of 17 bytes", func(m *wirepb.Start) { m.Folder = make([]byte, 17) })
	start("no roster", func(m *wirepb.Start) { m.Roster = nil })
	start("a roster of 17 bytes", func(m *wirepb.Start) { m.Roster = make([]byte, 17) })
	start("epoch 0", func(m *wirepb.Start) { m.Epochs = []uint32{0, 1} })
	start("an epoch twice", func(m *wirepb.Start) { m.Epochs = []uint32{1, 5, 5} })
	start("epochs that descend", func(m *wirepb.Start) { m.Epochs = []uint32{1, 5, 4} })
	start("too many epochs", func(m *wirepb.Start) {
		for i := range uint32(maxEpochs + 1) {
			m.Epochs = append(m.Epochs, i+1)
		}
	})
	ack := func(name string, change func(*wirepb.Ack)) {
		m := Ack{Folder: folderID('a'), Index: 1, Received: 5, Held: 4}.toWire()
		change(m)
		out["ack: "+name] = &wirepb.Reply{What: &wirepb.Reply_Ack{Ack: m}}
	}
	ack("no ID", func(m *wirepb.Ack) { m.Folder = nil })
	ack("holds more than it received", func(m *wirepb.Ack) { m.Held = 6 })
	answer := func(name string, change func(*wirepb.Answer)) {
		m := Answer{Folder: folderID('a'), Nonce: 1}.toWire()
		change(m)
		out["answer: "+name] = &wirepb.Reply{What: &wirepb.Reply_Answer{Answer: m}}
	}
	answer("no ID", func(m *wirepb.Answer) { m.Folder = nil })
	answer("a long problem", func(m *wirepb.Answer) { m.Problem = strings.Repeat("p", maxProblem+1) })
	return out
}

func TestEveryMalformedTellEndsTheStream(t *testing.T) {
	for name, m := range malformedTells(t) {
		said := []proto.Message{helloTell(), m}
		if m.GetHello() != nil {
			said = said[1:]
		}
		if events, err := hearing(t, said...); !errors.Is(err, ErrMessage) {
			t.Errorf("%s: heard %q, ended with %v", name, events, err)
		} else if len(events) > 1 {
			t.Errorf("%s: the ear heard %q", name, events)
		} else if len(err.Error()) > 1200 {
			t.Errorf("%s: an error of %d bytes", name, len(err.Error()))
		}
	}
}

func TestEveryMalformedReplyEndsTheStream(t *testing.T) {
	for name, m := range malformedReplies() {
		said := []proto.Message{helloReply(), m}
		if m.GetHello() != nil {
			said = said[1:]
		}
		if replies, err := telling(t, said...); !errors.Is(err, ErrMessage) || len(replies) > 1 {
			t.Errorf("%s: heard %v, ended with %v", name, replies, err)
		}
	}
}

// TestWhatTheTablesStartFromIsGood would fail if the tables were right by
// accident.
func TestWhatTheTablesStartFromIsGood(t *testing.T) {
	events, err := hearing(t, helloTell(),
		&wirepb.Tell{What: &wirepb.Tell_Folders{Folders: &wirepb.Folders{Folders: many(maxFolders, goodState())}}},
		&wirepb.Tell{What: &wirepb.Tell_Offers{Offers: &wirepb.Offers{Offers: many(maxOffers, goodOffer())}}},
		&wirepb.Tell{What: &wirepb.Tell_Records{Records: goodRecords(t)}},
		&wirepb.Tell{What: &wirepb.Tell_Records{Records: &wirepb.Records{Folder: id16, After: math.MaxUint64, Through: math.MaxUint64, Head: math.MaxUint64}}},
		&wirepb.Tell{What: &wirepb.Tell_Keys{Keys: goodKeys()}},
		&wirepb.Tell{What: &wirepb.Tell_Contacts{Contacts: &wirepb.Contacts{Contacts: []*wirepb.Contact{goodContact()}}}},
		&wirepb.Tell{What: &wirepb.Tell_Contacts{Contacts: goodContacts()}},
		&wirepb.Tell{What: &wirepb.Tell_Contacts{}},
		askTell('a', 0))
	if err != nil || len(events) != 10 {
		t.Errorf("heard %d things and ended with %v", len(events), err)
	}
	start := Start{Folder: folderID('a'), Index: 1}
	for i := range entry.Epoch(maxEpochs) {
		start.Epochs = append(start.Epochs, math.MaxUint32-i)
	}
	replies, err := telling(t, helloReply(), &wirepb.Reply{What: &wirepb.Reply_Start{Start: start.toWire()}})
	if err != nil || len(replies) != 2 || len(replies[1].Start.Epochs) != maxEpochs {
		t.Errorf("%d replies were heard, and it ended with %v", len(replies), err)
	}
}

// TestAMessageThatIsTooLargeEndsTheStream claims it, and sends nothing more.
func TestAMessageThatIsTooLargeEndsTheStream(t *testing.T) {
	for _, claim := range []uint64{maxMessage + 1, 17 << 20, 1 << 62} {
		a, b := newStream(plenty)
		y := run(func(ctx context.Context) error { return NewListener(deaf()).Run(ctx, b, me) })
		f := newFar(t, a)
		f.say(helloTell())
		if _, err := a.Write(protowire.AppendVarint(nil, claim)); err != nil {
			t.Fatal(err)
		}
		if err := <-y.ended; !errors.Is(err, frame.ErrTooLarge) {
			t.Errorf("%d bytes: the listener ended with %v", claim, err)
		}
	}
}

// TestAMalformedRecordIsLeftOutAndNamed takes the others.
func TestAMalformedRecordIsLeftOutAndNamed(t *testing.T) {
	id := entry.FolderID(id16)
	bad := map[string]func(*wirepb.Record){
		"no ID":               func(r *wirepb.Record) { r.Id = nil },
		"an ID of 15 bytes":   func(r *wirepb.Record) { r.Id = r.Id[1:] },
		"epoch 0":             func(r *wirepb.Record) { r.Epoch = 0 },
		"nothing sealed":      func(r *wirepb.Record) { r.Sealed = nil },
		"sealed cut short":    func(r *wirepb.Record) { r.Sealed = r.Sealed[:len(r.Sealed)-1] },
		"sealed too long":     func(r *wirepb.Record) { r.Sealed = make([]byte, 60+32*500) },
		"no replicas":         func(r *wirepb.Record) { r.Replicas, r.Counts = nil, nil },
		"a counter too few":   func(r *wirepb.Record) { r.Counts = nil },
		"too many replicas":   func(r *wirepb.Record) { r.Replicas, r.Counts = many(1025, uint64(1)), many(1025, uint64(1)) },
		"100 k replicas":      func(r *wirepb.Record) { r.Replicas, r.Counts = many(100_000, uint64(1)), many(100_000, uint64(1)) },
		"replicas unsorted":   func(r *wirepb.Record) { r.Replicas, r.Counts = []uint64{9, 7}, []uint64{1, 1} },
		"a replica twice":     func(r *wirepb.Record) { r.Replicas, r.Counts = []uint64{7, 7}, []uint64{1, 1} },
		"replica 0":           func(r *wirepb.Record) { r.Replicas = []uint64{0} },
		"counter 0":           func(r *wirepb.Record) { r.Counts = []uint64{0} },
		"the largest counter": func(r *wirepb.Record) { r.Counts = []uint64{math.MaxUint64} },
		"a counter too large": func(r *wirepb.Record) { r.Counts = []uint64{1<<48 + 1} },
		"clock 0":             func(r *wirepb.Record) { r.Clock = 0 },
		"the largest clock":   func(r *wirepb.Record) { r.Clock = math.MaxUint64 },
		"an author beyond":    func(r *wirepb.Record) { r.Author = 1 },
		"the largest author":  func(r *wirepb.Record) { r.Author = math.MaxUint32 },
		"IDs without sizes":   func(r *wirepb.Record) { r.BlockIds = make([]byte, 32) },
		"sizes without IDs":   func(r *wirepb.Record) { r.SealedSizes = []uint32{100} },
		"half an ID":          func(r *wirepb.Record) { r.BlockIds, r.SealedSizes = make([]byte, 16), []uint32{100} },
		"a block of nothing":  func(r *wirepb.Record) { r.BlockIds, r.SealedSizes = make([]byte, 32), []uint32{29} },
		"a block of 0 bytes":  func(r *wirepb.Record) { r.BlockIds, r.SealedSizes = make([]byte, 32), []uint32{0} },
		"a huge block":        func(r *wirepb.Record) { r.BlockIds, r.SealedSizes = make([]byte, 32), []uint32{16<<20 + 30} },
		"the largest block":   func(r *wirepb.Record) { r.BlockIds, r.SealedSizes = make([]byte, 32), []uint32{math.MaxUint32} },
		"unknown fields": func(r *wirepb.Record) {
			r.ProtoReflect().SetUnknown(protowire.AppendVarint(protowire.AppendTag(nil, 99, protowire.VarintType), 1))
		},
	}
	m := &wirepb.Records{Folder: id16, Index: 5, After: 3}
	add := func(r *wirepb.Record) {
		m.Records, m.Steps = append(m.Records, r), append(m.Steps, 1)
	}
	good := record(t, id, "good").ToWire()
	add(good)
	for _, change := range bad {
		r := proto.CloneOf(good)
		change(r)
		add(r)
	}
	add(good)
	m.Through = m.After + uint64(len(m.Records))
	m.Head = m.Through
	b, refused, err := batchFromWire(m)
	if err != nil {
		t.Fatal(err)
	}
	if len(b.Items) != 2 || b.Items[0].Sequence != 4 || b.Items[1].Sequence != entry.Sequence(m.Through) {
		t.Errorf("%d items were left", len(b.Items))
	}
	if len(refused) != len(bad) {
		t.Errorf("%d of %d were refused", len(refused), len(bad))
	}
	for i, err := range refused {
		if !errors.Is(err, seal.ErrRecord) || !strings.HasPrefix(err.Error(), "record ") {
			t.Errorf("refusal %d: %v", i, err)
		}
	}
	for name, change := range bad { // one by one, so that a failure has a name
		r := proto.CloneOf(good)
		change(r)
		_, refused, err := batchFromWire(&wirepb.Records{Folder: id16, Records: []*wirepb.Record{r}, Steps: []uint64{1}, Through: 1, Head: 1})
		if err != nil || len(refused) != 1 {
			t.Errorf("%s: %v, %v", name, refused, err)
		}
	}
}

package exchange

import (
	"bytes"
	"context"
	"encoding/binary"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/kithmesh/kith/proto/wirepb"
)

// bombCost bounds what one message of 16 MiB may make a device allocate, in
// bytes, all together: its buffer, and what it holds some times over while slices
// grow.
const bombCost = 128 << 20

// bomb is a message of nearly maxMessage bytes: fields nested in each other,
// the innermost repeated as often as it fits.
func bomb(innermost []byte, fields ...protowire.Number) []byte {
	size := maxMessage - 16*len(fields)
	body := bytes.Repeat(innermost, size/len(innermost))
	for _, f := range fields {
		body = protowire.AppendBytes(protowire.AppendTag(nil, f, protowire.BytesType), body)
	}
	return body
}

// empty is a nested message or byte string of no length.
func empty(f protowire.Number) []byte {
	return protowire.AppendBytes(protowire.AppendTag(nil, f, protowire.BytesType), nil)
}

// TestABombOfAMessageCostsLittle sends messages whose two bytes become a
// hundred in memory. Fields are numbered as in exchange.proto and record.proto.
func TestABombOfAMessageCostsLittle(t *testing.T) {
	const folders, offers, statements, records, keys, contacts = 2, 3, 4, 5, 7, 8 // in Tell
	for name, b := range map[string][]byte{
		"empty folders":             bomb(empty(1), folders),
		"empty offers":              bomb(empty(1), offers),
		"empty keys in an offer":    bomb(empty(4), 1, offers),
		"empty statements":          bomb(empty(2), statements),
		"statements in an offer":    bomb(empty(5), 1, offers),
		"empty records":             bomb(empty(3), records),
		"steps of one byte":         bomb([]byte{1}, 4, records),
		"steps one by one":          bomb([]byte{4 << 3, 1}, records),
		"counters of one byte":      bomb([]byte{1}, 4, 3, records),
		"counters one by one":       bomb([]byte{4 << 3, 1}, 3, records),
		"replicas":                  bomb([]byte{1, 0, 0, 0, 0, 0, 0, 0}, 3, 3, records),
		"sealed sizes of one byte":  bomb([]byte{30}, 8, 3, records),
		"absent ones of one byte":   bomb([]byte{1}, 9, records),
		"absent ones one by one":    bomb([]byte{9 << 3, 1}, records),
		"empty keys":                bomb(empty(2), keys),
		"empty contacts":            bomb(empty(1), contacts),
		"empty addresses":           bomb(empty(3), 1, contacts),
		"an unknown field, often":   bomb([]byte{15 << 3, 1}, records),
		"unknown fields of records": bomb([]byte{15 << 3, 1}, 3, records),
	} {
		t.Run(name, func(t *testing.T) {
			var stream bytes.Buffer
			hello, err := proto.Marshal(helloTell())
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range [][]byte{hello, b} {
				stream.Write(binary.AppendUvarint(nil, uint64(len(m))))
				stream.Write(m)
			}
			l := NewListener(deaf())
			before := memory()
			_ = l.hear(t.Context(), &stream)
			if cost := memory() - before; cost > bombCost {
				t.Errorf("a message of %d MiB cost %d MiB", len(b)>>20, cost>>20)
			}
		})
	}
}

func TestABombOfAReplyCostsLittle(t *testing.T) {
	const start = 2 // in Reply
	hello, err := proto.Marshal(helloReply())
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{
		"an unknown field, often": bomb([]byte{15 << 3, 1}, start),
		"epochs of one byte":      bomb([]byte{1}, 6, start),
		"epochs one by one":       bomb([]byte{6 << 3, 1}, start),
	} {
		t.Run(name, func(t *testing.T) {
			var stream bytes.Buffer
			for _, m := range [][]byte{hello, b} {
				stream.Write(binary.AppendUvarint(nil, uint64(len(m))))
				stream.Write(m)
			}
			before := memory()
			_ = NewTeller(newBook(t, 1)).read(t.Context(), &stream)
			if cost := memory() - before; cost > bombCost {
				t.Errorf("a message of %d MiB cost %d MiB", len(b)>>20, cost>>20)
			}
		})
	}
}

func memory() int64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.TotalAlloc)
}

// TestATellerThatDoesNotReadIsNotWaitedForInMemory asks for scans, and tells of
// ever new indexes, without ever reading what is replied.
func TestATellerThatDoesNotReadIsNotWaitedForInMemory(t *testing.T) {
	const flood, bound = 50_000, 5_000
	synctest.Test(t, func(t *testing.T) {
		a, b := newStream(0)
		a.out.room = plenty // what is told has room; the replies have none
		var l *Listener
		ear := &fakeEar{on: func(what string) error {
			switch {
			case strings.HasPrefix(what, "ask"):
				l.Answer(Answer{Folder: folderID('a')})
			case strings.HasPrefix(what, "folders"):
				l.Start(Start{Folder: folderID('a')})
			}
			return nil
		}}
		l = NewListener(ear, ear)
		y := run(func(ctx context.Context) error { return l.Run(ctx, b, me) })
		f := newFar(t, a)
		f.say(helloTell())
		state := &wirepb.Tell{What: &wirepb.Tell_Folders{Folders: &wirepb.Folders{Folders: []*wirepb.FolderState{goodState()}}}}
		for range flood {
			if f.out.Write(askTell('a', 1)) != nil || f.out.Write(state) != nil {
				break // it has given the stream up, which is as good
			}
		}
		_ = f.out.Flush()
		synctest.Wait()
		l.mu.Lock()
		answers, starts := len(l.out.answers), len(l.out.starts)
		l.mu.Unlock()
		if answers > bound || starts > bound {
			t.Errorf("%d answers and %d starts wait in memory", answers, starts)
		}
		y.cancel()
		<-y.ended
	})
}

// TestStartsOfAnyFolderAreNotRemembered asks for folders that do not exist.
func TestStartsOfAnyFolderAreNotRemembered(t *testing.T) {
	const flood = 20_000
	synctest.Test(t, func(t *testing.T) {
		a, b := newStream(plenty)
		teller := NewTeller(newBook(t, 1))
		x := run(func(ctx context.Context) error { return teller.Run(ctx, a, me) })
		f := newFar(t, b)
		f.say(helloReply())
		for n := range flood {
			s := Start{Index: 1}
			binary.BigEndian.PutUint32(s.Folder[:], uint32(n))
			if f.out.Write(&wirepb.Reply{What: &wirepb.Reply_Start{Start: s.toWire()}}) != nil {
				break
			}
		}
		_ = f.out.Flush()
		synctest.Wait()
		teller.mu.Lock()
		n := len(teller.sent)
		teller.mu.Unlock()
		if n > maxFolders {
			t.Errorf("it remembers %d folders that it does not have", n)
		}
		x.cancel()
		<-x.ended
	})
}

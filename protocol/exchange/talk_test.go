package exchange

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/protocol/seal"
)

// pairUp runs a teller and a listener against each other.
func pairUp(t testing.TB, book *fakeBook, ear *fakeEar) (*Teller, *Listener, func()) {
	t.Helper()
	a, b := newStream(plenty)
	teller, listener := NewTeller(book), NewListener(ear, ear)
	x := run(func(ctx context.Context) error { return teller.Run(ctx, a, me) })
	y := run(func(ctx context.Context) error { return listener.Run(ctx, b, them) })
	return teller, listener, func() { x.stop(t); y.stop(t) }
}

func wantEvents(t testing.TB, ear *fakeEar, want ...string) {
	t.Helper()
	if got := ear.all(); !slices.Equal(got, want) {
		t.Errorf("heard\n%s\nnot\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestBothSidesMeetBeforeAnythingElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		book, ear := newBook(t, 10), &fakeEar{}
		book.folder('a', 3)
		_, _, stop := pairUp(t, book, ear)
		defer stop()
		synctest.Wait()
		wantEvents(t, ear, "met laptop", "folders a@3", "offers")
		if r := book.said(); len(r) != 1 || r[0].Met == nil || r[0].Met.Name != "phone" || r[0].Met.Clock != 6 {
			t.Errorf("the teller heard %v", r)
		}
	})
}

// TestAFolderIsToldOfOnlyOnceItIsStarted sees no record before the Start, and
// then all after it, in order, through the head.
func TestAFolderIsToldOfOnlyOnceItIsStarted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		book, ear := newBook(t, 2), &fakeEar{}
		book.folder('a', 5)
		_, listener, stop := pairUp(t, book, ear)
		defer stop()
		synctest.Wait()
		listener.Start(Start{Folder: folderID('a'), Index: 'a', After: 1, Roster: [16]byte{'a'}})
		synctest.Wait()
		wantEvents(t, ear, "met laptop", "folders a@5", "offers",
			"a 1..3 of 5, 0 refused", "a 3..5 of 5, 0 refused")
		var names []string
		k := keysOf(t, folderID('a'))
		for _, h := range ear.heard {
			for _, it := range h.Batch.Items {
				e, err := k.OpenRecord(it.Record)
				if err != nil {
					t.Fatal(err)
				}
				names = append(names, fmt.Sprintf("%d:%s", it.Sequence, e.Path))
			}
		}
		if got := strings.Join(names, " "); got != "2:a2 3:a3 4:a4 5:a5" {
			t.Errorf("records %s", got)
		}
	})
}

func TestSeveralFoldersAreToldInTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		book, ear := newBook(t, 1), &fakeEar{}
		book.folder('a', 3)
		book.folder('b', 2)
		book.folder('c', 4) // not started
		a, b := newStream(plenty)
		teller, listener := NewTeller(book), NewListener(ear, ear)
		ear.on = startOnceTold(listener, 'a', 'b')
		x := run(func(ctx context.Context) error { return teller.Run(ctx, a, me) })
		y := run(func(ctx context.Context) error { return listener.Run(ctx, b, them) })
		synctest.Wait()
		x.stop(t)
		y.stop(t)
		var order []string
		for _, h := range ear.heard {
			order = append(order, fmt.Sprintf("%c%d", h.Batch.Folder[0], h.Batch.Through))
		}
		// Where the second Start comes in is a matter of chance; from then on
		// neither waits for the other.
		if len(order) != 5 || longestRun(order[:4]) > 2 {
			t.Errorf("told in the order %v", order)
		}
		if slices.ContainsFunc(book.asked, func(s string) bool { return s[0] == 'c' }) {
			t.Errorf("records of a folder that was not started were asked for: %v", book.asked)
		}
	})
}

// startOnceTold asks for folders as soon as they have been told of: before, a
// Start is forgotten.
func startOnceTold(l *Listener, folders ...byte) func(string) error {
	return func(what string) error {
		if strings.HasPrefix(what, "folders") {
			for _, f := range folders {
				l.Start(Start{Folder: folderID(f), Index: uint64(f), Roster: [16]byte{f}})
			}
		}
		return nil
	}
}

// longestRun is the most in a row that are of one folder.
func longestRun(order []string) (longest int) {
	n := 0
	for i, s := range order {
		if i == 0 || s[0] != order[i-1][0] {
			n = 0
		}
		n++
		longest = max(longest, n)
	}
	return longest
}

func TestOnlyChangesOfFoldersAndOffersAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		book, ear := newBook(t, 10), &fakeEar{}
		book.folder('a', 3)
		teller, _, stop := pairUp(t, book, ear)
		defer stop()
		wake := func(change func()) {
			book.change(change)
			teller.Wake()
			synctest.Wait()
		}
		synctest.Wait()
		wake(func() {})
		wake(func() {})
		wake(func() { book.news.Folders[0].Head = 9 }) // the records say so
		wake(func() { book.news.Folders[0].Settled = false })
		wake(func() { book.news.Folders[0].Roster[5] = 1 })
		wake(func() {
			book.news.Offers = []Offer{{Folder: folderID('b'), Label: "photos", Role: entry.RoleBackup}}
		})
		wake(func() {
			book.news.Offers[0].Role = entry.RoleSync
			book.news.Offers[0].Keys = map[entry.Epoch]seal.FolderKey{1: {1}, 2: {2}, 3: {3}}
		})
		wake(func() {})
		wake(func() { book.news.Folders, book.news.Offers = nil, nil })
		wantEvents(t, ear, "met laptop", "folders a@3", "offers", "folders a@9", "folders a@9",
			"offers photos as backup with 0 keys", "offers photos as sync with 3 keys", "folders", "offers")
	})
}

func TestStatementsAreToldWhereTheDigestsDiffer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		book, ear := newBook(t, 10), &fakeEar{}
		book.folder('a', 0)
		book.folder('b', 0)
		teller, listener, stop := pairUp(t, book, ear)
		defer stop()
		synctest.Wait()
		listener.Start(Start{Folder: folderID('a'), Index: 'a', Roster: [16]byte{'a'}}) // the same
		listener.Start(Start{Folder: folderID('b'), Index: 'b', Roster: [16]byte{}})    // another
		synctest.Wait()
		teller.Wake()
		synctest.Wait()
		count := func(what string) (n int) {
			for _, e := range ear.all() {
				if e == what {
					n++
				}
			}
			return n
		}
		if a, b := count("0 statements of a"), count("0 statements of b"); a != 0 || b != 1 {
			t.Errorf("told %d and %d times", a, b)
		}
		book.change(func() { book.news.Folders[0].Roster[1] = 9 })
		teller.Wake()
		synctest.Wait()
		if a, b := count("0 statements of a"), count("0 statements of b"); a != 1 || b != 1 {
			t.Errorf("after a change of one: told %d and %d times", a, b)
		}
	})
}

func TestAnIndexThatIsGoneIsNotToldOf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		book, ear := newBook(t, 10), &fakeEar{}
		book.folder('a', 3)
		_, listener, stop := pairUp(t, book, ear)
		defer stop()
		synctest.Wait()
		listener.Start(Start{Folder: folderID('a'), Index: 1, Roster: [16]byte{'a'}})
		synctest.Wait()
		wantEvents(t, ear, "met laptop", "folders a@3", "offers")
		listener.Start(Start{Folder: folderID('a'), Index: 'a', Roster: [16]byte{'a'}})
		synctest.Wait()
		wantEvents(t, ear, "met laptop", "folders a@3", "offers", "a 0..3 of 3, 0 refused")
	})
}

func TestNewChangesAreToldAsTheyCome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		book, ear := newBook(t, 10), &fakeEar{}
		book.folder('a', 1)
		teller, listener, stop := pairUp(t, book, ear)
		defer stop()
		synctest.Wait()
		listener.Start(Start{Folder: folderID('a'), Index: 'a', Roster: [16]byte{'a'}})
		synctest.Wait()
		book.change(func() {
			book.items[folderID('a')] = append(book.items[folderID('a')], Item{2, record(t, folderID('a'), "late")})
			book.news.Folders[0].Head = 2
		})
		teller.Wake()
		synctest.Wait()
		wantEvents(t, ear, "met laptop", "folders a@1", "offers", "a 0..1 of 1, 0 refused", "a 1..2 of 2, 0 refused")
	})
}

func TestAnAskIsToldOnceAndItsAnswerComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		book, ear := newBook(t, 10), &fakeEar{}
		var listener *Listener
		ear.on = func(what string) error {
			if what == "ask 77 of a" {
				listener.Answer(Answer{Folder: folderID('a'), Nonce: 77, Index: 8, Head: 9, Problem: "the disk is away"})
			}
			return nil
		}
		book.news.Asks = []Ask{{Folder: folderID('a'), Nonce: 77}}
		a, b := newStream(plenty)
		teller := NewTeller(book)
		listener = NewListener(ear, ear)
		x := run(func(ctx context.Context) error { return teller.Run(ctx, a, me) })
		y := run(func(ctx context.Context) error { return listener.Run(ctx, b, them) })
		synctest.Wait()
		teller.Wake()
		synctest.Wait()
		x.stop(t)
		y.stop(t)
		wantEvents(t, ear, "met laptop", "folders", "offers", "ask 77 of a")
		r := book.said()
		want := Answer{Folder: folderID('a'), Nonce: 77, Index: 8, Head: 9, Problem: "the disk is away"}
		if len(r) != 2 || r[1].Answer == nil || *r[1].Answer != want {
			t.Errorf("the teller heard %+v", r)
		}
	})
}

// TestALongProblemIsCutNotRefused: the other side bounds it.
func TestALongProblemIsCutNotRefused(t *testing.T) {
	for name, problem := range map[string]string{
		"long": strings.Repeat("x", 5000), "cut within a character": "x" + strings.Repeat("ü", 5000), "no UTF-8": "open \"\xff\"",
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				book, ear := newBook(t, 10), &fakeEar{}
				_, listener, stop := pairUp(t, book, ear)
				defer stop()
				listener.Answer(Answer{Folder: folderID('a'), Nonce: 1, Problem: problem})
				synctest.Wait()
				if r := book.said(); len(r) != 2 || r[1].Answer == nil || r[1].Answer.Problem == "" {
					t.Errorf("the teller heard %+v", r)
				}
			})
		})
	}
}

// TestOfAcksOnlyTheLatestIsSent piles them up while nothing can be sent.
func TestOfAcksOnlyTheLatestIsSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		book, ear := newBook(t, 10), &fakeEar{}
		a, b := newStream(plenty)
		listener := NewListener(ear, ear)
		for n := range 1000 {
			for _, f := range []byte{'a', 'b'} {
				listener.Ack(Ack{Folder: folderID(f), Received: entry.Sequence(n), Held: entry.Sequence(n / 2), NeedFiles: 3, NeedBytes: 4})
			}
		}
		y := run(func(ctx context.Context) error { return listener.Run(ctx, b, them) })
		x := run(func(ctx context.Context) error { return NewTeller(book).Run(ctx, a, me) })
		synctest.Wait()
		x.stop(t)
		y.stop(t)
		r := book.said()
		if len(r) != 3 {
			t.Fatalf("the teller heard %d replies, not a hello and two acks", len(r))
		}
		for _, k := range r[1:] {
			if k.Ack == nil || k.Ack.Received != 999 || k.Ack.Held != 499 || k.Ack.NeedFiles != 3 || k.Ack.NeedBytes != 4 {
				t.Errorf("the teller heard %+v", k.Ack)
			}
		}
	})
}

func TestAnErrorOfTheBookEndsTheStream(t *testing.T) {
	broken := errors.New("broken")
	for name, set := range map[string]func(*fakeBook){
		"Replied": func(b *fakeBook) { b.refuse = broken },
		"Records": func(b *fakeBook) { b.broken = broken },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				book, ear := newBook(t, 10), &fakeEar{}
				book.folder('a', 3)
				set(book)
				a, b := newStream(plenty)
				listener := NewListener(ear, ear)
				ear.on = startOnceTold(listener, 'a')
				y := run(func(ctx context.Context) error { return listener.Run(ctx, b, them) })
				if err := NewTeller(book).Run(t.Context(), a, me); !errors.Is(err, broken) {
					t.Errorf("the teller ended with %v", err)
				}
				if err := <-y.ended; !errors.Is(err, errReset) {
					t.Errorf("the listener ended with %v", err)
				}
			})
		})
	}
}

func TestAnErrorOfTheEarEndsTheStream(t *testing.T) {
	broken := errors.New("broken")
	synctest.Test(t, func(t *testing.T) {
		book, ear := newBook(t, 10), &fakeEar{on: func(what string) error {
			if strings.HasPrefix(what, "folders") {
				return broken
			}
			return nil
		}}
		a, b := newStream(plenty)
		x := run(func(ctx context.Context) error { return NewTeller(book).Run(ctx, a, me) })
		if err := NewListener(ear, ear).Run(t.Context(), b, them); err != broken { //nolint:errorlint // as it is
			t.Errorf("the listener ended with %v", err)
		}
		if err := <-x.ended; !errors.Is(err, errReset) {
			t.Errorf("the teller ended with %v", err)
		}
	})
}

func TestAStreamClosedInOrderIsNoError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newStream(plenty)
		f := newFar(t, b)
		x := run(func(ctx context.Context) error { return NewTeller(newBook(t, 1)).Run(ctx, a, me) })
		f.say(helloReply())
		b.CloseWrite()
		if err := <-x.ended; err != nil {
			t.Errorf("the teller ended with %v", err)
		}
		a, b = newStream(plenty)
		f = newFar(t, a)
		y := run(func(ctx context.Context) error { return NewListener(deaf()).Run(ctx, b, me) })
		f.say(helloTell())
		a.CloseWrite()
		if err := <-y.ended; err != nil {
			t.Errorf("the listener ended with %v", err)
		}
	})
}

// TestTheContextEndsOneThatCannotWrite cancels while the other side reads
// nothing.
func TestTheContextEndsOneThatCannotWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		book := newBook(t, 1)
		book.folder('a', 1000)
		a, b := newStream(0)
		f := newFar(t, b)
		x := run(func(ctx context.Context) error { return NewTeller(book).Run(ctx, a, me) })
		go func() { f.say(helloReply(), startReply('a', 0, 'a')) }()
		synctest.Wait()
		x.stop(t)
		a, b = newStream(0)
		y := run(func(ctx context.Context) error { return NewListener(deaf()).Run(ctx, b, me) })
		synctest.Wait()
		y.stop(t)
		_ = a.Reset()
	})
}

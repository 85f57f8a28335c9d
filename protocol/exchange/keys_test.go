package exchange

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/protocol/seal"
)

// startWith asks for a folder as one that has the keys of these epochs.
func startWith(letter byte, epochs ...entry.Epoch) Start {
	return Start{Folder: folderID(letter), Index: uint64(letter), Roster: [16]byte{letter}, Epochs: epochs}
}

func TestKeysThatAreLackedAreToldBeforeTheRecords(t *testing.T) {
	for name, c := range map[string]struct {
		has  []entry.Epoch
		told []string
	}{
		"none of them":         {nil, []string{"keys of a: 1 500 4294967295"}},
		"the first":            {[]entry.Epoch{1}, []string{"keys of a: 500 4294967295"}},
		"all but one":          {[]entry.Epoch{4294967295, 1}, []string{"keys of a: 500"}},
		"all, in any order":    {[]entry.Epoch{500, 4294967295, 500, 1}, nil},
		"others":               {[]entry.Epoch{2, 499, 501}, []string{"keys of a: 1 500 4294967295"}},
		"all, and one unknown": {[]entry.Epoch{1, 7, 500, 4294967295}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				book, ear := newBook(t, 2), &fakeEar{}
				book.folder('a', 4)
				book.key('a', 1, 500, 4294967295)
				_, listener, stop := pairUp(t, book, ear)
				defer stop()
				synctest.Wait()
				listener.Start(startWith('a', c.has...))
				synctest.Wait()
				want := append([]string{"met laptop", "folders a@4", "offers"}, c.told...)
				wantEvents(t, ear, append(want, "a 0..2 of 4, 0 refused", "a 2..4 of 4, 0 refused")...)
			})
		})
	}
}

// TestKeysAreToldOfAFolderOnlyOnceItIsStarted, by this index, and to one that
// may hold them.
func TestKeysAreToldOfAFolderOnlyOnceItIsStarted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		book, ear := newBook(t, 10), &fakeEar{}
		for _, f := range []byte{'a', 'b', 'c'} {
			book.folder(f, 0)
		}
		book.key('a', 1)
		book.key('b', 1)
		teller, listener, stop := pairUp(t, book, ear)
		defer stop()
		synctest.Wait()
		other := startWith('b')
		other.Index = 1
		listener.Start(other)
		listener.Start(startWith('c')) // the book has no keys of it for this peer
		synctest.Wait()
		teller.Wake()
		synctest.Wait()
		wantEvents(t, ear, "met laptop", "folders a@0 b@0 c@0", "offers")
		listener.Start(startWith('a'))
		synctest.Wait()
		wantEvents(t, ear, "met laptop", "folders a@0 b@0 c@0", "offers", "keys of a: 1")
	})
}

func TestNewKeysAreToldAsTheyComeAndOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		book, ear := newBook(t, 10), &fakeEar{}
		book.folder('a', 1)
		book.key('a', 1)
		teller, listener, stop := pairUp(t, book, ear)
		defer stop()
		synctest.Wait()
		listener.Start(startWith('a', 1))
		synctest.Wait()
		book.change(func() { book.key('a', 7) })
		teller.Wake()
		synctest.Wait()
		book.change(func() {
			book.key('a', 9)
			book.items[folderID('a')] = append(book.items[folderID('a')], Item{2, record(t, folderID('a'), "late")})
			book.news.Folders[0].Head = 2
		})
		teller.Wake()
		synctest.Wait()
		listener.Start(startWith('a')) // it need not name what it was told on this stream
		synctest.Wait()
		wantEvents(t, ear, "met laptop", "folders a@1", "offers", "a 0..1 of 1, 0 refused",
			"keys of a: 7", "keys of a: 9", "a 1..2 of 2, 0 refused",
			"keys of a: 1", "a 0..2 of 2, 0 refused")
	})
}

// TestAKeyThatComesUpWhileABatchIsMadeIsToldBeforeIt, since the batch may be
// sealed under it.
func TestAKeyThatComesUpWhileABatchIsMadeIsToldBeforeIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		book, ear := newBook(t, 1), &fakeEar{}
		book.folder('a', 3)
		next := entry.Epoch(1)
		book.onRecords = func() { book.key('a', next); next++ }
		_, listener, stop := pairUp(t, book, ear)
		defer stop()
		synctest.Wait()
		listener.Start(startWith('a'))
		synctest.Wait()
		wantEvents(t, ear, "met laptop", "folders a@3", "offers",
			"keys of a: 1", "a 0..1 of 3, 0 refused",
			"keys of a: 2", "a 1..2 of 3, 0 refused",
			"keys of a: 3", "a 2..3 of 3, 0 refused")
	})
}

// TestKeysOfAFolderThatIsSharedAnewAreToldAnew, as the peer may have left it.
func TestKeysOfAFolderThatIsSharedAnewAreToldAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		book, ear := newBook(t, 10), &fakeEar{}
		book.folder('a', 0)
		book.key('a', 1)
		teller, listener, stop := pairUp(t, book, ear)
		defer stop()
		shared := book.news.Folders
		for _, folders := range [][]FolderState{shared, nil, shared} {
			book.change(func() { book.news.Folders = folders })
			teller.Wake()
			synctest.Wait()
			listener.Start(startWith('a'))
			synctest.Wait()
		}
		told := slices.DeleteFunc(ear.all(), func(s string) bool { return !strings.HasPrefix(s, "keys") })
		if len(told) != 2 {
			t.Errorf("told %q", told)
		}
	})
}

func TestManyKeysTravelInSeveralMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		book, ear := newBook(t, 10), &fakeEar{}
		book.folder('a', 1)
		for e := range entry.Epoch(2*maxKeys + 1) {
			book.key('a', e+1)
		}
		_, listener, stop := pairUp(t, book, ear)
		defer stop()
		synctest.Wait()
		listener.Start(startWith('a'))
		synctest.Wait()
		wantEvents(t, ear, "met laptop", "folders a@1", "offers", "keys of a: 1024 of them", "keys of a: 1024 of them",
			"keys of a: 2049", "a 0..1 of 1, 0 refused")
	})
}

// TestOfTooManyEpochsTheLastAreNamed rather than making the teller end the
// stream.
func TestOfTooManyEpochsTheLastAreNamed(t *testing.T) {
	s := startWith('a')
	for e := range entry.Epoch(maxEpochs + 3) {
		s.Epochs = append(s.Epochs, e+1)
	}
	got, err := startFromWire(s.toWire())
	if err != nil || len(got.Epochs) != maxEpochs || got.Epochs[0] != 4 || got.Epochs[maxEpochs-1] != maxEpochs+3 {
		t.Errorf("%d epochs: %v", len(got.Epochs), err)
	}
}

// TestNoErrorShowsAKey has a key in every message that is refused for one.
func TestNoErrorShowsAKey(t *testing.T) {
	secret := strings.Repeat("K", 32)
	for name, change := range map[string]func(i int, key *[]byte, epoch *uint32){
		"too long":      func(_ int, key *[]byte, _ *uint32) { *key = append(*key, 'K') },
		"for epoch 0":   func(_ int, _ *[]byte, epoch *uint32) { *epoch = 0 },
		"for one epoch": func(_ int, _ *[]byte, epoch *uint32) { *epoch = 5 },
	} {
		m := goodKeys()
		for i, k := range m.Keys {
			k.Key = []byte(secret)
			change(i, &k.Key, &k.Epoch)
		}
		_, keys, err := keysFromWire(m)
		if err == nil || strings.Contains(err.Error(), "KKKK") || strings.Contains(err.Error(), "7575") {
			t.Errorf("%s: %v", name, err)
		}
		if keys != nil {
			t.Errorf("%s: it returned keys", name)
		}
	}
	good := map[entry.Epoch]seal.FolderKey{1: seal.FolderKey([]byte(secret))}
	if s := fmt.Sprintf("%v %+v %#v %x", good, Offer{Keys: good}, good, good); strings.Contains(s, "KKKK") || strings.Contains(s, "4b4b") {
		t.Errorf("printed: %s", s)
	}
}

// TestATellerBeginsAnewWithEachStream and does not go on with what it told on
// the one before, which may not have arrived.
func TestATellerBeginsAnewWithEachStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		book := newBook(t, 10)
		book.folder('a', 2)
		book.key('a', 1)
		teller := NewTeller(book)
		for n := range 2 {
			ear := &fakeEar{}
			a, b := newStream(plenty)
			listener := NewListener(ear, ear)
			x := run(func(ctx context.Context) error { return teller.Run(ctx, a, me) })
			y := run(func(ctx context.Context) error { return listener.Run(ctx, b, them) })
			synctest.Wait()
			met := []string{"met laptop", fmt.Sprintf("folders a@%d", 2+n), "offers"}
			wantEvents(t, ear, met...)
			listener.Start(startWith('a'))
			synctest.Wait()
			wantEvents(t, ear, append(met, "keys of a: 1", fmt.Sprintf("a 0..%d of %[1]d, 0 refused", 2+n))...)
			x.stop(t)
			y.stop(t)
			book.change(func() {
				book.items[folderID('a')] = append(book.items[folderID('a')], Item{3, record(t, folderID('a'), "between")})
				book.news.Folders[0].Head = 3
			})
		}
	})
}

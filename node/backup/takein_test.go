package backup

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/protocol/exchange"
)

func TestWhatAMemberTellsIsHeldWithItsContent(t *testing.T) {
	in(t, func(t *testing.T) {
		b, anna := newBox(t, defaults()), newTeller(t, "anna")
		x, y := newBlock(1, 5000), newBlock(2, 300)
		anna.has(newRecord(1, 1, x, y), x, y)
		anna.has(newRecord(2, 1, y), y)
		anna.has(newRecord(3, 1))
		anna.join(b)
		pass(time.Second)
		st := b.Status()
		if b.holds() != 3 || !st.Quiet || st.NeedRecords != 0 || st.LastRun.IsZero() || anna.times(x) != 1 || anna.times(y) != 1 {
			t.Errorf("%d versions, fetched %d and %d times, status %+v", b.holds(), anna.times(x), anna.times(y), st)
		}
		if k := anna.ack(); k.Held != 3 || k.Received != 3 || k.NeedFiles != 0 || k.OwnHead != 3 {
			t.Errorf("acknowledged %+v", k)
		}
		if got, err := b.Vault().Block(x.id); err != nil || string(got) != string(x.sealed) {
			t.Errorf("a block: %v", err)
		}
		z := newBlock(3, 100) // what comes later
		anna.has(newRecord(1, 2, z), z)
		pass(time.Second)
		if b.holds() != 4 || anna.ack().Held != 4 {
			t.Errorf("%d versions, acknowledged %+v", b.holds(), anna.ack())
		}
	})
}

func TestWhatTwoMembersTellIsFetchedOnce(t *testing.T) {
	in(t, func(t *testing.T) {
		b, anna, ben := newBox(t, defaults()), newTeller(t, "anna"), newTeller(t, "ben")
		var all []block
		for i := range uint64(300) {
			x := newBlock(i, 200)
			all = append(all, x)
			anna.has(newRecord(i, 1, x), x)
			ben.has(newRecord(i, 1, x), x)
		}
		anna.join(b)
		ben.join(b)
		pass(5 * time.Second)
		for _, x := range all {
			if n := anna.times(x) + ben.times(x); n != 1 {
				t.Errorf("a block was fetched %d times", n)
			}
		}
		if b.holds() != 300 || anna.ack().Held != 300 || ben.ack().Held != 300 || !b.Status().Quiet {
			t.Errorf("%d versions, acknowledged %+v and %+v", b.holds(), anna.ack(), ben.ack())
		}
	})
}

func TestWhatCannotBeHadIsWantedUntilItIsThere(t *testing.T) {
	in(t, func(t *testing.T) {
		b, anna := newBox(t, defaults()), newTeller(t, "anna")
		lost, good := newBlock(1, 100), newBlock(2, 100)
		anna.has(newRecord(1, 1, lost)) // does not give it
		anna.has(newRecord(2, 1, good), good)
		anna.join(b)
		pass(20 * time.Second)
		if st := b.Status(); b.holds() != 1 || st.NeedRecords != 1 || st.Quiet || !st.Waiting || anna.ack().Held != 0 || anna.ack().NeedFiles != 1 {
			t.Errorf("%d versions, %+v, acknowledged %+v", b.holds(), st, anna.ack())
		}
		if n := anna.times(lost); n < 2 || n > 10 {
			t.Errorf("asked for it %d times within 20 s", n)
		}
		anna.mu.Lock()
		anna.blocks[lost.id] = lost.sealed
		anna.mu.Unlock()
		pass(time.Minute)
		if b.holds() != 2 || anna.ack().Held != 2 || !b.Status().Quiet {
			t.Errorf("%d versions, %+v, acknowledged %+v", b.holds(), b.Status(), anna.ack())
		}
	})
}

func TestAMemberThatComesBringsWhatAnotherLacked(t *testing.T) {
	in(t, func(t *testing.T) {
		b, anna, ben := newBox(t, defaults()), newTeller(t, "anna"), newTeller(t, "ben")
		x := newBlock(1, 100)
		anna.has(newRecord(1, 1, x))
		anna.join(b)
		pass(10 * time.Minute)
		ben.has(newRecord(1, 1, x), x)
		ben.join(b)
		pass(5 * time.Second)
		if b.holds() != 1 || anna.ack().Held != 1 || ben.ack().Held != 1 {
			t.Errorf("%d versions, acknowledged %+v and %+v", b.holds(), anna.ack(), ben.ack())
		}
	})
}

func TestWhatIsReplacedBeforeItCouldBeHadIsNotWantedAnyMore(t *testing.T) {
	for name, before := range map[string]func(anna *teller, old block){
		"while it waits to be tried again": func(*teller, block) { pass(3 * time.Second) },
		"while it is being fetched":        func(*teller, block) { synctest.Wait() },
	} {
		t.Run(name, func(t *testing.T) {
			in(t, func(t *testing.T) {
				b, anna := newBox(t, defaults()), newTeller(t, "anna")
				old, now := newBlock(1, 100), newBlock(2, 100)
				anna.give = func(id entry.BlockID) ([]byte, error) {
					if id == old.id {
						<-time.After(time.Second) // and then it is gone
						return nil, nil
					}
					return now.sealed, nil
				}
				anna.has(newRecord(1, 1, old))
				anna.join(b)
				before(anna, old)
				anna.has(newRecord(1, 2, now), now)
				pass(time.Hour)
				st := b.Status()
				if b.holds() != 1 || st.NeedRecords != 0 || !st.Quiet || anna.ack().Held != 2 {
					t.Errorf("%d versions, %+v, acknowledged %+v; asked for the old one %d times", b.holds(), st, anna.ack(), anna.times(old))
				}
			})
		})
	}
}

func TestWhatAMemberOnlyKnowsOfIsNotAskedOfIt(t *testing.T) {
	in(t, func(t *testing.T) {
		b, anna, ben := newBox(t, defaults()), newTeller(t, "anna"), newTeller(t, "ben")
		x := newBlock(1, 100)
		anna.has(newRecord(1, 1, x))
		anna.absent[1] = true
		anna.join(b)
		pass(time.Second)
		if st := b.Status(); anna.times(x) != 0 || !st.Quiet || anna.ack().Held != 1 {
			t.Errorf("asked %d times, %+v, %+v", anna.times(x), st, anna.ack())
		}
		ben.has(newRecord(1, 1, x), x)
		ben.join(b)
		pass(time.Second)
		if b.holds() != 1 {
			t.Errorf("%d versions", b.holds())
		}
	})
}

// TestBlocksThatCannotBeHoldUpNothingElse: one member gives what cannot be, in
// every way; all else that it tells is taken in, and what it spoilt comes from
// another.
func TestBlocksThatCannotBeHoldUpNothingElse(t *testing.T) {
	bad := newBlock(77, 500)
	for name, give := range map[string]func() ([]byte, error){
		"larger than it may be": func() ([]byte, error) { return make([]byte, 501), nil },
		"empty":                 func() ([]byte, error) { return []byte{}, nil },
		"cut short":             func() ([]byte, error) { return bad.sealed[:3], nil },
		"nothing":               func() ([]byte, error) { return nil, nil },
	} {
		t.Run(name, func(t *testing.T) {
			in(t, func(t *testing.T) {
				b, anna, ben := newBox(t, defaults()), newTeller(t, "anna"), newTeller(t, "ben")
				for i := range uint64(50) {
					x := newBlock(i, 300)
					if i == 10 {
						x = bad
					}
					anna.has(newRecord(i, 1, x), x)
				}
				anna.give = func(id entry.BlockID) ([]byte, error) {
					if id == bad.id {
						return give()
					}
					return anna.blocks[id], nil
				}
				anna.join(b)
				pass(2 * time.Second)
				if n := b.holds(); n != 49 {
					t.Errorf("%d of 49 good versions", n)
				}
				ben.has(newRecord(10, 1, bad), bad)
				ben.join(b)
				pass(10 * time.Second)
				if got, err := b.Vault().Block(bad.id); b.holds() != 50 || err != nil || string(got) != string(bad.sealed) {
					t.Errorf("%d versions, %v", b.holds(), err)
				}
			})
		})
	}
}

func TestAMemberThatCannotBeAskedIsAskedAgain(t *testing.T) {
	in(t, func(t *testing.T) {
		b, anna := newBox(t, defaults()), newTeller(t, "anna")
		x := newBlock(1, 100)
		anna.has(newRecord(1, 1, x), x)
		anna.give = func(entry.BlockID) ([]byte, error) { return nil, errors.New("the stream broke") }
		anna.join(b)
		pass(30 * time.Second)
		if n := anna.times(x); n < 2 || n > 8 {
			t.Errorf("asked %d times", n)
		}
		anna.mu.Lock()
		anna.give = nil
		anna.mu.Unlock()
		pass(time.Minute)
		if b.holds() != 1 || anna.ack().Held != 1 {
			t.Errorf("%d versions, %+v", b.holds(), anna.ack())
		}
	})
}

// TestWaitingCostsNothing: neither a full vault, nor a member that cannot be
// asked, nor content that nobody has keeps the processor busy.
func TestWaitingCostsNothing(t *testing.T) {
	for name, c := range map[string]struct {
		quota int64
		give  func(entry.BlockID) ([]byte, error)
	}{
		"a full vault":                  {1000, func(entry.BlockID) ([]byte, error) { return newBlock(1, 5000).sealed, nil }},
		"a member that cannot be asked": {0, func(entry.BlockID) ([]byte, error) { return nil, errors.New("the stream broke") }},
		"content that nobody has":       {0, func(entry.BlockID) ([]byte, error) { return nil, nil }},
	} {
		t.Run(name, func(t *testing.T) {
			in(t, func(t *testing.T) {
				b := &box{t: t, dir: t.TempDir(), set: defaults()}
				b.set.Quota = c.quota
				var n atomic.Int64 // how often the keeper looks what there is to do
				b.clock = func() time.Time {
					if n.Add(1)%1000 == 0 {
						<-time.After(time.Second) // where it never waits, time would stand still in here
					}
					return time.Now()
				}
				b.up()
				t.Cleanup(b.down)
				anna := newTeller(t, "anna")
				anna.give = c.give
				anna.has(newRecord(1, 1, newBlock(1, 5000)))
				anna.join(b)
				pass(50 * time.Second)
				if n := n.Load(); n > 2000 {
					t.Errorf("looked at the clock %d times in 50 s", n)
				}
			})
		})
	}
}

func TestAFullVaultGoesOnWhenThereIsRoom(t *testing.T) {
	in(t, func(t *testing.T) {
		set := defaults()
		set.Quota = 20_000
		b, anna := newBox(t, set), newTeller(t, "anna")
		for i := range uint64(20) {
			x := newBlock(i, 5000)
			anna.has(newRecord(i, 1, x), x)
		}
		anna.join(b)
		pass(10 * time.Second)
		st := b.Status()
		if len(st.Problems) != 1 || st.Problems[0].Code != "vault_full" || st.Quiet || b.holds() > 4 {
			t.Fatalf("%d versions, %+v", b.holds(), st)
		}
		if s, err := b.Standing("anna"); err != nil || !s.Full || s.Quota != 20_000 {
			t.Errorf("%+v, %v", s, err)
		}
		set.Quota = 1 << 20
		must(t, b.SetSettings(t.Context(), set))
		pass(10 * time.Second)
		if st := b.Status(); b.holds() != 20 || len(st.Problems) != 0 || !st.Quiet {
			t.Errorf("%d versions, %+v", b.holds(), st)
		}
	})
}

// TestAMemberThatTellsTooMuchIsAskedAgain tells more than twice what may wait
// while nothing can be fetched: what waits is bounded, and in the end all is
// held.
func TestAMemberThatTellsTooMuchIsAskedAgain(t *testing.T) {
	in(t, func(t *testing.T) {
		b, anna := newBox(t, defaults()), newTeller(t, "anna")
		x := newBlock(1, 100)
		anna.blocks[x.id] = x.sealed
		var shut atomic.Bool
		shut.Store(true)
		anna.give = func(entry.BlockID) ([]byte, error) {
			if shut.Load() {
				return nil, errors.New("not now")
			}
			return x.sealed, nil
		}
		const n = 2*maxQueue + 10_000
		for i := range uint64(n) {
			anna.items = append(anna.items, exchange.Item{Sequence: entry.Sequence(i + 1), Record: newRecord(i, 1, x)})
		}
		anna.head = n
		anna.join(b)
		pass(30 * time.Second)
		open := 0
		must(t, b.do(t.Context(), func(a *actor) { open = len(a.roll["anna"].open) }))
		if open > maxQueue+1000 || anna.ack().Held != 0 {
			t.Errorf("%d records wait, acknowledged %+v", open, anna.ack())
		}
		if st := b.Status(); st.NeedRecords != n {
			t.Errorf("%d are said to be needed", st.NeedRecords)
		}
		shut.Store(false)
		pass(time.Minute)
		if b.holds() != n || anna.ack().Held != n || !b.Status().Quiet || len(anna.asked) < 3 {
			t.Errorf("%d versions, acknowledged %+v, %+v, asked %d times", b.holds(), anna.ack(), b.Status(), len(anna.asked))
		}
	})
}

// TestOneThatIsMissingDoesNotHoldUpTheRest: behind a version whose content
// nobody has come more than the queue takes.
func TestOneThatIsMissingDoesNotHoldUpTheRest(t *testing.T) {
	in(t, func(t *testing.T) {
		b, anna := newBox(t, defaults()), newTeller(t, "anna")
		lost := newBlock(1, 100)
		anna.items = append(anna.items, exchange.Item{Sequence: 1, Record: newRecord(0, 1, lost)})
		const n = maxQueue + 5_000
		for i := uint64(1); i < n; i++ {
			anna.items = append(anna.items, exchange.Item{Sequence: entry.Sequence(i + 1), Record: newRecord(i, 1)})
		}
		anna.head = n
		anna.join(b)
		pass(10 * time.Minute)
		if b.holds() != n-1 {
			t.Errorf("%d of %d versions", b.holds(), n-1)
		}
	})
}

func TestARestartGoesOnWhereItWas(t *testing.T) {
	in(t, func(t *testing.T) {
		b, anna := newBox(t, defaults()), newTeller(t, "anna")
		x := newBlock(1, 100)
		for i := range uint64(10) {
			anna.has(newRecord(i, 1, x), x)
		}
		anna.join(b)
		pass(time.Second)
		anna.stop()
		b.down()
		b.up()
		anna.has(newRecord(50, 1))
		anna.asked = nil
		anna.join(b)
		pass(time.Second)
		if len(anna.asked) != 1 || anna.asked[0].After != 10 || anna.asked[0].Index != anna.index {
			t.Errorf("asked for %+v", anna.asked)
		}
		if b.holds() != 11 || anna.times(x) != 1 || !b.Status().Quiet || !b.State().Settled {
			t.Errorf("%d versions, fetched %d times, %+v", b.holds(), anna.times(x), b.Status())
		}
	})
}

// TestARestartAsksAgainForWhatWasMissing: how far a member was heard counts only
// up to the first that is not held.
func TestARestartAsksAgainForWhatWasMissing(t *testing.T) {
	in(t, func(t *testing.T) {
		b, anna := newBox(t, defaults()), newTeller(t, "anna")
		lost := newBlock(1, 100)
		for i := range uint64(10) {
			anna.has(newRecord(i, 1))
		}
		anna.has(newRecord(20, 1, lost))
		anna.has(newRecord(21, 1))
		anna.join(b)
		pass(time.Second)
		anna.stop()
		b.down()
		b.up()
		anna.asked, anna.blocks[lost.id] = nil, lost.sealed
		anna.join(b)
		pass(time.Second)
		if len(anna.asked) == 0 || anna.asked[0].After != 10 || b.holds() != 12 {
			t.Errorf("asked for %+v, %d versions", anna.asked, b.holds())
		}
	})
}

func TestAnotherIndexOfAMemberIsHeardFromTheBeginning(t *testing.T) {
	in(t, func(t *testing.T) {
		b, anna := newBox(t, defaults()), newTeller(t, "anna")
		for i := range uint64(10) {
			anna.has(newRecord(i, 1))
		}
		anna.join(b)
		pass(time.Second)
		anna.stop()
		anna.index++
		anna.items, anna.head, anna.asked = nil, 0, nil
		anna.has(newRecord(77, 1))
		anna.join(b)
		pass(time.Second)
		if len(anna.asked) != 1 || anna.asked[0].After != 0 || b.holds() != 11 || anna.ack().Held != 1 || anna.ack().Index != anna.index {
			t.Errorf("asked for %+v, %d versions, %+v", anna.asked, b.holds(), anna.ack())
		}
	})
}

func TestWhatDoesNotFollowIsRefused(t *testing.T) {
	in(t, func(t *testing.T) {
		b, anna := newBox(t, defaults()), newTeller(t, "anna")
		anna.has(newRecord(1, 1))
		anna.join(b)
		pass(time.Second)
		hear := func(after, through entry.Sequence) error {
			return b.Hear(context.Background(), "anna", exchange.Batch{Folder: testFolder, Index: anna.index, After: after, Through: through, Head: through}, nil)
		}
		if err := hear(5, 6); !errors.Is(err, exchange.ErrMessage) {
			t.Errorf("a gap: %v", err)
		}
		// What is for holders of the key comes from one that has not heard yet that
		// this device is none any more: it is asked again, a little later.
		before := len(anna.asked)
		must(t, b.Hear(context.Background(), "anna", exchange.Batch{Folder: testFolder, Index: anna.index, Sealed: []byte{1}}, nil))
		pass(2 * barrenWait)
		if len(anna.asked) != before+1 {
			t.Errorf("asked %d times", len(anna.asked)-before)
		}
		if err := b.Hear(context.Background(), "stranger", exchange.Batch{Folder: testFolder}, nil); !errors.Is(err, errNotAttached) {
			t.Errorf("a stranger: %v", err)
		}
		must(t, hear(0, 1))
		must(t, hear(1, 2))
		pass(time.Second)
		if anna.ack().Held != 2 {
			t.Errorf("%+v", anna.ack())
		}
	})
}

// TestAMemberThatWasSetBackIsHeardAnew: its numbers stand for other changes now.
func TestAMemberThatWasSetBackIsHeardAnew(t *testing.T) {
	for name, restart := range map[string]bool{"while this runs": false, "while this does not": true} {
		t.Run(name, func(t *testing.T) {
			in(t, func(t *testing.T) {
				b, anna := newBox(t, defaults()), newTeller(t, "anna")
				for i := range uint64(10) {
					anna.has(newRecord(i, 1))
				}
				anna.join(b)
				pass(time.Second)
				anna.stop()
				if restart {
					b.down()
					b.up()
				}
				anna.items, anna.head = anna.items[:4], 4
				anna.has(newRecord(100, 1))
				anna.join(b)
				pass(time.Second)
				for i := range uint64(10) {
					anna.has(newRecord(101+i, 1))
				}
				pass(time.Second)
				if b.holds() != 21 || anna.ack().Held != 15 || !b.Status().Quiet {
					t.Errorf("%d versions, %+v, %+v", b.holds(), anna.ack(), b.Status())
				}
			})
		})
	}
}

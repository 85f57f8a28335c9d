package index

import (
	"testing"

	"github.com/kithmesh/kith/index/entry"
)

// count makes events in a session, and returns the last number.
func count(t *testing.T, db *DB, session uint64, events int) (last uint64) {
	t.Helper()
	update(t, db, func(f *Folder) error {
		if err := f.BeginSession(session); err != nil {
			return err
		}
		for range events {
			n, err := f.NextCount()
			if err != nil {
				return err
			}
			last = n
		}
		return nil
	})
	return last
}

func TestAnIndexRemembersWhatItToldInEachSession(t *testing.T) {
	db := newIndex(t)
	count(t, db, 101, 5)
	count(t, db, 102, 3)
	count(t, db, 103, 4)
	view(t, db, func(f *Folder) error {
		for _, c := range []struct {
			session, seen uint64
			want          bool
		}{
			{0, 1 << 40, true},              // nobody knows
			{101, 5, true}, {101, 6, false}, // it ended with 5: what came after is of a copy
			{102, 8, true}, {102, 9, false},
			{103, 12, true}, {103, 13, false},
			{999, 1, false}, // a session that this index does not know
		} {
			if got := f.Remembers(c.session, c.seen); got != c.want {
				t.Errorf("event %d of session %d: %v", c.seen, c.session, got)
			}
		}
		if f.Session() != 103 {
			t.Errorf("the last session is %d", f.Session())
		}
		return nil
	})
}

func TestSessionsOfLongAgoAreBelieved(t *testing.T) {
	db := newIndex(t)
	for s := range uint64(3 * maxSessions) {
		count(t, db, 1000+s, 2)
	}
	view(t, db, func(f *Folder) error {
		if !f.Remembers(1000, 2) {
			t.Error("a peer that was away for many sessions fences the index")
		}
		if f.Remembers(77, f.Count()) {
			t.Error("a session that nobody knows has seen the newest event")
		}
		return nil
	})
}

func TestANewReplicaHasNoSessions(t *testing.T) {
	db := newIndex(t)
	count(t, db, 101, 5)
	update(t, db, func(f *Folder) error { return f.Renew(4711, 4712) })
	view(t, db, func(f *Folder) error {
		if f.Session() != 0 {
			t.Errorf("session %d", f.Session())
		}
		return nil
	})
}

func TestWhatIsDisownedWasNeverThere(t *testing.T) {
	db := newIndex(t)
	update(t, db, func(f *Folder) error { _, err := f.Put(file("a", vec(1, 1), 5)); return err })
	update(t, db, func(f *Folder) error { return f.Disown(entry.Path("a")) })
	view(t, db, func(f *Folder) error {
		e, err := f.Get("a")
		if err != nil || e != nil || f.Totals().Files != 0 {
			t.Errorf("%+v, %v, %+v", e, err, f.Totals())
		}
		return nil
	})
}

func TestAChangeOfAnIndexThatIsGoneIsTold(t *testing.T) {
	db := newIndex(t)
	put := func(session uint64, paths ...entry.Path) {
		update(t, db, func(f *Folder) error {
			err := f.BeginSession(session)
			for _, p := range paths {
				if err == nil {
					_, err = f.Put(file(p, vec(uint64(len(p)), session), 5))
				}
			}
			return err
		})
	}
	put(101, "a", "bb", "ccc")
	put(102, "dddd")
	view(t, db, func(f *Folder) error {
		for session, want := range map[uint64]entry.Sequence{101: 3, 102: 4, 0: 4, 77: 4} {
			if got := f.HeadOf(session); got != want {
				t.Errorf("the last change of session %d is %d, want %d", session, got, want)
			}
		}
		return nil
	})
}

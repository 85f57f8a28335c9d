package discovery

import (
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
)

const (
	tellSettle = time.Second      // for addresses, which change in bursts
	tellEvery  = 4 * time.Hour    // what is stored gets lost as nodes go
	tellFirst  = 4 * time.Second  // until it is tried again
	tellLast   = 5 * time.Minute  // and at the most
	dayLag     = 10 * time.Minute // by which the notices of a new day are late at most

	lookFirst = 2 * time.Second
	lookLast  = 5 * time.Minute  // between two looks for a device that may be back
	lookRare  = 30 * time.Minute // for one that has been gone for hours

	aloneFirst = 2 * time.Second // while no node of the DHT answers
	aloneLast  = 2 * time.Minute
)

// tidings are what has been told to one device, and how it is looked for.
type tidings struct {
	told      string    // what was last published for it
	toldDay   int64     // on which day
	toldAt    time.Time // and when
	telling   bool
	tellFails int
	nextTell  time.Time // no earlier

	missing   bool
	since     time.Time // when it went missing
	looking   bool
	lookFails int
	nextLook  time.Time // no earlier
}

// situation is what a decision about one device rests on.
type situation struct {
	now     time.Time
	say     string        // what is to be published: empty is nothing
	saidAt  time.Time     // since when
	lag     time.Duration // of this device on a new day
	missing bool          // it is looked for
}

func dayOf(t time.Time) int64 { return t.Unix() / (24 * 60 * 60) }

// update takes in whether a device is missing. One that goes missing is looked
// for at once.
func (t *tidings) update(s situation) {
	if s.missing && !t.missing {
		t.since, t.lookFails, t.nextLook = s.now, 0, s.now
	}
	t.missing = s.missing
}

// tellDue says when a notice is to be published, and whether one ever is.
func (t *tidings) tellDue(s situation) (time.Time, bool) {
	if s.say == "" || t.telling {
		return time.Time{}, false
	}
	due := t.toldAt.Add(tellEvery)
	if t.told != s.say {
		due = s.saidAt.Add(tellSettle)
	} else if day := time.Unix((t.toldDay+1)*24*60*60, 0).Add(s.lag); day.Before(due) {
		due = day
	}
	if due.Before(t.nextTell) {
		due = t.nextTell
	}
	return due, true
}

// lookDue says when a device is to be looked for, and whether it ever is.
func (t *tidings) lookDue() (time.Time, bool) { return t.nextLook, t.missing && !t.looking }

// toldIt notes how publishing has ended.
func (t *tidings) toldIt(say string, begun, now time.Time, ok bool) {
	t.telling = false
	if ok {
		t.told, t.toldDay, t.toldAt = say, dayOf(begun), now
		t.tellFails, t.nextTell = 0, time.Time{}
		return
	}
	t.nextTell = now.Add(spread(doubling(tellFirst, tellLast, t.tellFails)))
	t.tellFails++
}

// looked notes that a look has ended. The device is looked for until it is
// connected: what was found may be of yesterday.
func (t *tidings) looked(now time.Time) {
	t.looking = false
	limit := min(max(lookLast, now.Sub(t.since)/20), lookRare)
	t.nextLook = now.Add(spread(doubling(lookFirst, limit, t.lookFails)))
	t.lookFails++
}

// restart has a device looked for at once, and told at once where that failed.
func (t *tidings) restart(now time.Time) {
	t.lookFails, t.nextLook = 0, now
	t.tellFails, t.nextTell = 0, time.Time{}
}

// doubling is a pause after so many failures in a row.
func doubling(first, last time.Duration, failures int) time.Duration {
	if failures > 20 {
		return last
	}
	return min(last, first<<failures)
}

// chore is something to do for one device.
type chore struct {
	id   peer.ID
	tell bool // or else look
}

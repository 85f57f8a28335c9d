package index

import (
	"fmt"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/version"
)

// A session is one run of the program on this index. Its random name stands for
// just the events and changes of that run: an index that was set back, or
// copied, gives their numbers out a second time, but in sessions of other names.
// So a peer that names the session in which it has seen a number can be told
// whether this index remembers it, however far it has counted since.
type session struct {
	name uint64
	from uint64         // the last event number before its own
	head entry.Sequence // the last change before its own
}

// maxSessions is how many sessions are remembered.
const maxSessions = 16

// sessions are the last ones, oldest first.
type sessions struct {
	list [maxSessions]session
	n    int
}

func (s *sessions) all() []session { return s.list[:s.n] }

func (s *sessions) add(one session) {
	if s.n == maxSessions {
		copy(s.list[:], s.list[1:])
		s.n--
	}
	s.list[s.n] = one
	s.n++
}

// Session is the name of the last session, 0 before the first.
func (f *Folder) Session() uint64 {
	if n := f.state.sessions.n; n > 0 {
		return f.state.sessions.list[n-1].name
	}
	return 0
}

// BeginSession begins a session; events and changes from now on are of it. Its name is a
// random number, not zero. There is nothing to do if it has begun.
func (f *Folder) BeginSession(name uint64) error {
	if err := f.tx.mayWrite(); err != nil {
		return err
	}
	if name == 0 {
		return fmt.Errorf("begin a session of folder %s: without a name", f.id)
	}
	if f.Session() == name {
		return nil
	}
	f.state.sessions.add(session{name, f.state.count, f.state.head})
	return nil
}

// Remembers tells whether this index can be the one that told event number
// seen of its replica during a session: if not, it was set back or copied
// before that event. Of sessions that are too long ago it believes what it is
// told, as it does of session 0.
func (f *Folder) Remembers(name, seen uint64) bool {
	s := f.state.sessions.all()
	if name == 0 {
		return true
	}
	for i := range s {
		if s[i].name != name {
			continue
		}
		last := f.state.count
		if i+1 < len(s) {
			last = s[i+1].from
		}
		return seen <= last
	}
	return len(s) == maxSessions && seen <= s[0].from
}

// HeadOf is the last change that was made up to the end of a session: one that
// a peer has from that session and that is beyond it was made by an index that
// this one was set back from. Of sessions that are too long ago, and of session
// 0, it is the last of all.
func (f *Folder) HeadOf(name uint64) entry.Sequence {
	s := f.state.sessions.all()
	for i := range s {
		if s[i].name == name && i+1 < len(s) {
			return s[i+1].head
		}
	}
	return f.state.head
}

// NewEpoch has all peers begin anew with this index, which goes on as the same
// replica. The epoch is a random number, not zero.
func (f *Folder) NewEpoch(epoch uint64) error {
	if err := f.tx.mayWrite(); err != nil {
		return err
	}
	f.state.epoch = epoch
	return nil
}

// Disown forgets the entry at p as if it had never been there. It is for
// versions whose numbers others know for something else; what lies on disk is
// then found anew. There is nothing to do if there is no entry.
func (f *Folder) Disown(p entry.Path) error {
	if err := f.remove(p, func(*entry.Entry) bool { return true }); err != nil {
		return fmt.Errorf("disown %q: %w", p, err)
	}
	return nil
}

func checkSessions(s []session, count uint64, head entry.Sequence) bool {
	for i := range s {
		if s[i].name == 0 || s[i].from > count || s[i].from > version.MaxCount || s[i].head > head || i > 0 && (s[i].from < s[i-1].from || s[i].head < s[i-1].head) {
			return false
		}
	}
	return true
}

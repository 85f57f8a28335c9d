package node_test

import (
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/version"
	"github.com/kithmesh/kith/node/control"
	"github.com/kithmesh/kith/proto/wirepb"
)

// vectorOf is a vector of n replicas that never were, and the hostile's own.
func (h *hostile) vectorOf(n int, count uint64) version.Vector {
	v := version.Vector{{Replica: h.replica, Count: count}}
	for i := range n - 1 {
		v = v.With(version.ReplicaID(i+1), count)
	}
	return v
}

// poisons are versions at the bounds of what is accepted, on top of another.
var poisons = map[string]func(h *hostile, base version.Version) version.Version{
	"a clock at its bound": func(h *hostile, base version.Version) version.Version {
		v := h.next(base)
		v.Clock = version.MaxClock
		return v
	},
	"a clock one before its bound": func(h *hostile, base version.Version) version.Version {
		v := h.next(base)
		v.Clock = version.MaxClock - 1
		return v
	},
	"a vector of 1,024 replicas": func(h *hostile, base version.Version) version.Version {
		v := h.next(base)
		v.Vector = v.Vector.Join(h.vectorOf(version.MaxReplicas-len(base.Vector), h.count))
		return v
	},
	"its own counter at its bound": func(h *hostile, base version.Version) version.Version {
		v := h.next(base)
		v.Vector = v.Vector.With(h.replica, version.MaxCount)
		return v
	},
}

// TestAPoisonedFileCanStillBeEdited has the hostile member write a version at
// the bounds of what is accepted over a file. The victim then edits that file
// and another one: both edits have to reach the honest device.
func TestAPoisonedFileCanStillBeEdited(t *testing.T) {
	for name, poison := range poisons {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			m := w.mallory
			base, _ := m.knows("keep.txt")
			e := m.file("keep.txt", version.Version{}, "poisoned")
			e.Version = poison(m, base.Version)
			m.announce(m.sealed(e))
			w.syncs()
			w.victim.write("keep.txt", "edited here")
			w.victim.write("other.txt", "another")
			if !within(10*time.Second, func() bool { return w.honest.holds("other.txt", "another") }) {
				t.Error("a new file does not reach the honest device")
			}
			if !within(10*time.Second, func() bool { return w.honest.holds("keep.txt", "edited here") }) {
				t.Error("the edit of the poisoned file does not reach the honest device")
			}
			w.honest.write("keep.txt", "edited there")
			if !within(10*time.Second, func() bool { return w.victim.holds("keep.txt", "edited there") }) {
				t.Error("the honest device's edit of it does not come back")
			}
			w.syncs()
		})
	}
}

// TestAMemberThatHasSeenTooMuchStopsTheFolderAndNoMore: what a member says it
// has seen cannot be told from what a restored index has forgotten, so the
// folder stops, says so, and nothing in it is touched.
func TestAMemberThatHasSeenTooMuchStopsTheFolderAndNoMore(t *testing.T) {
	for name, lie := range map[string]func(w *world){
		"a Start that has seen too much":    func(w *world) { w.mallory.startWith(1<<40, 0) },
		"a Start after what does not exist": func(w *world) { w.mallory.startWith(0, 1<<40) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			before := listing(t, w.victim.root)
			lie(w)
			until(t, "the folder to stop", func() bool { return w.victim.folder().State == control.StateFenced })
			problems := w.victim.folder().Problems
			if len(problems) == 0 || problems[0].Code != "fenced" {
				t.Errorf("it says %v", problems)
			}
			if after := listing(t, w.victim.root); !maps.Equal(before, after) {
				t.Errorf("the folder was %v, and is %v", before, after)
			}
		})
	}
}

// TestNobodyIsFencedByALie tells a device of events that it never made, in a
// record, and by way of the other device. None may stop a folder.
func TestNobodyIsFencedByALie(t *testing.T) {
	raised := func(w *world, of *device, by uint64) *wirepb.Record {
		m := w.mallory
		base, _ := m.knows("keep.txt")
		e := m.file("keep.txt", version.Version{}, "lie")
		v := base.Version
		if of == w.honest {
			other, ok := m.knows("made-there")
			if !ok {
				w.t.Fatal("the hostile knows nothing of the honest device's")
			}
			v = other.Version
		}
		e.Version = m.next(base.Version)
		e.Version.Vector = e.Version.Vector.With(v.Author, v.Vector.Count(v.Author)+by)
		return m.sealed(e)
	}
	for name, lie := range map[string]func(w *world){
		"the victim's counter, a little":   func(w *world) { w.mallory.announce(raised(w, w.victim, 1000)) },
		"the victim's counter, to the end": func(w *world) { w.mallory.announce(raised(w, w.victim, 1<<47)) },
		"the honest device's counter":      func(w *world) { w.mallory.announce(raised(w, w.honest, 1<<47)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.honest.write("made-there", "by the honest device")
			until(t, "the honest device's file", func() bool { _, ok := w.mallory.knows("made-there"); return ok })
			lie(w)
			for _, d := range []*device{w.victim, w.honest} {
				if within(time.Second, func() bool { return d.folder().State == control.StateFenced }) {
					t.Errorf("%s is fenced", d.name)
				}
			}
			if t.Failed() {
				return
			}
			w.syncs()
		})
	}
}

// TestAMemberThatHasMoreToTellHoldsNobodyUp claims a head that it never
// reaches, and keeps silent: copies, moves and directories that become files
// still come through from the honest device.
func TestAMemberThatHasMoreToTellHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.mallory.say(w.mallory.state(1 << 60))
	until(t, "the new start", func() bool {
		w.mallory.talk.mu.Lock()
		defer w.mallory.talk.mu.Unlock()
		return len(w.mallory.talk.starts) > 1
	})
	w.honest.write("copy.txt", "mine") // as keep.txt
	if !within(15*time.Second, func() bool { return w.victim.holds("copy.txt", "mine") }) {
		t.Error("a copy of a file that is there does not come")
	}
	w.syncs()
}

// TestAFileThatDoesNotFitHoldsNobodyUp announces a file of 4 TiB along with
// small ones, all in one batch.
func TestAFileThatDoesNotFitHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	m := w.mallory
	huge := m.file("mm-huge", version.Version{}, "")
	block := entry.Block{ID: m.keys.BlockID([]byte("x")), Length: entry.MaxBlock}
	for range 1 << 18 {
		huge.Blocks = append(huge.Blocks, block)
		huge.Size += entry.MaxBlock
	}
	var records []*wirepb.Record
	for i := range 20 {
		name := fmt.Sprintf("ma-small-%02d", i)
		records = append(records, m.sealed(m.file(entry.Path(name), version.Version{}, name)))
	}
	m.announce(append(records, m.sealed(huge))...)
	for i := range 20 {
		name := fmt.Sprintf("ma-small-%02d", i)
		if !within(10*time.Second, func() bool { return w.victim.holds(name, name) }) {
			t.Fatalf("%s does not come", name)
		}
	}
	w.named("path=mm-huge")
	w.syncs()
}

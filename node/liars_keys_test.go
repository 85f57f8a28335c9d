package node_test

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/roster"
	"github.com/kithmesh/kith/index/version"
	"github.com/kithmesh/kith/node/membership"
	"github.com/kithmesh/kith/proto/wirepb"
	"github.com/kithmesh/kith/protocol/seal"
)

// epochName is how an epoch is to be named after its key.
func epochName(generation uint32, key seal.FolderKey) uint32 {
	sum := sha256.Sum256(append([]byte("kith epoch v1\x00"), key[:]...))
	return generation<<20 | binary.BigEndian.Uint32(sum[:])&(1<<20-1)
}

// tells says that there are keys.
func (h *hostile) gives(keys ...*wirepb.FolderKey) {
	h.t.Helper()
	for _, k := range keys {
		if len(k.GetKey()) == len(membership.Key{}) {
			h.given = append(h.given, membership.Key(k.GetKey()))
		}
	}
	h.say(&wirepb.Tell{What: &wirepb.Tell_Keys{Keys: &wirepb.Keys{Folder: h.folder[:], Keys: keys}}})
}

func keyOf(generation uint32) *wirepb.FolderKey {
	k := seal.NewFolderKey()
	return &wirepb.FolderKey{Epoch: epochName(generation, k), Key: k[:]}
}

// TestKeysUnderNamesThatAreNotTheirsAreRefused, one message each, and the
// stream goes on.
func TestKeysUnderNamesThatAreNotTheirsAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	m := w.mallory
	another := seal.NewFolderKey()
	renamed := keyOf(1)
	renamed.Epoch ^= 1
	lies := []struct {
		what string
		keys []*wirepb.FolderKey
	}{
		{"another key for the first epoch", []*wirepb.FolderKey{{Epoch: 1, Key: another[:]}}},
		{"a key of generation 0", []*wirepb.FolderKey{keyOf(0)}},
		{"a key before any removal", []*wirepb.FolderKey{keyOf(1)}},
		{"a key of generation 0, and small", []*wirepb.FolderKey{{Epoch: 2, Key: another[:]}}},
		{"a name that is another key's", []*wirepb.FolderKey{renamed}},
		{"a generation left out", []*wirepb.FolderKey{keyOf(2)}},
		{"the last generation", []*wirepb.FolderKey{keyOf(4095)}},
		{"the last number", []*wirepb.FolderKey{{Epoch: 1<<32 - 1, Key: another[:]}}},
		{"one after the other", []*wirepb.FolderKey{keyOf(1), keyOf(2)}},
	}
	before := listing(t, w.victim.root)
	for _, l := range lies {
		n := len(w.victim.log.with("refused a key", string(m.ID())))
		m.gives(l.keys...)
		if !within(patience, func() bool { return len(w.victim.log.with("refused a key", string(m.ID()))) > n }) {
			t.Errorf("%s: no line of the log says so", l.what)
		}
	}
	if err := m.talk.ended(); err != nil {
		t.Fatalf("the victim gave up the stream: %v", err)
	}
	w.unharmed(before, m.barrier(w.victim))
	w.victim.down()
	if k := w.victim.keys(); len(k) != 1 {
		t.Errorf("the victim has keys of %d epochs", len(k))
	}
}

// TestKeysThatAreNoneEndTheStreamAndNothingElse: what no key can be.
func TestKeysThatAreNoneEndTheStreamAndNothingElse(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	m := w.mallory
	before := listing(t, w.victim.root)
	m.revokes(1)
	k := keyOf(1)
	var many []*wirepb.FolderKey
	for range 1025 {
		many = append(many, keyOf(1))
	}
	for what, keys := range map[string][]*wirepb.FolderKey{
		"none":        {},
		"no epoch":    {{Epoch: 0, Key: k.GetKey()}},
		"short":       {{Epoch: k.GetEpoch(), Key: k.GetKey()[:31]}},
		"of zeros":    {{Epoch: k.GetEpoch(), Key: make([]byte, 32)}},
		"twice":       {k, k},
		"many at one": many,
	} {
		m.gives(keys...)
		if !within(patience, func() bool { return m.talk.ended() != nil }) {
			t.Errorf("%s: the stream goes on", what)
		}
		m.tell()
	}
	var barriers []string
	barriers = append(barriers, m.barrier(w.victim))
	w.unharmed(before, barriers...)
	w.victim.down()
	for epoch, k := range w.victim.keys() {
		if slices.Contains(m.given, k) {
			t.Errorf("the victim has taken the key of epoch %x", epoch)
		}
	}
}

// revokes makes removals of devices that never were, properly signed: they count
// among those that the folder has seen.
func (h *hostile) revokes(n int) {
	h.t.Helper()
	m := &wirepb.Statements{Folder: h.folder[:]}
	for i := range n {
		s, err := roster.Statement{
			Kind: roster.Revoke, Folder: h.folder, Author: h.ID(), Subject: entry.DeviceID(fmt.Sprintf("nobody%d", i)), Clock: version.ClockAt(time.Now()),
		}.Sign(h.id)
		if err != nil {
			h.t.Fatal(err)
		}
		m.Statements = append(m.Statements, s.Encode())
	}
	h.say(&wirepb.Tell{What: &wirepb.Tell_Statements{Statements: m}})
}

// high is a key whose epoch goes before most of its generation.
func high(generation uint32) *wirepb.FolderKey {
	for {
		if k := keyOf(generation); k.GetEpoch()&(1<<20-1) > 0xfff00 {
			return k
		}
	}
}

// TestAKeyThatWasPlantedSealsNothingAfterARemoval: a member that is about to be
// put out gives keys of its own to one that will not hear of it at once.
func TestAKeyThatWasPlantedSealsNothingAfterARemoval(t *testing.T) {
	t.Parallel()
	for name, plant := range map[string]func(m *hostile){
		"keys to come":      func(m *hostile) { m.revokes(1); m.gives(high(1), high(2), high(3)) },
		"removals and keys": func(m *hostile) { m.revokes(5); m.gives(high(1), high(2), high(3), high(4), high(5)) },
		"no removal at all": func(m *hostile) { m.gives(high(1), high(2)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			m := w.mallory
			w.victim.pauses(w.honest)
			plant(m)
			m.barrier(w.victim)
			w.victim.write("planted", "sealed with whatever is the newest")
			until(t, "a file told", func() bool { _, ok := m.knows("planted"); return ok })
			w.honest.unshare(&device{id: m.ID()})
			if err := w.victim.Resume(t.Context(), ""); err != nil {
				t.Fatal(err)
			}
			until(t, "the victim to have heard", func() bool { return !w.victim.counts(&device{id: m.ID()}) })
			meet(t, w.victim, w.honest)
			w.syncs()
			w.victim.write("after", "not for mallory")
			until(t, "a file", func() bool { return w.honest.holds("after", "not for mallory") })
			down(w.victim, w.honest)
			m.mu.Lock()
			defer m.mu.Unlock()
			for _, d := range []*device{w.victim, w.honest} {
				key := d.newestKey()
				told := slices.ContainsFunc(slices.Collect(maps.Values(m.ring)), func(k seal.FolderKey) bool { return membership.Key(k) == key })
				if told || slices.Contains(m.given, key) {
					t.Errorf("%s seals with a key that the removed device has", d.name)
				}
			}
			if w.victim.newestKey() != w.honest.newestKey() {
				t.Error("the two seal with different keys")
			}
		})
	}
}

// TestThousandsOfEpochsAreBounded: a member begins one epoch after the other,
// all well named. The folder goes on, and the member can be put out.
func TestThousandsOfEpochsAreBounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	m := w.mallory
	before := listing(t, w.victim.root)
	m.revokes(40)
	for n := range 3000 / 93 {
		var keys []*wirepb.FolderKey
		seen := map[uint32]bool{} // the name is 20 bits of a hash: of 93 two are the same once in 250 times
		for len(keys) < 93 {      // 11 times that, and the first, is what a folder may have
			if k := keyOf(uint32(1 + n)); !seen[k.GetEpoch()] {
				seen[k.GetEpoch()] = true
				keys = append(keys, k)
			}
		}
		m.gives(keys...)
	}
	until(t, "an end of it", func() bool { return len(w.victim.log.with("refused a key", "too many")) > 0 })
	w.unharmed(before, m.barrier(w.victim))
	_, err := w.victim.Revoke(t.Context(), string(m.ID()))
	if err == nil || !strings.Contains(err.Error(), "no new key") {
		t.Errorf("of the key that could not be, this is said: %v", err)
	}
	if _, known := w.victim.peer(&device{id: m.ID()}); known || w.victim.counts(&device{id: m.ID()}) {
		t.Error("the member could not be put out")
	}
	until(t, "the other to have heard", func() bool { return !w.honest.counts(&device{id: m.ID()}) })
	w.unharmed(before, namesWith(t, w.victim.root, "zz-barrier")...)
	down(w.victim, w.honest)
	for _, d := range []*device{w.victim, w.honest} {
		if k := d.keys(); len(k) > 1024 {
			t.Errorf("%s has keys of %d epochs", d.name, len(k))
		}
	}
	again(nil, w.victim, w.honest)
	meet(t, w.victim, w.honest)
	w.syncs()
}

package node_test

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/roster"
	"github.com/kithmesh/kith/index/version"
	"github.com/kithmesh/kith/node/control"
	"github.com/kithmesh/kith/node/identity"
	"github.com/kithmesh/kith/node/membership"
	"github.com/kithmesh/kith/proto/wirepb"
	"github.com/kithmesh/kith/protocol/seal"
)

// TestWhatIsSealedAfterARemovalIsClosedToTheRemoved has a member look at all
// that it is told after another was put out, and try the other's keys on it.
func TestWhatIsSealedAfterARemovalIsClosedToTheRemoved(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	old, spy := w.mallory, intrude(t, w.victim)
	until(t, "all of it told to the other member", func() bool { _, ok := spy.knows("dir/inner.txt"); return ok })
	w.victim.unshare(&device{id: old.ID()})
	old.mu.Lock()
	keys, known := maps.Clone(old.ring), maps.Clone(old.entries)
	old.mu.Unlock()
	if len(keys) != 1 {
		t.Fatalf("the removed device was given %d keys", len(keys))
	}

	w.victim.write("secret.txt", "made after the removal")
	w.victim.write("keep.txt", "edited after the removal")
	w.victim.write("later/deep.txt", "in a new directory")
	if err := errors.Join(
		os.Rename(w.victim.at("empty/.keep"), w.victim.at("renamed")), os.Remove(w.victim.at("dir/inner.txt")),
		os.Symlink("secret.txt", w.victim.at("pointer")),
	); err != nil {
		t.Fatal(err)
	}
	until(t, "all changes told to the other member", func() bool {
		for _, p := range []entry.Path{"secret.txt", "later/deep.txt", "renamed", "pointer"} {
			if _, ok := spy.knows(p); !ok {
				return false
			}
		}
		keep, _ := spy.knows("keep.txt")
		gone, _ := spy.knows("dir/inner.txt")
		return keep.Size == int64(len("edited after the removal")) && gone.Kind == entry.Deleted
	})
	until(t, "the same on the honest device", func() bool { return w.honest.holds("secret.txt", "made after the removal") })

	spy.mu.Lock()
	defer spy.mu.Unlock()
	for _, b := range spy.batches {
		for _, e := range openedWith(t, spy.folder, keys, b) {
			if was, ok := known[e.Path]; !ok || was.Version.Compare(e.Version) != version.Equal {
				t.Errorf("the removed device's keys open %q, version %v, which it did not know", e.Path, e.Version)
			}
		}
	}
	secret := spy.entries["secret.txt"]
	sealed := spy.sealedBlock(secret.Blocks[0].ID)
	if b, err := spy.key(secret.Epoch).OpenBlock(nil, secret.Blocks[0].ID, sealed); err != nil || string(b) != "made after the removal" {
		t.Errorf("the block opens to %q: %v", b, err)
	}
	for _, k := range keys {
		for _, epoch := range []entry.Epoch{1, secret.Epoch} {
			ring, err := seal.Derive(spy.folder, epoch, k)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := ring.OpenBlock(nil, secret.Blocks[0].ID, sealed); err == nil {
				t.Error("the removed device's key opens a block sealed after its removal")
			}
			if ring.BlockID([]byte("made after the removal")) == secret.Blocks[0].ID {
				t.Error("the removed device's key names a block sealed after its removal")
			}
		}
	}
}

// openedWith is what some keys open of a message, each taken for any epoch.
func openedWith(t *testing.T, folder entry.FolderID, keys map[entry.Epoch]seal.FolderKey, m *wirepb.Records) (out []entry.Entry) {
	t.Helper()
	for own, k := range keys {
		epochs := []entry.Epoch{own, entry.Epoch(m.GetBatch().GetEpoch())}
		for _, r := range m.GetRecords() {
			epochs = append(epochs, entry.Epoch(r.GetEpoch()))
		}
		for _, epoch := range epochs {
			if epoch == 0 {
				continue
			}
			ring, err := seal.Derive(folder, epoch, k)
			if err != nil {
				t.Fatal(err)
			}
			for _, w := range m.GetRecords() {
				if r, err := seal.RecordFromWire(w); err == nil {
					if e, err := ring.OpenRecord(r); err == nil {
						out = append(out, e)
					}
				}
			}
			if m.GetBatch() != nil {
				opened, _ := ring.OpenBatch(m.GetBatch().GetSealed())
				for _, o := range opened {
					out = append(out, o.Entry)
				}
			}
		}
	}
	return out
}

// sealedBlock is a block as the victim gives it.
func (h *hostile) sealedBlock(id entry.BlockID) []byte {
	h.t.Helper()
	s, in, err := h.request(h.folder, id)
	if err != nil {
		h.t.Fatal(err)
	}
	defer func() { _ = s.Reset() }()
	_ = s.SetReadDeadline(time.Now().Add(10 * time.Second))
	var a wirepb.BlockHeader
	if err := in.Read(&a); err != nil || a.GetStatus() != wirepb.BlockHeader_STATUS_OK {
		h.t.Fatalf("a block: %v: %v", a.GetStatus(), err)
	}
	b := make([]byte, a.GetSize())
	if err := in.ReadFull(b); err != nil {
		h.t.Fatal(err)
	}
	return b
}

// circle is a device that founds the folder and others that it has admitted,
// all of which have met.
func circle(t testing.TB, names ...string) []*device {
	t.Helper()
	var all []*device
	for _, n := range names {
		d := start(t, n)
		if len(all) == 0 {
			addFolder(t, d)
		} else {
			d.join(all[0])
		}
		all = append(all, d)
	}
	meet(t, all...)
	return all
}

// sameKeys ends the devices and checks that they have the same keys, so many; 0
// for any number.
func sameKeys(t *testing.T, n int, devices ...*device) {
	t.Helper()
	down(devices...)
	for _, d := range devices {
		k := d.keys()
		if n > 0 && len(k) != n || !maps.Equal(k, devices[0].keys()) {
			t.Errorf("%s has keys of the epochs %x, %s has %x, of %d", devices[0].name,
				slices.Sorted(maps.Keys(devices[0].keys())), d.name, slices.Sorted(maps.Keys(k)), n)
		}
	}
}

// TestAllWhoRemainSwitchToTheNewKey, one of which was away.
func TestAllWhoRemainSwitchToTheNewKey(t *testing.T) {
	t.Parallel()
	all := circle(t, "anna", "bert", "cleo", "dora")
	a, b, c, d := all[0], all[1], all[2], all[3]
	exchange(t, "as members", all...)
	c.down()
	a.unshare(d)
	exchange(t, "while one is away", a, b)
	b.write("of old.txt", "sealed with the new key")
	until(t, "the file", func() bool { return a.holds("of old.txt", "sealed with the new key") })
	a.down() // who has begun the epoch need not be there to hand the key over
	again([]*device{b}, c)
	until(t, "what was missed", func() bool { return c.holds("of old.txt", "sealed with the new key") })
	if lines := c.log.with("refused a record"); len(lines) > 0 {
		t.Errorf("the one that was away got what it could not open: %q", lines)
	}
	exchange(t, "with the one that was away", b, c)
	again([]*device{b, c}, a)
	meet(t, a, b, c)
	exchange(t, "all who remain", a, b, c)
	same(t, a, b, c)
	sameKeys(t, 2, a, b, c)
	d.down()
	if k := d.keys(); len(k) != 1 {
		t.Errorf("the removed device has %d keys", len(k))
	}
}

// TestTwoKeysThatBeginAtOnceEndUpEverywhere: two members that cannot hear each
// other put out one device each.
func TestTwoKeysThatBeginAtOnceEndUpEverywhere(t *testing.T) {
	t.Parallel()
	all := circle(t, "anna", "bert", "cleo", "dora", "emil")
	a, b, c, d, e := all[0], all[1], all[2], all[3], all[4]
	exchange(t, "as members", all...)
	down(c, d, e)
	if err := a.Pause(t.Context(), control.PauseRequest{Target: "bert"}); err != nil {
		t.Fatal(err)
	}
	a.unshare(d)
	b.unshare(e)
	for _, x := range []*device{a, b} {
		x.write("at one time", "by "+x.name) // a conflict of two epochs
		x.write("apart of "+x.name, "x")
		if _, err := x.ScanFolders(t.Context(), "docs"); err != nil {
			t.Fatal(err)
		}
	}
	again([]*device{a, b}, c) // it hears of both, and both hear of each other by it
	until(t, "both removals to be known", func() bool {
		for _, x := range []*device{a, b, c} {
			if x.counts(d) || x.counts(e) {
				return false
			}
		}
		return true
	})
	exchange(t, "still apart", a, b, c)
	if err := a.Resume(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	meet(t, a, b, c)
	exchange(t, "together", a, b, c)
	for _, x := range []*device{a, b, c} {
		x.write("apart of anna", "edited by "+x.name)
		until(t, "an edit", func() bool {
			return a.holds("apart of anna", "edited by "+x.name) && b.holds("apart of anna", "edited by "+x.name) && c.holds("apart of anna", "edited by "+x.name)
		})
	}
	same(t, a, b, c)
	text := strings.Join(slices.Collect(maps.Values(listing(t, c.root))), "\n")
	if !strings.Contains(text, "by anna") || !strings.Contains(text, "by bert") {
		t.Errorf("a version of the conflict is lost: %q", listing(t, c.root))
	}
	sameKeys(t, 0, a, b, c)
	generations := map[entry.Epoch]int{}
	for epoch := range a.keys() {
		generations[epoch>>20]++
	}
	if generations[0] != 1 || generations[1] != 2 || generations[2] == 0 || len(generations) != 3 {
		t.Errorf("keys of each generation: %v", generations)
	}
}

// TestTheRemovedIsNeverGivenTheNewKey by one of those who were connected with it
// when they were given it themselves.
func TestTheRemovedIsNeverGivenTheNewKey(t *testing.T) {
	t.Parallel()
	all := circle(t, "anna", "bert", "cleo", "dora", "emil", "fred")
	exchange(t, "as members", all...)
	for n := len(all) - 1; n > 2; n-- {
		all[n%3].write(fmt.Sprintf("removal %d", n), "x") // so that there is something to tell meanwhile
		all[0].unshare(all[n])
	}
	exchange(t, "as those who remain", all[:3]...)
	sameKeys(t, 4, all[:3]...)
	down(all...)
	for n, d := range all[3:] {
		if k := d.keys(); len(k) > 3-n {
			t.Errorf("%s was put out as the holder of %d keys, and has %d", d.name, 3-n, len(k))
		}
	}
}

// newestKey is the one under which a device that is down seals.
func (d *device) newestKey() membership.Key {
	d.t.Helper()
	k := d.keys()
	return k[slices.Max(slices.Collect(maps.Keys(k)))]
}

// holdsKey tells whether a device that is down has a key, under whatever name.
func (d *device) holdsKey(key membership.Key) bool {
	d.t.Helper()
	return slices.Contains(slices.Collect(maps.Values(d.keys())), key)
}

func (d *device) pauses(others ...*device) {
	d.t.Helper()
	for _, o := range others {
		if err := d.Pause(d.t.Context(), control.PauseRequest{Target: string(o.id)}); err != nil {
			d.t.Fatal(err)
		}
	}
}

// TestRemovalsApartEndInAKeyThatNoneOfTheRemovedHas: each of two is put out on
// one side, and given the key of the other.
func TestRemovalsApartEndInAKeyThatNoneOfTheRemovedHas(t *testing.T) {
	t.Parallel()
	all := circle(t, "anna", "bert", "cleo", "dora", "emil")
	a, b, c, d, e := all[0], all[1], all[2], all[3], all[4]
	exchange(t, "as members", all...)
	c.down()
	a.pauses(b, d)
	e.pauses(b, d)
	a.unshare(d)
	b.unshare(e)
	exchange(t, "on one side", a, e)
	exchange(t, "on the other side", b, d)
	again([]*device{a, b, d, e}, c)
	for _, x := range []*device{a, e} {
		if err := x.Resume(t.Context(), ""); err != nil {
			t.Fatal(err)
		}
	}
	until(t, "both removals to be known", func() bool {
		return !slices.ContainsFunc([]*device{a, b, c}, func(x *device) bool { return x.counts(d) || x.counts(e) })
	})
	meet(t, a, b, c)
	exchange(t, "together", a, b, c)
	settled(t, a, b, c)
	same(t, a, b, c)
	down(all...)
	key := a.newestKey()
	for _, x := range []*device{b, c} {
		if !maps.Equal(x.keys(), a.keys()) || x.newestKey() != key {
			t.Errorf("%s and %s have different keys", a.name, x.name)
		}
	}
	if len(d.keys()) != 2 || len(e.keys()) != 2 {
		t.Errorf("the removed have %d and %d keys", len(d.keys()), len(e.keys()))
	}
	if d.holdsKey(key) || e.holdsKey(key) {
		t.Error("what comes is sealed with a key that a removed device has")
	}
}

// TestNoKeyIsToldBeforeTheRemovalThatItFollows: a member watches what it is told
// while others are put out, and there is more to tell all the time.
func TestNoKeyIsToldBeforeTheRemovalThatItFollows(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	m := w.mallory
	var others []entry.DeviceID
	var statements [][]byte
	for i := range 12 {
		id, err := identity.Create(filepath.Join(t.TempDir(), fmt.Sprint(i)))
		if err != nil {
			t.Fatal(err)
		}
		s, err := roster.Statement{
			Kind: roster.Admit, Folder: m.folder, Author: m.ID(), Subject: id.ID(), Clock: version.ClockAt(time.Now()),
			Name: fmt.Sprint("other ", i), Role: entry.RoleSync, Rights: roster.Every,
		}.Sign(m.id)
		if err != nil {
			t.Fatal(err)
		}
		others, statements = append(others, id.ID()), append(statements, s.Encode())
	}
	m.say(&wirepb.Tell{What: &wirepb.Tell_Statements{Statements: &wirepb.Statements{Folder: m.folder[:], Statements: statements}}})
	until(t, "all to be known", func() bool {
		s, err := w.victim.Status(t.Context(), "")
		return err == nil && len(s.Peers) == 2+len(others)
	})
	for i, id := range others {
		w.victim.write("file", fmt.Sprint(i))
		w.victim.unshare(&device{id: id}) // what is wrong with the keys, mallory tells
	}
	until(t, "the last key", func() bool { m.mu.Lock(); defer m.mu.Unlock(); return len(m.ring) > len(others) })
	w.syncs()
}

package node_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"math"
	"os"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/version"
	"github.com/kithmesh/kith/node/control"
	"github.com/kithmesh/kith/proto/wirepb"
	"github.com/kithmesh/kith/protocol/seal"
)

// lies are what a record may claim of a file, properly sealed.
var lies = map[string]func(b *bare){
	"2^63 bytes":                func(b *bare) { b.inside.Size = 1 << 63 },
	"2^64-1 bytes":              func(b *bare) { b.inside.Size = math.MaxUint64 },
	"an exabyte":                func(b *bare) { b.inside.Size = 1 << 60 },
	"a byte more than it has":   func(b *bare) { b.inside.Size++ },
	"no bytes in its blocks":    func(b *bare) { b.inside.Size = 0 },
	"bytes without blocks":      func(b *bare) { b.clear.BlockIds, b.clear.SealedSizes = nil, nil },
	"a block of nothing":        func(b *bare) { b.clear.SealedSizes[0] = seal.Overhead; b.inside.Size = 0 },
	"a block below nothing":     func(b *bare) { b.clear.SealedSizes[0] = 1 },
	"a block of 4 GiB":          func(b *bare) { b.clear.SealedSizes[0] = math.MaxUint32; b.inside.Size = 1<<32 - 30 },
	"a set-ID bit":              func(b *bare) { b.inside.Mode = 0o4755 },
	"a mode beyond all":         func(b *bare) { b.inside.Mode = math.MaxUint32 },
	"kind 0":                    func(b *bare) { b.inside.Kind = 0 },
	"kind 5":                    func(b *bare) { b.inside.Kind = 5 },
	"a kind below all":          func(b *bare) { b.inside.Kind = -1 },
	"a directory with content":  func(b *bare) { b.inside.Kind = wirepb.SealedEntry_KIND_DIRECTORY },
	"a file with a target":      func(b *bare) { b.inside.Target = []byte("x") },
	"a file that deletes":       func(b *bare) { b.inside.Gone = make([]byte, 16); b.inside.Gone[0] = 1 },
	"a digest of 15 bytes":      func(b *bare) { b.inside.Gone = make([]byte, 15) },
	"a long author":             func(b *bare) { b.inside.AuthorName = bytes.Repeat([]byte("n"), 65) },
	"another path's ID":         func(b *bare) { b.id = "keep.txt" },
	"counter 2^64-1":            func(b *bare) { b.clear.Counts[0] = math.MaxUint64 },
	"counter 2^48+1":            func(b *bare) { b.clear.Counts[0] = 1<<48 + 1 },
	"clock 2^64-1":              func(b *bare) { b.clear.Clock = math.MaxUint64 },
	"clock 2^61+1":              func(b *bare) { b.clear.Clock = 1<<61 + 1 },
	"clock 0":                   func(b *bare) { b.clear.Clock = 0 },
	"100,000 replicas":          func(b *bare) { replicas(b, 100_000) },
	"1,025 replicas":            func(b *bare) { replicas(b, 1025) },
	"an author beyond":          func(b *bare) { b.clear.Author = 7 },
	"a symlink without target":  func(b *bare) { symlink(b, "") },
	"a symlink with a NUL":      func(b *bare) { symlink(b, "a\x00b") },
	"a symlink that is too far": func(b *bare) { symlink(b, string(bytes.Repeat([]byte("t"), 4096))) },
}

func replicas(b *bare, n int) {
	b.clear.Replicas, b.clear.Counts = nil, nil
	for i := range n {
		b.clear.Replicas, b.clear.Counts = append(b.clear.Replicas, uint64(i+1)), append(b.clear.Counts, 1)
	}
}

func symlink(b *bare, target string) {
	b.inside.Kind, b.inside.Target, b.inside.Size = wirepb.SealedEntry_KIND_SYMLINK, []byte(target), 0
	b.clear.BlockIds, b.clear.SealedSizes = nil, nil
}

// TestWhatNoEntryCanBeIsLeftOutAndNamed, one record at a time, among good ones.
func TestWhatNoEntryCanBeIsLeftOutAndNamed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	m := w.mallory
	before := listing(t, w.victim.root)
	var names []string
	for lie, change := range lies {
		b := bareOf(m.file(entry.Path(fmt.Sprintf("lie-%d", m.count)), version.Version{}, lie))
		change(&b)
		bad := m.sealer.seal(t, b)
		name := fmt.Sprintf("true-%d", m.count)
		names = append(names, name)
		m.announce(bad, m.sealed(m.file(entry.Path(name), version.Version{}, lie)))
		if err := m.talk.ended(); err != nil {
			t.Fatalf("%s: the victim gave up the stream: %v", lie, err)
		}
		if len(w.victim.log.with("refused a record", string(m.ID()), hex.EncodeToString(bad.GetId()))) == 0 &&
			len(w.victim.log.with("refused a record", string(m.ID()), fmt.Sprintf("record %d:", m.head-1))) == 0 {
			t.Errorf("%s: no line of the log names the record", lie)
		}
	}
	names = append(names, m.barrier(w.victim))
	for _, name := range names {
		until(t, name, func() bool { return w.victim.exists(name) })
	}
	w.unharmed(before, names...)
}

// TestARecordThatDoesNotOpenIsLeftOutAndNamed: sealed by another key, tampered
// with in each of its parts, put together from two, of an epoch nobody knows.
func TestARecordThatDoesNotOpenIsLeftOutAndNamed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	m := w.mallory
	before := listing(t, w.victim.root)
	good := m.sealed(m.file("keep.txt", version.Version{}, "tampered with"))
	known, _ := m.knows("keep.txt")
	good2 := m.sealed(m.file("keep.txt", known.Version, "the next"))
	stranger := newSealer(t, m.folder, seal.NewFolderKey())
	other := newSealer(t, entry.FolderID{9}, seal.NewFolderKey())
	e := m.file("keep.txt", known.Version, "another")
	future := *m.sealer
	future.epoch = 2
	for name, r := range map[string]*wirepb.Record{
		"another key":          stranger.seal(t, bareOf(e)),
		"another folder's key": other.seal(t, bareOf(e)),
		"an unknown epoch":     future.seal(t, bareOf(e)),
		"a flipped nonce":      altered(good, func(r *wirepb.Record) { r.Sealed[0] ^= 1 }),
		"a flipped bit":        altered(good, func(r *wirepb.Record) { r.Sealed[20] ^= 0x80 }),
		"a flipped tag":        altered(good, func(r *wirepb.Record) { r.Sealed[len(r.Sealed)-1] ^= 1 }),
		"another ID":           altered(good, func(r *wirepb.Record) { r.Id[3] ^= 1 }),
		"a raised counter":     altered(good, func(r *wirepb.Record) { r.Counts[0] += 1000 }),
		"another replica":      altered(good, func(r *wirepb.Record) { r.Replicas[0]++ }),
		"a raised clock":       altered(good, func(r *wirepb.Record) { r.Clock += 1000 }),
		"another block":        altered(good, func(r *wirepb.Record) { r.BlockIds[0] ^= 1 }),
		"another size":         altered(good, func(r *wirepb.Record) { r.SealedSizes[0]++ }),
		"one block less":       altered(good, func(r *wirepb.Record) { r.BlockIds, r.SealedSizes = nil, nil }),
		"two blocks": altered(good, func(r *wirepb.Record) {
			r.BlockIds = append(r.BlockIds, r.BlockIds...)
			r.SealedSizes = append(r.SealedSizes, 50)
		}),
		"another's inside": altered(good, func(r *wirepb.Record) { r.Sealed = good2.GetSealed() }),
		"the next's version": altered(good, func(r *wirepb.Record) {
			r.Counts, r.Replicas, r.Author, r.Clock = good2.Counts, good2.Replicas, good2.Author, good2.Clock
		}),
	} {
		lines := len(w.victim.log.with("refused a record", string(m.ID()), hex.EncodeToString(r.GetId())))
		m.announce(r)
		if got := len(w.victim.log.with("refused a record", string(m.ID()), hex.EncodeToString(r.GetId()))); got != lines+1 {
			t.Errorf("%s: %d lines of the log name the record", name, got-lines)
		}
	}
	w.unharmed(before, m.barrier(w.victim))
}

func altered(r *wirepb.Record, change func(*wirepb.Record)) *wirepb.Record {
	c := proto.CloneOf(r)
	change(c)
	return c
}

func (d *device) exists(name string) bool {
	return slices.Contains(namesIn(d.t, d.root), name)
}

func namesIn(t testing.TB, root string) (out []string) {
	for name := range listing(t, root) {
		out = append(out, name)
	}
	return out
}

// TestOldRecordsMoveNothingBack replays all that the victim has told, in
// order, in reverse, and what the hostile itself has told before.
func TestOldRecordsMoveNothingBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	m := w.mallory
	var old []*wirepb.Record
	m.mu.Lock()
	for _, e := range m.entries {
		old = append(old, m.sealed(&e))
	}
	m.mu.Unlock()
	mine := m.sealed(m.file("of-mallory", version.Version{}, "first"))
	m.announce(mine)
	until(t, "the hostile's file", func() bool { return w.victim.holds("of-mallory", "first") })
	w.victim.write("of-mallory", "edited")
	w.victim.write("keep.txt", "edited too")
	if err := os.RemoveAll(w.victim.at("dir")); err != nil {
		t.Fatal(err)
	}
	until(t, "the changes told", func() bool {
		a, _ := m.knows("of-mallory")
		b, _ := m.knows("keep.txt")
		c, _ := m.knows("dir")
		return a.Size == 6 && b.Size == 10 && c.Kind == entry.Deleted
	})
	before := listing(t, w.victim.root)
	m.announce(append(old, mine)...)
	slices.Reverse(old)
	m.announce(old...)
	// The same under an index that is made up, as if told for the first time.
	m.index++
	m.head = 0
	m.say(m.state(0))
	m.announce(append(old, mine)...)
	w.unharmed(before, m.barrier(w.victim))
}

// TestAFolderOfWhichItIsNoMemberIsNotToBeHad though it knows its ID.
func TestAFolderOfWhichItIsNoMemberIsNotToBeHad(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	m := w.mallory
	private := t.TempDir()
	f, err := w.victim.AddFolder(t.Context(), control.AddRequest{Path: private, Label: "private"})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(private+"/diary", []byte("dear diary"), 0o600); err != nil {
		t.Fatal(err)
	}
	before := listing(t, private)
	r := m.sealed(m.file("evil", version.Version{}, "evil"))
	state := func(id entry.FolderID) *wirepb.FolderState {
		return &wirepb.FolderState{Folder: id[:], Index: 9, Head: 1, Replica: 9, Roster: make([]byte, 16), Settled: true}
	}
	nowhere := entry.FolderID{1, 2, 3}
	m.say(&wirepb.Tell{What: &wirepb.Tell_Folders{Folders: &wirepb.Folders{Folders: []*wirepb.FolderState{
		state(f.ID), state(nowhere), state(m.folder)}}}})
	for _, id := range []entry.FolderID{f.ID, nowhere} {
		m.say(&wirepb.Tell{What: &wirepb.Tell_Records{Records: &wirepb.Records{
			Folder: id[:], Index: 9, Records: []*wirepb.Record{r}, Steps: []uint64{1}, Through: 1, Head: 1}}})
		m.say(&wirepb.Tell{What: &wirepb.Tell_Ask{Ask: &wirepb.Ask{Folder: id[:], Nonce: 5}}})
		for _, status := range m.fetch(id, m.keys.BlockID([]byte("dear diary"))) {
			if status != wirepb.BlockHeader_STATUS_REFUSED {
				t.Errorf("a block of folder %s: %v", id, status)
			}
		}
	}
	m.mu.Lock()
	for _, s := range m.states {
		if entry.FolderID(s.GetFolder()) != m.folder {
			t.Errorf("the victim told of folder %x", s.GetFolder())
		}
	}
	m.mu.Unlock()
	if d := difference(before, listing(t, private)); len(d) > 0 {
		t.Errorf("in the other folder: %q", d)
	}
	m.mu.Lock()
	m.head = 0
	m.index++
	m.mu.Unlock()
	m.say(m.state(0))
	m.barrier(w.victim)
	w.syncs()
}

// TestWhoWasRemovedIsNotHeardAndGivenNothing from then on.
func TestWhoWasRemovedIsNotHeardAndGivenNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	m := w.mallory
	mine := m.keys.BlockID([]byte("mine"))
	if got := m.fetch(m.folder, mine); len(got) != 1 || got[0] != wirepb.BlockHeader_STATUS_OK {
		t.Fatalf("as a member it is given %v", got)
	}
	if _, err := w.victim.Unshare(t.Context(), control.UnshareRequest{Folder: "docs", Device: string(m.ID())}); err != nil {
		t.Fatal(err)
	}
	before := listing(t, w.victim.root)
	m.say(&wirepb.Tell{What: &wirepb.Tell_Records{Records: &wirepb.Records{
		Folder: m.folder[:], Index: m.index, After: m.head, Through: m.head + 1, Head: m.head + 1, Steps: []uint64{1},
		Records: []*wirepb.Record{m.sealed(m.file("after-all", version.Version{}, "after all"))},
	}}})
	if got := m.fetch(m.folder, mine); len(got) != 1 || got[0] != wirepb.BlockHeader_STATUS_REFUSED {
		t.Errorf("after its removal it is given %v", got)
	}
	w.unharmed(before)
	w.victim.write("secret-after", "not for mallory")
	until(t, "the file on the honest device", func() bool { return w.honest.holds("secret-after", "not for mallory") })
	if _, told := m.knows("secret-after"); told {
		t.Error("it was told of a file made after its removal")
	}
}

// TestAMessageThatIsTooLongEndsTheStreamAndNothingElse, and the victim listens
// to the next stream.
func TestAMessageThatIsTooLongEndsTheStreamAndNothingElse(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	m := w.mallory
	before := listing(t, w.victim.root)
	for _, prefix := range [][]byte{
		{0x80, 0x80, 0x80, 0x09},                   // 18 MiB
		bytes.Repeat([]byte{0xff}, 9),              // no end
		append(bytes.Repeat([]byte{0xff}, 9), 127), // no number
	} {
		_, _ = m.talk.Write(prefix)
		_, _ = m.talk.Write(make([]byte, 18<<20))
		until(t, "the end of the stream", func() bool { return m.talk.ended() != nil })
		m.tell()
		m.barrier(w.victim)
	}
	w.named("ended a stream", "protocol=exchange", string(m.ID()))
	for name := range listing(t, w.victim.root) {
		if len(name) > 10 && name[:10] == "zz-barrier" {
			before[name] = listing(t, w.victim.root)[name]
		}
	}
	w.unharmed(before)
}

// fetch asks the victim for blocks, and tells how it answered.
func (h *hostile) fetch(folder entry.FolderID, ids ...entry.BlockID) (out []wirepb.BlockHeader_Status) {
	h.t.Helper()
	s, in, err := h.request(folder, ids...)
	if err != nil {
		h.t.Fatal(err)
	}
	defer func() { _ = s.Reset() }()
	_ = s.SetReadDeadline(time.Now().Add(10 * time.Second))
	for range ids {
		var a wirepb.BlockHeader
		if err := in.Read(&a); err != nil {
			h.t.Errorf("no answer to a request for a block: %v", err)
			return out
		}
		if err := in.ReadFull(make([]byte, a.GetSize())); err != nil {
			h.t.Error(err)
		}
		out = append(out, a.GetStatus())
	}
	return out
}

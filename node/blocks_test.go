package node_test

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/version"
	"github.com/kithmesh/kith/proto/wirepb"
	"github.com/kithmesh/kith/protocol/frame"
	"github.com/kithmesh/kith/protocol/seal"
)

// answers are what the hostile gives for a block that it announced.
func (h *hostile) answers() map[string]func(*frame.Writer, entry.BlockID) error {
	sealed := func(plain string) []byte {
		b, err := h.keys.SealBlock(nil, h.keys.BlockID([]byte(plain)), []byte(plain), seal.Raw)
		if err != nil {
			h.t.Error(err)
		}
		return b
	}
	own := func(id entry.BlockID) []byte {
		h.mu.Lock()
		defer h.mu.Unlock()
		b, err := h.keys.SealBlock(nil, id, h.blocks[id], seal.Raw)
		if err != nil {
			h.t.Error(err)
		}
		return b
	}
	give := func(change func(b []byte) []byte) func(*frame.Writer, entry.BlockID) error {
		return func(out *frame.Writer, id entry.BlockID) error { return giveBytes(out, change(own(id))) }
	}
	return map[string]func(*frame.Writer, entry.BlockID) error{
		"bytes that are not sealed": give(func([]byte) []byte { return []byte("anything at all") }),
		"another file's block":      give(func([]byte) []byte { return sealed("of another file") }),
		"the victim's own file":     give(func([]byte) []byte { return sealed("mine") }),
		"a flipped bit":             give(func(b []byte) []byte { b[20] ^= 1; return b }),
		"another encoding":          give(func(b []byte) []byte { b[0] = 2; return b }),
		"an unknown encoding":       give(func(b []byte) []byte { b[0] = 9; return b }),
		"a byte less":               give(func(b []byte) []byte { return b[:len(b)-1] }),
		"a byte more":               give(func(b []byte) []byte { return append(b, 0) }),
		"one byte":                  give(func([]byte) []byte { return []byte{1} }),
		"nothing":                   func(out *frame.Writer, _ entry.BlockID) error { return out.Write(&wirepb.BlockHeader{Status: 1}) },
		"a claim of 4 GiB": func(out *frame.Writer, _ entry.BlockID) error {
			return out.Write(&wirepb.BlockHeader{Status: 1, Size: 1<<32 - 1})
		},
		"a refusal":              func(out *frame.Writer, _ entry.BlockID) error { return out.Write(&wirepb.BlockHeader{Status: 3}) },
		"an unknown status":      func(out *frame.Writer, _ entry.BlockID) error { return out.Write(&wirepb.BlockHeader{Status: 8}) },
		"that it has it no more": func(out *frame.Writer, _ entry.BlockID) error { return out.Write(&wirepb.BlockHeader{Status: 2}) },
		"half a block":           give2(own),
		"the end":                func(*frame.Writer, entry.BlockID) error { return io.EOF },
		"garbage":                func(out *frame.Writer, _ entry.BlockID) error { return out.WriteRaw(make([]byte, 1<<20)) },
	}
}

// give2 promises a block and ends in its middle.
func give2(own func(entry.BlockID) []byte) func(*frame.Writer, entry.BlockID) error {
	return func(out *frame.Writer, id entry.BlockID) error {
		b := own(id)
		_ = out.Write(&wirepb.BlockHeader{Status: 1, Size: uint32(len(b))})
		_ = out.WriteRaw(b[:len(b)/2])
		_ = out.Flush()
		return io.EOF
	}
}

// TestNoForeignByteIsEverSeen announces files and gives anything but their
// content, while an honest device syncs. At no moment may one of them be there;
// once the hostile gives the truth, each is there in full.
func TestNoForeignByteIsEverSeen(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	m := w.mallory
	before := listing(t, w.victim.root)
	lie := map[entry.BlockID]func(*frame.Writer, entry.BlockID) error{}
	content := map[string]string{}
	var records []*wirepb.Record
	for name, answer := range m.answers() {
		file := "of-mallory-" + strings.ReplaceAll(name, " ", "-")
		content[file] = strings.Repeat(name+"\n", 50)
		e := m.file(entry.Path(file), version.Version{}, content[file])
		lie[e.Blocks[0].ID] = answer
		records = append(records, m.sealed(e))
	}
	var mu sync.Mutex
	asked := map[entry.BlockID]bool{}
	m.evil(func(s network.Stream) {
		m.giveBy(s, func(out *frame.Writer, id entry.BlockID) error {
			mu.Lock()
			asked[id] = true
			answer := lie[id]
			mu.Unlock()
			if answer == nil {
				return io.EOF
			}
			return answer(out, id)
		})
	})
	for _, r := range records { // one at a time: an error ends the work on a batch
		m.announce(r)
	}
	until(t, "a request for each block", func() bool { mu.Lock(); defer mu.Unlock(); return len(asked) == len(lie) })
	w.named("fetch blocks", string(m.ID()))
	w.named("get content", "path=of-mallory-garbage")
	w.unharmed(before)
	if s := w.victim.folder(); s.NeedFiles != int64(len(lie)) {
		t.Errorf("it wants %d files, not %d", s.NeedFiles, len(lie))
	}
	m.evil(m.giveHonestly)
	var names []string
	for file, text := range content {
		names = append(names, file)
		until(t, file, func() bool {
			b, err := os.ReadFile(w.victim.at(file))
			if err == nil && string(b) != text {
				t.Fatalf("%s holds %q", file, b)
			}
			return err == nil
		})
	}
	w.unharmed(before, append(names, m.barrier(w.victim))...)
}

// TestASilentGiverHoldsUpNobodyElse never answers a request for a block.
func TestASilentGiverHoldsUpNobodyElse(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	m := w.mallory
	before := listing(t, w.victim.root)
	release := make(chan struct{})
	asked := make(chan struct{}, 1000)
	m.evil(func(s network.Stream) {
		asked <- struct{}{}
		<-release
		_ = s.Reset()
	})
	var records []*wirepb.Record
	for i := range 100 {
		records = append(records, m.sealed(m.file(entry.Path(fmt.Sprintf("silent-%d", i)), version.Version{}, fmt.Sprint(i))))
	}
	m.announce(records...)
	<-asked
	w.unharmed(before) // with as many files of the honest device in between
	close(release)
	m.evil(m.giveHonestly)
	names := []string{m.barrier(w.victim)}
	for i := range 100 {
		names = append(names, fmt.Sprintf("silent-%d", i))
		until(t, names[i+1], func() bool { return w.victim.holds(names[i+1], fmt.Sprint(i)) })
	}
	w.unharmed(before, names...)
}

// TestOnlyWhatIsSharedIsGiven asks, as a member who can name blocks, for what
// is in the folder's directory and not in the folder.
func TestOnlyWhatIsSharedIsGiven(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	m := w.mallory
	w.victim.write(".kithignore", "secret\n*.tmp\n")
	until(t, "the rules", func() bool { _, ok := m.knows(".kithignore"); return ok })
	w.victim.write("secret", "an ignored file")
	w.victim.write("x.tmp", "a temporary file")
	w.victim.write("gone.txt", "a file that was deleted")
	until(t, "a file", func() bool { _, ok := m.knows("gone.txt"); return ok })
	if err := os.Remove(w.victim.at("gone.txt")); err != nil {
		t.Fatal(err)
	}
	until(t, "its delete", func() bool { e, _ := m.knows("gone.txt"); return e.Kind == entry.Deleted })
	w.victim.write("after.txt", "after")
	until(t, "a later file", func() bool { _, ok := m.knows("after.txt"); return ok })
	marker, err := os.ReadFile(w.victim.at(".kith/folder"))
	if err != nil {
		t.Fatal(err)
	}
	for what, plain := range map[string]string{
		"an ignored file": "an ignored file", "a temporary": "a temporary file", "a deleted file": "a file that was deleted",
		"kith's marker": string(marker), "a file behind a link": "outside: passwd", "nothing": "never was",
	} {
		if got := m.fetch(m.folder, m.keys.BlockID([]byte(plain))); len(got) != 1 || got[0] != wirepb.BlockHeader_STATUS_MISSING {
			t.Errorf("%s: %v", what, got)
		}
	}
	if got := m.fetch(m.folder, m.keys.BlockID([]byte("mine"))); got[0] != wirepb.BlockHeader_STATUS_OK {
		t.Errorf("a file of the folder: %v", got)
	}
}

// TestAMemberHasAllOfItsBlockStreams: as many as a member may have, at once.
func TestAMemberHasAllOfItsBlockStreams(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	m := w.mallory
	const slots = 32
	id := m.keys.BlockID([]byte("mine"))
	for n := range slots {
		s, in, err := m.request(m.folder, id)
		if err != nil {
			t.Fatalf("stream %d: %v", n, err)
		}
		defer func() { _ = s.Reset() }()
		_ = s.SetReadDeadline(time.Now().Add(10 * time.Second))
		var a wirepb.BlockHeader
		if err := in.Read(&a); err != nil {
			t.Fatalf("stream %d of %d is not served: %v", n+1, slots, err)
		}
	}
}

// TestABlockIsAsLongAsItWasSaidToBe announces true blocks under false lengths,
// which add up: what comes is then no file that anybody wrote.
func TestABlockIsAsLongAsItWasSaidToBe(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	m := w.mallory
	before := listing(t, w.victim.root)
	for name, lengths := range map[string][2]uint32{"short": {40, 60}, "long": {160, 60}, "swapped": {101, 99}} {
		e := m.file(entry.Path("lie-"+name), version.Version{}, strings.Repeat("a", 100))
		e.Blocks = append(e.Blocks, m.file("", version.Version{}, strings.Repeat("b", 100)).Blocks...)
		e.Blocks[0].Length, e.Blocks[1].Length = lengths[0], lengths[1]
		e.Size = int64(lengths[0] + lengths[1])
		m.announce(m.sealed(e))
		until(t, "its refusal", func() bool { return len(w.victim.log.with("get content", "path=lie-"+name)) > 0 })
	}
	w.unharmed(before, m.barrier(w.victim))
}

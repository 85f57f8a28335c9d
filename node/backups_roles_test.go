package node_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/zeebo/blake3"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/version"
	"github.com/kithmesh/kith/node/control"
	"github.com/kithmesh/kith/proto/wirepb"
	"github.com/kithmesh/kith/protocol/frame"
	"github.com/kithmesh/kith/protocol/seal"
)

// noise is content that does not compress.
func noise(seed byte, n int) string {
	h := blake3.New()
	_, _ = h.Write([]byte{seed})
	b := make([]byte, n)
	_, _ = h.Digest().Read(b)
	return string(b)
}

// TestAChangeOfRoleSendsNothingAgain: a device with files becomes a backup, and
// a device with files again.
func TestAChangeOfRoleSendsNothingAgain(t *testing.T) {
	t.Parallel()
	laptop, nas := start(t, "laptop"), start(t, "nas")
	const files, size = 20, 256 << 10
	for i := range files {
		laptop.write(fmt.Sprintf("d/%d", i), noise(byte(i), size))
	}
	laptop.write("secret name.txt", "a secret content that is short")
	addFolder(t, laptop)
	nas.join(laptop)
	same(t, laptop, nas)
	settled(t, laptop, nas)
	want := exactly(t, laptop.root)
	traffic := func() int64 { p, _ := laptop.peer(nas); return p.Sent + p.Received }
	before := traffic()
	if _, err := nas.SetRole(t.Context(), control.RoleRequest{Folder: "docs", Role: entry.RoleBackup}); err != nil {
		t.Fatal(err)
	}
	laptop.protected()
	if got := difference(want, exactly(t, nas.root)); len(got) > 0 {
		t.Errorf("the files that were left behind: %q", got)
	}
	if v := laptop.verifies(false)[nas.id]; len(v.Problems) > 0 || v.Files != files+1 {
		t.Errorf("%+v", v)
	}
	if n := traffic() - before; n > files*size/10 {
		t.Errorf("%d bytes for becoming a backup", n)
	}
	key := laptop.keyBytes(nas)
	nas.down()
	if ring := nas.ring(); len(ring) != 0 {
		t.Errorf("the backup still has the keys of epochs %v", ring)
	}
	search(t, nas.places.Home, append(key, []byte("a secret content that is short")))
	again([]*device{laptop}, nas)
	laptop.write("later", "while it was a backup")
	laptop.protected()
	before = traffic()
	to := filepath.Join(t.TempDir(), "again")
	if _, err := nas.SetRole(t.Context(), control.RoleRequest{Folder: "docs", Role: entry.RoleSync, Path: to}); err != nil {
		t.Fatal(err)
	}
	nas.root = to
	want = exactly(t, laptop.root)
	nas.becomes(want)
	settled(t, laptop, nas)
	if n := traffic() - before; n > files*size/10 {
		t.Errorf("%d bytes for becoming a device with files again", n)
	}
	exchange(t, "both are devices with files", laptop, nas)
}

// keyBytes are the folder's keys as they lie on a device's disk, in the forms
// in which another could have them; the device is restarted for it.
func (d *device) keyBytes(others ...*device) (out [][]byte) {
	d.t.Helper()
	d.down()
	for _, k := range d.keys() {
		out = append(out, bytes.Clone(k[:]), fmt.Appendf(nil, "%x", k[:]))
	}
	again(others, d)
	meet(d.t, append(others, d)...)
	return out
}

// TestABackupOnAnOlderDiskIsFoundOut: its home is put back as it was before.
func TestABackupOnAnOlderDiskIsFoundOut(t *testing.T) {
	t.Parallel()
	laptop, phone, nas := start(t, "laptop"), start(t, "phone"), start(t, "nas")
	laptop.write("a", "first")
	laptop.write("b", "first")
	addFolder(t, laptop)
	phone.join(laptop)
	nas.backup(laptop, "docs")
	phone.pair(nas)
	laptop.protected()
	settled(t, laptop, phone, nas)
	down(nas, phone)
	old := nas.image()
	again([]*device{laptop}, nas)
	meet(t, laptop, nas)
	for i := range 10 {
		laptop.write(fmt.Sprintf("more/%d", i), "second")
	}
	laptop.write("a", "second")
	laptop.protected()
	looked()
	down(laptop, nas)
	old.restoreHome()
	// The phone, which has seen nothing of that, feeds it before the laptop
	// sees it: so much that its store is further than the laptop remembers.
	for i := range 20 {
		phone.write(fmt.Sprintf("phone/%d", i), "third")
	}
	again(nil, nas)
	again([]*device{nas}, phone)
	until(t, "the phone's changes on the backup", func() bool { v := nas.folder().Vault; return v != nil && v.Versions >= 23 })
	phone.protected()
	phone.down()
	again([]*device{nas}, laptop)
	until(t, "the condition", func() bool { return slices.Contains(laptop.problems(), "rolled_back") })
	lacks := 0
	if !within(patience/3, func() bool { lacks = 20 - len(laptop.below("phone/")); return lacks == 0 }) {
		t.Errorf("the laptop never hears of %d changes of the phone", lacks)
	}
	laptop.protected()
	if v := laptop.verifies(false)[nas.id]; len(v.Problems) > 0 {
		t.Errorf("%+v", v)
	}
	if !slices.Contains(laptop.problems(), "rolled_back") {
		t.Error("the condition has ended by itself")
	}
	laptop.verifies(true)
	until(t, "no condition", func() bool { return !slices.Contains(laptop.problems(), "rolled_back") })
	if slices.Contains(nas.problems(), "rolled_back") {
		nas.verifies(true)
		until(t, "no condition on the backup", func() bool { return len(nas.problems()) == 0 })
	}
	laptop.down()
	again([]*device{nas}, laptop)
	laptop.write("z", "after")
	laptop.protected()
	if p := laptop.problems(); len(p) > 0 {
		t.Errorf("%q", p)
	}
}

// looked waits until devices have looked at the backups that they know, which
// they do each second while there are changes, and nothing shows.
func looked() { <-time.After(2500 * time.Millisecond) }

func TestABackupWhoseStoreIsGoneIsFilledAgain(t *testing.T) {
	t.Parallel()
	laptop, nas, phone := start(t, "laptop"), start(t, "nas"), start(t, "phone")
	for i := range 10 {
		laptop.write(fmt.Sprintf("d/%d", i), strings.Repeat("x", 1000*i))
	}
	addFolder(t, laptop)
	nas.backup(laptop, "docs")
	laptop.shares(phone, entry.RoleSync)
	nas.pair(phone)
	laptop.protected()
	looked()
	nas.down()
	if err := os.RemoveAll(nas.vault()); err != nil {
		t.Fatal(err)
	}
	again([]*device{laptop, phone}, nas)
	meet(t, laptop, nas)
	laptop.protected()
	if v := nas.folder().Vault; v == nil || v.Versions < 11 {
		t.Errorf("protected by %+v", v)
	}
	until(t, "the condition", func() bool { return slices.Contains(laptop.problems(), "vault_lost") })
	if v := laptop.verifies(true)[nas.id]; len(v.Problems) > 0 || v.Files != 10 {
		t.Errorf("%+v", v)
	}
	if p := laptop.problems(); len(p) > 0 {
		t.Errorf("%q", p)
	}
	want := exactly(t, laptop.root)
	down(laptop, phone)
	again([]*device{nas}, phone)
	phone.accepts(entry.RoleSync)
	phone.becomes(want)
}

// TestALieInAVaultIsMended: a member that knows what a file will hold gives the
// backup false bytes for it first.
func TestALieInAVaultIsMended(t *testing.T) {
	t.Parallel()
	laptop, nas, tablet := start(t, "laptop"), start(t, "nas"), start(t, "tablet")
	laptop.write("keep", "mine")
	addFolder(t, laptop)
	nas.backup(laptop, "docs")
	laptop.protected()
	laptop.shares(tablet, entry.RoleSync)
	nas.pair(tablet)
	m := intrude(t, laptop)
	until(t, "the backup to know of the liar", func() bool { return nas.member(&device{id: m.ID()}).ID == m.ID() })
	m.meets(nas)
	truth := "what the laptop is about to write, " + strings.Repeat("true ", 100)
	decoy := m.file("decoy", version.Version{}, truth)
	m.evil(m.lies())
	n := 0
	until(t, "the lie in the vault", func() bool {
		if n++; n%20 == 1 { // told again, as it should be whenever it is asked
			m.say(&wirepb.Tell{What: &wirepb.Tell_Records{Records: &wirepb.Records{
				Folder: m.folder[:], Index: m.index, Records: []*wirepb.Record{m.sealed(decoy)}, Steps: []uint64{1}, Through: 1, Head: 1,
			}}})
		}
		v := nas.folder().Vault
		return v != nil && v.Versions >= 2
	})
	_ = m.talk.Reset()
	_ = m.host.Close()
	laptop.write("real", truth)
	laptop.protected()
	v := laptop.verifies(false)[nas.id]
	if v.Mended != 1 || len(v.Problems) > 0 {
		t.Errorf("%+v", v)
	}
	laptop.down()
	tablet.accepts(entry.RoleSync)
	until(t, "the true content", func() bool { return tablet.holds("real", truth) && tablet.holds("keep", "mine") })
}

// meets connects the hostile with another member.
func (h *hostile) meets(victim *device) {
	h.t.Helper()
	_ = h.talk.Reset()
	var err error
	if h.victim, err = peer.Decode(string(victim.id)); err != nil {
		h.t.Fatal(err)
	}
	h.addrs = h.addrsOf(victim)
	h.connect()
	h.tell()
}

// lies answers with bytes of the right size that are not the block.
func (h *hostile) lies() func(s network.Stream) {
	return func(s network.Stream) {
		h.giveBy(s, func(out *frame.Writer, id entry.BlockID) error {
			h.mu.Lock()
			plain, ok := h.blocks[id]
			h.mu.Unlock()
			if !ok {
				return out.Write(&wirepb.BlockHeader{Status: wirepb.BlockHeader_STATUS_MISSING})
			}
			lie := []byte(noise(9, len(plain)+seal.Overhead))
			lie[0] = byte(seal.Raw)
			return giveBytes(out, lie)
		})
	}
}

// TestAMistakeThatIsSyncedComesBackFromThisDevice: with no backup at all.
func TestAMistakeThatIsSyncedComesBackFromThisDevice(t *testing.T) {
	t.Parallel()
	laptop, phone := start(t, "laptop"), start(t, "phone")
	for i := range 10 {
		laptop.write(fmt.Sprintf("d/%d", i), noise(byte(i), 2000+i))
	}
	laptop.write("notes.txt", "what took a year to write")
	addFolder(t, laptop)
	phone.join(laptop)
	same(t, laptop, phone)
	settled(t, laptop, phone)
	until(t, "what is there to be noted", func() bool { v := laptop.folder().Vault; return v != nil && v.Versions == 12 })
	want := exactly(t, laptop.root)
	when := time.Now()
	if err := os.RemoveAll(phone.at("d")); err != nil {
		t.Fatal(err)
	}
	phone.write("notes.txt", "oops")
	until(t, "the mistake on the laptop", func() bool {
		_, err := os.Lstat(laptop.at("d"))
		return errors.Is(err, fs.ErrNotExist) && laptop.holds("notes.txt", "oops")
	})
	phone.down()
	to := filepath.Join(t.TempDir(), "restored")
	out, err := laptop.Restore(t.Context(), control.RestoreRequest{Place: place("docs"), At: control.Moment{At: when}, To: to},
		func(control.RestoreProgress) error { return nil })
	if err != nil || out.Files != 11 || len(out.Problems) > 0 {
		t.Fatalf("%+v, %v", out, err)
	}
	got := exactly(t, to)
	delete(got, ".")
	delete(want, ".")
	if d := difference(want, got); len(d) > 0 {
		t.Errorf("%q", d)
	}
	n := 0
	err = laptop.Log(t.Context(), control.LogRequest{Place: place("docs/notes.txt")}, func(e control.LogEvent) error {
		if n++; n == 1 && (e.What != control.Edited || e.Device.ID != phone.id) {
			t.Errorf("the last: %+v", e)
		}
		return nil
	})
	if err != nil || n != 2 {
		t.Errorf("%d events, %v", n, err)
	}
}

package backup

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/roster"
	"github.com/kithmesh/kith/node/backup/schedule"
	"github.com/kithmesh/kith/node/vault/retention"
	"github.com/kithmesh/kith/protocol/blocks"
	"github.com/kithmesh/kith/protocol/exchange"
	"github.com/kithmesh/kith/protocol/history"
	"github.com/kithmesh/kith/protocol/seal"
)

// joined are a keeper that runs, and a member that has told it of a file.
func joined(t testing.TB, set Settings) (b *box, anna *teller) {
	t.Helper()
	b, anna = newBox(t, set), newTeller(t, "anna")
	anna.has(newRecord(1, 1))
	anna.join(b)
	pass(time.Second)
	return b, anna
}

// noticed tells a keeper, and no more, that there is something new.
func (m *teller) noticed(b *box) {
	m.t.Helper()
	must(m.t, b.Acked(m.t.Context(), m.id, exchange.Ack{Folder: testFolder, OwnIndex: m.index, OwnHead: m.head}))
}

func TestASchedule(t *testing.T) {
	in(t, func(t *testing.T) {
		set := defaults()
		set.Schedule = "every 6h"
		b, anna := joined(t, set)
		if b.holds() != 1 { // what was missed is caught up
			t.Fatalf("%d versions", b.holds())
		}
		began := b.Status().LastRun
		if st := b.Status(); began.IsZero() || !st.NextRun.Equal(began.Add(6*time.Hour)) || !st.Quiet {
			t.Fatalf("%+v", st)
		}
		anna.has(newRecord(2, 1))
		anna.noticed(b)
		pass(5 * time.Hour)
		if st := b.Status(); b.holds() != 1 || !st.Quiet || st.Members["anna"].Same || anna.ack().Held != 1 {
			t.Errorf("before its time: %d versions, %+v, acknowledged %+v", b.holds(), st, anna.ack())
		}
		pass(time.Hour + time.Minute)
		if st := b.Status(); b.holds() != 2 || !st.LastRun.Equal(began.Add(6*time.Hour)) || anna.ack().Held != 2 {
			t.Errorf("in its time: %d versions, %+v, acknowledged %+v", b.holds(), st, anna.ack())
		}
		pass(6 * time.Hour)
		if st := b.Status(); st.LastRun.Sub(began) < 12*time.Hour || !st.NextRun.After(time.Now()) {
			t.Errorf("a run that finds nothing new does not end: last %s, next %s, now %s", st.LastRun, st.NextRun, time.Now())
		}
		anna.has(newRecord(3, 1))
		anna.noticed(b)
		pass(time.Minute)
		if b.holds() != 2 {
			t.Errorf("between runs: %d versions", b.holds())
		}
		must(t, b.RunNow(t.Context()))
		pass(time.Minute)
		if b.holds() != 3 {
			t.Errorf("when a person asked: %d versions", b.holds())
		}
	})
}

func TestARunThatWasMissedIsCaughtUp(t *testing.T) {
	in(t, func(t *testing.T) {
		set := defaults()
		set.Schedule = "every 6h"
		b, anna := joined(t, set)
		anna.leave(b)
		b.down()
		<-time.After(3 * time.Hour)
		b.up()
		anna.has(newRecord(2, 1))
		anna.join(b)
		pass(time.Minute)
		if b.holds() != 1 {
			t.Errorf("a restart before its time: %d versions", b.holds())
		}
		anna.leave(b)
		b.down()
		<-time.After(20 * time.Hour)
		b.up()
		pass(time.Hour) // nobody is there
		anna.join(b)
		pass(time.Minute)
		if b.holds() != 2 {
			t.Errorf("when it was over: %d versions", b.holds())
		}
	})
}

func TestAScheduleIsSetAndEnded(t *testing.T) {
	in(t, func(t *testing.T) {
		b, anna := joined(t, defaults())
		set := b.Settings()
		set.Schedule = "sometimes"
		if err := b.SetSettings(t.Context(), set); !errors.Is(err, schedule.ErrSchedule) {
			t.Errorf("%v", err)
		}
		set.Schedule = "every 24h"
		must(t, b.SetSettings(t.Context(), set))
		pass(2 * time.Minute)
		anna.has(newRecord(2, 1))
		pass(time.Hour)
		if b.holds() != 1 || b.Status().NextRun.IsZero() {
			t.Errorf("%d versions, %+v", b.holds(), b.Status())
		}
		set.Schedule = ""
		must(t, b.SetSettings(t.Context(), set))
		pass(time.Minute)
		if b.holds() != 2 || !b.Status().NextRun.IsZero() {
			t.Errorf("%d versions, %+v", b.holds(), b.Status())
		}
		b.down()
		if got, err := loadSettings(b.path(settingsFile), Settings{}); err != nil || !cmp.Equal(got, set) {
			t.Errorf("%v: %s", err, cmp.Diff(set, got))
		}
	})
}

func TestABackupThatIsUpToDateSaysSoEachDay(t *testing.T) {
	in(t, func(t *testing.T) {
		b, anna := joined(t, defaults())
		anna.leave(b)
		b.down()
		b.up() // nothing is new since
		anna.join(b)
		pass(3 * time.Hour)
		if since := time.Since(b.Status().LastRun); since > time.Hour {
			t.Errorf("the last run was %s ago, though the only member is connected and has nothing new", since)
		}
	})
}

func TestSettingsThatAreDamagedAreNotPassedOver(t *testing.T) {
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, settingsFile), []byte("{"), 0o600))
	if _, err := Open(Options{ID: testFolder, Dir: dir, Settings: defaults()}); err == nil {
		t.Error("opened")
	}
	must(t, os.WriteFile(filepath.Join(dir, settingsFile), []byte(`{"policy":{"Last":-7}}`), 0o600))
	if _, err := Open(Options{ID: testFolder, Dir: dir, Settings: defaults()}); !errors.Is(err, retention.ErrPolicy) {
		t.Errorf("opened: %v", err)
	}
}

// copyDir copies a directory, as a disk that is put back does.
func copyDir(t testing.TB, from, to string) {
	t.Helper()
	must(t, os.RemoveAll(to))
	must(t, os.CopyFS(to, os.DirFS(from)))
}

func TestAVaultThatIsSetBackIsNoticed(t *testing.T) {
	for name, whole := range map[string]bool{"the whole directory": true, "the vault alone": false} {
		t.Run(name, func(t *testing.T) {
			in(t, func(t *testing.T) {
				b, anna, ben := newBox(t, defaults()), newTeller(t, "anna"), newTeller(t, "ben")
				for i := range uint64(10) {
					anna.has(newRecord(i, 1))
				}
				anna.join(b)
				ben.join(b)
				pass(time.Second)
				b.down()
				old := t.TempDir()
				copyDir(t, b.dir, old)
				b.up()
				anna.has(newRecord(20, 1))
				anna.join(b)
				ben.join(b)
				pass(time.Second)
				remembered := b.State().Head
				b.down()
				if whole {
					copyDir(t, old, b.dir)
				} else {
					copyDir(t, VaultDir(old), VaultDir(b.dir))
				}
				b.up()
				now := b.State()
				// Ben remembers what it was told, and says so before the vault has
				// grown again.
				must(t, b.Started(t.Context(), "ben", exchange.Start{Folder: testFolder, Index: now.Index, After: remembered}))
				anna.join(b)
				ben.join(b)
				pass(time.Second)
				if p := b.Status().Problems; len(p) != 1 || p[0].Code != "rolled_back" {
					t.Errorf("%+v", p)
				}
				if b.holds() != 11 { // what anna has is taken in again
					t.Errorf("%d versions", b.holds())
				}
				b.down()
				b.up()
				pass(time.Second)
				if p := b.Status().Problems; len(p) != 1 {
					t.Errorf("after a restart: %+v", p)
				}
				must(t, b.Accept(t.Context()))
				pass(time.Second)
				if p := b.Status().Problems; len(p) != 0 {
					t.Errorf("accepted: %+v", p)
				}
			})
		})
	}
}

func TestANewVaultHasNotBeenSetBack(t *testing.T) {
	in(t, func(t *testing.T) {
		b, anna := joined(t, defaults())
		was := b.State()
		b.down()
		must(t, os.RemoveAll(VaultDir(b.dir)))
		b.up()
		now := b.State()
		if now.Index == was.Index || now.Replica == was.Replica {
			t.Error("the new vault passes for the old one")
		}
		anna.join(b)
		must(t, b.Started(t.Context(), "anna", exchange.Start{Folder: testFolder, Index: was.Index, After: was.Head}))
		pass(time.Second)
		if p := b.Status().Problems; len(p) != 0 || b.holds() != 1 {
			t.Errorf("%+v, %d versions", p, b.holds())
		}
	})
}

// damage flips a byte in each good block of the vault's packs.
func (b *box) damage(all ...block) {
	b.t.Helper()
	packs, err := filepath.Glob(filepath.Join(VaultDir(b.dir), "packs", "*.blocks"))
	must(b.t, err)
	for _, p := range packs {
		data, err := os.ReadFile(p)
		must(b.t, err)
		for _, x := range all {
			for at := bytes.Index(data, x.sealed); at >= 0; at = -1 {
				data[at+len(x.sealed)/2] ^= 1
			}
		}
		must(b.t, os.WriteFile(p, data, 0o600))
	}
}

func TestDamagedBlocksComeFromMembers(t *testing.T) {
	in(t, func(t *testing.T) {
		b, anna := newBox(t, defaults()), newTeller(t, "anna")
		var all []block
		for i := range uint64(20) {
			x := newBlock(i, 400)
			all = append(all, x)
			anna.has(newRecord(i, 1, x), x)
		}
		anna.join(b)
		pass(time.Second)
		b.down()
		b.damage(all[3], all[7])
		b.up()
		for {
			s, err := b.Vault().Scrub(t.Context(), 1<<20)
			must(t, err)
			if s.Round || s.Bytes == 0 {
				break
			}
		}
		delete(anna.blocks, all[7].id) // nobody has it any more
		pass(time.Minute)
		if p := b.Status().Problems; len(p) != 1 || p[0].Code != "vault_damaged" || b.Status().Totals.Damaged != 2 {
			t.Fatalf("%+v, %+v", p, b.Status().Totals)
		}
		anna.join(b)
		pass(3 * time.Minute)
		d, err := b.Vault().Damaged()
		must(t, err)
		if len(d) != 1 || d[0].Block != all[7].id {
			t.Errorf("%+v", d)
		}
		if got, err := b.Vault().Block(all[3].id); err != nil || !bytes.Equal(got, all[3].sealed) {
			t.Errorf("the healed one: %v", err)
		}
		if p := b.Status().Problems; len(p) != 1 {
			t.Errorf("%+v", p)
		}
		anna.mu.Lock()
		anna.blocks[all[7].id] = all[7].sealed
		anna.mu.Unlock()
		must(t, b.Heal(t.Context()))
		if p := b.Status().Problems; len(p) != 0 {
			t.Errorf("%+v", p)
		}
	})
}

func TestWhatAMemberWantsMendedIsKeptBesideWhatIsHeld(t *testing.T) {
	in(t, func(t *testing.T) {
		b, mallory, anna := newBox(t, defaults()), newTeller(t, "mallory"), newTeller(t, "anna")
		x, lie := newBlock(1, 300), newBlock(2, 300)
		r := newRecord(1, 1, x)
		mallory.has(r)
		mallory.blocks[x.id] = lie.sealed
		mallory.join(b)
		pass(time.Second)
		anna.has(r, x)
		anna.join(b)
		pass(time.Second)
		if anna.times(x) != 0 {
			t.Fatalf("anna was asked for what is held")
		}
		if n, err := b.Mend(t.Context(), "anna", []entry.BlockID{x.id, newBlock(9, 9).id}); err != nil || n != 2 {
			t.Fatalf("%d, %v", n, err)
		}
		pass(time.Second)
		got := forms(t, b, x.id)
		if len(got) != 2 || !slices.ContainsFunc(got, func(f []byte) bool { return bytes.Equal(f, x.sealed) }) {
			t.Errorf("%d forms", len(got))
		}
		if n, err := b.Mend(t.Context(), "stranger", []entry.BlockID{x.id}); n != 0 || err != nil {
			t.Errorf("a stranger: %d, %v", n, err)
		}
		b.Doubt([]entry.DeviceID{"mallory"})
		if got, err := b.Vault().Block(x.id); err != nil || !bytes.Equal(got, x.sealed) {
			t.Errorf("after the liar is doubted: %v", err)
		}
	})
}

// forms are all that the keeper gives for a block.
func forms(t testing.TB, b *box, id entry.BlockID) (out [][]byte) {
	t.Helper()
	for form := range 4 {
		must(t, b.Sealed(t.Context(), blocks.Request{IDs: []entry.BlockID{id}, Form: form}, func(s []byte) error {
			if s != nil {
				out = append(out, s)
			}
			return nil
		}))
	}
	return out
}

func TestMendingIsBounded(t *testing.T) {
	in(t, func(t *testing.T) {
		b, anna := newBox(t, defaults()), newTeller(t, "anna")
		release := make(chan struct{})
		anna.give = func(entry.BlockID) ([]byte, error) { <-release; return nil, io.EOF }
		anna.join(b)
		var err error
		n := 0
		for ; err == nil && n < 100; n++ {
			_, err = b.Mend(t.Context(), "anna", make([]entry.BlockID, 4096))
		}
		if !errors.Is(err, history.ErrFull) {
			t.Errorf("%v after %d", err, n)
		}
		close(release)
		pass(time.Second)
	})
}

// TestMendingTakesLittleMemory: what a member gives goes to the vault as it
// comes.
func TestMendingTakesLittleMemory(t *testing.T) {
	in(t, func(t *testing.T) {
		b, anna := newBox(t, defaults()), newTeller(t, "anna")
		var ids []entry.BlockID
		for i := range uint64(40) {
			x := newBlock(i, 2<<20)
			anna.blocks[x.id] = x.sealed
			ids = append(ids, x.id)
			lie := newBlock(1000+i, 100)
			lie.id = x.id
			anna.has(newRecord(i, 1, lie))
		}
		mallory := newTeller(t, "mallory")
		mallory.items, mallory.head = anna.items, anna.head
		mallory.give = func(id entry.BlockID) ([]byte, error) { return newBlock(uint64(id[0])+5000, 100).sealed, nil }
		mallory.join(b)
		pass(time.Second)
		if b.holds() != 40 {
			t.Fatalf("%d versions", b.holds())
		}
		stored := int64(0)
		anna.give = func(id entry.BlockID) ([]byte, error) {
			if id == ids[39] {
				totals, err := b.Vault().Totals()
				must(t, err)
				stored = totals.BlockBytes
			}
			return anna.blocks[id], nil
		}
		anna.join(b)
		pass(time.Second)
		_, err := b.Mend(t.Context(), "anna", ids)
		must(t, err)
		pass(time.Minute)
		if in := int64(80<<20) - stored; in > 40<<20 {
			t.Errorf("%d bytes were in memory at once", in)
		}
		if n := len(forms(t, b, ids[39])); n != 2 {
			t.Errorf("%d forms of the last", n)
		}
	})
}

func TestWhatIsToldIsWhatOthersGave(t *testing.T) {
	in(t, func(t *testing.T) {
		b, anna, ben := newBox(t, defaults()), newTeller(t, "anna"), newTeller(t, "ben")
		for i := range uint64(2500) {
			anna.items = append(anna.items, exchange.Item{Sequence: entry.Sequence(i + 1), Record: newRecord(i, 1)})
		}
		anna.head = 2500
		anna.join(b)
		pass(time.Second)
		anna.has(newRecord(7, 2))
		ben.has(newRecord(9000, 1))
		ben.join(b)
		pass(time.Second)
		for who, want := range map[entry.DeviceID]int{"anna": 1, "ben": 2500, "cleo": 2501} {
			got, after := 0, entry.Sequence(0)
			for {
				x, err := b.Records(t.Context(), who, after, exchange.Limit{Records: 1000, Bytes: 1 << 20})
				must(t, err)
				got += len(x.Items)
				if x.Through < after || x.Head < x.Through || len(x.Items) > 1000 {
					t.Fatalf("after %d: through %d of %d", after, x.Through, x.Head)
				}
				if x.Through >= x.Head {
					break
				}
				after = x.Through
			}
			if got != want {
				t.Errorf("%s is told %d, not %d", who, got, want)
			}
		}
	})
}

func TestTheMomentsOfAFolderAndItsPins(t *testing.T) {
	in(t, func(t *testing.T) {
		b, anna := newBox(t, defaults()), newTeller(t, "anna")
		anna.has(newRecord(1, 1))
		anna.join(b)
		pass(time.Minute)
		first := time.Now()
		pass(time.Second)
		anna.has(newRecord(1, 2))
		pass(time.Minute)
		count := func(at time.Time) (n int, err error) {
			err = b.AsOf(t.Context(), at, func(h history.Held) error {
				n++
				if got, want := h.Record.Version.Clock, newRecord(1, map[bool]uint64{true: 1, false: 2}[at.Equal(first)]).Version.Clock; got != want {
					t.Errorf("as of %s: clock %d, not %d", at, got, want)
				}
				return nil
			})
			return n, err
		}
		for _, at := range []time.Time{first, time.Now()} {
			if n, err := count(at); n != 1 || err != nil {
				t.Errorf("%d, %v", n, err)
			}
		}
		if _, err := count(time.Now().Add(time.Hour)); !errors.Is(err, history.ErrFuture) {
			t.Errorf("the future: %v", err)
		}
		n := 0
		must(t, b.Versions(t.Context(), []seal.RecordID{newRecord(1, 1).ID, newRecord(5, 1).ID}, func(history.Held) error { n++; return nil }))
		must(t, b.Received(t.Context(), 1, func(history.Held) error { n++; return nil }))
		if n != 3 {
			t.Errorf("%d versions", n)
		}
		if _, err := b.Pin("anna", time.Now().Add(time.Hour), nil); !errors.Is(err, history.ErrFuture) {
			t.Errorf("a pin of the future: %v", err)
		}
		if _, err := b.Pin("anna", first, make([]byte, 5000)); !errors.Is(err, history.ErrFull) {
			t.Errorf("a long label: %v", err)
		}
		var err error
		for n = 0; err == nil && n < 2000; n++ {
			_, err = b.Pin("anna", first, []byte("x"))
		}
		if !errors.Is(err, history.ErrFull) || n != maxAskedPins+1 {
			t.Errorf("%d pins, %v", n, err)
		}
		if _, err := b.Pin("", first, []byte("mine")); err != nil {
			t.Errorf("the owner's: %v", err)
		}
		st, err := b.Standing("anna")
		must(t, err)
		if len(st.Pins)+int(st.Untold) != maxAskedPins+1 || st.Versions != 2 || st.Sequence != 2 || st.Vault != history.VaultID(b.Vault().Head().Vault) {
			t.Errorf("%d pins, %d untold, %d versions", len(st.Pins), st.Untold, st.Versions)
		}
	})
}

// signer signs as a device does.
type signer struct{ key ed25519.PrivateKey }

func (s signer) ID() entry.DeviceID            { return "12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA" }
func (s signer) Sign(b []byte) ([]byte, error) { return ed25519.Sign(s.key, b), nil }

func statements(t testing.TB, n int) (out []roster.Statement) {
	t.Helper()
	key := signer{ed25519.NewKeyFromSeed(make([]byte, 32))}
	for i := range n {
		_, s, err := roster.NewFolder(key, roster.Founding{Label: "docs", Name: "anna"}, 1, bytes.NewReader(bytes.Repeat([]byte{byte(i)}, 100)))
		must(t, err)
		out = append(out, s)
	}
	return out
}

func TestTheRosterLiesBesideTheVault(t *testing.T) {
	k := &Keeper{Options: Options{Dir: t.TempDir()}}
	if _, err := ReadRoster(k.Dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("none: %v", err)
	}
	for _, n := range []int{0, 1, 20, 3} {
		want := statements(t, n)
		must(t, k.KeepRoster(want))
		got, err := ReadRoster(k.Dir)
		if err != nil || len(got) != n {
			t.Fatalf("%d of %d: %v", len(got), n, err)
		}
		for i := range got {
			if !bytes.Equal(got[i].Encode(), want[i].Encode()) {
				t.Errorf("statement %d: %s", i, cmp.Diff(want[i], got[i]))
			}
		}
	}
	whole, err := os.ReadFile(k.path(rosterFile))
	must(t, err)
	for n := range whole {
		must(t, os.WriteFile(k.path(rosterFile), whole[:n], 0o600))
		if got, err := ReadRoster(k.Dir); err == nil && len(got) == 3 {
			t.Errorf("cut at %d: read all of it", n)
		}
	}
}

func FuzzReadRoster(f *testing.F) {
	k := &Keeper{Options: Options{Dir: f.TempDir()}}
	must(f, k.KeepRoster(statements(f, 2)))
	whole, err := os.ReadFile(k.path(rosterFile))
	must(f, err)
	f.Add(whole)
	f.Add(whole[:len(whole)/2])
	f.Add([]byte{0xff, 0xff, 0xff, 0xff})
	f.Add([]byte{0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		must(t, os.WriteFile(k.path(rosterFile), b, 0o600))
		got, err := ReadRoster(k.Dir)
		if err != nil {
			return
		}
		must(t, k.KeepRoster(got))
		again, err := ReadRoster(k.Dir)
		if err != nil || !cmp.Equal(got, again) {
			t.Errorf("%v: %s", err, cmp.Diff(got, again))
		}
	})
}

func FuzzNotes(f *testing.F) {
	dir := f.TempDir()
	k, err := Open(Options{ID: testFolder, Dir: dir, Settings: defaults()})
	must(f, err)
	head := k.Vault().Head()
	must(f, k.notes.write(head))
	whole, err := os.ReadFile(k.path(progressFile))
	must(f, err)
	must(f, k.Close())
	f.Add(whole)
	f.Add([]byte("null"))
	f.Add([]byte(`{"vault":null,"members":null,"sequence":18446744073709551615}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		must(t, os.WriteFile(k.path(progressFile), b, 0o600))
		n := loadNotes(k.path(progressFile), head, nil)
		if n.Members == nil || n.Vault != head.Vault || n.Sequence > head.Sequence {
			t.Errorf("%+v", n)
		}
	})
}

func TestAnEmptyVaultTellsHowItStands(t *testing.T) {
	in(t, func(t *testing.T) {
		st, err := newBox(t, defaults()).Standing("anna")
		must(t, err)
		for name, at := range map[string]time.Time{
			"moment": st.Moment, "begins": st.Begins, "complete": st.Complete, "last run": st.LastRun, "next run": st.NextRun,
		} {
			if !at.IsZero() {
				t.Errorf("%s: %s", name, at)
			}
		}
	})
}

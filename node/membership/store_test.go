package membership

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/roster"
)

var day = time.Date(2026, 11, 22, 14, 3, 7, 123456000, time.UTC)

type signer struct{ ed25519.PrivateKey }

func (s signer) ID() entry.DeviceID {
	return entry.DeviceID(hex.EncodeToString(s.Public().(ed25519.PublicKey)))
}
func (s signer) Sign(msg []byte) ([]byte, error) { return ed25519.Sign(s.PrivateKey, msg), nil }

func somePeer(n int) Peer {
	return Peer{
		ID: entry.DeviceID(fmt.Sprintf("12D3KooWpeer%03d", n)), Name: "phone \"π\"", Addresses: []string{"/ip4/10.0.0.1/tcp/1", "/dns4/x/tcp/2"},
		PairedAt: day, LastSeen: day,
	}
}

func someFolder(t testing.TB, salt byte) Folder {
	t.Helper()
	by := signer{ed25519.NewKeyFromSeed(bytes.Repeat([]byte{1}, ed25519.SeedSize))}
	id, s, err := roster.NewFolder(by, roster.Founding{Label: "Documents", Name: "laptop"}, 1000, bytes.NewReader(bytes.Repeat([]byte{salt}, 16)))
	if err != nil {
		t.Fatal(err)
	}
	path, _ := filepath.Abs("/home/u/Docu\"ments'")
	return Folder{
		ID: id, Label: "Documents", Path: path, Role: entry.RoleSync, AddedAt: day, Roster: []roster.Statement{s},
		Keys: map[entry.Epoch]Key{1: Key(bytes.Repeat([]byte{0xab}, 32)), 4294967295: Key(bytes.Repeat([]byte{0xcd}, 32))},
	}
}

func someOffer(t testing.TB, salt byte, from int) Offer {
	f := someFolder(t, salt)
	return Offer{
		Folder: f.ID, Label: f.Label, From: somePeer(from).ID, Role: entry.RoleReceive, Keys: f.Keys, Statements: f.Roster, At: day,
	}
}

func open(t testing.TB, dir string) *Store {
	t.Helper()
	s, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func must(t testing.TB, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

// everything is a store with one of each.
func everything(t testing.TB, dir string) *Store {
	t.Helper()
	s := open(t, dir)
	must(t, s.PutPeer(somePeer(1)), s.PutPeer(somePeer(2)), s.PutFolder(someFolder(t, 1)), s.PutOffer(someOffer(t, 2, 1)))
	return s
}

// contents are all that a store holds.
func contents(s *Store) any { return []any{s.Peers(), s.Folders(), s.Offers()} }

func TestWhatWasPutIsThereAfterOpeningAgain(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "membership")
	s := everything(t, dir)
	again := open(t, dir)
	if !reflect.DeepEqual(contents(s), contents(again)) || len(again.Problems()) != 0 {
		t.Fatalf("%+v\n%+v\n%v", contents(s), contents(again), again.Problems())
	}
	if p, ok := again.Peer(somePeer(1).ID); !ok || !reflect.DeepEqual(p, somePeer(1)) {
		t.Fatalf("%+v", p)
	}
	if f, ok := again.Folder(someFolder(t, 1).ID); !ok || !reflect.DeepEqual(f, someFolder(t, 1)) {
		t.Fatalf("%+v", f)
	}
	if o := again.Offers(); len(o) != 1 || !reflect.DeepEqual(o[0], someOffer(t, 2, 1)) {
		t.Fatalf("%+v", o)
	}
}

func TestWhatWasRemovedIsGoneWithItsTwin(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "membership")
	s := everything(t, dir)
	for range 2 {
		must(t, s.RemovePeer(somePeer(1).ID), s.RemoveFolder(someFolder(t, 1).ID), s.RemoveOffer(someOffer(t, 2, 1).Folder, somePeer(1).ID))
	}
	// Not even damage brings back a peer that was removed.
	must(t, os.Truncate(filepath.Join(dir, peersFile), 10))
	s = open(t, dir)
	if p := s.Peers(); len(p) != 1 || p[0].ID != somePeer(2).ID || len(s.Folders()) != 0 || len(s.Offers()) != 0 {
		t.Fatalf("%+v", contents(s))
	}
	for _, sub := range []string{foldersDir, offersDir} {
		if left, _ := os.ReadDir(filepath.Join(dir, sub)); len(left) != 0 {
			t.Fatalf("left in %s: %v", sub, left)
		}
	}
}

func TestAFolderIsNeverStoredWithoutAKeyThatItHad(t *testing.T) {
	s := everything(t, filepath.Join(t.TempDir(), "m"))
	f := someFolder(t, 1)
	delete(f.Keys, 1)
	if err := s.PutFolder(f); !errors.Is(err, ErrInvalid) {
		t.Fatal(err)
	}
	f.Keys[1] = Key{9}
	if err := s.PutFolder(f); !errors.Is(err, ErrInvalid) {
		t.Fatal(err)
	}
	f = someFolder(t, 1)
	f.Keys[2] = Key{9}
	must(t, s.PutFolder(f))
	must(t, s.RemoveFolder(f.ID))
	f.Keys = nil
	must(t, s.PutFolder(f))
}

func TestWhatCannotBeReadBackIsNotStored(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "membership")
	s := open(t, dir)
	peer := func(change func(*Peer)) error { p := somePeer(1); change(&p); return s.PutPeer(p) }
	folder := func(change func(*Folder)) error { f := someFolder(t, 1); change(&f); return s.PutFolder(f) }
	offer := func(change func(*Offer)) error { o := someOffer(t, 1, 1); change(&o); return s.PutOffer(o) }
	other := someFolder(t, 9)
	unsigned := someFolder(t, 1).Roster[0]
	unsigned.Clock = 0
	for name, err := range map[string]error{
		"peer without ID":       peer(func(p *Peer) { p.ID = "" }),
		"peer ID with a slash":  peer(func(p *Peer) { p.ID = "../x" }),
		"peer name not UTF-8":   peer(func(p *Peer) { p.Name = "\xff" }),
		"long peer name":        peer(func(p *Peer) { p.Name = strings.Repeat("n", 65) }),
		"empty address":         peer(func(p *Peer) { p.Addresses = []string{""} }),
		"too many addresses":    peer(func(p *Peer) { p.Addresses = make([]string, maxAddresses+1) }),
		"year 10000":            peer(func(p *Peer) { p.LastSeen = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) }),
		"folder without ID":     folder(func(f *Folder) { f.ID = entry.FolderID{} }),
		"relative path":         folder(func(f *Folder) { f.Path = "docs" }),
		"path with NUL":         folder(func(f *Folder) { f.Path += "\x00" }),
		"no role":               folder(func(f *Folder) { f.Role = 0 }),
		"key of epoch 0":        folder(func(f *Folder) { f.Keys[0] = Key{1} }),
		"zero key":              folder(func(f *Folder) { f.Keys[2] = Key{} }),
		"long label":            folder(func(f *Folder) { f.Label = strings.Repeat("l", 129) }),
		"another's statement":   folder(func(f *Folder) { f.Roster = other.Roster }),
		"broken statement":      folder(func(f *Folder) { f.Roster = []roster.Statement{unsigned} }),
		"offer without ID":      offer(func(o *Offer) { o.Folder = entry.FolderID{} }),
		"offer by a path":       offer(func(o *Offer) { o.From = "a/../b" }),
		"offer of a wrong role": offer(func(o *Offer) { o.Role = 99 }),
		"offer, zero key":       offer(func(o *Offer) { o.Keys[2] = Key{} }),
		"offer, long label":     offer(func(o *Offer) { o.Label = strings.Repeat("l", 129) }),
		"offer, other folder":   offer(func(o *Offer) { o.Statements = other.Roster }),
	} {
		if !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if s = open(t, dir); len(s.Peers())+len(s.Folders())+len(s.Offers()) != 0 {
		t.Fatalf("stored: %+v", contents(s))
	}
}

func TestAPathThatIsNoUTF8IsKeptAsItIs(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "membership")
	f := someFolder(t, 1)
	f.Path += "\xff\xfe"
	must(t, open(t, dir).PutFolder(f))
	if got, _ := open(t, dir).Folder(f.ID); got.Path != f.Path {
		t.Fatalf("%q", got.Path)
	}
}

func TestAPeerCannotFloodTheOffers(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "m"))
	for n := range maxOffers {
		must(t, s.PutOffer(someOffer(t, byte(n), 1)))
	}
	if err := s.PutOffer(someOffer(t, 200, 1)); !errors.Is(err, ErrFull) {
		t.Fatal(err)
	}
	must(t, s.PutOffer(someOffer(t, 3, 1)), s.PutOffer(someOffer(t, 200, 2)))
}

func TestSawIsInEffectAtOnceAndWrittenOnceAMinute(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "membership")
	s := everything(t, dir)
	id := somePeer(1).ID
	written := func() time.Time { p, _ := open(t, dir).Peer(id); return p.LastSeen }
	step := func(offset time.Duration) time.Time {
		at := day.Add(offset)
		must(t, s.Saw(id, at, "/ip4/1.2.3.4/tcp/5"))
		if p, _ := s.Peer(id); !p.LastSeen.Equal(at) || p.Addresses[0] != "/ip4/1.2.3.4/tcp/5" {
			t.Fatalf("%+v", p)
		}
		return written()
	}
	first := day.Add(time.Hour)
	for offset, want := range map[time.Duration]time.Time{time.Hour: first} {
		if got := step(offset); !got.Equal(want) {
			t.Fatal(got)
		}
	}
	if got := step(time.Hour + 59*time.Second); !got.Equal(first) {
		t.Fatalf("written after 59 s: %v", got)
	}
	must(t, s.Flush())
	if got := written(); !got.Equal(first.Add(59 * time.Second)) {
		t.Fatalf("not flushed: %v", got)
	}
	if got := step(time.Hour + time.Minute); !got.Equal(first.Add(time.Minute)) {
		t.Fatalf("not written after a minute: %v", got)
	}
	if got := step(0); !got.Equal(day) {
		t.Fatalf("a clock set back stops the writing: %v", got)
	}
	must(t, s.Saw(id, day)) // no addresses: as before
	if p, _ := s.Peer(id); len(p.Addresses) != 1 {
		t.Fatalf("%+v", p)
	}
	if err := s.Saw("12D3KooWstranger", day); !errors.Is(err, ErrUnknown) {
		t.Fatal(err)
	}
}

func TestAChangeOfAPeerTakesAlongWhatWasSeen(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "membership")
	s := everything(t, dir)
	must(t, s.Saw(somePeer(1).ID, day), s.Saw(somePeer(1).ID, day.Add(time.Second)), s.RemovePeer(somePeer(2).ID))
	if p, _ := open(t, dir).Peer(somePeer(1).ID); !p.LastSeen.Equal(day.Add(time.Second)) {
		t.Fatalf("%+v", p)
	}
}

func TestAStoreCannotBeChangedThroughWhatItGaveOutOrTook(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "m"))
	p, f, o := somePeer(1), someFolder(t, 1), someOffer(t, 2, 1)
	must(t, s.PutPeer(p), s.PutFolder(f), s.PutOffer(o))
	spoil := func(p Peer, f Folder, o Offer) {
		p.Addresses[0] = "x"
		f.Keys[1], o.Keys[1] = Key{}, Key{}
		f.Roster[0].Label, o.Statements[0].Label = "x", "x"
		clear(f.Roster[0].Signature)
	}
	spoil(p, f, o)
	spoil(s.Peers()[0], s.Folders()[0], s.Offers()[0])
	gotP, _ := s.Peer(p.ID)
	gotF, _ := s.Folder(f.ID)
	spoil(gotP, gotF, s.Offers()[0])
	if !reflect.DeepEqual(s.Peers()[0], somePeer(1)) || !reflect.DeepEqual(s.Folders()[0], someFolder(t, 1)) ||
		!reflect.DeepEqual(s.Offers()[0], someOffer(t, 2, 1)) {
		t.Fatalf("%+v", contents(s))
	}
}

func TestManyAtOnceLoseNothing(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "membership")
	s := open(t, dir)
	const n = 12
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			if err := errors.Join(s.PutPeer(somePeer(i)), s.Saw(somePeer(i).ID, day.Add(time.Hour)),
				s.PutFolder(someFolder(t, byte(i))), s.PutOffer(someOffer(t, byte(i), i))); err != nil {
				t.Error(err)
			}
			_, _, _ = s.Peers(), s.Folders(), s.Offers()
			if i%2 == 1 {
				if err := errors.Join(s.RemovePeer(somePeer(i).ID), s.RemoveFolder(someFolder(t, byte(i)).ID)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	must(t, s.Flush())
	again := open(t, dir)
	if !reflect.DeepEqual(contents(s), contents(again)) || len(again.Peers()) != n/2 || len(again.Folders()) != n/2 || len(again.Offers()) != n {
		t.Fatalf("%+v", contents(again))
	}
}

func TestFilesAreForTheirOwnerAlone(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("modes mean nothing here")
	}
	dir := filepath.Join(t.TempDir(), "membership")
	everything(t, dir)
	private := func() {
		t.Helper()
		must(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if info, err := d.Info(); err != nil || info.Mode().Perm()&0o077 != 0 {
				t.Errorf("%s: %v, %v", path, info.Mode(), err)
			}
			return err
		}))
	}
	private()
	must(t, filepath.WalkDir(dir, func(path string, _ fs.DirEntry, _ error) error { return os.Chmod(path, 0o755) }))
	open(t, dir)
	private()
}

func TestKeysAreNeverPrinted(t *testing.T) {
	f, o := someFolder(t, 1), someOffer(t, 2, 1)
	var out bytes.Buffer
	for _, v := range []any{f, o, &f, f.Keys, f.Keys[1], []Folder{f}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
			fmt.Fprintf(&out, verb+"\n", v)
		}
		slog.New(slog.NewTextHandler(&out, nil)).Info("x", "v", v)
		slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "v", v)
		must(t, json.NewEncoder(&out).Encode(v))
	}
	for _, form := range []string{"abab", "171 171", "171,171", "0xab, 0xab", "q6ur", "\xab\xab"} {
		if strings.Contains(out.String(), form) {
			t.Fatalf("a key shows as %q:\n%s", form, out.String())
		}
	}
	if !strings.Contains(out.String(), redacted) {
		t.Fatal("nothing was printed")
	}
}

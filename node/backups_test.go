package node_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/zeebo/blake3"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/control"
)

// shares offers the folder to a device that it is then paired with, which does
// not accept it yet.
func (d *device) shares(with *device, role entry.Role) {
	d.t.Helper()
	if _, known := d.peer(with); !known {
		d.pair(with)
	}
	if _, err := d.Share(d.t.Context(), control.ShareRequest{Folder: "docs", Device: string(with.id), Role: role}); err != nil {
		d.t.Fatal(err)
	}
	until(d.t, "an offer", func() bool { o, err := with.Offers(d.t.Context()); return err == nil && len(o) == 1 })
}

// accepts takes the offer, as what it was offered as.
func (d *device) accepts(role entry.Role) {
	d.t.Helper()
	r := control.AcceptRequest{Folder: "docs", Role: role}
	if role != entry.RoleBackup {
		r.Path = d.root
	}
	if _, err := d.AcceptOffer(d.t.Context(), r); err != nil {
		d.t.Fatal(err)
	}
}

// protected waits until a backup holds all that a device has.
func (d *device) protected() {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(d.t.Context(), patience)
	defer cancel()
	for {
		err := d.Wait(ctx, control.WaitRequest{For: control.Protected}, func(control.Progress) error { return nil })
		if err == nil {
			return
		}
		if !errors.Is(err, control.ErrInvalid) || ctx.Err() != nil { // it has not heard yet that there is a backup
			d.t.Fatalf("%s is not protected: %v: %+v", d.name, err, d.folder())
		}
	}
}

// exactly is all that lies below a directory but kith's own: what a restore has
// to bring back. What goes meanwhile is left out.
func exactly(t testing.TB, root string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err == nil && e.Name() == ".kith" {
			return fs.SkipDir
		}
		var info fs.FileInfo
		if err == nil {
			info, err = e.Info()
		}
		if err == nil {
			name, _ := filepath.Rel(root, path)
			out[name], err = exact(path, info)
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func exact(path string, info fs.FileInfo) (string, error) {
	switch {
	case info.Mode()&fs.ModeSymlink != 0:
		target, err := os.Readlink(path)
		return "-> " + target, err
	case info.Mode().IsRegular():
		b, err := os.ReadFile(path)
		return fmt.Sprintf("%s %d %s %.10x", info.Mode(), len(b), info.ModTime().UTC(), sha256.Sum256(b)), err
	}
	return info.Mode().String(), nil
}

// becomes waits until a device has just this tree.
func (d *device) becomes(want map[string]string) {
	d.t.Helper()
	var diff []string
	if !within(patience, func() bool { diff = difference(want, exactly(d.t, d.root)); return len(diff) == 0 }) {
		d.t.Fatalf("on %s: %q", d.name, diff)
	}
}

// planted writes files of every kind, and returns what of them must not be
// found on a device without a key.
func (d *device) planted() (secrets [][]byte) {
	d.t.Helper()
	r := rand.New(rand.NewPCG(7, 7))
	for i := range 100 {
		name := fmt.Sprintf("dir-%08x/planted-%016x.txt", r.Uint32()&0xf, r.Uint64())
		content := fmt.Sprintf("secret-%016x-%016x ", r.Uint64(), r.Uint64())
		whole := strings.Repeat(content, 1+i*i/4)
		d.write(name, whole)
		when := time.Unix(1_600_000_000+int64(i)*1000, int64(i)*1_000_000)
		if err := errors.Join(os.Chmod(d.at(name), []os.FileMode{0o644, 0o600, 0o755, 0o400}[i%4]), os.Chtimes(d.at(name), when, when)); err != nil {
			d.t.Fatal(err)
		}
		b3, s2 := blake3.Sum256([]byte(whole)), sha256.Sum256([]byte(whole))
		secrets = append(secrets, []byte(content[:20]), []byte(filepath.Base(name)), b3[:16], s2[:16])
	}
	err := errors.Join(os.MkdirAll(d.at("empty/deep"), 0o755), os.Symlink("../planted-link-target", d.at("empty/link")), os.WriteFile(d.at("nothing"), nil, 0o644))
	if err != nil {
		d.t.Fatal(err)
	}
	return append(secrets, []byte("planted-link-target"))
}

// search looks for secrets in all files of a directory.
func search(t testing.TB, dir string, secrets [][]byte) {
	t.Helper()
	files := 0
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(path)
		files++
		for _, s := range secrets {
			if bytes.Contains(b, s) {
				t.Errorf("%s holds %q", path, s)
			}
		}
		return err
	})
	if err != nil || files < 5 {
		t.Errorf("%d files were searched: %v", files, err)
	}
}

func TestABlindBackupSeedsADeviceAlone(t *testing.T) {
	t.Parallel()
	laptop, nas, phone := start(t, "laptop"), start(t, "nas"), start(t, "phone")
	secrets := laptop.planted()
	addFolder(t, laptop)
	nas.backup(laptop, "docs")
	laptop.shares(phone, entry.RoleSync)
	nas.pair(phone)
	laptop.protected()
	if st := laptop.folder(); st.ProtectedAsOf.IsZero() || time.Since(st.ProtectedAsOf) > time.Minute || laptop.member(nas).ProtectedAsOf.IsZero() || len(st.Problems) > 0 {
		t.Errorf("%+v", st)
	}
	if f := nas.folder(); f.Role != entry.RoleBackup || f.Path != "" || f.Vault == nil || f.Vault.Versions < 100 {
		t.Errorf("%+v, %+v", f, f.Vault)
	}
	nas.down()
	if keys := nas.ring(); len(keys) != 0 {
		t.Errorf("the backup has keys: %v", keys)
	}
	again([]*device{laptop, phone}, nas)
	meet(t, nas, phone)
	want := exactly(t, laptop.root)
	laptop.down()
	phone.accepts(entry.RoleSync)
	phone.becomes(want)
	// What the phone changes comes to the laptop by the backup alone.
	if err := errors.Join(os.Rename(phone.at("nothing"), phone.at("moved")), os.RemoveAll(phone.at("empty")), os.Mkdir(phone.at("empty too"), 0o755)); err != nil {
		t.Fatal(err)
	}
	phone.write("new/one", "of the phone")
	if _, err := phone.ScanFolders(t.Context(), "docs"); err != nil {
		t.Fatal(err)
	}
	phone.protected()
	want = exactly(t, phone.root)
	phone.down()
	again([]*device{nas}, laptop)
	laptop.becomes(want)
	nas.down()
	search(t, nas.places.Home, append(secrets, []byte("of the phone"), []byte("empty too")))
}

// ring are the epochs whose keys a device that is down has stored.
func (d *device) ring() (out []entry.Epoch) {
	d.t.Helper()
	for _, f := range d.membership().Folders() {
		out = slices.AppendSeq(out, maps.Keys(f.Keys))
	}
	return out
}

func TestBlindBackupsSeedEachOther(t *testing.T) {
	t.Parallel()
	laptop, first, second, phone := start(t, "laptop"), start(t, "first"), start(t, "second"), start(t, "phone")
	laptop.planted()
	addFolder(t, laptop)
	first.backup(laptop, "docs")
	laptop.shares(second, entry.RoleBackup)
	laptop.shares(phone, entry.RoleSync)
	first.pair(second)
	second.pair(phone)
	laptop.protected()
	want := exactly(t, laptop.root)
	laptop.down()
	second.accepts(entry.RoleBackup)
	held := func() int64 { return first.folder().Vault.Versions }
	until(t, "the second backup to hold all", func() bool {
		v := second.folder().Vault
		return v != nil && v.Versions == held() && second.folder().NeedFiles == 0
	})
	settled(t, second)
	first.down()
	phone.accepts(entry.RoleSync)
	phone.becomes(want)
}

// TestABackupKeepsBothSidesOfAConflict: of one file there are two versions, each
// of which one backup alone has heard. In the end only a backup is left.
func TestABackupKeepsBothSidesOfAConflict(t *testing.T) {
	t.Parallel()
	laptop, phone, tablet := start(t, "laptop"), start(t, "phone"), start(t, "tablet")
	one, two := start(t, "one"), start(t, "two")
	laptop.write("a file.txt", "before")
	laptop.write("edited and deleted", "before")
	addFolder(t, laptop)
	one.backup(laptop, "docs")
	two.backup(laptop, "docs")
	phone.join(laptop)
	laptop.shares(tablet, entry.RoleSync)
	phone.pair(two)
	two.pair(tablet)
	one.pair(two)
	until(t, "the file on the phone", func() bool { return phone.holds("a file.txt", "before") })
	settled(t, laptop, phone, one, two)
	down(phone, two)
	holds := func(d *device, n int64) {
		until(t, fmt.Sprintf("%d versions on %s", n, d.name), func() bool { v := d.folder().Vault; return v != nil && v.Versions == n })
	}
	laptop.write("a file.txt", "as the laptop has it")
	laptop.write("edited and deleted", "edited by the laptop")
	holds(one, 4)
	laptop.protected()
	down(laptop, one)
	phone.write("a file.txt", "as the phone has it")
	if err := os.Remove(phone.at("edited and deleted")); err != nil {
		t.Fatal(err)
	}
	again(nil, two)
	again([]*device{two}, phone)
	holds(two, 4)
	phone.protected()
	phone.down()
	again([]*device{two}, one)
	holds(one, 6)
	holds(two, 6)
	down(one, tablet)
	again([]*device{two}, tablet)
	tablet.accepts(entry.RoleSync)
	got := map[string]bool{}
	if !within(patience, func() bool {
		for name := range listing(t, tablet.root) {
			b, _ := os.ReadFile(tablet.at(name))
			got[string(b)] = true
		}
		return got["as the laptop has it"] && got["as the phone has it"] && got["edited by the laptop"]
	}) {
		t.Fatalf("the tablet has had %v: %v: %+v", slices.Collect(maps.Keys(got)), listing(t, tablet.root), tablet.folder())
	}
	if c, err := tablet.Conflicts(t.Context(), "docs"); err != nil || len(c) < 1 || len(c) > 2 {
		t.Errorf("%+v, %v", c, err)
	}
	// The laptop and the phone come back: all agree, and nothing is there twice.
	tablet.protected()
	again([]*device{two, tablet}, laptop, phone)
	same(t, tablet, laptop, phone)
	settled(t, tablet, laptop, phone)
	same(t, tablet, laptop, phone)
	times := map[string]int{}
	for name := range listing(t, tablet.root) {
		b, _ := os.ReadFile(tablet.at(name))
		times[string(b)]++
	}
	if times["as the laptop has it"] != 1 || times["as the phone has it"] != 1 || times["edited by the laptop"] < 1 {
		t.Errorf("%v", times)
	}
}

func TestABackupGoesOnWithANewKey(t *testing.T) {
	t.Parallel()
	laptop, nas, phone, tablet := start(t, "laptop"), start(t, "nas"), start(t, "phone"), start(t, "tablet")
	laptop.write("old/stays", "stays")
	laptop.write("old/goes", "goes")
	laptop.write("old/edited", "before")
	addFolder(t, laptop)
	nas.backup(laptop, "docs")
	phone.join(laptop)
	settled(t, laptop)
	laptop.unshare(phone)
	until(t, "a second key", func() bool { return len(nas.folder().Members) == 1 })
	laptop.write("new", "under the new key")
	laptop.write("old/edited", "after")
	if err := os.Remove(laptop.at("old/goes")); err != nil {
		t.Fatal(err)
	}
	until(t, "the change", func() bool { _, err := laptop.ScanFolders(t.Context(), "docs"); return err == nil })
	laptop.protected()
	nas.restart()
	nas.down()
	again([]*device{laptop}, nas)
	laptop.shares(tablet, entry.RoleSync)
	nas.pair(tablet)
	laptop.protected()
	if n := len(laptop.problems()); n != 0 {
		t.Errorf("%q", laptop.problems())
	}
	out, err := laptop.Verify(t.Context(), control.VerifyRequest{Folder: "docs"}, func(control.VerifyProgress) error { return nil })
	if err != nil || len(out) == 0 || slices.ContainsFunc(out, func(v control.Verified) bool { return len(v.Problems) > 0 }) {
		t.Errorf("%+v, %v", out, err)
	}
	want := exactly(t, laptop.root)
	laptop.down()
	tablet.accepts(entry.RoleSync)
	tablet.becomes(want)
}

func (d *device) problems() (out []string) {
	for _, p := range d.folder().Problems {
		out = append(out, p.Code)
	}
	return out
}

func noVerifyProgress(control.VerifyProgress) error { return nil }

// verifies has the backups of the folder prove what they hold, and what a
// device keeps itself.
func (d *device) verifies(accept bool) map[entry.DeviceID]control.Verified {
	d.t.Helper()
	out, err := d.Verify(d.t.Context(), control.VerifyRequest{Folder: "docs", Accept: accept}, noVerifyProgress)
	if err != nil {
		d.t.Fatalf("verify on %s: %v", d.name, err)
	}
	all := map[entry.DeviceID]control.Verified{}
	for _, v := range out {
		all[v.Device.ID] = v
	}
	return all
}

// TestABackupThatEndsInTheMiddleGoesOn: nothing that it holds is sent again.
func TestABackupThatEndsInTheMiddleGoesOn(t *testing.T) {
	t.Parallel()
	laptop, nas := start(t, "laptop"), start(t, "nas")
	const files, size = 60, 1 << 20
	for i := range files {
		b := make([]byte, size)
		_, _ = rand.NewChaCha8([32]byte{byte(i)}).Read(b)
		laptop.write(fmt.Sprintf("big/%d", i), string(b))
	}
	addFolder(t, laptop)
	nas.backup(laptop, "docs")
	for range 2 {
		until(t, "some of it", func() bool { v := nas.folder().Vault; return v != nil && v.Versions > 3 })
		nas.down()
		again([]*device{laptop}, nas)
	}
	laptop.protected()
	p, _ := laptop.peer(nas)
	if p.Sent > files*size*14/10 {
		t.Errorf("sent %d bytes for %d", p.Sent, files*size)
	}
	if v := laptop.verifies(false)[nas.id]; len(v.Problems) > 0 || v.Files != files || v.Bytes != files*size {
		t.Errorf("%+v", v)
	}
	nas.down()
	again([]*device{laptop}, nas)
	laptop.protected()
	if v := nas.verifies(false)[nas.id]; len(v.Problems) > 0 || v.Bytes < files*size {
		t.Errorf("its own: %+v", v)
	}
}

func TestWhatABackupAloneHoldsCanBeFreed(t *testing.T) {
	t.Parallel()
	laptop, nas := start(t, "laptop"), start(t, "nas")
	for i := range 20 {
		laptop.write(fmt.Sprintf("d/%d", i), strings.Repeat(fmt.Sprint("content ", i), 2000))
	}
	addFolder(t, laptop)
	nas.backup(laptop, "docs")
	laptop.protected()
	want := exactly(t, laptop.root)
	if out := laptop.frees("docs/d/3", 1); out.Files != 1 {
		t.Fatalf("%+v", out)
	}
	if _, err := os.Lstat(laptop.at("d/3")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it is still there: %v", err)
	}
	(&freeing{laptop.frees("docs/d/4", 2), t}).refused("not_enough_copies", "nas proved 1 files")
	if err := laptop.gets("docs/d/3"); err != nil {
		t.Error(err)
	}
	laptop.becomes(want)
	// One block less in the vault: nothing is freed that is not whole there.
	nas.down()
	if n := nas.flip(0, 1); n != 1 {
		t.Fatalf("%d blocks flipped", n)
	}
	again([]*device{laptop}, nas)
	meet(t, laptop, nas)
	out := laptop.frees("docs/d", 1)
	if out.Files != 19 || out.Kept != 1 {
		t.Errorf("%+v", out)
	}
	for name := range want {
		if strings.HasPrefix(name, "d/") {
			if b, err := os.ReadFile(laptop.at(name)); err == nil && len(b) == 0 {
				t.Errorf("%s is empty", name)
			}
		}
	}
	if err := laptop.gets("docs/d"); err != nil {
		t.Error(err)
	}
	laptop.becomes(want)
}

// below are the names that begin so.
func (d *device) below(prefix string) (out []string) {
	for name := range exactly(d.t, d.root) {
		if strings.HasPrefix(name, prefix) {
			out = append(out, name)
		}
	}
	return out
}

// vault is the directory of a device's only vault.
func (d *device) vault() string {
	d.t.Helper()
	all, err := filepath.Glob(filepath.Join(d.places.Vaults, "*", "vault"))
	if err != nil || len(all) != 1 {
		d.t.Fatalf("the vaults of %s: %q, %v", d.name, all, err)
	}
	return all[0]
}

// packHeader and entryHead are the lengths of what comes before the data of an
// entry in a pack; see package vault.
const (
	packHeader = 84
	entryHead  = 104
)

// flip damages up to n blocks on the disk of a device that is down, those after
// the first so many, and returns how many.
func (d *device) flip(after, n int) (flipped int) {
	d.t.Helper()
	packs, err := filepath.Glob(filepath.Join(d.vault(), "packs", "*.blocks"))
	if err != nil {
		d.t.Fatal(err)
	}
	for _, p := range packs {
		b, err := os.ReadFile(p)
		if err != nil {
			d.t.Fatal(err)
		}
		for at := packHeader; at+entryHead < len(b) && flipped < n; {
			size := int(b[at+16]) | int(b[at+17])<<8 | int(b[at+18])<<16 | int(b[at+19])<<24
			if b[at+8] == 1 && after > 0 {
				after--
			} else if b[at+8] == 1 {
				b[at+entryHead+size/2] ^= 0x10
				flipped++
			}
			at += entryHead + size
		}
		if err := os.WriteFile(p, b, 0o600); err != nil {
			d.t.Fatal(err)
		}
	}
	return flipped
}

func TestABackupFindsAndHealsWhatIsDamagedOnItsDisk(t *testing.T) {
	t.Parallel()
	laptop, nas, phone := start(t, "laptop"), start(t, "nas"), start(t, "phone")
	for i := range 40 {
		laptop.write(fmt.Sprintf("d/%02d", i), strings.Repeat(fmt.Sprint("content ", i), 1000))
	}
	addFolder(t, laptop)
	nas.backup(laptop, "docs")
	laptop.shares(phone, entry.RoleSync)
	nas.pair(phone)
	laptop.protected()
	want := exactly(t, laptop.root)
	nas.down()
	if n := nas.flip(0, 12); n != 12 {
		t.Fatalf("%d", n)
	}
	again([]*device{laptop}, nas)
	meet(t, laptop, nas)
	if v := nas.verifies(false)[nas.id]; v.Mended != 12 || len(v.Problems) > 0 {
		t.Errorf("%+v", v)
	}
	until(t, "no condition", func() bool { return len(nas.problems()) == 0 })
	// And with no healthy copy of three of them.
	nas.down()
	if n := nas.flip(20, 3); n != 3 {
		t.Fatalf("%d", n)
	}
	laptop.down()
	again(nil, nas)
	v := nas.verifies(false)[nas.id]
	if v.Mended != 0 || len(v.Problems) != 1 || v.Problems[0].Code != "vault_damaged" || !strings.Contains(v.Problems[0].Message, "3 ") {
		t.Errorf("%+v", v)
	}
	if whole := nas.folder().Vault.Versions - 3; v.Files != whole || v.Blocks != 40-3 {
		t.Errorf("%d versions and %d blocks are called proven, of which %d are whole", v.Files, v.Blocks, whole)
	}
	if p := nas.problems(); !slices.Contains(p, "vault_damaged") {
		t.Errorf("%q", p)
	}
	phone.down()
	again([]*device{nas}, phone)
	phone.accepts(entry.RoleSync)
	until(t, "the rest on the phone", func() bool { return len(phone.below("d/")) == 37 })
	got := exactly(t, phone.root)
	maps.DeleteFunc(want, func(name, _ string) bool { _, has := got[name]; return !has })
	if d := difference(want, got); len(d) > 0 || phone.folder().NeedFiles != 3 {
		t.Errorf("%q, and %d are wanted", d, phone.folder().NeedFiles)
	}
	// The laptop comes back: everything heals by itself.
	again([]*device{nas}, laptop)
	until(t, "all of it on the phone", func() bool { return len(phone.below("d/")) == 40 })
	if v := nas.verifies(false)[nas.id]; len(v.Problems) > 0 {
		t.Errorf("%+v", v)
	}
}

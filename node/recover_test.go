package node_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kithmesh/kith/discovery/mdns"
	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node"
	"github.com/kithmesh/kith/node/config"
	"github.com/kithmesh/kith/node/control"
)

// lost is a mesh of which only a backup is left, with the words.
type lost struct {
	t      testing.TB
	laptop *device // ended
	nas    *device
	words  string
	docs   map[string]string // listings of the laptop's folders
	photos map[string]string
}

// destroyed has a laptop make two folders, with a backup of both, and words; the
// second folder and a new epoch come after the words. Then it is gone.
func destroyed(t testing.TB) *lost {
	t.Helper()
	l := &lost{t: t, laptop: start(t, "laptop"), nas: start(t, "nas")}
	l.laptop.write("a.txt", "made first")
	l.laptop.write("taxes/2025.txt", "what was paid")
	l.laptop.write("taxes/2026.txt", strings.Repeat("much ", 50_000))
	addFolder(t, l.laptop)
	l.words = l.laptop.words()
	l.nas.backup(l.laptop, "docs")
	photos := l.laptop.add("photos", map[string]string{"x/1.jpg": "one", "2.jpg": "two"})
	l.nas.backup(l.laptop, "photos")
	phone := start(t, "phone")
	phone.join(l.laptop)
	l.laptop.unshare(phone)
	phone.down()
	l.laptop.write("later.txt", "sealed with the second key")
	l.laptop.settled()
	until(t, "the backup to know that the words open all", func() bool {
		_, d := l.nas.opens(l.words, "docs")
		_, p := l.nas.opens(l.words, "photos")
		return d.Covered && d.Epochs == 2 && p.Covered
	})
	l.docs, l.photos = listing(t, l.laptop.root), listing(t, photos)
	l.laptop.down()
	return l
}

// back waits until a device has everything, byte for byte.
func (l *lost) back(d *device) {
	l.t.Helper()
	for label, want := range map[string]map[string]string{"docs": l.docs, "photos": l.photos} {
		var diff []string
		if !within(patience, func() bool { diff = difference(want, listing(l.t, d.at(label))); return len(diff) == 0 }) {
			l.t.Errorf("%s on %s: %q", label, d.name, diff)
		}
	}
}

func TestEverythingComesBackFromABlindBackupAndTheWords(t *testing.T) {
	t.Parallel()
	l := destroyed(t)
	fresh := start(t, "fresh")
	out, err := fresh.recover(control.RecoverRequest{Phrase: l.words, At: l.nas.addrs, Revoke: []string{"all"}})
	if err != nil {
		t.Fatal(err)
	}
	l.back(fresh)
	if len(out.Folders) != 2 || len(out.Left) > 0 || out.From.Name != "nas" ||
		len(out.Revoked) != 1 || out.Revoked[0] != (control.Identity{ID: l.laptop.id, Name: "laptop"}) {
		t.Errorf("%+v", out)
	}
	// It is a device like any other now, and what it writes is sealed with a
	// key that the laptop never had and the words open.
	until(t, "a third key", func() bool { _, f := fresh.opens(l.words, "docs"); return f.Covered && f.Epochs == 3 })
	if st, _ := fresh.opens(l.words, "docs"); !st.Matches || st.Created.IsZero() {
		t.Errorf("the words are not in effect on it: %+v", st)
	}
	late := fresh.add("late", nil)
	fresh.covers(l.words, "late")
	if err := os.WriteFile(filepath.Join(fresh.at("docs"), "new.txt"), []byte("new"), 0o644); err != nil {
		t.Fatal(err)
	}
	_ = late
	fresh.settled("docs", "photos")
	if n := l.nas.folder(); slices.ContainsFunc(n.Members, func(m control.MemberStatus) bool { return m.ID == l.laptop.id }) {
		t.Error("the laptop is still a member")
	}
	// What the laptop does now, in whoever's hands, goes nowhere.
	l.laptop.finds(l.nas, fresh)
	l.laptop.up()
	l.laptop.write("evil.txt", "evil")
	until(t, "the laptop to hear that it is out", func() bool { return slices.Contains(l.laptop.codes("docs"), "removed") })
	exchangeOf(t, fresh, l.nas)
	if _, err := os.Lstat(filepath.Join(fresh.at("docs"), "evil.txt")); err == nil || l.laptop.holds("new.txt", "new") {
		t.Error("a revoked device still syncs")
	}
	// And once more, from nothing.
	fresh.settled("docs", "photos")
	l.docs = listing(t, fresh.at("docs"))
	fresh.down()
	again := start(t, "again")
	if _, err := again.recover(control.RecoverRequest{Phrase: l.words, At: l.nas.addrs, Revoke: []string{"fresh"}}); err != nil {
		t.Fatal(err)
	}
	l.back(again)
}

// exchangeOf has a device write a file and its backup take it.
func exchangeOf(t testing.TB, d, nas *device) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(d.at("docs"), "probe.txt"), []byte("probe"), 0o644); err != nil {
		t.Fatal(err)
	}
	d.settled("docs")
	nas.settled("docs")
}

func TestOnlyWhatIsAskedForComesBackAndTheRestIsNamed(t *testing.T) {
	t.Parallel()
	l := destroyed(t)
	fresh := start(t, "fresh")
	for name, c := range map[string]struct {
		r    control.RecoverRequest
		want error
	}{
		"a folder that is not there":  {control.RecoverRequest{Folders: []string{"music"}}, control.ErrNoFolder},
		"a device that is not there":  {control.RecoverRequest{Revoke: []string{"tablet"}}, control.ErrNoDevice},
		"a path in another folder":    {control.RecoverRequest{Folders: []string{"photos"}, Paths: []string{"docs/taxes"}}, control.ErrNoFolder},
		"the backup itself":           {control.RecoverRequest{Revoke: []string{"nas"}}, control.ErrInvalid},
		"a place that kith has taken": {control.RecoverRequest{To: fresh.places.State}, control.ErrNested},
	} {
		c.r.Phrase, c.r.At = l.words, l.nas.addrs
		if out, err := fresh.recover(c.r); !errors.Is(err, c.want) {
			t.Errorf("%s: %+v, %v", name, out, err)
		}
	}
	if st, err := fresh.Status(t.Context(), ""); err != nil || len(st.Folders) > 0 || len(l.nas.folder().Members) != 1 {
		t.Errorf("what failed has left %+v, %v", st.Folders, err)
	}
	out, err := fresh.recover(control.RecoverRequest{Phrase: l.words, At: l.nas.addrs, Folders: []string{"photos"}})
	if err != nil || len(out.Folders) != 1 || !slices.Equal(out.Left, []string{"docs"}) || len(out.Revoked) > 0 {
		t.Fatalf("%+v, %v", out, err)
	}
	// Later all the rest, into a directory in which some of it lies.
	if err := errors.Join(os.Mkdir(fresh.at("docs"), 0o755), os.WriteFile(filepath.Join(fresh.at("docs"), "a.txt"), []byte("made first"), 0o644)); err != nil {
		t.Fatal(err)
	}
	if out, err = fresh.recover(control.RecoverRequest{Phrase: l.words, At: l.nas.addrs}); err != nil || len(out.Folders) != 2 {
		t.Fatalf("%+v, %v", out, err)
	}
	delete(l.docs, "a.txt") // its time of change differs
	until(t, "all of it", func() bool {
		got := listing(t, fresh.at("docs"))
		delete(got, "a.txt")
		return len(difference(l.docs, got)) == 0
	})
	if b, err := os.ReadFile(filepath.Join(fresh.at("docs"), "a.txt")); err != nil || string(b) != "made first" {
		t.Errorf("%q, %v", b, err)
	}
}

func TestWhatIsAskedForFirstComesFirst(t *testing.T) {
	t.Parallel()
	l := destroyed(t)
	fresh := start(t, "fresh")
	var steps []string
	_, err := fresh.Recover(t.Context(), control.RecoverRequest{
		Phrase: l.words, At: l.nas.addrs, To: fresh.root, Paths: []string{"docs/taxes"},
	}, func(what string) error { steps = append(steps, what); return nil })
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"2025.txt", "2026.txt"} {
		if _, err := os.Stat(filepath.Join(fresh.at("docs"), "taxes", name)); err != nil {
			t.Error(err)
		}
	}
	if len(steps) == 0 || !strings.Contains(steps[len(steps)-1], "the rest follows") {
		t.Errorf("%q", steps)
	}
	l.back(fresh)
}

func TestWrongWordsGetNothingAndNoConnection(t *testing.T) {
	t.Parallel()
	l := destroyed(t)
	fresh, other := start(t, "fresh"), start(t, "other")
	words := other.words()
	_, err := fresh.recover(control.RecoverRequest{Phrase: words, At: l.nas.addrs})
	if !errors.Is(err, control.ErrNotFound) || strings.Contains(fmt.Sprint(err), strings.Fields(words)[0]+" ") {
		t.Errorf("other words: %v", err)
	}
	if lines := l.nas.log.with("somebody has the recovery words"); len(lines) > 0 {
		t.Errorf("the backup let them in: %q", lines)
	}
	for _, w := range []string{"no words at all", words + " zoo", strings.Join(strings.Fields(words)[1:], " ")} {
		if _, err := fresh.recover(control.RecoverRequest{Phrase: w, At: l.nas.addrs}); !errors.Is(err, control.ErrInvalid) {
			t.Errorf("no words: %v", err)
		}
	}
	if _, err := fresh.recover(control.RecoverRequest{Phrase: words, At: []string{"/ip4/127.0.0.1/tcp/1"}}); !errors.Is(err, control.ErrNotFound) {
		t.Errorf("nobody there: %v", err)
	}
	if _, err := fresh.recover(control.RecoverRequest{Phrase: words, At: []string{"nowhere"}}); !errors.Is(err, control.ErrInvalid) {
		t.Errorf("no address: %v", err)
	}
	if _, err := fresh.recover(control.RecoverRequest{Phrase: words}); !errors.Is(err, control.ErrInvalid) {
		t.Errorf("no address, and no local network: %v", err)
	}
}

func TestEverythingComesBackByACode(t *testing.T) {
	t.Parallel()
	l := destroyed(t)
	fresh := start(t, "fresh")
	done := make(chan error, 1)
	_, err := l.nas.ShowCode(t.Context(), control.ShowCodeRequest{}, func(i control.Invitation) error {
		go func() {
			_, err := fresh.recover(control.RecoverRequest{Phrase: l.words, Code: i.Ticket, Revoke: []string{string(l.laptop.id)}})
			done <- err
		}()
		return nil
	})
	if err = errors.Join(err, <-done); err != nil {
		t.Fatal(err)
	}
	l.back(fresh)
}

// TestADeviceThatStillHasTheFilesIsAsGood as a backup, and nobody need be put
// out.
func TestADeviceThatStillHasTheFilesIsAsGood(t *testing.T) {
	t.Parallel()
	laptop, phone := start(t, "laptop"), start(t, "phone")
	laptop.write("a.txt", "a")
	addFolder(t, laptop)
	words := laptop.words()
	phone.join(laptop)
	phone.covers(words, "docs")
	until(t, "the file on the phone", func() bool { return phone.holds("a.txt", "a") })
	laptop.down()
	fresh := start(t, "fresh")
	out, err := fresh.recover(control.RecoverRequest{Phrase: words, At: phone.addrs})
	if err != nil || len(out.Revoked) > 0 {
		t.Fatal(out, err)
	}
	until(t, "the file", func() bool {
		b, err := os.ReadFile(filepath.Join(fresh.at("docs"), "a.txt"))
		return err == nil && string(b) == "a"
	})
	laptop.finds(phone, fresh)
	laptop.up()
	until(t, "the laptop to know the new device", func() bool { return laptop.counts(fresh) })
	st, err := phone.Status(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range st.Peers {
		if p.ID != laptop.id && p.ID != fresh.id {
			t.Errorf("the phone counts %s as a peer", p.ID)
		}
	}
	for _, m := range phone.folder().Members {
		if m.ID != laptop.id && m.ID != fresh.id || m.Role != entry.RoleSync {
			t.Errorf("the phone counts %+v as a member", m)
		}
	}
}

// near runs a device again, as one that finds others on the local network.
func (d *device) near() {
	d.t.Helper()
	d.down()
	settings := config.Defaults()
	settings.Name, settings.Listen, settings.MDNS, settings.LANOnly = d.name, []string{"/ip4/0.0.0.0/tcp/0"}, true, true
	ctx, cancel := context.WithCancel(context.Background())
	d.cancel = cancel
	ready := make(chan control.Ready, 1)
	go func() {
		d.ended <- node.Run(ctx, node.Options{
			Places: d.places, Settings: settings, Software: "kith test", Ready: func(r control.Ready) { ready <- r },
			Log: slog.New(slog.NewTextHandler(d.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		})
	}()
	d.addrs = (<-ready).Listen
	var err error
	if d.Client, err = control.Dial(d.t.Context(), d.places.Socket); err != nil {
		d.t.Fatal(err)
	}
}

// needMulticast skips where packets to a group do not come back.
func needMulticast(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	heard := make(chan struct{}, 1)
	var running sync.WaitGroup
	a, b := mdns.New(nil), mdns.New(nil)
	running.Go(func() { _ = a.Run(ctx) })
	running.Go(func() { _ = b.Run(ctx) })
	name := fmt.Sprintf("_kith-words-%d._udp", os.Getpid())
	b.Browse(name, nil, func(mdns.Answer) {
		select {
		case heard <- struct{}{}:
		default:
		}
	})
	a.Announce(mdns.Offer{Service: name, Instance: "probe", Port: 1, Text: func([]netip.Addr) []string { return nil }})
	works := false
	select {
	case <-heard:
		works = true
	case <-ctx.Done():
	}
	cancel()
	running.Wait()
	if !works {
		t.Skip("multicast does not work here")
	}
}

// TestABackupIsFoundOnTheLocalNetwork though the words tell nothing of it: it
// hears the announcement of who has them.
func TestABackupIsFoundOnTheLocalNetwork(t *testing.T) {
	needMulticast(t)
	l := destroyed(t)
	fresh := start(t, "fresh")
	l.nas.near()
	fresh.near()
	out, err := fresh.recover(control.RecoverRequest{Phrase: l.words, Revoke: []string{"all"}})
	if err != nil || out.From.ID != l.nas.id {
		t.Fatal(out, err)
	}
	l.back(fresh)
}

// TestADeviceThatWasPutOutComesBackByTheWords to the folder that it still has.
func TestADeviceThatWasPutOutComesBackByTheWords(t *testing.T) {
	t.Parallel()
	laptop, phone := start(t, "laptop"), start(t, "phone")
	laptop.write("a.txt", "a")
	addFolder(t, laptop)
	words := laptop.words()
	phone.join(laptop)
	phone.covers(words, "docs")
	until(t, "the file on the phone", func() bool { return phone.holds("a.txt", "a") })
	phone.unshare(laptop)
	until(t, "the laptop to hear that it is out", func() bool { return slices.Contains(laptop.codes("docs"), "removed") })
	phone.write("b.txt", "sealed with a key that the laptop does not have")
	out, err := laptop.recover(control.RecoverRequest{Phrase: words, At: phone.addrs})
	if err != nil || len(out.Folders) != 1 || out.Folders[0].Path != laptop.root {
		t.Fatal(out, err)
	}
	until(t, "what was made meanwhile", func() bool { return laptop.holds("b.txt", "sealed with a key that the laptop does not have") })
	laptop.write("c.txt", "c")
	until(t, "what is made now", func() bool { return phone.holds("c.txt", "c") })
}

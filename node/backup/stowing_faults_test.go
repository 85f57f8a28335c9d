package backup

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kithmesh/kith/node/vault/store"
)

// mute accepts connections and never answers.
func mute(t testing.TB) (address string, asked func() bool) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	var all sync.WaitGroup
	var n atomic.Int64
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				_, _ = io.Copy(io.Discard, c)
				_ = c.Close()
			})
			n.Add(1)
		}
	})
	t.Cleanup(func() { _ = l.Close(); all.Wait() })
	return l.Addr().String(), func() bool { return n.Load() > 0 }
}

// until waits for something that comes soon.
func until(t testing.TB, what string, is func() bool) {
	t.Helper()
	end := time.NewTimer(5 * time.Second)
	defer end.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !is() {
		select {
		case <-tick.C:
		case <-end.C:
			t.Fatalf("%s: it did not come", what)
		}
	}
}

// quickly fails the test if something takes more than two seconds.
func quickly(t testing.TB, what string, do func()) {
	t.Helper()
	begin := time.Now()
	do()
	if took := time.Since(begin); took > 2*time.Second {
		t.Errorf("%s took %s", what, took)
	}
}

func TestAStoreThatNeverAnswersHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	host, asked := mute(t)
	b := newBox(t, defaults())
	b.down()
	s := stowing{Address: store.Address{URL: "s3:http://" + host + "/packs", AccessKey: "a", SecretKey: "b"}, Part: "folder/device"}
	must(t, s.write(filepath.Join(b.dir, storeFile)))
	b.up()
	ben := newTeller(t, "ben")
	x := newBlock(1, 4000)
	ben.has(newRecord(1, 1, x), x)
	quickly(t, "to be told", func() { ben.join(b); until(t, "the block", func() bool { return b.holds() == 1 }) })
	until(t, "the store", asked)
	y := newBlock(2, 4000)
	ben.has(newRecord(2, 1, y), y)
	quickly(t, "to be told more", func() { until(t, "the block", func() bool { return b.holds() == 2 }) })
	quickly(t, "to read", func() { b.gives([]block{x, y}) })
	quickly(t, "to leave it", func() {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := b.SetStore(ctx, store.Address{}); err != nil {
			t.Error(err)
		}
	})
	ben.leave(b)
	quickly(t, "to stop", b.down)
}

// counting counts what is logged of a kind.
type counting struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (c *counting) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.text.Write(p)
}

func (c *counting) has(text string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return strings.Count(c.text.String(), text)
}

// upWith is up with a log.
func (b *box) upWith(log *slog.Logger) {
	b.t.Helper()
	k, err := Open(Options{ID: testFolder, Dir: b.dir, Settings: b.set, Clock: b.clock, Log: log})
	must(b.t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- k.Run(ctx) }()
	b.Keeper, b.end = k, func() {
		cancel()
		must(b.t, errors.Join(<-ended, k.Close()))
	}
}

// TestABackupThatBeginsAnewDoesNotMeetItsOldPacks is about a disk that was lost,
// or a folder that was left and taken up again: the store has packs of a vault
// of this device and folder that was another.
func TestABackupThatBeginsAnewDoesNotMeetItsOldPacks(t *testing.T) {
	in(t, func(t *testing.T) {
		dir := t.TempDir()
		b, _ := backedUp(t, 20)
		must(t, b.SetStore(t.Context(), store.Address{URL: dir}))
		pass(time.Second)
		old := files(t, dir, ".blocks")
		b.down()
		must(t, os.RemoveAll(b.dir))
		must(t, os.Mkdir(b.dir, 0o700))
		log := &counting{}
		b.upWith(slog.New(slog.NewTextHandler(log, nil)))
		ben := newTeller(t, "ben")
		var all []block
		for i := range uint64(10) {
			x := newBlock(1000+i, 4000)
			all = append(all, x)
			ben.has(newRecord(1000+i, 1, x), x)
		}
		ben.join(b)
		pass(time.Second)
		err := b.SetStore(t.Context(), store.Address{URL: dir}) // it is refused, or does what it says
		pass(2 * time.Hour)
		if st := b.Status().Store; err == nil && (st.Failed != nil || st.Waiting > 1000) {
			t.Errorf("%+v", st)
		}
		if n := log.has("rebuilt the index"); n > 2 {
			t.Errorf("the index was rebuilt %d times", n)
		}
		late := newBlock(2000, 4000)
		ben.has(newRecord(2000, 1, late), late)
		pass(time.Minute)
		b.gives(append(all, late))
		if b.holds() != 11 || b.Status().Totals.Damaged != 0 {
			t.Errorf("it holds %d versions: %+v", b.holds(), b.Status().Totals)
		}
		for _, path := range old {
			if _, err := os.Stat(path); err != nil {
				t.Error(err)
			}
		}
	})
}

// TestADirectoryThatWasSetBackAndWentAnotherWayIsStowed is about a disk that was
// set back: what comes then takes numbers of packs that the store has already.
func TestADirectoryThatWasSetBackAndWentAnotherWayIsStowed(t *testing.T) {
	in(t, func(t *testing.T) {
		dir := t.TempDir()
		b, all := backedUp(t, 20)
		must(t, b.SetStore(t.Context(), store.Address{URL: dir}))
		pass(time.Second)
		b.down()
		old := filepath.Join(t.TempDir(), "copy")
		must(t, os.CopyFS(old, os.DirFS(b.dir)))
		b.up()
		ben, cleo := newTeller(t, "ben"), newTeller(t, "cleo")
		x, y := newBlock(1000, 4000), newBlock(2000, 5000)
		ben.has(newRecord(1000, 1, x), x)
		ben.join(b)
		pass(2 * time.Hour)
		ben.leave(b)
		b.down()
		must(t, os.RemoveAll(b.dir))
		must(t, os.CopyFS(b.dir, os.DirFS(old)))
		log := &counting{}
		b.upWith(slog.New(slog.NewTextHandler(log, nil)))
		cleo.has(newRecord(2000, 1, y), y)
		cleo.join(b)
		pass(3 * time.Hour)
		b.gives(append(all, y))
		if n := log.has("rebuilt the index"); n > 2 {
			t.Errorf("the index was rebuilt %d times", n)
		}
		if st := b.Status().Store; st.Failed != nil || st.Waiting > 1000 {
			t.Errorf("%+v", st)
		}
		ben.join(b)
		pass(time.Hour)
		b.gives([]block{x})
	})
}

func TestNothingTellsTheKeysOfABucket(t *testing.T) {
	t.Parallel()
	const secret = "wJalrXUtnFEMI-not-to-be-told"
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { http.Error(w, "no", http.StatusForbidden) }))
	t.Cleanup(server.Close)
	b := newBox(t, defaults())
	for _, url := range []string{"s3:" + server.URL + "/packs", "s3:https://u:" + secret + "@host/packs", "s3:" + server.URL + "/packs?key=" + secret} {
		err := b.SetStore(t.Context(), store.Address{URL: url, AccessKey: "AKIAEXAMPLE", SecretKey: secret})
		if err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("%v", err)
		}
	}
}

func TestAStoreThatIsRefusedIsNotRemembered(t *testing.T) {
	in(t, func(t *testing.T) {
		first, second := t.TempDir(), t.TempDir()
		b, all := backedUp(t, 20)
		must(t, b.SetStore(t.Context(), store.Address{URL: first}))
		pass(time.Second)
		b.down()
		must(t, os.Remove(filepath.Join(b.dir, storeFile))) // a person has removed it
		b.up()
		if err := b.SetStore(t.Context(), store.Address{URL: second}); err == nil {
			t.Error("a store in which nothing of the vault lies was taken")
		}
		b.down()
		b.up()
		if at := b.StoreAddress(); at.URL != "" {
			t.Errorf("it is remembered: %s", at.URL)
		}
		must(t, b.SetStore(t.Context(), store.Address{URL: first}))
		b.gives(all)
		if n := b.Status().Totals.Damaged; n != 0 {
			t.Errorf("%d damages", n)
		}
	})
}

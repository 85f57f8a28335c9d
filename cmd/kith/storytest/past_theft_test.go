package storytest

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

// theft is a phone that is no longer its owner's: it is a member, has the keys
// of the folder, and may say whatever it likes to the laptop and the nas.
type theft struct {
	*trio
	before []moment // what the owner wants back
	quota  int64
}

// newTheft lets there be some good days before.
func newTheft(t *testing.T) *theft {
	t.Helper()
	s := &theft{trio: newTrio(t)}
	copyTree(t, goSource(t), s.laptop.files, size(120, 2000))
	oddities(t, s.laptop.files)
	writeNoise(t, chance(t, "photo"), s.laptop.at("photos/1.jpg"), int64(size(1<<20, 32<<20)))
	s.begin((*device).start)
	meet(s.phone, s.nas)
	s.before = append(s.before, s.settle())
	write(t, s.laptop.at("photos/about"), "the lake, in summer")
	write(t, s.phone.at("odd/run.sh"), "#!/bin/sh\necho from the phone\n")
	s.before = append(s.before, s.settle())
	s.quota = s.nas.packs() + int64(size(3<<20, 32<<20))
	s.nas.do(nil, "retention", label, "--quota", strconv.FormatInt(s.quota, 10))
	return s
}

// packs is how many bytes the packs of the nas have, and disk all that its
// vault takes up.
func (d *device) packs() (bytes int64) { return d.bytesIn(filepath.Join(d.vault(), "packs")) }
func (d *device) disk() (bytes int64)  { return d.bytesIn(d.vault()) }

func (d *device) bytesIn(dir string) (bytes int64) {
	d.t.Helper()
	err := filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		info, err := e.Info()
		bytes += info.Size()
		return err
	})
	if err != nil {
		d.t.Fatal(err)
	}
	return bytes
}

// destroy deletes all that the phone has.
func (s *theft) destroy() {
	s.t.Helper()
	entries, err := os.ReadDir(s.phone.files)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name() == ".kith" {
			continue
		}
		if err := os.RemoveAll(s.phone.at(e.Name())); err != nil {
			s.t.Fatal(err)
		}
	}
	s.taken()
}

// rewrite puts something else at each path that there was, with times of long
// ago and far ahead.
func (s *theft) rewrite() {
	s.t.Helper()
	r := chance(s.t, "what the thief writes")
	times := []time.Time{time.Unix(0, 0), time.Date(2261, 1, 1, 0, 0, 0, 0, time.UTC), time.Now()}
	for p, i := range s.before[0].tree {
		if i.kind == fs.ModeDir {
			continue
		}
		write(s.t, s.phone.at(p), string(noise(r, 100)))
		at := times[r.IntN(len(times))]
		if err := os.Chtimes(s.phone.at(p), at, at); err != nil {
			s.t.Fatal(err)
		}
	}
	s.taken()
}

// taken waits until the nas has taken in what the phone has, if it can.
func (s *theft) taken() {
	s.t.Helper()
	if a := s.phone.ask("wait", label, "--for", "protected", "--timeout", "60s"); a.code != 0 {
		s.t.Fatalf("%s: exit code %d: %s", a.command, a.code, a.err)
	}
}

// flood writes little things until the nas takes no more.
func (s *theft) flood() (files int) {
	s.t.Helper()
	r := chance(s.t, "the flood")
	for end := time.Now().Add(5 * time.Minute); time.Now().Before(end); {
		for range 100 {
			write(s.t, s.phone.at(fmt.Sprintf("flood %d/%d", files/1000, files)), string(noise(r, 1+r.IntN(size(6000, 30_000)))))
			files++
		}
		s.phone.ask("scan", label)
		if s.nas.complains("vault_full") {
			return files
		}
	}
	s.t.Fatalf("the nas is not full after %d files: %d bytes of %d", files, s.nas.packs(), s.quota)
	return 0
}

// complains tells whether the device has a condition, which a person is to look
// at.
func (d *device) complains(code string) bool {
	d.t.Helper()
	a := d.ask("status")
	var s status
	a.decode(d.t, &s)
	for _, f := range s.Folders {
		for _, p := range f.Problems {
			if p.Code == code {
				if a.code != 3 {
					d.t.Errorf("%s: exit code %d although it says %q", a.command, a.code, p.Message)
				}
				return true
			}
		}
	}
	return false
}

func TestWhatAThiefWithTheKeysDoesIsUndoneFromABlindReplica(t *testing.T) {
	t.Parallel()
	s := newTheft(t)
	s.destroy()
	s.rewrite()
	if len(s.laptop.batches()) == 0 {
		t.Error("the laptop holds nothing of what the thief did")
	}
	s.stays(func(i item) bool { return i.kind == 0 && i.size > 0 }) // what there is of content
	// What rules the vault of the nas is set on the nas alone.
	s.phone.do(nil, "retention", label, "--keep-last", "1", "--keep-within", "0", "--minimum-hold", "0", "--history", "on")
	s.phone.do(nil, "prune", label)
	files := s.flood()
	if used := s.nas.packs(); used > s.quota {
		t.Errorf("the nas keeps %d bytes, and its quota is %d", used, s.quota)
	}
	t.Logf("the nas was full after %d files more: %d bytes of packs of %d, %d on its disk", files, s.nas.packs(), s.quota, s.nas.disk())
	eventually(t, "the laptop to show that the nas is full", patience, func() error {
		if !s.laptop.complains("vault_full") {
			return fmt.Errorf("it says %+v", s.laptop.folder().Problems)
		}
		return nil
	})
	s.laptop.do(nil, "unshare", label, s.phone.name)
	s.phone.kill()
	s.nas.do(nil, "prune", label)
	if used := s.nas.packs(); used > s.quota {
		t.Errorf("the nas keeps %d bytes, and its quota is %d", used, s.quota)
	}
	for i, m := range s.before {
		s.listed(s.laptop, m)
		s.comesBack(s.laptop, m, filepath.Join(s.laptop.base(), fmt.Sprintf("restored %d", i)))
	}
	s.nas.restarts(t)
	s.connected(s.nas)
	s.comesBack(s.laptop, s.before[1], filepath.Join(s.laptop.base(), "restored again"))
	s.goesOn()
}

// stays demands that the laptop has what it had, as far as it counts, with
// whatever came since.
func (s *theft) stays(counts func(item) bool) {
	s.t.Helper()
	want, now := tree{}, look(s.t, s.laptop.files)
	for p, i := range s.before[1].tree {
		if counts(i) {
			want[p] = i
		}
	}
	for p := range now {
		if _, was := want[p]; !was {
			delete(now, p)
		}
	}
	if diff := want.differences(now); diff != "" {
		s.t.Errorf("the laptop has lost some of what it had, other is what it has now:\n%s", diff)
	}
}

// restarts ends the device in order, and starts it.
func (d *device) restarts(t *testing.T) {
	t.Helper()
	d.stop()
	d.start()
}

// goesOn has the owner give the folder back in place and make room on the nas.
// Then all is well again.
func (s *theft) goesOn() {
	s.t.Helper()
	s.nas.do(nil, "retention", label, "--quota", "none")
	for _, b := range s.laptop.batches() {
		s.laptop.do(nil, "reject", b)
	}
	s.laptop.wait(time.Minute)
	a := s.laptop.ask("restore", label, "--at", s.before[1].then(), "--from", s.nas.ready.Device, "--overwrite", "always")
	if a.code != 0 {
		s.t.Errorf("%s: exit code %d: %s%s", a.command, a.code, a.out, a.err)
	}
	s.laptop.do(nil, "wait", label, "--for", "protected", "--timeout", "2m")
	s.stays(func(item) bool { return true })
	eventually(s.t, "the laptop to be content", patience, func() error {
		if s.laptop.complains("vault_full") {
			return fmt.Errorf("it says %+v", s.laptop.folder().Problems)
		}
		return nil
	})
}

// batches are those that the device holds.
func (d *device) batches() (ids []string) {
	d.t.Helper()
	var h struct{ Held []struct{ Batch string } }
	d.do(&h, "held")
	for _, b := range h.Held {
		ids = append(ids, b.Batch)
	}
	return ids
}

// TestForgedClocksChangeNothingOfWhatABlindReplicaKeeps has the thief claim to
// live in other years. What counts for the past is the clock of the nas alone.
func TestForgedClocksChangeNothingOfWhatABlindReplicaKeeps(t *testing.T) {
	if !*full {
		t.Skip("takes a program that is built for it: -full")
	}
	t.Parallel()
	clocked := clocked(t)
	h := newHistoryOf(newTrio(t, noBrake()...), func(d *device) { d.startAhead(clocked, 0) })
	for _, years := range []int{30, -50, 200, 0} {
		h.phone.kill()
		h.phone.startAhead(clocked, time.Duration(years)*365*24*time.Hour)
		h.connected(h.phone, h.nas)
		for range 4 {
			h.work(10, true)
			h.moments = append(h.moments, h.settle())
		}
		write(t, h.laptop.at(shared+"/from before"), fmt.Sprintf("the laptop has its say, %d", years))
		m := h.settle()
		h.moments = append(h.moments, m)
		if got := m.tree[shared+"/from before"]; got.size == 0 || has(h.phone.at(shared+"/from before"), fmt.Sprintf("the laptop has its say, %d", years)) != nil {
			t.Errorf("after %d years an edit of the laptop is not what all have", years)
		}
	}
	h.nas.do(nil, "prune", label)
	h.laptop.do(nil, "unshare", label, h.phone.name)
	h.phone.kill()
	for i, m := range h.moments {
		h.comesBack(h.laptop, m, filepath.Join(h.laptop.base(), fmt.Sprintf("restored %d", i)))
		h.listed(h.laptop, m)
	}
	verified(t, h.laptop)
	verified(t, h.nas)
}

package index

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"hash/fnv"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
)

// FuzzRow parses what claims to be a row. The checksum is set right, so that
// the fuzzer gets beyond it.
func FuzzRow(f *testing.F) {
	for _, s := range []string{goldenOne, goldenMany, goldenPlain, goldenDirectory, goldenSymlink, goldenDeleted, goldenUnknown, goldenAbsent, goldenUnseen, goldenLocal} {
		row, err := hex.DecodeString(s)
		must(f, err)
		f.Add([]byte("d\x00one"), row)
		f.Add([]byte("d\x00one"), row[:len(row)-1])
	}
	f.Fuzz(func(t *testing.T, key, row []byte) {
		c := memoryCodec()
		_, _ = c.replicas.code(0xabcd)
		_, _ = c.authors.code("phone")
		if len(row) >= headerSize {
			sumHeader(row, key)
		}
		e, n, err := c.parse(key, row)
		if err != nil {
			if !errors.Is(err, errRow) {
				t.Fatal(err)
			}
			return
		}
		again, err := c.append(nil, key, e, n)
		must(t, err)
		back, m, err := c.parse(key, again)
		if err != nil || m != n || !reflect.DeepEqual(back, e) {
			t.Fatalf("%+v comes back as %+v, %v", e, back, err)
		}
	})
}

func FuzzSegment(f *testing.F) {
	f.Add(uint64(5), uint64(1), []byte{0, 2, 0, 14, 1, 15})
	f.Add(uint64(0), uint64(0), []byte{0, 0})
	f.Add(uint64(0), uint64(0), []byte{0, 0, 0, 0})
	f.Add(^uint64(0), ^uint64(0), []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 1})
	f.Fuzz(func(t *testing.T, a, b uint64, row []byte) {
		key := pair{a, b}
		pairs, err := parseSegment(nil, key, row)
		if err != nil {
			return
		}
		for i, p := range pairs {
			if order := key.compare(p); order > 0 || order == 0 && i > 0 {
				t.Fatalf("%v after %v", p, key)
			}
			key = p
		}
		key = pair{a, b}
		back, err := parseSegment(nil, key, appendSegment(nil, key, pairs))
		if err != nil || !slices.Equal(back, pairs) {
			t.Fatalf("%v comes back as %v, %v", pairs, back, err)
		}
	})
}

// FuzzCheckFile changes an index, of this format or of the first, and asks of the check that it ends, and of
// bolt that it can be used with what passed. The checksums of the first two
// pages are set right, so that the fuzzer gets beyond them.
func FuzzCheckFile(f *testing.F) {
	old, now := readFormat(f, format1), readFormat(f, format2)
	for _, upgrade := range []bool{false, true} {
		f.Add(uint32(0), []byte{}, upgrade)
		f.Add(uint32(4096*3+10), []byte{0xff, 0xff}, upgrade)
		f.Add(uint32(40), []byte{9}, upgrade)
		f.Add(uint32(len(old)-20), []byte{1, 2, 3}, upgrade)
	}
	f.Fuzz(func(t *testing.T, at uint32, patch []byte, upgrade bool) {
		bad := slices.Clone(now)
		if upgrade {
			bad = slices.Clone(old)
		}
		copy(bad[min(int(at), len(bad)):], patch)
		sumMeta(bad[:4096])
		sumMeta(bad[4096:8192])
		if _, err := checkFile(bytes.NewReader(bad), int64(len(bad))); err != nil {
			if !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrVersion) {
				t.Fatal(err)
			}
			return
		}
		useChecked(t, bad)
	})
}

// sumMeta sets the checksum of one of the first two pages.
func sumMeta(page []byte) {
	h := fnv.New64a()
	_, _ = h.Write(page[pageHeader : pageHeader+56])
	binary.NativeEndian.PutUint64(page[pageHeader+56:], h.Sum64())
}

// useChecked opens and changes an index that passed the check.
func useChecked(t *testing.T, data []byte) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "index.db")
	must(t, os.WriteFile(path, data, 0o600))
	db, err := Open(path)
	if err != nil {
		t.Fatalf("passed the check, but: %v", err)
	}
	must(t, db.Update(func(tx *Tx) error {
		for _, id := range tx.Folders() {
			f, err := tx.Folder(id)
			if err != nil {
				return err
			}
			for e, err := range f.Since(0) {
				if err != nil {
					return err
				}
				e.Disk.Inode++
				if err := f.Touch(e); err != nil && !(e.Absent && errors.Is(err, ErrStale)) {
					return err
				}
				if err := f.SetLocal(e.Path, e); err != nil {
					return err
				}
			}
		}
		return nil
	}))
	must(t, db.Close())
}

package index

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"go.etcd.io/bbolt"
)

func TestRowsReadsWhatBboltWroteAndNoticesDamage(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	bolt, err := bbolt.Open(path, 0o600, nil)
	must(t, err)
	want := map[string]string{}
	must(t, bolt.Update(func(tx *bbolt.Tx) error {
		for _, name := range []string{"a", "b"} {
			b, err := tx.CreateBucket([]byte(name))
			if err != nil {
				return err
			}
			for i := range 2000 {
				key := fmt.Sprintf("%06d", i)
				want[name+key] = key
				if err := b.Put([]byte(key), []byte(key)); err != nil {
					return err
				}
			}
		}
		return nil
	}))
	must(t, bolt.Close())
	data, err := os.ReadFile(path)
	must(t, err)
	read := func(data []byte) (map[string]string, error) {
		got := map[string]string{}
		err := Rows(bytes.NewReader(data), int64(len(data)), func(bucket string, key, value []byte) error {
			got[bucket+string(key)] = string(value)
			return nil
		})
		return got, err
	}
	got, err := read(data)
	must(t, err)
	if len(got) != len(want) {
		t.Errorf("%d rows instead of %d", len(got), len(want))
	}
	for k, v := range want {
		if got[k] != v {
			t.Fatalf("row %q is %q", k, got[k])
		}
	}
	stop := errors.New("stop")
	if err := Rows(bytes.NewReader(data), int64(len(data)), func(string, []byte, []byte) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("Rows: %v", err)
	}
	for page := 2 * 4096; page < len(data); page += 4096 {
		bad := bytes.Clone(data)
		bad[page] ^= 1 // the number of the page
		if got, err := read(bad); err == nil && len(got) != len(want) {
			t.Errorf("page %d: %d rows and no error", page/4096, len(got))
		} else if err != nil && !errors.Is(err, ErrDamaged) {
			t.Errorf("page %d: %v", page/4096, err)
		}
	}
	if _, err := read(data[:len(data)/2]); !errors.Is(err, ErrDamaged) {
		t.Errorf("half of it: %v", err)
	}
}

package backup

import (
	"bytes"
	"errors"
	"testing"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/vault"
)

func TestASlabKeepsWhatItWasGiven(t *testing.T) {
	var s slab
	var kept [][]byte
	for i := range 5000 {
		b := bytes.Repeat([]byte{byte(i)}, 1+i*37%(slabSize/4))
		kept = append(kept, s.keep(b))
		clear(b)
	}
	for i, b := range kept {
		if want := bytes.Repeat([]byte{byte(i)}, 1+i*37%(slabSize/4)); !bytes.Equal(b, want) {
			t.Fatalf("copy %d has changed", i)
		}
		if cap(b) != len(b) && len(b) <= slabSize/8 {
			t.Fatalf("to append to copy %d would write over the next one", i)
		}
	}
}

func TestWhatCouldNotBeStoredIsSaidAtTheNextTimeOrTheEnd(t *testing.T) {
	v, err := vault.Open(vault.Options{Dir: t.TempDir(), Folder: entry.FolderID{1}, Quota: 64 << 10})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := v.Close(); err != nil {
			t.Error(err)
		}
	}()
	block := func(n byte, size int) []vault.Block {
		return []vault.Block{{ID: entry.BlockID{n}, Epoch: 1, Sealed: bytes.Repeat([]byte{n}, size)}}
	}
	w := writeBehind{vault: v}
	if err := errors.Join(w.store(t.Context(), block(1, 100)), w.wait()); err != nil {
		t.Fatal(err)
	}
	if err := w.store(t.Context(), block(2, 1<<20)); err != nil {
		t.Fatalf("nothing was stored before: %v", err)
	}
	if err := w.store(t.Context(), block(3, 100)); !errors.Is(err, errFull) {
		t.Errorf("the next time it says %v", err)
	}
	if err := w.wait(); err != nil {
		t.Errorf("it says so twice: %v", err)
	}
	if err := w.store(t.Context(), block(4, 1<<20)); err != nil {
		t.Fatal(err)
	}
	if err := w.wait(); !errors.Is(err, errFull) {
		t.Errorf("at the end it says %v", err)
	}
	held, err := v.HasBlocks([]entry.BlockID{{1}, {2}, {3}, {4}})
	if err != nil || !held[0] || held[1] || held[2] || held[3] {
		t.Errorf("held: %v, %v", held, err)
	}
}

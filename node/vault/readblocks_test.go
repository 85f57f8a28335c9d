package vault

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/kithmesh/kith/index/entry"
)

// many is a vault of blocks of many sizes, in several packs, and their IDs.
func many(t *testing.T) (v *Vault, held map[entry.BlockID][]byte, ids []entry.BlockID) {
	t.Helper()
	v = testVault(t, t.TempDir(), newClock())
	held = map[entry.BlockID][]byte{}
	for n := range uint64(300) {
		size := 100 + int(n*n)%3000
		if n%50 == 0 {
			size = readBytes/2 + int(n)
		}
		b := testBlock(n, size, anna)
		must(t, v.PutBlocks(t.Context(), []Block{b}))
		held[b.ID] = b.Sealed
		ids = append(ids, b.ID)
	}
	return v, held, ids
}

func TestEachBlockIsGivenInTheOrderInWhichItWasAskedFor(t *testing.T) {
	v, held, ids := many(t)
	for n := range uint64(100) {
		ids = append(ids, testBlock(1000+n, 1, anna).ID, ids[n]) // one that is not there, and one again
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 5 {
		r.Shuffle(len(ids), func(i, j int) { ids[i], ids[j] = ids[j], ids[i] })
		next := 0
		must(t, v.EachBlock(t.Context(), ids, func(i int, sealed []byte) error {
			if i != next || !bytes.Equal(sealed, held[ids[i]]) || (sealed == nil) != (held[ids[i]] == nil) {
				t.Fatalf("%d instead of %d: %d bytes instead of %d", i, next, len(sealed), len(held[ids[i]]))
			}
			next++
			return nil
		}))
		equal(t, "how many were given", next, len(ids))
	}
	must(t, v.EachBlock(t.Context(), nil, func(int, []byte) error { return errors.New("of nothing") }))
}

// TestABlockThatIsDamagedIsNotGiven: it is noted, another form of it is given if
// there is one, and those around it are as they were.
func TestABlockThatIsDamagedIsNotGiven(t *testing.T) {
	v, held, ids := many(t)
	lost, other := ids[20], ids[21]
	second := testBlock(5000, 700, ben)
	second.ID = other
	must(t, v.PutBlocks(t.Context(), []Block{second}))
	for _, id := range []entry.BlockID{lost, other} {
		damageFirst(t, v, id)
	}
	held[lost], held[other] = nil, second.Sealed
	must(t, v.EachBlock(t.Context(), ids, func(i int, sealed []byte) error {
		if !bytes.Equal(sealed, held[ids[i]]) {
			t.Errorf("block %d is of %d bytes instead of %d", i, len(sealed), len(held[ids[i]]))
		}
		return nil
	}))
	totals, err := v.Totals()
	must(t, err)
	equal(t, "what is noted as damaged", totals.Damaged, int64(2))
}

// damageFirst writes over the bytes of the form of a block that came first.
func damageFirst(t *testing.T, v *Vault, id entry.BlockID) {
	t.Helper()
	var at location
	must(t, v.view(func(tt *tables) error {
		vs, err := tt.variants(id[:])
		at = vs[0].at
		return err
	}))
	f, err := os.OpenFile(packPath(v.packDir, at.pack, classBlocks), os.O_WRONLY, 0)
	must(t, err)
	_, err = f.WriteAt([]byte("damage"), int64(at.offset)+headSize+10)
	must(t, errors.Join(err, f.Close()))
}

func TestReadingBlocksEndsWithItsTakerOrItsContext(t *testing.T) {
	v, _, ids := many(t)
	enough := errors.New("enough")
	n := 0
	err := v.EachBlock(t.Context(), ids, func(int, []byte) error {
		if n++; n == 3 {
			return enough
		}
		return nil
	})
	if err != enough || n != 3 { //nolint:errorlint // as it is
		t.Errorf("after %d it ended with %v", n, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	err = v.EachBlock(ctx, ids, func(int, []byte) error { cancel(); return nil })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("it ended with %v", err)
	}
}

package epochs_test

import (
	"errors"
	"maps"
	"testing"

	"pgregory.net/rapid"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/roster"
	"github.com/kithmesh/kith/node/epochs"
	"github.com/kithmesh/kith/protocol/seal"
)

type keys = map[entry.Epoch]seal.FolderKey

// named is a key and its epoch.
func named(generation int, first byte) (entry.Epoch, seal.FolderKey) {
	k := seal.FolderKey{first, 31: 1}
	return epochs.Name(generation, k), k
}

// What is stored under a name must be found under it for ever.
func TestAnEpochIsNamedAfterItsKeyForEver(t *testing.T) {
	for _, c := range []struct {
		generation int
		first      byte
		want       entry.Epoch
	}{{0, 0, 0x13ec1}, {1, 0, 0x113ec1}, {1, 7, 0x18bbdd}, {4095, 7, 0xfff8bbdd}} {
		if e, _ := named(c.generation, c.first); e != c.want {
			t.Errorf("generation %d of key %d is %#x, not %#x", c.generation, c.first, e, c.want)
		}
	}
}

func TestOnlyRemovalsMakeAGeneration(t *testing.T) {
	all := []roster.Statement{{Kind: roster.Admit}, {Kind: roster.Revoke}, {Kind: roster.Recover}, {Kind: roster.Revoke}}
	if n := epochs.Removals(all); n != 2 {
		t.Errorf("%d removals", n)
	}
}

func TestAKeyBeginsOnceAfterEachRemoval(t *testing.T) {
	founding := keys{epochs.Founding: {9}}
	same, e, err := epochs.Begin(founding, 0)
	if e != 0 || err != nil || len(same) != 1 {
		t.Fatalf("before any removal: %#x, %v", e, err)
	}
	two, e, err := epochs.Begin(founding, 1)
	if err != nil || epochs.Generation(e) != 1 || len(two) != 2 || len(founding) != 1 || epochs.Newest(two) != e {
		t.Fatalf("after one: %#x, %v", e, err)
	}
	if _, e, _ := epochs.Begin(two, 1); e != 0 {
		t.Error("once more without another removal")
	}
	// Removals that were not known of one by one make one generation.
	three, e, err := epochs.Begin(two, 5)
	if err != nil || epochs.Generation(e) != 5 || len(three) != 3 || epochs.Lacks(three, 5) || !epochs.Lacks(three, 6) {
		t.Errorf("after five: %#x, %v", e, err)
	}
	if none, e, err := epochs.Begin(keys{}, 3); len(none) > 0 || e != 0 || err != nil {
		t.Errorf("who has no key began one: %#x, %v", e, err)
	}
	if _, _, err := epochs.Begin(founding, 4096); !errors.Is(err, epochs.ErrMany) {
		t.Errorf("after more removals than can be counted: %v", err)
	}
	full := keys{}
	for i := range entry.Epoch(epochs.MaxKeys) {
		full[i+1] = seal.FolderKey{1}
	}
	if _, _, err := epochs.Begin(full, 1); !errors.Is(err, epochs.ErrMany) {
		t.Errorf("more than a folder may have: %v", err)
	}
}

func TestAKeyThatAFolderCannotHaveIsRefused(t *testing.T) {
	founding := keys{epochs.Founding: {9}}
	e1, k1 := named(1, 1)
	e2, k2 := named(2, 2)
	for name, c := range map[string]struct {
		known    keys
		e        entry.Epoch
		key      seal.FolderKey
		removals int
		want     error
	}{
		"a key as it should be":   {founding, e1, k1, 1, nil},
		"another founding key":    {founding, 1, k1, 1, epochs.ErrName},
		"a key of generation 0":   {founding, epochs.Name(0, k1), k1, 1, epochs.ErrName},
		"the name of another key": {founding, e1, k2, 2, epochs.ErrName},
		"before its removal":      {founding, e2, k2, 1, epochs.ErrRemoval},
		"what is known already":   {keys{1: {9}, e1: k1}, e1, k1, 1, epochs.ErrName},
		"nothing to follow":       {keys{}, e1, k1, 1, epochs.ErrMany},
	} {
		if err := epochs.Follows(c.known, c.e, c.key, c.removals); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Whatever is offered, what is taken are keys that fit, each under its name.
func TestWhatIsSoundFits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		removals := rapid.IntRange(0, 4).Draw(t, "removals")
		offered := keys{}
		for range rapid.IntRange(0, 8).Draw(t, "keys") {
			e, k := named(rapid.IntRange(0, 5).Draw(t, "generation"), rapid.Byte().Draw(t, "key"))
			e ^= entry.Epoch(rapid.SampledFrom([]uint32{0, 0, 0, 1}).Draw(t, "lie"))
			offered[e] = k
		}
		first := rapid.Bool().Draw(t, "founding")
		if first {
			offered[epochs.Founding] = seal.FolderKey{1}
		}
		before := maps.Clone(offered)
		got := epochs.Sound(offered, removals)
		if !maps.Equal(before, offered) {
			t.Fatal("what was offered has changed")
		}
		for e, k := range got {
			if offered[e] != k || !epochs.Fits(e, k, removals) {
				t.Fatalf("%#x does not fit %d removals", e, removals)
			}
		}
		for e, k := range offered {
			if _, taken := got[e]; !taken && first && epochs.Fits(e, k, removals) {
				t.Fatalf("%#x fits, and is not taken", e)
			}
		}
		if !first && len(got) > 0 {
			t.Fatal("keys without the founding one")
		}
	})
}

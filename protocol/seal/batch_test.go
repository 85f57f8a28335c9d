package seal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/version"
)

// opened are the entries of a batch of which none is refused.
func opened(t testing.TB, k *Keys, sealed []byte) []*entry.Entry {
	t.Helper()
	all, err := k.OpenBatch(sealed)
	if err != nil {
		t.Fatal(err)
	}
	out := make([]*entry.Entry, len(all))
	for i := range all {
		if all[i].Err != nil {
			t.Fatal(all[i].Err)
		}
		out[i] = &all[i].Entry
	}
	return out
}

// everyKind are valid entries in a fixed order, among them deletes of what
// others hold, of what deletes before them removed, and of what nobody knows.
func everyKind(k *Keys) []*entry.Entry {
	named := entries(k)
	var out []*entry.Entry
	for _, name := range slices.Sorted(maps.Keys(named)) {
		out = append(out, named[name])
	}
	for i, path := range []entry.Path{"old/1", "old/2", "old/3", "old/4", "old/5", "old/6"} {
		e := *named["delete"]
		e.Path = path
		e.Version = e.Version.Next(3, uint64(i)+7, 1)
		switch i {
		case 0, 1:
			e.Gone = named["file"].Digest()
		case 2:
			e.Gone = named["symlink"].Digest()
		case 3, 4:
			e.Gone = entry.Digest{9, 15: 9}
		case 5: // as in "delete"
		}
		out = append(out, &e)
	}
	return out
}

func reversed(all []*entry.Entry) []*entry.Entry {
	out := slices.Clone(all)
	slices.Reverse(out)
	return out
}

func TestABatchOpensToItsEntriesInOrder(t *testing.T) {
	k := derive(t, 1, 4, 1)
	all := everyKind(k)
	for name, want := range map[string][]*entry.Entry{
		"all": all, "one": all[:1], "backwards": reversed(all), "the same twice": {all[0], all[0]},
	} {
		local := make([]*entry.Entry, len(want))
		for i, e := range want {
			l := *e
			l.Sequence, l.Disk = 9, entry.Disk{Inode: 5, ChangeTime: 6}
			local[i] = &l
		}
		sealed := sealedBatch(t, k, local)
		if got := opened(t, k, sealed); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: other entries, or in another order", name)
		}
		if again := sealedBatch(t, k, want); !bytes.Equal(again, sealed) {
			t.Errorf("%s: sealed again it is another batch", name)
		}
	}
	for _, e := range all {
		if got := opened(t, k, sealedBatch(t, k, []*entry.Entry{e})); !reflect.DeepEqual(got[0], e) {
			t.Errorf("sealed %+v, opened %+v", e, got[0])
		}
	}
}

func TestARenameRefersToItsOwnBatch(t *testing.T) {
	all := everyKind(derive(t, 1, 4, 1))
	_, noise := batchInside(all)
	digests := 0
	for _, e := range all {
		if e.Kind == entry.Deleted && bytes.Contains(noise, e.Gone[:]) && e.Gone != (entry.Digest{}) {
			digests++
		}
	}
	// Those of "delete" and old/6, and those of old/4 and old/5, are told once.
	if digests != 4 || bytes.Count(noise, []byte{9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9}) != 1 {
		t.Errorf("%d digests are told", digests)
	}
}

func TestTheReferencesOfARenameRunOn(t *testing.T) {
	files := library(50, inDirectory("new"))
	for i, e := range files {
		if i%3 > 0 { // of equal content, here and there
			e.Size, e.Blocks = files[0].Size, files[0].Blocks
		}
	}
	columns, _ := batchInside(slices.Concat(files, deletes(files)))
	if want := bytes.Repeat([]byte{goneRef}, len(files)); !bytes.HasSuffix(columns, want) {
		t.Errorf("they are %d", columns[len(columns)-len(files):])
	}
}

func TestAnyValidEntriesSurviveInABatch(t *testing.T) {
	k := derive(t, 1, 1, 1)
	rapid.Check(t, func(t *rapid.T) {
		drawn := rapid.SliceOfN(anyEntry, 1, 12).Draw(t, "entries")
		want := make([]*entry.Entry, len(drawn))
		for i := range drawn {
			e := &drawn[i]
			if e.Kind == entry.Deleted && rapid.Bool().Draw(t, "of the batch") {
				e.Gone = drawn[rapid.IntRange(0, len(drawn)-1).Draw(t, "removed")].Digest()
			}
			want[i] = e
		}
		sealed, err := k.SealBatch(want)
		if err != nil {
			t.Fatal(err)
		}
		got, err := k.OpenBatch(sealed)
		if err != nil || len(got) != len(want) {
			t.Fatalf("%d of %d entries: %v", len(got), len(want), err)
		}
		for i := range got {
			if got[i].Err != nil || !reflect.DeepEqual(&got[i].Entry, want[i]) {
				t.Fatalf("sealed %+v, opened %+v", want[i], got[i])
			}
		}
	})
}

func TestAnyFlippedBitOfABatchIsRefused(t *testing.T) {
	k := derive(t, 1, 5, 1)
	sealed := sealedBatch(t, k, everyKind(k)[:4])
	for i := range 8 * len(sealed) {
		bad := bytes.Clone(sealed)
		bad[i/8] ^= 1 << (i % 8)
		if got, err := k.OpenBatch(bad); !errors.Is(err, ErrTampered) || !errors.Is(err, ErrSealed) || got != nil {
			t.Errorf("bit %d: %v", i, err)
		}
	}
	for n := range sealed {
		if _, err := k.OpenBatch(sealed[:n]); !errors.Is(err, ErrSealed) {
			t.Errorf("its first %d bytes: %v", n, err)
		}
	}
	for name, bad := range map[string][]byte{
		"a byte more": append(bytes.Clone(sealed), 0), "twice": slices.Concat(sealed, sealed), "too long": make([]byte, MaxSealedBatch+1),
	} {
		if _, err := k.OpenBatch(bad); !errors.Is(err, ErrSealed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestABatchIsOfOneFolderEpochAndKey(t *testing.T) {
	sealed := sealedBatch(t, derive(t, 1, 1, 1), library(3, inDirectory("a")))
	for name, other := range map[string]*Keys{"folder": derive(t, 2, 1, 1), "epoch": derive(t, 1, 2, 1), "key": derive(t, 1, 1, 2)} {
		if _, err := other.OpenBatch(sealed); !errors.Is(err, ErrTampered) {
			t.Errorf("another %s: %v", name, err)
		}
	}
	// Folder and epoch are bound by more than the keys.
	for name, other := range map[string]func(k *Keys){
		"folder": func(k *Keys) { k.folder[0]++ }, "epoch": func(k *Keys) { k.epoch++ },
	} {
		k := derive(t, 1, 1, 1)
		other(k)
		if _, err := k.OpenBatch(sealed); !errors.Is(err, ErrTampered) {
			t.Errorf("another %s under the same keys: %v", name, err)
		}
	}
}

func TestNeitherRecordNorBlockIsABatch(t *testing.T) {
	k := derive(t, 1, 1, 1)
	e := photo(k)
	batch, record := sealedBatch(t, k, []*entry.Entry{e}), sealed(t, k, e)
	id, block := mustSeal(t, k, prose(1000), Raw)
	for name, bad := range map[string][]byte{
		"record": record.Sealed, "record, with a format": append([]byte{batchFormat}, record.Sealed...), "block": block,
	} {
		if _, err := k.OpenBatch(bad); !errors.Is(err, ErrTampered) {
			t.Errorf("a %s is a batch: %v", name, err)
		}
	}
	for name, bad := range map[string][]byte{"all": batch, "all but its format": batch[1:]} {
		r := *record
		r.Sealed = bad
		if _, err := k.OpenRecord(&r); !errors.Is(err, ErrTampered) {
			t.Errorf("%s of a batch is a record: %v", name, err)
		}
	}
	if _, err := k.OpenBlock(nil, id, batch); !errors.Is(err, ErrTampered) {
		t.Errorf("a batch is a block: %v", err)
	}
	// Not even under the same key.
	k.record, k.block = k.batch, k.batch
	if _, err := k.OpenBatch(append([]byte{batchFormat}, sealed(t, k, e).Sealed...)); !errors.Is(err, ErrTampered) {
		t.Errorf("a record under the key of batches is a batch: %v", err)
	}
	r := *record
	r.Sealed = batch[1:]
	if _, err := k.OpenRecord(&r); !errors.Is(err, ErrTampered) {
		t.Errorf("a batch is a record where the key is the same: %v", err)
	}
}

func TestOtherBytesOfABatchHaveAnotherNonce(t *testing.T) {
	k := derive(t, 1, 1, 1)
	columns, noise := batchInside(library(20, inDirectory("a")))
	packed := appendPart(appendPart(nil, columns), noise)
	plain := slices.Concat(binary.AppendUvarint(nil, uint64(len(columns))<<1), columns, appendPart(nil, noise))
	nonces := map[string]string{}
	for name, b := range map[string]string{
		"compressed": string(k.sealPlain(batchFormat, packed)), "as it is": string(k.sealPlain(batchFormat, plain)), "noise changed": string(k.sealPlain(batchFormat, append(plain[:len(plain)-1:len(plain)-1], 0))),
	} {
		nonce := b[1 : 1+nonceSize]
		if other, ok := nonces[nonce]; ok {
			t.Errorf("%s and %s have one nonce", name, other)
		}
		nonces[nonce] = name
	}
	if a, b := opened(t, k, k.sealPlain(batchFormat, plain)), opened(t, k, k.sealPlain(batchFormat, packed)); !reflect.DeepEqual(a, b) {
		t.Error("compressed or not, the entries are not the same")
	}
}

func TestWhatMustNotLeaveIsInNoBatch(t *testing.T) {
	k := derive(t, 1, 1, 1)
	for _, tt := range []struct {
		name   string
		change func(*entry.Entry)
		want   error
	}{
		{"of unknown history", func(e *entry.Entry) { e.Version, e.Unknown = version.Version{}, true }, ErrUnknown},
		{"marked as unknown", func(e *entry.Entry) { e.Unknown = true }, ErrUnknown},
		{"of another epoch", func(e *entry.Entry) { e.Epoch = 2 }, ErrWrongEpoch},
		{"outside the folder", func(e *entry.Entry) { e.Path = "../secret" }, entry.ErrPath},
		{"by nobody", func(e *entry.Entry) { e.Version.Author = 1 }, version.ErrBounds},
		{"with sizes that do not add up", func(e *entry.Entry) { e.Size++ }, entry.ErrEntry},
		{"with unseen beyond its version", func(e *entry.Entry) { e.Unseen = version.Vector{{Replica: 1, Count: 1}} }, entry.ErrEntry},
	} {
		all := library(3, inDirectory("a"))
		tt.change(all[1])
		if b, err := k.SealBatch(all); !errors.Is(err, tt.want) || b != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

func TestABatchHasBounds(t *testing.T) {
	k := derive(t, 1, 1, 1)
	one := photo(k)
	times := func(e *entry.Entry, n int) []*entry.Entry { return slices.Repeat([]*entry.Entry{e}, n) }
	vector := *one
	vector.Version.Vector = nil
	for i := range version.ReplicaID(version.MaxReplicas) {
		vector.Version.Vector = append(vector.Version.Vector, version.Counter{Replica: i + 1, Count: 1})
	}
	vector.Version.Author = 1
	unseen := vector
	unseen.Unseen = vector.Version.Vector
	big := *one
	big.Blocks = slices.Repeat([]entry.Block{{Length: 1}}, maxBatchBlocks-1) // and some nanoseconds
	big.Size = int64(len(big.Blocks))
	long := *entries(k)["longest"]
	for _, tt := range []struct {
		name    string
		entries []*entry.Entry
		want    error
	}{
		{"none", nil, ErrBatch},
		{"as many as can be", times(one, MaxBatch), nil},
		{"one too many", times(one, MaxBatch+1), ErrTooMany},
		{"as many counters as can be", times(&vector, maxCounters/version.MaxReplicas), nil},
		{"too many counters", times(&vector, maxCounters/version.MaxReplicas+1), ErrTooMany},
		{"as many of them unseen", times(&unseen, maxCounters/version.MaxReplicas), nil},
		{"as many blocks as can be", times(&big, 1), nil},
		{"too many blocks", []*entry.Entry{&big, one}, ErrTooMany},
		{"blocks and one time too many", []*entry.Entry{&big, library(1, inDirectory("a"))[0]}, ErrTooMany},
		{"the longest targets", times(&long, 1000), nil},
		{"too long targets", times(&long, MaxBatch), ErrTooMany},
	} {
		sealed, err := k.SealBatch(tt.entries)
		if !errors.Is(err, tt.want) {
			t.Errorf("%s: %v", tt.name, err)
		}
		if err == nil && !reflect.DeepEqual(opened(t, k, sealed), tt.entries) {
			t.Errorf("%s: other entries", tt.name)
		}
	}
	// What no compression shortens must not become longer than its bound.
	noise := slices.Clone(big.Blocks)
	random := rand.NewChaCha8([32]byte{1})
	for i := range noise {
		_, _ = random.Read(noise[i].ID[:])
	}
	big.Blocks = noise
	if _, err := k.SealBatch([]*entry.Entry{&big}); !errors.Is(err, ErrTooMany) {
		t.Errorf("more than can be sealed: %v", err)
	}
}

func TestAnInvalidEntryIsRefusedAlone(t *testing.T) {
	k := derive(t, 1, 1, 1)
	for _, tt := range []struct {
		name   string
		change func(*entry.Entry)
		want   error
	}{
		{"no path", func(e *entry.Entry) { e.Path = "" }, entry.ErrPath},
		{"a path outside", func(e *entry.Entry) { e.Path = "a/../../b" }, entry.ErrPath},
		{"kith's own path", func(e *entry.Entry) { e.Path = ".kith/folder" }, entry.ErrPath},
		{"no kind", func(e *entry.Entry) { e.Kind, e.Size, e.Blocks = 0, 0, nil }, entry.ErrEntry},
		{"a kind to come", func(e *entry.Entry) { e.Kind, e.Size, e.Blocks = 7, 0, nil }, entry.ErrEntry},
		{"a set-user-ID mode", func(e *entry.Entry) { e.Mode = 0o4755 }, entry.ErrEntry},
		{"no counter", func(e *entry.Entry) { e.Version.Vector = nil }, version.ErrBounds},
		{"a counter of zero", func(e *entry.Entry) { e.Version.Vector = version.Vector{{Replica: 3}} }, version.ErrBounds},
		{"replicas out of order", func(e *entry.Entry) {
			e.Version.Vector = version.Vector{{Replica: 4, Count: 1}, {Replica: 3, Count: 1}}
		}, version.ErrBounds},
		{"an author beyond the vector", func(e *entry.Entry) { e.Version.Vector = version.Vector{{Replica: 3, Count: 1}} }, version.ErrBounds},
		{"a clock that freezes", func(e *entry.Entry) { e.Version.Clock = 1<<64 - 1 }, version.ErrBounds},
		{"a counter that freezes", func(e *entry.Entry) { e.Version.Vector[0].Count = 1<<64 - 1 }, version.ErrBounds},
		{"a size less", func(e *entry.Entry) { e.Size = 5 }, entry.ErrEntry},
		{"a huge size", func(e *entry.Entry) { e.Size += 1 << 62 }, entry.ErrEntry},
		{"a size that is negative", func(e *entry.Entry) { e.Size = -1 }, entry.ErrEntry},
		{"a size without blocks", func(e *entry.Entry) { e.Blocks = nil }, entry.ErrEntry},
		{"blocks without a size", func(e *entry.Entry) { e.Size = 0 }, entry.ErrEntry},
		{"an empty block", func(e *entry.Entry) { e.Blocks[0].Length = 0 }, entry.ErrEntry},
		{"a huge block", func(e *entry.Entry) { e.Blocks[0].Length += 1 << 31; e.Size += 1 << 31 }, entry.ErrEntry},
		{"a huge last block", func(e *entry.Entry) { e.Size += entry.MaxBlock }, entry.ErrEntry},
		{"more unseen than its version", func(e *entry.Entry) { e.Unseen = version.Vector{{Replica: 3, Count: 2}} }, entry.ErrEntry},
		{"no target", func(e *entry.Entry) { e.Kind, e.Size, e.Blocks = entry.Symlink, 0, nil }, entry.ErrEntry},
		{"a bad target", func(e *entry.Entry) {
			e.Kind, e.Size, e.Blocks, e.Target = entry.Symlink, 0, nil, "secret\x00"
		}, entry.ErrEntry},
	} {
		bad := photo(k)
		bad.Version.Vector = slices.Clone(bad.Version.Vector)
		tt.change(bad)
		all := slices.Concat(library(2, inDirectory("a")), []*entry.Entry{bad}, library(2, inDirectory("b")))
		columns, noise := batchInside(all)
		got, err := k.OpenBatch(k.sealParts(formatOf(all), columns, noise))
		if err != nil || len(got) != len(all) {
			t.Errorf("%s: %d entries: %v", tt.name, len(got), err)
			continue
		}
		for i := range got {
			if i != 2 && (got[i].Err != nil || !reflect.DeepEqual(&got[i].Entry, all[i])) {
				t.Errorf("%s: it holds up entry %d: %v", tt.name, i, got[i].Err)
			}
		}
		err = got[2].Err
		if !errors.Is(err, tt.want) || !errors.Is(err, ErrSealed) || !errors.Is(err, ErrRecord) || got[2].Entry.Kind != 0 {
			t.Errorf("%s: %v", tt.name, err)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: the error tells: %v", tt.name, err)
		}
	}
}

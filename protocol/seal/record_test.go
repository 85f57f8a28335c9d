package seal

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/version"
	"github.com/kithmesh/kith/proto/wirepb"
)

func sealed(t testing.TB, k *Keys, e *entry.Entry) *Record {
	t.Helper()
	r, err := k.SealRecord(e)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// overWire takes a record through its message and back.
func overWire(r *Record) (*Record, error) {
	b, err := proto.Marshal(r.ToWire())
	if err != nil {
		return nil, err
	}
	var w wirepb.Record
	if err := proto.Unmarshal(b, &w); err != nil {
		return nil, err
	}
	return RecordFromWire(&w)
}

func TestARecordOpensToTheEntry(t *testing.T) {
	k := derive(t, 1, 4, 1)
	all := entries(k)
	for i, e := range unseeing(k) {
		all[fmt.Sprint("unseeing ", i)] = e
	}
	for name, e := range all {
		local := *e
		local.Sequence, local.Disk = 9, entry.Disk{Inode: 5, ChangeTime: 6}
		r := sealed(t, k, &local)
		got, err := overWire(r)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if !reflect.DeepEqual(got, r) {
			t.Errorf("%s: sent %+v, arrived %+v", name, r, got)
		}
		opened, err := k.OpenRecord(got)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if !reflect.DeepEqual(&opened, e) {
			t.Errorf("%s: sealed %+v, opened %+v", name, e, opened)
		}
		if again := sealed(t, k, &opened); !reflect.DeepEqual(again, r) {
			t.Errorf("%s: sealed again it is another record", name)
		}
		if (len(r.Sealed)-minSealed)%padTo != 0 || len(r.Sealed) > maxSealed {
			t.Errorf("%s: sealed part of %d bytes", name, len(r.Sealed))
		}
	}
	longest := *entries(k)["longest"]
	longest.Version = version.Version{}
	for i := range version.ReplicaID(version.MaxReplicas) {
		longest.Version = longest.Version.Next(i+1, version.MaxCount, 1)
	}
	longest.Unseen = longest.Version.Vector
	if r := sealed(t, k, &longest); len(r.Sealed) != maxSealed {
		t.Errorf("the longest sealed part has %d bytes, not %d", len(r.Sealed), maxSealed)
	}
}

var anyName = rapid.StringMatching(`[a-zA-Z .\-_]{1,60}[a-z]`)

// anyEntry is any valid one of epoch 1.
var anyEntry = rapid.Custom(func(t *rapid.T) entry.Entry {
	e := entry.Entry{
		Path:       entry.Path(strings.Join(rapid.SliceOfN(anyName, 1, 8).Draw(t, "path"), "/")),
		AuthorName: rapid.StringN(0, 16, 64).Draw(t, "author"),
		Kind:       entry.Kind(rapid.IntRange(1, 4).Draw(t, "kind")),
		Mode:       rapid.Uint32Range(0, 0o777).Draw(t, "mode"),
		ModTime:    rapid.Int64().Draw(t, "modified"),
		Epoch:      1,
	}
	replicas := rapid.SliceOfNDistinct(rapid.Uint64Min(1), 1, 20, rapid.ID).Draw(t, "replicas")
	slices.Sort(replicas)
	for _, id := range replicas {
		e.Version.Vector = append(e.Version.Vector, version.Counter{
			Replica: version.ReplicaID(id), Count: rapid.Uint64Range(1, version.MaxCount).Draw(t, "count"),
		})
	}
	e.Version.Author = version.ReplicaID(rapid.SampledFrom(replicas).Draw(t, "by"))
	if rapid.IntRange(0, 2).Draw(t, "unseen") == 0 {
		for _, c := range e.Version.Vector {
			if n := rapid.Uint64Range(0, c.Count).Draw(t, "count unseen"); n > 0 {
				e.Unseen = append(e.Unseen, version.Counter{Replica: c.Replica, Count: n})
			}
		}
	}
	e.Version.Clock = version.Clock(rapid.Uint64Range(1, uint64(version.MaxClock)).Draw(t, "clock"))
	switch e.Kind {
	case entry.File:
		for i := range rapid.IntRange(0, 50).Draw(t, "blocks") {
			n := rapid.Uint32Range(1, entry.MaxBlock).Draw(t, "length")
			e.Blocks = append(e.Blocks, entry.Block{ID: entry.BlockID{byte(i), 31: byte(n)}, Length: n})
			e.Size += int64(n)
		}
	case entry.Symlink:
		e.Target = anyName.Draw(t, "target")
	case entry.Deleted:
		e.Gone = entry.Digest{rapid.Byte().Draw(t, "gone")}
	case entry.Directory:
	}
	return e
})

func TestAnyValidEntrySurvives(t *testing.T) {
	k := derive(t, 1, 1, 1)
	rapid.Check(t, func(t *rapid.T) {
		e := anyEntry.Draw(t, "entry")
		r, err := k.SealRecord(&e)
		if err != nil {
			t.Fatal(err)
		}
		if r, err = overWire(r); err != nil {
			t.Fatal(err)
		}
		got, err := k.OpenRecord(r)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, e) {
			t.Fatalf("sealed %+v, opened %+v", e, got)
		}
	})
}

func TestWhatMustNotLeaveIsNotSealed(t *testing.T) {
	k := derive(t, 1, 1, 1)
	for _, tt := range []struct {
		name   string
		change func(*entry.Entry)
		want   error
	}{
		{"of unknown history", func(e *entry.Entry) { e.Version, e.Unknown = version.Version{}, true }, ErrUnknown},
		{"marked as unknown", func(e *entry.Entry) { e.Unknown = true }, ErrUnknown},
		{"without a version", func(e *entry.Entry) { e.Version = version.Version{} }, ErrUnknown},
		{"of another epoch", func(e *entry.Entry) { e.Epoch = 2 }, ErrWrongEpoch},
		{"outside the folder", func(e *entry.Entry) { e.Path = "../secret" }, entry.ErrPath},
		{"by nobody", func(e *entry.Entry) { e.Version.Author = 1 }, version.ErrBounds},
		{"with sizes that do not add up", func(e *entry.Entry) { e.Size++ }, entry.ErrEntry},
		{"with unseen out of order", func(e *entry.Entry) {
			e.Unseen = version.Vector{e.Version.Vector[1], e.Version.Vector[0]}
		}, entry.ErrEntry},
		{"with unseen beyond its version", func(e *entry.Entry) { e.Unseen = version.Vector{{Replica: 3, Count: 2}} }, entry.ErrEntry},
		{"with a bad target", func(e *entry.Entry) {
			*e = *entries(k)["symlink"]
			e.Target = "secret\x00"
		}, entry.ErrEntry},
	} {
		e := photo(k)
		tt.change(e)
		r, err := k.SealRecord(e)
		if !errors.Is(err, tt.want) || r != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		if err != nil && strings.Contains(strings.TrimPrefix(err.Error(), `seal "../secret"`), "secret") {
			t.Errorf("%s: the error tells: %v", tt.name, err)
		}
	}
}

// flips are all records that differ from r by one bit of one field.
func flips(r *Record, try func(field string, bit int, bad *Record)) {
	each := func(field string, bits int, flip func(bad *Record, bit int)) {
		for bit := range bits {
			bad := *r
			bad.Version.Vector = slices.Clone(r.Version.Vector)
			bad.Blocks = slices.Clone(r.Blocks)
			bad.Sealed = bytes.Clone(r.Sealed)
			flip(&bad, bit)
			try(field, bit, &bad)
		}
	}
	each("id", 128, func(r *Record, b int) { r.ID[b/8] ^= 1 << (b % 8) })
	each("epoch", 32, func(r *Record, b int) { r.Epoch ^= 1 << b })
	each("clock", 64, func(r *Record, b int) { r.Version.Clock ^= 1 << b })
	each("author", 64, func(r *Record, b int) { r.Version.Author ^= 1 << b })
	for i := range r.Version.Vector {
		each("replica", 64, func(r *Record, b int) { r.Version.Vector[i].Replica ^= 1 << b })
		each("count", 64, func(r *Record, b int) { r.Version.Vector[i].Count ^= 1 << b })
	}
	for i := range r.Blocks {
		each("block ID", 256, func(r *Record, b int) { r.Blocks[i].ID[b/8] ^= 1 << (b % 8) })
		each("size", 32, func(r *Record, b int) { r.Blocks[i].SealedSize ^= 1 << b })
	}
	each("sealed", 8*len(r.Sealed), func(r *Record, b int) { r.Sealed[b/8] ^= 1 << (b % 8) })
}

func TestAnyFlippedBitOfARecordIsRefused(t *testing.T) {
	k := derive(t, 1, 5, 1)
	flips(sealed(t, k, photo(k)), func(field string, bit int, bad *Record) {
		want := ErrTampered
		if field == "epoch" {
			want = ErrWrongEpoch
		}
		if _, err := k.OpenRecord(bad); !errors.Is(err, want) || !errors.Is(err, ErrSealed) {
			t.Errorf("%s, bit %d: %v", field, bit, err)
		}
	})
}

func TestNoPartCanBeSwappedBetweenRecords(t *testing.T) {
	k := derive(t, 1, 1, 1)
	one, two := photo(k), photo(k)
	two.Path = "Bilder/2026/other.jpg"
	two.Version = two.Version.Next(3, 2, two.Version.Clock)
	two.Blocks = slices.Clone(two.Blocks)
	slices.Reverse(two.Blocks)
	a, b := sealed(t, k, one), sealed(t, k, two)
	for name, swap := range map[string]func(r *Record){
		"id":             func(r *Record) { r.ID = b.ID },
		"version":        func(r *Record) { r.Version = b.Version },
		"vector":         func(r *Record) { r.Version.Vector = b.Version.Vector },
		"clock":          func(r *Record) { r.Version.Clock = b.Version.Clock },
		"author":         func(r *Record) { r.Version.Author = b.Version.Author },
		"blocks":         func(r *Record) { r.Blocks = b.Blocks },
		"no blocks":      func(r *Record) { r.Blocks = nil },
		"a block more":   func(r *Record) { r.Blocks = append(slices.Clone(r.Blocks), b.Blocks[0]) },
		"a block less":   func(r *Record) { r.Blocks = r.Blocks[:2] },
		"blocks swapped": func(r *Record) { r.Blocks = []BlockRef{r.Blocks[1], r.Blocks[0], r.Blocks[2]} },
		"sealed":         func(r *Record) { r.Sealed = b.Sealed },
		"nonce":          func(r *Record) { r.Sealed = slices.Concat(b.Sealed[:nonceSize], r.Sealed[nonceSize:]) },
		"a counter less": func(r *Record) { r.Version.Vector = r.Version.Vector[1:] },
		"sealed, longer": func(r *Record) { r.Sealed = append(bytes.Clone(r.Sealed), make([]byte, padTo)...) },
		"sealed, short":  func(r *Record) { r.Sealed = r.Sealed[:minSealed-1] },
		"sealed, none":   func(r *Record) { r.Sealed = nil },
	} {
		bad := *a
		swap(&bad)
		if _, err := k.OpenRecord(&bad); !errors.Is(err, ErrSealed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, other := range map[string]*Keys{"folder": derive(t, 2, 1, 1), "key": derive(t, 1, 1, 2)} {
		if _, err := other.OpenRecord(a); !errors.Is(err, ErrTampered) {
			t.Errorf("another %s: %v", name, err)
		}
	}
	// Of another epoch, even if the record says it is of this one.
	later := *a
	later.Epoch = 2
	if _, err := derive(t, 1, 2, 1).OpenRecord(&later); !errors.Is(err, ErrTampered) {
		t.Errorf("another epoch: %v", err)
	}
}

// forgeRecord seals, like a liar with the key, an inside of any form.
func forgeRecord(k *Keys, r Record, plain []byte) *Record {
	bound := k.clear(&r)
	r.Sealed = k.record.Seal(make([]byte, nonceSize), make([]byte, nonceSize), plain, bound[:])
	return &r
}

func padded(b []byte) []byte {
	b = append(b, padMark)
	return append(b, make([]byte, -len(b)&(padTo-1))...)
}

func TestALyingRecordIsFoundOut(t *testing.T) {
	k := derive(t, 1, 1, 1)
	honest := photo(k)
	r := *sealed(t, k, honest)
	message := func(change func(*wirepb.SealedEntry)) []byte {
		w := &wirepb.SealedEntry{Path: []byte(honest.Path), Kind: wirepb.SealedEntry_KIND_FILE, Size: uint64(honest.Size), Mode: 0o600}
		change(w)
		b, err := proto.Marshal(w)
		if err != nil {
			t.Fatal(err)
		}
		return padded(b)
	}
	if _, err := k.OpenRecord(forgeRecord(k, r, message(func(*wirepb.SealedEntry) {}))); err != nil {
		t.Fatalf("the test's own forgery is not good enough: %v", err)
	}
	for _, tt := range []struct {
		name  string
		plain []byte
		want  error
	}{
		{"another path", message(func(w *wirepb.SealedEntry) { w.Path = []byte("elsewhere") }), ErrRecord},
		{"no path", message(func(w *wirepb.SealedEntry) { w.Path = nil }), entry.ErrPath},
		{"a path outside", message(func(w *wirepb.SealedEntry) { w.Path = []byte("a/../../b") }), entry.ErrPath},
		{"a size less", message(func(w *wirepb.SealedEntry) { w.Size-- }), entry.ErrEntry},
		{"a negative size", message(func(w *wirepb.SealedEntry) { w.Size = 1 << 63 }), ErrRecord},
		{"a directory with blocks", message(func(w *wirepb.SealedEntry) { w.Kind, w.Size = wirepb.SealedEntry_KIND_DIRECTORY, 0 }), entry.ErrEntry},
		{"no kind", message(func(w *wirepb.SealedEntry) { w.Kind = 0 }), entry.ErrEntry},
		{"kind 258, which is 2 in a byte", message(func(w *wirepb.SealedEntry) { w.Kind = 258 }), ErrRecord},
		{"a negative kind", message(func(w *wirepb.SealedEntry) { w.Kind = -254 }), ErrRecord},
		{"a set-user-ID mode", message(func(w *wirepb.SealedEntry) { w.Mode = 0o4755 }), entry.ErrEntry},
		{"half a digest", message(func(w *wirepb.SealedEntry) { w.Gone = make([]byte, 8) }), ErrRecord},
		{"a file that deletes", message(func(w *wirepb.SealedEntry) { w.Gone = bytes.Repeat([]byte{1}, 16) }), entry.ErrEntry},
		{"more unseen than its version", message(func(w *wirepb.SealedEntry) { w.Unseen = []uint64{2} }), entry.ErrEntry},
		{"unseen of more replicas than it has", message(func(w *wirepb.SealedEntry) { w.Unseen = []uint64{1, 1, 1} }), ErrRecord},
		{"unseen with a zero at its end", message(func(w *wirepb.SealedEntry) { w.Unseen = []uint64{1, 0} }), ErrRecord},
		{"nothing unseen, at length", message(func(w *wirepb.SealedEntry) { w.Unseen = []uint64{0} }), ErrRecord},
		{"a long author", message(func(w *wirepb.SealedEntry) { w.AuthorName = make([]byte, 65) }), entry.ErrEntry},
		{"a field to come", message(func(w *wirepb.SealedEntry) { w.ProtoReflect().SetUnknown([]byte{15 << 3, 1}) }), ErrNewer},
		{"no message", padded([]byte("secret quick brown fox")), ErrRecord},
		{"no padding", bytes.Repeat([]byte{1}, padTo), ErrRecord},
		{"nothing but padding", make([]byte, padTo), ErrRecord},
	} {
		_, err := k.OpenRecord(forgeRecord(k, r, tt.plain))
		if !errors.Is(err, tt.want) || !errors.Is(err, ErrSealed) {
			t.Errorf("%s: %v", tt.name, err)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: the error tells: %v", tt.name, err)
		}
	}
	tiny := r
	tiny.Blocks = []BlockRef{{SealedSize: Overhead - 1}}
	if _, err := k.OpenRecord(forgeRecord(k, tiny, message(func(*wirepb.SealedEntry) {}))); !errors.Is(err, entry.ErrEntry) {
		t.Errorf("a block of less than nothing: %v", err)
	}
}

func TestRecordIDsTellPathsAndEpochsApart(t *testing.T) {
	k := derive(t, 1, 1, 1)
	seen := map[RecordID]string{}
	for name, id := range map[string]RecordID{
		"a": k.RecordID("a"), "b": k.RecordID("b"), "a/b": k.RecordID("a/b"), "A": k.RecordID("A"),
		"folder": derive(t, 2, 1, 1).RecordID("a"), "epoch": derive(t, 1, 2, 1).RecordID("a"), "key": derive(t, 1, 1, 2).RecordID("a"),
	} {
		if other, ok := seen[id]; ok {
			t.Errorf("%s and %s have one ID", name, other)
		}
		seen[id] = name
	}
}

func TestTheLengthOfANameShowsOnlyRoughly(t *testing.T) {
	k := derive(t, 1, 1, 1)
	sizes := map[int]bool{}
	for n := range 64 {
		e := photo(k)
		e.Path = entry.Path(strings.Repeat("n", 100+n))
		sizes[len(sealed(t, k, e).Sealed)] = true
	}
	if len(sizes) > 3 {
		t.Errorf("64 lengths of names show as %d sizes", len(sizes))
	}
}

package index

import (
	"bytes"
	"encoding/hex"
	"errors"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/version"
)

// memoryCodec keeps its names in memory; they begin with laptop and replica 1.
func memoryCodec() *rowCodec {
	c := &rowCodec{
		replicas: &names[version.ReplicaID]{kind: 'r', used: new(uint64)},
		authors:  &names[string]{kind: 'a', used: new(uint64)},
	}
	_, _ = c.authors.code("laptop")
	_, _ = c.replicas.code(1)
	return c
}

// fullCodec has no more codes to give.
func fullCodec() *rowCodec {
	c := memoryCodec()
	*c.replicas.used, *c.authors.used = maxNames, maxNames
	return c
}

// The rows on disk. They must never change.
func TestRowsHaveTheFormatThatIsOnDisk(t *testing.T) {
	one := file("d/one", vec(1, 300), 5)
	one.Sequence = 0x010203040506
	many := file("many", vec(1, 2, 0xabcd, 200), 1, 2, 3)
	many.AuthorName = "phone"
	many.ModTime, many.Mode = -2, 0o777
	absent := file("absent", vec(1, 300), 5)
	absent.Absent, absent.Disk = true, entry.Disk{}
	unseen := symlink("l", vec(1, 1, 0xabcd, 200), "../x")
	unseen.Absent, unseen.Unseen = true, vec(1, 1, 0xabcd, 150).Vector
	local := gone(file("g", vec(), 1), vec())
	for _, c := range []struct {
		name  string
		codec *rowCodec
		entry *entry.Entry
		want  string
	}{
		{"a file of one block", memoryCodec(), one, goldenOne},
		{"a file of three blocks, new names", memoryCodec(), many, goldenMany},
		{"no codes left", fullCodec(), many, goldenPlain},
		{"a directory", memoryCodec(), directory("d", vec(1, 1)), goldenDirectory},
		{"a symlink", memoryCodec(), symlink("l", vec(1, 1), "../x"), goldenSymlink},
		{"a delete", memoryCodec(), gone(file("g", vec(1, 1), 1), vec(1, 2)), goldenDeleted},
		{"unknown", memoryCodec(), unknown("u", 1), goldenUnknown},
		{"absent", memoryCodec(), absent, goldenAbsent},
		{"something unseen", memoryCodec(), unseen, goldenUnseen},
		{"a local one", memoryCodec(), local, goldenLocal},
	} {
		key := appendPathKey(nil, c.entry.Path)
		got, err := c.codec.append(nil, key, c.entry, 0x0a0b0c0d0e)
		must(t, err)
		if hex.EncodeToString(got) != c.want {
			t.Errorf("%s: the row is\n%x, not\n%s", c.name, got, c.want)
		}
		e, n, err := c.codec.parse(key, got)
		if err != nil || n != 0x0a0b0c0d0e || !reflect.DeepEqual(e, c.entry) {
			t.Errorf("%s: comes back as %+v, %d, %v", c.name, e, n, err)
		}
	}
	if got := hex.EncodeToString(sealRow(seed(tablePeers), []byte("key"), []byte("body"))); got != goldenSealed {
		t.Errorf("a sealed row is %s", got)
	}
	pairs := []pair{{5, 2}, {5, 9}, {6, 1}, {1 << 40, 1<<40 - 1}}
	if got := hex.EncodeToString(appendSegment(nil, pair{5, 1}, pairs)); got != goldenSegment {
		t.Errorf("a segment is %s", got)
	}
	if got := hex.EncodeToString(appendPathKey(nil, "a/b c/d")); got != "610062206300"+"64" {
		t.Errorf("a path key is %s", got)
	}
}

func TestRowsOfTheWrongLengthAreRefused(t *testing.T) {
	key := []byte("k")
	for _, golden := range []string{goldenOne, goldenMany, goldenPlain, goldenDirectory, goldenSymlink, goldenDeleted, goldenUnknown, goldenAbsent, goldenUnseen, goldenLocal} {
		row, err := hex.DecodeString(golden)
		must(t, err)
		sumHeader(row, key)
		codec := memoryCodec()
		_, _ = codec.authors.code("phone")
		_, _ = codec.replicas.code(0xabcd)
		if _, _, err := codec.parse(key, row); err != nil {
			t.Errorf("the row itself: %v", err)
		}
		if _, _, err := codec.parse(key, append(bytes.Clone(row), 0)); !errors.Is(err, errRow) {
			t.Errorf("a byte more: %v", err)
		}
		for n := range row {
			if _, _, err := codec.parse(key, row[:n]); !errors.Is(err, errRow) {
				t.Errorf("%d bytes of %d: %v", n, len(row), err)
			}
		}
	}
}

func TestStateComesBackAsItWas(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := func() int64 { return rapid.Int64Range(0, 1<<50).Draw(t, "n") }
		s := state{
			id: folderA, replica: version.ReplicaID(1 + n()), epoch: uint64(n()), head: entry.Sequence(n()),
			count: uint64(n()), joined: n()%2 == 0, numbered: fileNumber(n() % maxFileNumber),
			totals: Totals{n(), n(), n(), n(), n(), n(), n(), n()}, local: n(), wanted: WantedTotals{n(), n()},
			sum: uint64(n()), replicas: uint64(n() % maxNames), authors: uint64(n() % maxNames), devices: uint64(n() % maxNames),
		}
		row, err := s.toDisk()
		must(t, err)
		if got, err := stateFromDisk(folderA, row); err != nil || got != s {
			t.Fatalf("%+v comes back as %+v, %v", s, got, err)
		}
		if _, err := stateFromDisk(entry.FolderID{1}, row); err == nil {
			t.Fatal("it passes for the state of another folder")
		}
	})
}

func TestPathKeysSortAsPathsDo(t *testing.T) {
	name := rapid.StringMatching(`[a\x01 .-]{1,3}`)
	path := rapid.Custom(func(t *rapid.T) entry.Path {
		var p entry.Path
		for _, n := range rapid.SliceOfN(name, 1, 4).Draw(t, "names") {
			p = p.Join(n)
		}
		return p
	})
	rapid.Check(t, func(t *rapid.T) {
		p, q := path.Draw(t, "p"), path.Draw(t, "q")
		k, l := appendPathKey(nil, p), appendPathKey(nil, q)
		if got, want := bytes.Compare(k, l), p.Compare(q); (got < 0) != (want < 0) || (got == 0) != (want == 0) {
			t.Fatalf("keys compare %d, paths %d", got, want)
		}
		if back := parsePathKey(k); back != p {
			t.Fatalf("%q comes back as %q", p, back)
		}
		if after := appendPathKey(nil, After(p)); bytes.Compare(after, k) <= 0 || (q.Compare(p) > 0) != (bytes.Compare(after, l) <= 0) {
			t.Fatalf("After(%q) is on the wrong side of %q", p, q)
		}
	})
}

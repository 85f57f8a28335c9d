package entry

import (
	"encoding/hex"
	"errors"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/kithmesh/kith/index/version"
)

func good(change func(e *Entry)) *Entry {
	e := &Entry{
		Path:       "a/b",
		Version:    version.Version{}.Next(1, 1, 1000),
		AuthorName: "laptop",
		Kind:       File, Mode: 0o644, ModTime: 1, Size: 5, Epoch: 1,
		Blocks: []Block{{BlockID{1}, 2}, {BlockID{2}, 3}},
	}
	change(e)
	return e
}

// both is a version that two replicas have to do with.
func both() version.Version { return version.Version{}.Next(1, 3, 1000).Next(2, 2, 1000) }

// unseen makes a change that leaves e with a version of two replicas.
func unseen(v ...version.Counter) func(e *Entry) {
	return func(e *Entry) { e.Version, e.Unseen = both(), v }
}

// as makes e of another kind, with nothing but what all kinds have.
func as(k Kind) func(e *Entry) {
	return func(e *Entry) { e.Kind, e.Size, e.Blocks = k, 0, nil }
}

func TestCheckAcceptsWhatDevicesWrite(t *testing.T) {
	for name, e := range map[string]*Entry{
		"a file":                    good(func(*Entry) {}),
		"an empty file":             good(as(File)),
		"a file from before 1970":   good(func(e *Entry) { e.ModTime = -1 }),
		"a directory":               good(as(Directory)),
		"a symlink":                 good(func(e *Entry) { as(Symlink)(e); e.Target = "../../anywhere" }),
		"a symlink as long as can":  good(func(e *Entry) { as(Symlink)(e); e.Target = strings.Repeat("x", MaxTarget) }),
		"a delete":                  good(func(e *Entry) { as(Deleted)(e); e.Gone = Digest{1} }),
		"a delete of who knows":     good(as(Deleted)),
		"all permissions":           good(func(e *Entry) { e.Mode = 0o777 }),
		"an author without a name":  good(func(e *Entry) { e.AuthorName = "" }),
		"the longest author name":   good(func(e *Entry) { e.AuthorName = strings.Repeat("x", MaxAuthorName) }),
		"an ancestor unseen":        good(func(e *Entry) { e.Version, e.Unseen = both(), version.Vector{{Replica: 1, Count: 2}} }),
		"all of it unseen":          good(func(e *Entry) { e.Version, e.Unseen = both(), both().Vector }),
		"nothing unseen":            good(func(e *Entry) { e.Unseen = version.Vector{} }),
		"the largest block allowed": good(func(e *Entry) { e.Size, e.Blocks = MaxBlock, []Block{{BlockID{}, MaxBlock}} }),
	} {
		if err := e.Check(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCheckRefusesWhatCannotBeAnEntry(t *testing.T) {
	for name, c := range map[string]struct {
		change func(e *Entry)
		want   error
	}{
		"a path outside":               {func(e *Entry) { e.Path = "../a" }, ErrPath},
		"no path":                      {func(e *Entry) { e.Path = "" }, ErrPath},
		"kith's own path":              {func(e *Entry) { e.Path = ".kith/folder" }, ErrPath},
		"no version":                   {func(e *Entry) { e.Version = version.Version{} }, version.ErrBounds},
		"a clock beyond the bound":     {func(e *Entry) { e.Version.Clock = version.MaxClock + 1 }, version.ErrBounds},
		"unknown history":              {func(e *Entry) { e.Version, e.Unknown = version.Version{}, true }, version.ErrBounds},
		"too long an author name":      {func(e *Entry) { e.AuthorName = strings.Repeat("x", MaxAuthorName+1) }, ErrEntry},
		"a set-uid bit":                {func(e *Entry) { e.Mode = 0o4755 }, ErrEntry},
		"a file type in the mode":      {func(e *Entry) { e.Mode = 0o100644 }, ErrEntry},
		"no kind":                      {func(e *Entry) { e.Kind = 0 }, ErrEntry},
		"an unknown kind":              {func(e *Entry) { as(Symlink + 1)(e) }, ErrEntry},
		"a directory with blocks":      {func(e *Entry) { e.Kind, e.Size = Directory, 0 }, ErrEntry},
		"a directory with a size":      {func(e *Entry) { as(Directory)(e); e.Size = 1 }, ErrEntry},
		"a delete with content":        {func(e *Entry) { e.Kind = Deleted }, ErrEntry},
		"a symlink with content":       {func(e *Entry) { e.Kind, e.Target = Symlink, "x" }, ErrEntry},
		"a file that deletes":          {func(e *Entry) { e.Gone = Digest{1} }, ErrEntry},
		"a directory that deletes":     {func(e *Entry) { as(Directory)(e); e.Gone = Digest{1} }, ErrEntry},
		"a file with a target":         {func(e *Entry) { e.Target = "x" }, ErrEntry},
		"a directory with a target":    {func(e *Entry) { as(Directory)(e); e.Target = "x" }, ErrEntry},
		"a delete with a target":       {func(e *Entry) { as(Deleted)(e); e.Target = "x" }, ErrEntry},
		"a symlink without a target":   {as(Symlink), ErrEntry},
		"a target with a NUL byte":     {func(e *Entry) { as(Symlink)(e); e.Target = "a\x00b" }, ErrEntry},
		"too long a target":            {func(e *Entry) { as(Symlink)(e); e.Target = strings.Repeat("x", MaxTarget+1) }, ErrEntry},
		"a negative size":              {func(e *Entry) { as(File)(e); e.Size = -1 }, ErrEntry},
		"a size without blocks":        {func(e *Entry) { e.Blocks = nil }, ErrEntry},
		"blocks without a size":        {func(e *Entry) { e.Size = 0 }, ErrEntry},
		"a size that is too small":     {func(e *Entry) { e.Size-- }, ErrEntry},
		"a size that is too large":     {func(e *Entry) { e.Size++ }, ErrEntry},
		"an empty block":               {func(e *Entry) { e.Blocks = append(e.Blocks, Block{}) }, ErrEntry},
		"a block that is too large":    {func(e *Entry) { e.Size, e.Blocks = MaxBlock+1, []Block{{BlockID{}, MaxBlock + 1}} }, ErrEntry},
		"the largest block of all":     {func(e *Entry) { e.Size, e.Blocks = 1<<32-1, []Block{{BlockID{}, 1<<32 - 1}} }, ErrEntry},
		"a size beyond the bound":      {func(e *Entry) { e.Size = MaxSize + 1 }, ErrEntry},
		"one block too many":           {func(e *Entry) { e.Blocks = make([]Block, MaxBlocks+1) }, ErrEntry},
		"unseen out of order":          {unseen(version.Counter{Replica: 2, Count: 1}, version.Counter{Replica: 1, Count: 1}), ErrEntry},
		"unseen twice":                 {unseen(version.Counter{Replica: 1, Count: 1}, version.Counter{Replica: 1, Count: 2}), ErrEntry},
		"a count of nothing unseen":    {unseen(version.Counter{Replica: 1, Count: 0}), ErrEntry},
		"unseen of no replica":         {unseen(version.Counter{Replica: 0, Count: 1}), ErrEntry},
		"more unseen than its version": {unseen(version.Counter{Replica: 1, Count: 4}), ErrEntry},
		"unseen of a stranger":         {unseen(version.Counter{Replica: 3, Count: 1}), ErrEntry},
		"an author outside its vector": {func(e *Entry) { e.Version.Author = 9 }, version.ErrBounds},
	} {
		t.Run(name, func(t *testing.T) {
			if err := good(c.change).Check(); !errors.Is(err, c.want) {
				t.Errorf("Check: %v, want %v", err, c.want)
			}
		})
	}
}

// entries draws contents that are often nearly the same.
var entries = rapid.Custom(func(t *rapid.T) *Entry {
	e := &Entry{Kind: Kind(rapid.IntRange(1, 4).Draw(t, "kind"))}
	switch e.Kind {
	case File:
		for range rapid.IntRange(0, 3).Draw(t, "blocks") {
			b := Block{BlockID{byte(rapid.IntRange(0, 1).Draw(t, "id"))}, uint32(rapid.IntRange(1, 2).Draw(t, "length"))}
			e.Blocks = append(e.Blocks, b)
			e.Size += int64(b.Length)
		}
	case Symlink:
		e.Target = rapid.SampledFrom([]string{"a", "b", "a/b"}).Draw(t, "target")
	case Deleted, Directory:
	}
	e.Mode = uint32(rapid.IntRange(0, 1).Draw(t, "mode"))
	e.ModTime = int64(rapid.IntRange(0, 1).Draw(t, "time"))
	return e
})

func TestEqualDigestsMeanTheSameContent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := entries.Draw(t, "a"), entries.Draw(t, "b")
		if same := a.SameContent(b); same != (a.Digest() == b.Digest()) || same != b.SameContent(a) {
			t.Errorf("%+v and %+v: same content %v, digests %x and %x", a, b, same, a.Digest(), b.Digest())
		}
		if a.SamePayload(b) && !a.SameContent(b) || !a.SamePayload(a) {
			t.Errorf("%+v and %+v", a, b)
		}
	})
}

func TestDigestTellsContentsApart(t *testing.T) {
	id := func(b byte) BlockID { return BlockID{b} }
	all := []*Entry{
		{Kind: File}, {Kind: Directory}, {Kind: Deleted},
		{Kind: Symlink, Target: "a"}, {Kind: Symlink, Target: "b"},
		{Kind: File, Size: 2, Blocks: []Block{{id(1), 2}}},
		{Kind: File, Size: 3, Blocks: []Block{{id(1), 3}}},
		{Kind: File, Size: 2, Blocks: []Block{{id(2), 2}}},
		{Kind: File, Size: 4, Blocks: []Block{{id(1), 2}, {id(2), 2}}},
		{Kind: File, Size: 4, Blocks: []Block{{id(2), 2}, {id(1), 2}}},
		{Kind: File, Size: 4, Blocks: []Block{{id(1), 2}, {id(1), 2}}},
	}
	seen := map[Digest]int{}
	for i, e := range all {
		if j, ok := seen[e.Digest()]; ok {
			t.Errorf("entries %d and %d have one digest", i, j)
		}
		seen[e.Digest()] = i
	}
}

func TestDigestLeavesMetadataOut(t *testing.T) {
	a := good(func(*Entry) {})
	b := good(func(e *Entry) { e.Path, e.Mode, e.ModTime, e.Version.Clock, e.AuthorName = "c", 0o600, 9, 9, "x" })
	if a.Digest() != b.Digest() || !a.SameContent(b) {
		t.Error("metadata count as content")
	}
	if a.SamePayload(b) {
		t.Error("metadata do not count as payload")
	}
}

// Digests are written to disk and wire: these must never change.
func TestDigestsAreFrozen(t *testing.T) {
	for want, e := range map[string]*Entry{
		"3f37a1e8d0161a2f0daa00b305aa4827": good(func(*Entry) {}),
		"2b8203c5cbe05ebaad48eca58db4e2d0": {Kind: Symlink, Target: "a/b"},
		"e1e0e81d6ea39b0cf8b86ffd44092101": {Kind: Directory},
		"48fc721fbbc172e0925fa27af1671de2": {Kind: Deleted},
	} {
		d := e.Digest()
		if got := hex.EncodeToString(d[:]); got != want {
			t.Errorf("the digest of a %s is %s, want %s", e.Kind, got, want)
		}
	}
}

func TestADeleteRemovesJustWhatItsAuthorSaw(t *testing.T) {
	file := good(func(*Entry) {})
	other := good(func(e *Entry) { e.Blocks[0].ID = BlockID{9} })
	gone := good(func(e *Entry) { as(Deleted)(e); e.Gone = file.Digest() })
	if !gone.Removes(file) || gone.Removes(other) || file.Removes(file) || gone.Removes(gone) {
		t.Errorf("%v %v %v %v", gone.Removes(file), gone.Removes(other), file.Removes(file), gone.Removes(gone))
	}
	if blind := good(as(Deleted)); blind.Removes(file) {
		t.Error("a delete that knows no content removes some")
	}
}

func TestOnlyWhatExistsLives(t *testing.T) {
	for k, want := range map[Kind]bool{0: false, Deleted: false, File: true, Directory: true, Symlink: true} {
		if e := (&Entry{Kind: k}); e.Lives() != want {
			t.Errorf("%v lives: %v", k, !want)
		}
	}
	if m := (&Entry{ModTime: 1_500_000_000}).Modified(); !m.Equal(time.Unix(1, 500_000_000)) {
		t.Errorf("modified at %v", m)
	}
}

func TestNamesAreReadAsTheyAreWritten(t *testing.T) {
	for r := RoleSync; r <= RoleBackup; r++ {
		if got, err := ParseRole(r.String()); err != nil || got != r {
			t.Errorf("%v became %v, %v", r, got, err)
		}
		if r.HoldsKey() != (r != RoleBackup) {
			t.Errorf("%v holds the key: %v", r, r.HoldsKey())
		}
	}
	for _, s := range []string{"", "Sync", "sync ", "role(1)", "owner"} {
		if r, err := ParseRole(s); !errors.Is(err, ErrRole) {
			t.Errorf("ParseRole(%q) = %v, %v", s, r, err)
		}
	}
	id := FolderID{0, 1, 0xfe, 15: 0xff}
	if got, err := ParseFolderID(id.String()); err != nil || got != id {
		t.Errorf("%v became %v, %v", id, got, err)
	}
	for _, s := range []string{"", "00", strings.Repeat("0", 30), strings.Repeat("0", 34), strings.Repeat("x", 32)} {
		if id, err := ParseFolderID(s); !errors.Is(err, ErrFolderID) {
			t.Errorf("ParseFolderID(%q) = %v, %v", s, id, err)
		}
	}
	if s := DeviceID("12D3KooWabcdefgh").Short(); s != "abcdefgh" {
		t.Error(s)
	}
	if s := DeviceID("short").Short(); s != "short" {
		t.Error(s)
	}
	if s := Role(9).String() + " " + Kind(9).String(); s != "role(9) invalid" {
		t.Error(s)
	}
}

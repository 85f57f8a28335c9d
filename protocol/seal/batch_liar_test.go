package seal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/version"
)

// forgeBatch seals, like a liar with the key, what it likes.
func forgeBatch(k *Keys, format byte, plain []byte) []byte {
	out := append([]byte{format}, make([]byte, nonceSize)...)
	return k.batch.Seal(out, out[1:], plain, k.batchBinding(format))
}

// plainPart is a part that is not compressed.
func plainPart(b []byte) []byte {
	return append(binary.AppendUvarint(nil, uint64(len(b))<<1), b...)
}

// framePart is a part that claims to be a frame.
func framePart(b []byte) []byte {
	return append(binary.AppendUvarint(nil, uint64(len(b))<<1|compressedPart), b...)
}

func TestABatchOfANewerFormatIsNotBlamedOnAnyone(t *testing.T) {
	k := derive(t, 1, 1, 1)
	for _, format := range []byte{0, 3, 255} {
		if _, err := k.OpenBatch(forgeBatch(k, format, []byte("who knows"))); !errors.Is(err, ErrNewer) || !errors.Is(err, ErrSealed) {
			t.Errorf("format %d: %v", format, err)
		}
	}
}

func TestWhatCannotBeTakenApartIsNoBatch(t *testing.T) {
	k := derive(t, 1, 1, 1)
	columns, noise := batchInside(everyKind(k))
	whole := slices.Concat(plainPart(columns), plainPart(noise))
	if _, err := k.OpenBatch(forgeBatch(k, batchFormat, whole)); err != nil {
		t.Fatalf("the test's own forgery is not good enough: %v", err)
	}
	for name, plain := range map[string][]byte{
		"nothing":               nil,
		"one part":              plainPart(columns),
		"three parts":           append(bytes.Clone(whole), 0),
		"parts exchanged":       slices.Concat(plainPart(noise), plainPart(columns)),
		"no end of a length":    bytes.Repeat([]byte{0xff}, 20),
		"a length beyond":       slices.Concat(binary.AppendUvarint(nil, uint64(len(columns))<<1), columns[1:]),
		"the largest length":    append(binary.AppendUvarint(nil, 1<<64-2), whole...),
		"a frame of nothing":    slices.Concat(framePart(nil), plainPart(noise)),
		"a frame that is none":  slices.Concat(framePart(columns), plainPart(noise)),
		"columns too many":      slices.Concat(plainPart(append(bytes.Clone(columns), 0)), plainPart(noise)),
		"noise too much":        slices.Concat(plainPart(columns), plainPart(append(bytes.Clone(noise), 0))),
		"a block ID too much":   slices.Concat(plainPart(columns), plainPart(append(bytes.Clone(noise), make([]byte, 32)...))),
		"columns, no noise":     slices.Concat(plainPart(columns), plainPart(nil)),
		"noise without columns": slices.Concat(plainPart(nil), plainPart(noise)),
	} {
		refusedBatch(t, k, name, plain)
	}
	for n := range columns {
		refusedBatch(t, k, "columns cut short", slices.Concat(plainPart(columns[:n]), plainPart(noise)))
	}
	for n := range noise {
		refusedBatch(t, k, "noise cut short", slices.Concat(plainPart(columns), plainPart(noise[:n])))
	}
}

func TestWhatIsUnseenCannotBeToldOtherwise(t *testing.T) {
	k := derive(t, 1, 1, 1)
	const replicas = "\x00\x00\x00\x00\x00\x00\x00\x07" + "\x00\x00\x00\x00\x00\x00\x00\x09"
	// Two directories, with the vectors 7:4 and 7:5 9:2.
	head := column(2, "\x03\x03", 0o755, 0, 0, 0, 0, 0, 1, 1, "ab", 2, replicas, 1, 2, "me",
		0, 0, 0, 0, 1, 2, 0, 0, 1, 8, 2, 4, 20, 2)
	forge := func(format byte, unseen ...any) []byte {
		return forgeBatch(k, format, append(plainPart(append(bytes.Clone(head), column(unseen...)...)), plainPart(nil)...))
	}
	got := opened(t, k, forge(unseenFormat, 0, 2, 0, 1))
	if got[0].Unseen != nil || !reflect.DeepEqual(got[1].Unseen, version.Vector{{Replica: 9, Count: 1}}) {
		t.Fatalf("the test's own forgery is not good enough: %+v, %+v", got[0], got[1])
	}
	opened(t, k, forge(batchFormat))
	for name, sealed := range map[string][]byte{
		"a column in format 1":      forge(batchFormat, 0, 2, 0, 1),
		"no column in format 2":     forge(unseenFormat),
		"nothing in the column":     forge(unseenFormat, 0, 0),
		"more than the vector has":  forge(unseenFormat, 2, 0, 1, 1),
		"2^63 of them":              forge(unseenFormat, 0, uint64(1)<<63, 1),
		"fewer than it says":        forge(unseenFormat, 1, 2, 1, 1),
		"more than it says":         forge(unseenFormat, 1, 0, 1, 1),
		"zero at the end":           forge(unseenFormat, 1, 2, 1, 1, 0),
		"zero and nothing":          forge(unseenFormat, 1, 1, 0, 1),
		"a count that has no end":   forge(unseenFormat, 1, 0, strings.Repeat("\xff", 11)),
		"one of a million entries":  forge(unseenFormat, uint64(1)<<20, 1),
		"a column cut in its first": forge(unseenFormat, 1),
	} {
		if got, err := k.OpenBatch(sealed); !errors.Is(err, ErrBatch) || !errors.Is(err, ErrSealed) || got != nil {
			t.Errorf("%s: %d entries: %v", name, len(got), err)
		}
	}
	// A count that is too large is the fault of its entry alone.
	all, err := k.OpenBatch(forge(unseenFormat, 1, 1, 5, 1))
	if err != nil || !errors.Is(all[0].Err, entry.ErrEntry) || all[1].Err != nil {
		t.Errorf("5 of 4: %+v, %v", all, err)
	}
}

func refusedBatch(t *testing.T, k *Keys, name string, plain []byte) {
	t.Helper()
	got, err := k.OpenBatch(forgeBatch(k, batchFormat, plain))
	if !errors.Is(err, ErrBatch) || !errors.Is(err, ErrSealed) || got != nil {
		t.Errorf("%s: %d entries: %v", name, len(got), err)
	}
}

// column builds columns by hand; a string stands for its bytes, a number for a
// varint.
func column(parts ...any) []byte {
	var out []byte
	for _, p := range parts {
		switch p := p.(type) {
		case string:
			out = append(out, p...)
		case int:
			out = binary.AppendUvarint(out, uint64(p))
		case uint64:
			out = binary.AppendUvarint(out, p)
		}
	}
	return out
}

func TestNoNumberOfABatchIsTrusted(t *testing.T) {
	k := derive(t, 1, 1, 1)
	const replica = "\x00\x00\x00\x00\x00\x00\x00\x07"
	// What each part of a directory's and of a delete's columns may be is
	// changed one at a time.
	type parts struct{ n, forms, modes, paths, tables, authors, vectors, clocks, rest any }
	build := func(change func(p *parts)) []byte {
		p := parts{
			n: column(2), forms: "\x03\x01", modes: column(0o755, 0),
			paths: column(0, 1, 0, 0, 2, 1, "aab"), tables: column(1, replica, 1, 2, "me"),
			authors: column(0, 0, 0, 0), vectors: column(1, 1, 0, 0, 2, 2), clocks: column(20, 2), rest: column(goneRef),
		}
		change(&p)
		var out []byte
		for _, part := range []any{p.n, p.forms, p.modes, p.paths, p.tables, p.authors, p.vectors, p.clocks, p.rest} {
			switch part := part.(type) {
			case string:
				out = append(out, part...)
			case []byte:
				out = append(out, part...)
			}
		}
		return append(plainPart(out), plainPart(nil)...)
	}
	got := opened(t, k, forgeBatch(k, batchFormat, build(func(*parts) {})))
	if got[0].Path != "aa" || got[1].Path != "ab" || got[1].Gone != got[0].Digest() || got[1].Version.Clock != 11 {
		t.Fatalf("the test's own forgery is not good enough: %+v, %+v", got[0], got[1])
	}
	for name, change := range map[string]func(p *parts){
		"no entry":                     func(p *parts) { p.n = column(0) },
		"a million entries":            func(p *parts) { p.n = column(1_000_000) },
		"2^63 entries":                 func(p *parts) { p.n = column(uint64(1) << 63) },
		"a form to come":               func(p *parts) { p.forms = "\x23\x01" },
		"a mode beyond all":            func(p *parts) { p.modes = column(uint64(1)<<32|0o755, 0) },
		"more of a path than there is": func(p *parts) { p.paths = column(0, 3, 0, 0, 2, 0, "aa") },
		"a byte taken over twice":      func(p *parts) { p.paths = column(0, 1, 0, 2, 2, 0, "aa") },
		"a tail of nothing":            func(p *parts) { p.paths = column(0, 1, 1, 0, 2, 1, "aab") },
		"more than all of a path":      func(p *parts) { p.paths = column(0, uint64(1)<<63, 0, 0, 2, 1, "aab") },
		"a path too long":              func(p *parts) { p.paths = column(0, 4000, 0, 0, 4000, 97, strings.Repeat("a", 4097)) },
		"no replica":                   func(p *parts) { p.tables = column(0, 1, 2, "me") },
		"2^61 replicas":                func(p *parts) { p.tables = column(uint64(1)<<61, replica, 1, 2, "me") },
		"no author name":               func(p *parts) { p.tables = column(1, replica, 0) },
		"author names without end":     func(p *parts) { p.tables = column(1, replica, 5000, 2, "me") },
		"a long author name":           func(p *parts) { p.tables = column(1, replica, 1, 65, strings.Repeat("m", 65)) },
		"an author unnamed":            func(p *parts) { p.authors = column(0, 1, 0, 0) },
		"an author unknown":            func(p *parts) { p.authors = column(0, 0, 0, 1) },
		"a replica unknown":            func(p *parts) { p.vectors = column(1, 1, 0, 1, 2, 2) },
		"a vector too long":            func(p *parts) { p.vectors = column(1025, 1, 0, 0, 2, 2) },
		"a vector without counters":    func(p *parts) { p.vectors = column(1, 900, 0, 0, 2, 2) },
		"a delete of nothing there":    func(p *parts) { p.rest = column(goneRef + 4) },
		"a delete before all":          func(p *parts) { p.rest = column(goneRef + 1) },
		"a delete that refers afar":    func(p *parts) { p.rest = column(^uint64(0)) },
		"a delete that refers to 2^62": func(p *parts) { p.rest = column(uint64(1)<<63 + goneRef) },
		"a delete that is its own":     func(p *parts) { p.rest = column(goneRef + 2) },
		"a delete of a later delete":   func(p *parts) { p.forms, p.rest = "\x01\x01", column(goneRef+2, goneUnknown) },
		"two deletes in a circle":      func(p *parts) { p.forms, p.rest = "\x01\x01", column(goneRef+2, goneRef+3) },
		"a digest that is not there":   func(p *parts) { p.rest = column(goneLiteral) },
		"a file without blocks there":  func(p *parts) { p.forms, p.rest = "\x02\x01", column(5, 1, goneUnknown) },
		"a file of 2^60 blocks":        func(p *parts) { p.forms, p.rest = "\x02\x01", column(5, uint64(1)<<60, goneUnknown) },
		"a target too long":            func(p *parts) { p.forms, p.rest = "\x04\x01", column(4096, strings.Repeat("t", 4096), goneUnknown) },
		"a target that is not there":   func(p *parts) { p.forms, p.rest = "\x04\x01", column(9, "t", goneUnknown) },
		"a time that is not there":     func(p *parts) { p.forms = "\x13\x01" },
	} {
		refusedBatch(t, k, name, build(change))
	}
}

func TestABombInABatchIsRefusedBeforeItTakesMemory(t *testing.T) {
	k := derive(t, 1, 1, 1)
	columns, noise := batchInside(everyKind(k))
	all := map[string][]byte{}
	for name, frame := range bombs(t) {
		all["columns: "+name] = slices.Concat(framePart(frame), plainPart(noise))
		all["noise: "+name] = slices.Concat(plainPart(columns), framePart(frame))
	}
	// Few bytes that stand for much: a frame of zeros or ones, each of which
	// would be an entry, a counter, a block.
	for name, b := range map[string]byte{"zeros": 0, "ones": 1} {
		frame := compress(nil, bytes.Repeat([]byte{b}, entry.MaxBlock))
		head := compress(nil, append(column(MaxBatch), bytes.Repeat([]byte{b}, entry.MaxBlock-2)...))
		all[name] = slices.Concat(framePart(frame), framePart(frame))
		all["4,096 entries of "+name] = slices.Concat(framePart(head), framePart(frame))
	}
	all["4 million counters"] = slices.Concat(framePart(compress(nil, manyCounters())), plainPart(nil))
	all["12 million blocks"] = slices.Concat(framePart(compress(nil, manyBlocks())), framePart(compress(nil, make([]byte, entry.MaxBlock))))
	for name, plain := range all {
		sealed := forgeBatch(k, batchFormat, plain)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		got, err := k.OpenBatch(sealed)
		runtime.ReadMemStats(&after)
		if !errors.Is(err, ErrBatch) || got != nil {
			t.Errorf("%s: %v", name, err)
		}
		// Two parts, the entries, and decoders that may be made on the way.
		if took := after.TotalAlloc - before.TotalAlloc; took > 2*maxPart+10<<20 {
			t.Errorf("%s: took %d KiB for %d bytes", name, took>>10, len(sealed))
		}
	}
}

// manyBlocks are columns of 4,096 files with 3,000 blocks each.
func manyBlocks() []byte {
	zeros, ones, counts := strings.Repeat("\x00", MaxBatch), strings.Repeat("\x01", MaxBatch), strings.Repeat(string(column(3000)), MaxBatch)
	return column(MaxBatch, strings.Repeat("\x02", MaxBatch), zeros, // forms, modes
		zeros, zeros, ones, strings.Repeat("a", MaxBatch), // paths
		1, "\x00\x00\x00\x00\x00\x00\x00\x07", 1, 2, "me", zeros, zeros,
		ones, zeros, zeros, zeros, // vectors, clocks
		zeros, counts, strings.Repeat("\x01", 3000*MaxBatch))
}

// manyCounters are columns of 4,096 directories with 1,024 counters each.
func manyCounters() []byte {
	zeros := strings.Repeat("\x00", MaxBatch)
	lengths := strings.Repeat(string(column(1024)), MaxBatch)
	return column(MaxBatch, strings.Repeat("\x03", MaxBatch), zeros, // forms, modes
		zeros, zeros, strings.Repeat("\x01", MaxBatch), strings.Repeat("a", MaxBatch), // paths
		1, "\x00\x00\x00\x00\x00\x00\x00\x07", 1, 2, "me", zeros, zeros,
		lengths, strings.Repeat("\x00", 2*1024*MaxBatch), zeros)
}

package seal

import (
	"bytes"
	"errors"
	"reflect"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/proto/wirepb"
)

func FuzzOpenBlock(f *testing.F) {
	k := derive(f, 1, 1, 1)
	id, raw := mustSeal(f, k, []byte("kith"), Raw)
	_, packed := mustSeal(f, k, prose(300), Zstd)
	f.Add(raw, byte(0))
	f.Add(packed, byte(0))
	f.Add(compress(nil, prose(300)), byte(2))
	for _, frame := range bombs(f) {
		if len(frame) < 10_000 {
			f.Add(frame, byte(2))
		}
	}
	f.Fuzz(func(t *testing.T, in []byte, forged byte) {
		sealed := in
		if forged != 0 && len(in) <= entry.MaxBlock {
			// Behind a genuine seal, the decompressor is exposed too.
			sealed = forge(k, id, Encoding(forged), in)
		}
		out, err := k.OpenBlock(nil, id, sealed)
		if err == nil && string(out) != "kith" {
			t.Fatalf("%x opens to %q", sealed, out)
		}
		if err != nil && (!errors.Is(err, ErrSealed) || out != nil) {
			t.Fatalf("%v, with %d bytes", err, len(out))
		}
	})
}

func FuzzRecord(f *testing.F) {
	k := derive(f, 1, 1, 1)
	for _, e := range append(everyKind(k), unseeing(k)...) {
		b, err := proto.Marshal(sealed(f, k, e).ToWire())
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var w wirepb.Record
		if proto.Unmarshal(b, &w) != nil {
			return
		}
		r, err := RecordFromWire(&w)
		if err != nil {
			if !errors.Is(err, ErrRecord) || r != nil {
				t.Fatal(err)
			}
			return
		}
		if again, err := overWire(r); err != nil || !reflect.DeepEqual(again, r) {
			t.Fatalf("sent %+v, arrived %+v: %v", r, again, err)
		}
		e, err := k.OpenRecord(r)
		if err != nil {
			if !errors.Is(err, ErrSealed) {
				t.Fatal(err)
			}
			return
		}
		if again := sealed(t, k, &e); !reflect.DeepEqual(again, r) {
			t.Fatalf("opened %+v, sealed %+v", r, again)
		}
	})
}

// FuzzInside reads what only a liar with the key can have sealed.
func FuzzInside(f *testing.F) {
	k := derive(f, 1, 1, 1)
	for _, e := range append(everyKind(k), unseeing(k)...) {
		b, err := inside(e)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	file := sealed(f, k, photo(k))
	f.Fuzz(func(t *testing.T, plain []byte) {
		if len(plain) < padTo || len(plain) > maxInside {
			return
		}
		for _, blocks := range [][]BlockRef{nil, file.Blocks} {
			r := *file
			r.Blocks = blocks
			e, err := k.OpenRecord(forgeRecord(k, r, bytes.Clone(plain)))
			if err == nil && e.Check() != nil {
				t.Fatalf("opens to an invalid entry: %v", e.Check())
			}
			if err != nil && !errors.Is(err, ErrSealed) {
				t.Fatal(err)
			}
		}
	})
}

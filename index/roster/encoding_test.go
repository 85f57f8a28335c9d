package roster

import (
	"bytes"
	"encoding/hex"
	"errors"
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/version"
)

var update = flag.Bool("update", false, "write the golden file anew")

// goldens are one statement of each kind, signed with fixed keys.
func goldens(t testing.TB) []Statement {
	st := found(t, a).admit(a, b, both)
	st.add(st.made(st.Claim(b, 0x0102030405060708, st.tick())))
	st.add(st.made(st.Describe(b, "Jörgs Gerät", entry.RoleArchive, st.tick())))
	st.admit(b, c, MayShare).revoke(a, b).admit(a, b, 0)
	st.add(st.made(st.Leave(c, st.tick())))
	st.add(st.raw(a, Statement{
		Kind: 200, Subject: d.ID(), Clock: version.MaxClock, Name: "n", Role: 7, Rights: 1 << 31,
		Label: "l", Replica: 1, Knows: []ID{{1}, {2}}, Payload: []byte("later"),
	}))
	return st.Statements()
}

// The bytes and signatures below are on people's disks: if this test fails,
// the code is wrong, not the file.
func TestTheEncodingNeverChanges(t *testing.T) {
	const file = "testdata/statements.hex"
	var got strings.Builder
	for _, s := range goldens(t) {
		got.WriteString(hex.EncodeToString(s.Encode()) + "\n")
	}
	if *update {
		if err := os.WriteFile(file, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got.String() != string(want) {
		t.Fatalf("the encoding has changed:\n%s", got.String())
	}
	var st *story
	for line := range strings.Lines(string(want)) {
		raw, _ := hex.DecodeString(strings.TrimSpace(line))
		s, err := Decode(raw)
		if err != nil {
			t.Fatal(err)
		}
		if st == nil {
			st = &story{t: t, Roster: New(s.Folder, verify)}
		}
		st.add(s)
	}
	st.expect("[A B]")
	if got := hex.EncodeToString(sum(st.Digest())); got != goldenDigest {
		t.Fatalf("the digest has changed to %s", got)
	}
	if got := st.Folder().String(); got != goldenFolder {
		t.Fatalf("the folder ID has changed to %s", got)
	}
}

const (
	goldenDigest = "b79e9c38cb8599cab7f36895885cdc87"
	goldenFolder = "510a2180448da93b4be7658135353f42"
)

func sum(d [16]byte) []byte { return d[:] }

func TestSignedBytesBeginWithTheirDomain(t *testing.T) {
	s := goldens(t)[0]
	if !bytes.HasPrefix(s.Bytes(), []byte("kith roster statement v1\x00")) {
		t.Fatal("no domain")
	}
}

func TestACutOrGrownStatementIsRefused(t *testing.T) {
	for _, s := range goldens(t) {
		raw := s.Encode()
		for n := range raw {
			if _, err := Decode(raw[:n]); !errors.Is(err, ErrStatement) {
				t.Fatalf("%s cut to %d bytes: %v", s.Kind, n, err)
			}
		}
		if _, err := Decode(append(raw, 0)); !errors.Is(err, ErrStatement) {
			t.Fatalf("%s with a byte too many: %v", s.Kind, err)
		}
	}
}

func TestAFlippedBitNeverPassesForTheSameAuthorsWord(t *testing.T) {
	st := found(t, a)
	for _, s := range goldens(t)[:3] {
		raw := s.Encode()
		for i := range len(raw) * 8 {
			raw[i/8] ^= 1 << (i % 8)
			if s, err := Decode(raw); err == nil {
				if _, added, _ := st.Add(s); len(added) != 0 {
					t.Fatalf("bit %d flipped is believed: %+v", i, s)
				}
			}
			raw[i/8] ^= 1 << (i % 8)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, s := range goldens(f) {
		f.Add(s.Encode())
	}
	st := found(f, a).recover(a, w)
	for _, s := range st.addKeys(a, w).Statements() {
		f.Add(s.Encode())
	}
	f.Add([]byte{encoding})
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := Decode(data)
		if err != nil {
			if !errors.Is(err, ErrStatement) {
				t.Fatalf("an error of its own: %v", err)
			}
			return
		}
		if again := s.Encode(); !bytes.Equal(again, data) {
			t.Fatalf("two encodings of one statement:\n%x\n%x", data, again)
		}
	})
}

package recovery

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/roster"
	"github.com/kithmesh/kith/node/identity"
	"github.com/kithmesh/kith/protocol/seal"
)

var update = flag.Bool("update", false, "write the golden file anew")

var (
	goldenWords = strings.Repeat("letter advice cage absurd amount doctor acoustic avoid ", 2) + "letter advice cage absurd amount doctor acoustic bless"
	otherWords  = strings.Repeat("zoo ", 23) + "vote"
	folder      = entry.FolderID{1, 2, 3}
)

func unlock(t testing.TB, words string) *Secret {
	t.Helper()
	phrase, err := identity.ParsePhrase(words)
	if err != nil {
		t.Fatal(err)
	}
	s, err := Unlock(phrase)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// keysOf makes a key for each epoch.
func keysOf(epochs ...entry.Epoch) map[entry.Epoch]seal.FolderKey {
	keys := map[entry.Epoch]seal.FolderKey{}
	for _, e := range epochs {
		keys[e] = seal.FolderKey(bytes.Repeat([]byte{byte(e), byte(e>>8) | 1}, 16))
	}
	return keys
}

func sealed(t testing.TB, p Public, keys map[entry.Epoch]seal.FolderKey) [][]byte {
	t.Helper()
	payloads, err := p.Seal(folder, keys)
	if err != nil {
		t.Fatal(err)
	}
	return payloads
}

func TestWhatWasSealedToWordsComesBackWithThem(t *testing.T) {
	s := unlock(t, goldenWords)
	rapid.Check(t, func(t *rapid.T) {
		epochs := rapid.SliceOfNDistinct(rapid.Uint32Min(1), 1, 120, rapid.ID[uint32]).Draw(t, "epochs")
		keys := map[entry.Epoch]seal.FolderKey{}
		for _, e := range epochs {
			keys[entry.Epoch(e)] = seal.NewFolderKey()
		}
		payloads, err := s.Public().Seal(folder, keys)
		if err != nil || len(payloads) != (len(keys)+maxEpochs-1)/maxEpochs {
			t.Fatal(len(payloads), err)
		}
		got := map[entry.Epoch]seal.FolderKey{}
		for _, p := range payloads {
			opened, err := s.Open(folder, p)
			if err != nil || len(p) > roster.MaxPayload {
				t.Fatal(len(p), err)
			}
			maps.Copy(got, opened)
			public, told, err := Read(s.Public().Device(), p)
			if err != nil || !slices.Equal(told, slices.Sorted(maps.Keys(opened))) || !bytes.Equal(public.Bytes(), s.Public().Bytes()) {
				t.Fatal(told, err)
			}
		}
		if !maps.Equal(got, keys) {
			t.Fatal("other keys came back")
		}
	})
}

// A folder with as many epochs as it may have fits into a roster many times.
func TestAThousandEpochsTakeLittleRoomInARoster(t *testing.T) {
	s := unlock(t, goldenWords)
	keys := map[entry.Epoch]seal.FolderKey{}
	for e := range entry.Epoch(1024) {
		keys[e+1] = seal.NewFolderKey()
	}
	size := 0
	payloads := sealed(t, s.Public(), keys)
	for _, p := range payloads {
		size += len(p)
	}
	if maxEpochs != 46 || len(payloads) != 23 || size > roster.MaxSize/40 {
		t.Fatalf("%d payloads of %d bytes, %d epochs each", len(payloads), size, maxEpochs)
	}
	if one := sealed(t, s.Public(), keysOf(1)); len(one[0]) != 2455 {
		t.Fatalf("one epoch takes %d bytes", len(one[0]))
	}
}

// What was sealed once must open for ever: if this test fails, the code is
// wrong. (Sealing is not deterministic, so that way there is no golden vector.)
func TestWhatWasSealedOnceOpensForEver(t *testing.T) {
	const file = "testdata/payload.hex"
	s := unlock(t, goldenWords)
	if *update {
		p := sealed(t, s.Public(), keysOf(1, 2, 0x100003))
		if err := os.WriteFile(file, []byte(hex.EncodeToString(s.Public().Bytes())+"\n"+hex.EncodeToString(p[0])+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Fields(string(data))
	if got := hex.EncodeToString(s.Public().Bytes()); got != lines[0] {
		t.Fatalf("the public side is now %s", got)
	}
	payload, _ := hex.DecodeString(lines[1])
	keys, err := s.Open(folder, payload)
	if err != nil || !maps.Equal(keys, keysOf(1, 2, 0x100003)) {
		t.Fatal(err)
	}
}

func TestSealedKeysOpenForNoOtherWordsFolderOrEpoch(t *testing.T) {
	s, other := unlock(t, goldenWords), unlock(t, otherWords)
	good := sealed(t, s.Public(), keysOf(1, 5))[0]
	if _, err := other.Open(folder, good); !errors.Is(err, ErrPayload) {
		t.Errorf("with other words: %v", err)
	}
	if _, err := s.Open(entry.FolderID{9}, good); !errors.Is(err, ErrPayload) {
		t.Errorf("in another folder: %v", err)
	}
	// The card of one phrase on what was sealed to another.
	mixed := bytes.Clone(good)
	copy(mixed[1:], other.Public().kem)
	copy(mixed[1+publicSize:], other.Public().proof)
	if _, err := other.Open(folder, mixed); !errors.Is(err, ErrPayload) {
		t.Errorf("with another card: %v", err)
	}
	newer := bytes.Clone(good)
	newer[0]++
	if _, err := s.Open(folder, newer); !errors.Is(err, ErrNewer) || !errors.Is(err, ErrPayload) {
		t.Errorf("of a later form: %v", err)
	}
	for at := range good {
		if at > 1 && at < headSize-2 && at%97 != 0 || at > headSize+8 && at%61 != 0 {
			continue // opening takes its time
		}
		bad := bytes.Clone(good)
		bad[at] ^= 1 << (at % 8)
		if keys, err := s.Open(folder, bad); !errors.Is(err, ErrPayload) || keys != nil {
			t.Fatalf("altered at %d: %v", at, err)
		}
	}
	for n := range good {
		if _, err := s.Open(folder, good[:n]); !errors.Is(err, ErrPayload) {
			t.Fatalf("cut to %d: %v", n, err)
		}
	}
	if _, err := s.Open(folder, append(good, 0)); !errors.Is(err, ErrPayload) {
		t.Fatalf("longer: %v", err)
	}
}

func TestNobodyPutsAKeyOfTheirOwnUnderAnothersName(t *testing.T) {
	s, thief := unlock(t, goldenWords), unlock(t, otherWords)
	forged := Public{device: s.Public().device, kem: thief.Public().kem, proof: thief.Public().proof}
	if _, err := ParsePublic(forged.Bytes()); !errors.Is(err, ErrPublic) {
		t.Errorf("parsed: %v", err)
	}
	if _, err := forged.Seal(folder, keysOf(1)); !errors.Is(err, ErrPublic) {
		t.Errorf("sealed to: %v", err)
	}
	if _, _, err := Read(s.Public().Device(), sealed(t, thief.Public(), keysOf(1))[0]); !errors.Is(err, ErrPublic) {
		t.Errorf("read: %v", err)
	}
}

func TestThePublicSideIsStoredAndAnyFlippedBitShows(t *testing.T) {
	p := unlock(t, goldenWords).Public()
	data := p.Bytes()
	again, err := ParsePublic(data)
	if err != nil || again.Device() != p.Device() || !bytes.Equal(again.Bytes(), data) {
		t.Fatal(err)
	}
	if payloads, err := again.Seal(folder, keysOf(7)); err != nil || len(payloads) != 1 {
		t.Fatal(err)
	}
	for at := range data {
		bad := bytes.Clone(data)
		bad[at] ^= 1 << (at % 8)
		if _, err := ParsePublic(bad); !errors.Is(err, ErrPublic) {
			t.Fatalf("altered at %d: %v", at, err)
		}
		if _, err := ParsePublic(data[:at]); !errors.Is(err, ErrPublic) {
			t.Fatalf("cut to %d: %v", at, err)
		}
	}
	if _, err := ParsePublic(append(data, 0)); !errors.Is(err, ErrPublic) {
		t.Fatal(err)
	}
	if (Public{}).Bytes() != nil {
		t.Fatal("nothing has bytes")
	}
}

func TestOnlyKeysAreSealed(t *testing.T) {
	p := unlock(t, goldenWords).Public()
	for name, keys := range map[string]map[entry.Epoch]seal.FolderKey{
		"none": nil, "epoch 0": keysOf(0), "a zero key": {3: {}}, "one of two": {3: {1}, 4: {}},
	} {
		if payloads, err := p.Seal(folder, keys); !errors.Is(err, ErrKeys) || payloads != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := (Public{}).Seal(folder, keysOf(1)); !errors.Is(err, ErrPublic) {
		t.Error(err)
	}
	if _, err := Unlock(identity.Phrase{}); err == nil {
		t.Error("no words lead to a secret")
	}
}

func TestALiarAmongTheMembersDoesNotHideATrueKey(t *testing.T) {
	s := unlock(t, goldenWords)
	lie := map[entry.Epoch]seal.FolderKey{1: {0xbb}, 2: {0xcc}}
	payloads := slices.Concat(sealed(t, s.Public(), lie), [][]byte{[]byte("rubbish")},
		sealed(t, s.Public(), keysOf(1, 3)), sealed(t, s.Public(), keysOf(1)))
	got, err := s.OpenAll(folder, payloads)
	if !errors.Is(err, ErrPayload) {
		t.Fatalf("rubbish is not told: %v", err)
	}
	if !slices.Equal(got[1], []seal.FolderKey{lie[1], keysOf(1)[1]}) || len(got[2]) != 1 || len(got[3]) != 1 {
		t.Fatalf("epochs 1, 2, 3 have %d, %d, %d keys", len(got[1]), len(got[2]), len(got[3]))
	}
	if _, err := s.OpenAll(folder, payloads[2:]); err != nil {
		t.Fatal(err)
	}
}

func TestOnlyWhatIsNotYetSealedIsMissing(t *testing.T) {
	s, other := unlock(t, goldenWords), unlock(t, otherWords)
	all := keysOf(1, 2, 3)
	payloads := slices.Concat(sealed(t, s.Public(), keysOf(1)), sealed(t, other.Public(), keysOf(2)), [][]byte{nil, {1}}, sealed(t, s.Public(), keysOf(3, 9)))
	if got := s.Public().Missing(all, payloads); !maps.Equal(got, keysOf(2)) {
		t.Fatalf("%d are missing", len(got))
	}
	if len(all) != 3 || len(s.Public().Missing(all, nil)) != 3 {
		t.Fatal("the keys were changed, or are not missing")
	}
}

// The story as it will be: keys in a roster, words, a new device.
func TestARosterAndTheWordsGiveBackTheFolderAndTheRightToJoinIt(t *testing.T) {
	dir := t.TempDir()
	laptop, err := identity.Create(dir + "/laptop")
	if err != nil {
		t.Fatal(err)
	}
	fresh, err := identity.Create(dir + "/fresh")
	if err != nil {
		t.Fatal(err)
	}
	id, founding, err := roster.NewFolder(laptop, roster.Founding{Label: "Documents", Name: "laptop"}, 1, bytes.NewReader(make([]byte, 64)))
	if err != nil {
		t.Fatal(err)
	}
	r := roster.New(id, identity.Verify)
	say := func(s roster.Statement, err error) {
		t.Helper()
		next, added, refused := r.Add(s)
		if err != nil || len(added) != 1 {
			t.Fatal(err, refused)
		}
		r = next
	}
	say(founding, nil)
	public := unlock(t, goldenWords).Public()
	first, err := public.Seal(id, keysOf(1))
	if err != nil {
		t.Fatal(err)
	}
	say(r.Recover(laptop, public.Device(), first[0], 2))
	again, _, err := Read(r.Recoveries()[0].Device, r.Recoveries()[0].Sealed[0].Payload) // as another member would
	if err != nil {
		t.Fatal(err)
	}
	later, err := again.Seal(id, again.Missing(keysOf(1, 0x100001), [][]byte{first[0]}))
	if err != nil {
		t.Fatal(err)
	}
	say(r.AddKeys(laptop, again.Device(), later[0], 3))

	// The laptop is gone. What follows needs the statements and the words.
	s := unlock(t, goldenWords)
	blind, _, refused := roster.New(id, identity.Verify).Add(r.Statements()...)
	if len(refused) > 0 || !blind.IsRecovery(s.Identity().ID()) {
		t.Fatal(refused)
	}
	r = blind
	var payloads [][]byte
	for _, sealed := range r.SealedTo(s.Identity().ID()) {
		payloads = append(payloads, sealed.Payload)
	}
	keys, err := s.OpenAll(id, payloads)
	if err != nil || len(keys) != 2 || keys[1][0] != keysOf(1)[1] {
		t.Fatal(len(keys), err)
	}
	say(r.Admit(s.Identity(), roster.Admission{Device: fresh.ID(), Name: "fresh", Role: entry.RoleSync, Rights: roster.Every}, 4))
	say(r.Revoke(s.Identity(), laptop.ID(), 5))
	if m, ok := r.Member(fresh.ID()); !ok || m.Rights != roster.Every || len(r.Members()) != 1 || !r.IsRecovery(s.Identity().ID()) {
		t.Fatalf("%+v", r.Members())
	}
}

func TestASecretIsNeverPrinted(t *testing.T) {
	s := unlock(t, goldenWords)
	raw, err := s.kem.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&out, verb+"\n", s)
		fmt.Fprintf(&out, verb+"\n", *s)
		fmt.Fprintf(&out, verb+"\n", struct{ s *Secret }{s})
	}
	slog.New(slog.NewTextHandler(&out, nil)).Info("x", "s", s)
	slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "s", s)
	_ = json.NewEncoder(&out).Encode(s)
	for _, form := range []string{hex.EncodeToString(raw[:4]), strings.ToUpper(hex.EncodeToString(raw[:4])), string(raw[:4]), strings.Trim(fmt.Sprint(raw[:4]), "[]"), "letter"} {
		if strings.Contains(out.String(), form) {
			t.Fatalf("the secret is printed as %q:\n%s", form, out.String())
		}
	}
	if !strings.Contains(out.String(), string(s.Identity().ID())) {
		t.Fatal("it does not say whose it is")
	}
}

func FuzzParse(f *testing.F) {
	s := unlock(f, goldenWords)
	good := sealed(f, s.Public(), keysOf(1, 2))[0]
	f.Add(good)
	f.Add(good[:headSize])
	f.Add([]byte{2})
	f.Fuzz(func(t *testing.T, data []byte) {
		_, epochs, err := Read(s.Public().Device(), data)
		if err != nil && !errors.Is(err, ErrPayload) && !errors.Is(err, ErrPublic) {
			t.Fatalf("an error of its own: %v", err)
		}
		keys, openErr := s.Open(folder, data)
		if openErr != nil && !errors.Is(openErr, ErrPayload) {
			t.Fatalf("an error of its own: %v", openErr)
		}
		if openErr == nil && (err != nil || len(keys) != len(epochs)) {
			t.Fatal("opened, but not read")
		}
	})
}

func FuzzParsePublic(f *testing.F) {
	f.Add(unlock(f, goldenWords).Public().Bytes())
	f.Add([]byte{publicFormat, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := ParsePublic(data)
		if err != nil {
			if !errors.Is(err, ErrPublic) {
				t.Fatalf("an error of its own: %v", err)
			}
			return
		}
		if !bytes.Equal(p.Bytes(), data) {
			t.Fatal("two forms of one")
		}
	})
}

func BenchmarkOpen(b *testing.B) {
	s := unlock(b, goldenWords)
	p := sealed(b, s.Public(), keysOf(1))[0]
	for b.Loop() {
		if _, err := s.Open(folder, p); err != nil {
			b.Fatal(err)
		}
	}
}

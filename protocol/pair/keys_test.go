package pair

import (
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite golden vectors: this changes the protocol")

// checkGolden compares frames and check words with testdata, line by line.
func checkGolden(t *testing.T, name string, parts [][]byte, check [4]string) {
	t.Helper()
	var b strings.Builder
	for _, p := range parts {
		fmt.Fprintln(&b, hex.EncodeToString(p))
	}
	fmt.Fprintln(&b, strings.Join(check[:], " "))
	file := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if b.String() != string(want) {
		t.Errorf("%s has changed:\n%s\nwas\n%s", name, b.String(), want)
	}
}

func fixedTranscript() transcript {
	return transcript{
		enterer: phone.ID, shower: laptop.ID,
		entererHello: []byte("hello from the enterer"), showerHello: []byte("hello from the shower"),
		entererShare: []byte("share of the enterer"), showerShare: []byte("share of the shower"),
	}
}

// TestDerivationsAreFrozen pins all that follows from a session key.
func TestDerivationsAreFrozen(t *testing.T) {
	tr := fixedTranscript()
	s := newSession([]byte("a session key of thirty-two byte"), &tr)
	parts := [][]byte{s.digest[:]}
	for _, r := range []role{enterer, shower} {
		mac, err := s.confirmation(r)
		if err != nil {
			t.Fatal(err)
		}
		sealed, err := s.seal(r, []byte("card"))
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, mac, sealed)
	}
	check, err := s.checkWords()
	if err != nil {
		t.Fatal(err)
	}
	checkGolden(t, "derivations", parts, check)
}

// TestEveryPartOfTheTranscriptCounts changes one part at a time, and moves a
// byte from each part to the next.
func TestEveryPartOfTheTranscriptCounts(t *testing.T) {
	seen := map[string]string{}
	add := func(name string, tr transcript) {
		d := tr.digest()
		if other, dup := seen[string(d[:])]; dup {
			t.Errorf("%s has the digest of %s", name, other)
		}
		seen[string(d[:])] = name
	}
	add("itself", fixedTranscript())
	for name, change := range map[string]func(*transcript){
		"enterer":       func(tr *transcript) { tr.enterer = mallet.ID },
		"shower":        func(tr *transcript) { tr.shower = mallet.ID },
		"swapped":       func(tr *transcript) { tr.enterer, tr.shower = tr.shower, tr.enterer },
		"enterer hello": func(tr *transcript) { tr.entererHello[0]++ },
		"shower hello":  func(tr *transcript) { tr.showerHello[0]++ },
		"enterer share": func(tr *transcript) { tr.entererShare[0]++ },
		"shower share":  func(tr *transcript) { tr.showerShare[0]++ },
		"moved id":      func(tr *transcript) { tr.shower, tr.enterer = tr.enterer[9:]+tr.shower, tr.enterer[:9] },
		"moved hello": func(tr *transcript) {
			tr.showerHello = append(tr.showerHello, tr.entererShare[0])
			tr.entererShare = tr.entererShare[1:]
		},
	} {
		tr := fixedTranscript()
		change(&tr)
		add(name, tr)
	}
}

func TestASealOfOneSideDoesNotOpenAsTheOthers(t *testing.T) {
	tr := fixedTranscript()
	s := newSession(make([]byte, keySize), &tr)
	sealed, err := s.seal(enterer, []byte("card"))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := s.open(enterer, sealed); err != nil || string(got) != "card" {
		t.Errorf("open: %q, %v", got, err)
	}
	if _, err := s.open(shower, sealed); err == nil {
		t.Error("opened as the other side's")
	}
	mac, err := s.confirmation(enterer)
	if err != nil {
		t.Fatal(err)
	}
	if ok, err := s.confirms(shower, mac); ok || err != nil {
		t.Errorf("confirms: %v, %v", ok, err)
	}
}

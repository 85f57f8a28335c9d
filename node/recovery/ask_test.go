package recovery

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/kithmesh/kith/node/identity"
)

func TestThreeDifferentWordsAreAskedForAllEquallyOften(t *testing.T) {
	const rounds = 8000
	var count [identity.PhraseWords + 1]int
	for range rounds {
		p, err := Ask(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		if p[0] < 1 || p[0] >= p[1] || p[1] >= p[2] || p[2] > identity.PhraseWords {
			t.Fatal(p)
		}
		for _, at := range p {
			count[at]++
		}
	}
	for at, n := range count[1:] { // 1000 expected, a standard deviation of 30
		if n < 800 || n > 1200 {
			t.Errorf("word %d was asked for %d times of %d", at+1, n, rounds)
		}
	}
}

func TestTheChoiceOfWordsIsThatOfTheRandomBytes(t *testing.T) {
	p, err := Ask(bytes.NewReader([]byte{255, 23, 23, 24, 240, 5}))
	if err != nil || p != (Positions{1, 6, 24}) {
		t.Fatal(p, err)
	}
	if _, err := Ask(bytes.NewReader([]byte{1, 1, 1, 1})); !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
}

func TestWrongAnswersAreNamedByTheirPosition(t *testing.T) {
	phrase, err := identity.ParsePhrase(goldenWords)
	if err != nil {
		t.Fatal(err)
	}
	p := Positions{1, 6, 24} // letter, doctor, bless
	for answers, want := range map[string][]int{
		"letter/doctor/bless": nil, "LETT/ doct. /24. bless": nil, "doctor/letter/bless": {1, 6}, "letter/doctor": {24},
		"": {1, 6, 24}, "letter/doctors/bless": {6}, "letter/doctor/bless/zoo": nil, "letter/doctor/letter": {24},
	} {
		if got := p.Wrong(phrase, strings.Split(answers, "/")); !slices.Equal(got, want) {
			t.Errorf("%q: wrong are %v, want %v", answers, got, want)
		}
	}
	if got := p.Wrong(identity.Phrase{}, []string{"", "", ""}); len(got) != 3 {
		t.Errorf("no phrase: %v", got)
	}
}

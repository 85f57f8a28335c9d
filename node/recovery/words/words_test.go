package words_test

import (
	"bytes"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/recovery/recoverytest"
	"github.com/kithmesh/kith/node/recovery/words"
)

// open reads what is remembered, in a file that is whole.
func open(t testing.TB, path string) *words.Words {
	t.Helper()
	w, damage, err := words.Open(path)
	if err != nil || damage != nil {
		t.Fatal(damage, err)
	}
	return w
}

func draw(t testing.TB, w *words.Words) words.Draft {
	t.Helper()
	d, err := w.Draw()
	if err != nil || len(d.Words) != 24 || len(d.Ask) != 3 {
		t.Fatalf("%d words, of which %v are asked for: %v", len(d.Words), d.Ask, err)
	}
	return d
}

// answers are those that show that a draft was written down.
func answers(d words.Draft) (out []string) {
	for _, at := range d.Ask {
		out = append(out, d.Words[at-1])
	}
	return out
}

func TestADraftIsConfirmedOnceByTheWordsThatAreAskedFor(t *testing.T) {
	w := open(t, filepath.Join(t.TempDir(), "words"))
	d := draw(t, w)
	if public, _, _ := w.InEffect(); public.Device() != "" {
		t.Error("a draft is in effect")
	}
	if _, err := w.Confirm("another", answers(d)); !errors.Is(err, words.ErrNoDraft) {
		t.Errorf("under another name: %v", err)
	}
	secret, err := w.Confirm(d.ID, answers(d))
	if err != nil || secret.Public().Device() == "" {
		t.Fatal(err)
	}
	if public, _, _ := w.InEffect(); public.Device() != "" {
		t.Error("they are in effect without being put so")
	}
	if _, err := w.Confirm(d.ID, answers(d)); !errors.Is(err, words.ErrNoDraft) {
		t.Errorf("twice: %v", err)
	}
}

func TestAWrongAnswerEndsADraftAndTellsNoWord(t *testing.T) {
	w := open(t, filepath.Join(t.TempDir(), "words"))
	for name, harm := range map[string]struct {
		to   func(good []string) []string
		says string
	}{
		"one wrong":  {func(good []string) []string { return []string{good[0], "zzz", good[2]} }, "word "},
		"two absent": {func(good []string) []string { return good[:1] }, "words "},
	} {
		d := draw(t, w)
		_, err := w.Confirm(d.ID, harm.to(answers(d)))
		if !errors.Is(err, words.ErrWrong) || !strings.HasPrefix(err.Error(), harm.says) {
			t.Errorf("%s: %v", name, err)
		}
		for _, word := range answers(d) {
			if strings.Contains(err.Error(), " "+word+" ") && !strings.Contains("word words is are not what was shown", word) {
				t.Errorf("%s: the error tells %q", name, word)
			}
		}
		if _, err := w.Confirm(d.ID, answers(d)); !errors.Is(err, words.ErrNoDraft) {
			t.Errorf("%s, and then the right ones: %v", name, err)
		}
	}
}

func TestADraftIsForgottenAfterAnHourOrForAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := open(t, filepath.Join(t.TempDir(), "words"))
		old := draw(t, w)
		<-time.After(59 * time.Minute)
		young := draw(t, w)
		if _, err := w.Confirm(old.ID, answers(old)); !errors.Is(err, words.ErrNoDraft) {
			t.Errorf("after another: %v", err)
		}
		<-time.After(59 * time.Minute) // the clock of the first does not count for the second
		if _, err := w.Confirm(young.ID, answers(young)); err != nil {
			t.Errorf("within its hour: %v", err)
		}
		late := draw(t, w)
		<-time.After(time.Hour)
		synctest.Wait()
		if _, err := w.Confirm(late.ID, answers(late)); !errors.Is(err, words.ErrNoDraft) {
			t.Errorf("after its hour: %v", err)
		}
		last := draw(t, w)
		w.Forget()
		if _, err := w.Confirm(last.ID, answers(last)); !errors.Is(err, words.ErrNoDraft) {
			t.Errorf("after it was let go: %v", err)
		}
	})
}

func TestWhatIsInEffectIsRememberedAndWhatItReplaces(t *testing.T) {
	path := filepath.Join(t.TempDir(), "words")
	first, second, third := recoverytest.Secret(t).Public(), recoverytest.Secret(t).Public(), recoverytest.Secret(t).Public()
	at := time.Date(2026, 11, 22, 14, 3, 7, 999, time.UTC)
	w := open(t, path)
	if n, err := w.Put(first, at, nil); n != 0 || err != nil {
		t.Fatal(n, err)
	}
	if n, err := w.Put(second, at, []entry.DeviceID{"elsewhere", first.Device(), "elsewhere"}); n != 2 || err != nil {
		t.Fatal(n, err)
	}
	if n, err := w.Put(third, at, []entry.DeviceID{third.Device()}); n != 3 || err != nil {
		t.Fatal(n, err)
	}
	want := []entry.DeviceID{first.Device(), second.Device(), "elsewhere"}
	slices.Sort(want)
	for name, w := range map[string]*words.Words{"at once": w, "by the next start": open(t, path)} {
		public, replaced, created := w.InEffect()
		if !bytes.Equal(public.Bytes(), third.Bytes()) || !slices.Equal(replaced, want) || !created.Equal(at.Truncate(time.Second)) {
			t.Errorf("%s: %s, made %v, instead of %d", name, public.Device(), created, len(replaced))
		}
	}
}

func TestWordsThatBroughtADeviceBackAreInEffectUnlessOthersAre(t *testing.T) {
	path := filepath.Join(t.TempDir(), "words")
	theirs, own := recoverytest.Secret(t).Public(), recoverytest.Secret(t).Public()
	w := open(t, path)
	first := map[entry.FolderID][]entry.Path{{1}: {"a/b", "c"}, {2}: nil}
	if err := w.CameBack(theirs, recoverytest.Began, first); err != nil {
		t.Fatal(err)
	}
	if public, _, created := w.InEffect(); public.Device() != theirs.Device() || !created.Equal(recoverytest.Began) {
		t.Error("they are not in effect")
	}
	if _, err := w.Put(own, recoverytest.Began, nil); err != nil {
		t.Fatal(err)
	}
	if err := w.CameBack(theirs, recoverytest.Began, nil); err != nil {
		t.Fatal(err)
	}
	w = open(t, path)
	if public, _, _ := w.InEffect(); public.Device() != own.Device() {
		t.Error("they have taken the place of this device's own")
	}
	if got := w.First(); !maps.EqualFunc(got, first, slices.Equal[[]entry.Path]) {
		t.Errorf("first comes %v", got)
	}
	if err := w.FirstCame(); err != nil || len(w.First()) > 0 || len(open(t, path).First()) > 0 {
		t.Errorf("what came is still to come: %v", err)
	}
}

// The file of an earlier program is read, and written as that wrote it.
func TestTheFileIsAsItWas(t *testing.T) {
	path := filepath.Join(t.TempDir(), "words")
	id := entry.FolderID{1, 15: 2}
	text := `{"public":null,"created":"2026-11-22T14:03:07Z","replaced":["someone"],"first":{"` + id.String() + `":["YS9i"]}}`
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	w := open(t, path)
	_, replaced, created := w.InEffect()
	if !slices.Equal(replaced, []entry.DeviceID{"someone"}) || created.Unix() != 1795356187 || !slices.Equal(w.First()[id], []entry.Path{"a/b"}) {
		t.Errorf("%v, %v, %v", replaced, created, w.First())
	}
	if err := w.FirstCame(); err != nil {
		t.Fatal(err)
	}
	want := `{"public":null,"created":"2026-11-22T14:03:07Z","replaced":["someone"]}`
	if b, err := os.ReadFile(path); err != nil || string(b) != want {
		t.Errorf("%s, %v", b, err)
	}
}

func TestADamagedFileIsSaidAndNothingIsKnown(t *testing.T) {
	good := recoverytest.Secret(t).Public()
	whole := filepath.Join(t.TempDir(), "whole")
	if _, err := open(t, whole).Put(good, recoverytest.Began, []entry.DeviceID{"another"}); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(whole)
	if err != nil {
		t.Fatal(err)
	}
	flipped := bytes.Replace(text, []byte(`"public":"`), []byte(`"public":"AAAA`), 1)
	for name, b := range map[string][]byte{"nothing": {}, "cut short": text[:len(text)/2], "other bytes": flipped} {
		path := filepath.Join(t.TempDir(), "words")
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		w, damage, err := words.Open(path)
		if err != nil || damage == nil {
			t.Fatalf("%s: %v, %v", name, damage, err)
		}
		if public, replaced, created := w.InEffect(); public.Device() != "" || len(replaced) > 0 || !created.IsZero() {
			t.Errorf("%s: half of it counts", name)
		}
		if _, err := w.Put(good, recoverytest.Began, nil); err != nil {
			t.Errorf("%s, and others are put into effect: %v", name, err)
		}
		open(t, path)
	}
	if _, _, err := words.Open(t.TempDir()); err == nil {
		t.Error("a file that cannot be read is taken for one that is not there")
	}
	w := open(t, filepath.Join(t.TempDir(), "not", "there"))
	if _, err := w.Put(good, recoverytest.Began, nil); err == nil {
		t.Error("what cannot be stored is said to be")
	}
	if public, _, _ := w.InEffect(); public.Device() != "" {
		t.Error("what could not be stored counts")
	}
}

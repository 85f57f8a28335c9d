package storytest

import (
	"slices"
	"strings"
	"testing"
)

func TestAWrongCodeFailsOnBothSidesAndIsBurnt(t *testing.T) {
	t.Parallel()
	laptop, phone := atHome(t)
	laptop.start()
	phone.start()
	at := laptop.ready.Listen[0]

	s := laptop.show()
	typed := phone.ask("pair", wrong(t, s.Code), "--at", at)
	shown := s.end()
	says(t, typed, 1, "wrong_code", "wrong code")
	says(t, shown, 1, "code_burnt", "burnt")
	right := phone.ask("pair", s.Code, "--at", at)
	if right.code != 1 {
		t.Errorf("the right code, after it was burnt: exit code %d\n%s%s", right.code, right.out, right.err)
	}
	right.failure(t)
	unpaired(t, laptop, phone)

	// The second as a person sees it.
	s = laptop.show()
	plain := phone.askPlainly("pair", wrong(t, s.Code), "--at", at)
	if text := string(plain.err); plain.code != 1 || !strings.HasPrefix(text, "kith: ") || !strings.Contains(text, "wrong code") ||
		!strings.Contains(text, "new one") || len(plain.out) > 0 {
		t.Errorf("exit code %d, and a person is told %q", plain.code, text)
	}
	says(t, s.end(), 1, "code_burnt", "burnt")

	// The third pauses pairing.
	s = laptop.show()
	says(t, phone.ask("pair", wrong(t, s.Code), "--at", at), 1, "wrong_code", "wrong code")
	says(t, s.end(), 1, "code_burnt", "burnt")
	says(t, laptop.ask("pair"), 1, "pairing_paused", "paused")
	unpaired(t, laptop, phone)
}

// wrong is a code that differs from the right one in its words alone, and not
// in which words there are.
func wrong(t *testing.T, code string) string {
	t.Helper()
	parts := strings.Split(code, "-")
	if len(parts) != 4 {
		t.Fatalf("%q is no number and three words", code)
	}
	words := slices.Clone(parts[1:])
	slices.Reverse(words)
	if slices.Equal(words, parts[1:]) {
		words[0], words[1] = words[1], words[0]
	}
	out := parts[0] + "-" + strings.Join(words, "-")
	if out == code {
		t.Skipf("three equal words in %q: one code in four million", code)
	}
	return out
}

// says checks how a command failed.
func says(t *testing.T, a answer, exit int, code, text string) {
	t.Helper()
	f := a.failure(t)
	if a.code != exit || f.Code != code || !strings.Contains(f.Message, text) || f.Hint == "" {
		t.Errorf("%s: exit code %d, %+v; want %d, %q, a message with %q, and a hint", a.command, a.code, f, exit, code, text)
	}
}

// unpaired demands that no device counts another as paired.
func unpaired(t *testing.T, devices ...*device) {
	t.Helper()
	for _, d := range devices {
		if p := d.status().Peers; len(p) > 0 {
			t.Errorf("%s is paired with %+v", d.name, p)
		}
	}
}

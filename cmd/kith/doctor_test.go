package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/kithmesh/kith/node/control"
)

func TestTextIsWrappedBetweenWords(t *testing.T) {
	for _, c := range []struct {
		text string
		room int
		want []string
	}{
		{"", 10, []string{""}},
		{"one two", 0, []string{"one two"}},
		{"one two", 7, []string{"one two"}},
		{"one two three", 7, []string{"one two", "three"}},
		{"incomprehensibility is", 5, []string{"incomprehensibility", "is"}},
		{"写真 写真", 5, []string{"写真", "写真"}},
	} {
		if got := wrap(c.text, c.room); strings.Join(got, "|") != strings.Join(c.want, "|") {
			t.Errorf("%q in %d columns: got %q, want %q", c.text, c.room, got, c.want)
		}
	}
}

// TestATerminalIsShownWhatIsTried has one of 60 columns, which nothing exceeds.
func TestATerminalIsShownWhatIsTried(t *testing.T) {
	var out, errs bytes.Buffer
	a := &app{out: &out, err: &errs, outTerminal: terminal{width: 60}, errTerminal: terminal{width: 60}}
	trial := control.Trial{Subject: "device phone", What: "10.0.0.9:5484 by tcp", Result: "no answer in 5 s"}
	if err := a.showTrial(trial); err != nil {
		t.Fatal(err)
	}
	if got := errs.String(); got != "  phone: 10.0.0.9:5484 by tcp: no answer in 5 s\n" {
		t.Errorf("got %q", got)
	}
	e := examined{trials: []control.Trial{trial}, findings: []control.Finding{
		{Subject: "network", OK: true, Code: "network", Message: "on 10.0.0.0/24"},
		{Subject: "device phone", Code: "off", Message: strings.Repeat("it is off ", 12), Hint: strings.Repeat("is it up? ", 12)},
	}}
	if err := a.showExamined(e); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(out.String()) {
		if n := columns(strings.TrimSuffix(line, "\n")); n >= 60 {
			t.Errorf("%d columns: %q", n, line)
		}
	}
	if got := strings.Count(out.String(), "\n"); got < 6 {
		t.Errorf("got %d lines:\n%s", got, out.String())
	}
}

package main

import (
	"bytes"
	"strings"
	"testing"

	"rsc.io/qr"
)

func TestClippedTextFits(t *testing.T) {
	for _, c := range []struct {
		text string
		most int
		want string
	}{
		{"abc", 3, "abc"}, {"abcd", 3, "ab…"}, {"写真写真", 5, "写真…"}, {"写真写真", 4, "写…"}, {"é\u0301é", 2, "é\u0301é"}, {"abc", 1, "…"},
	} {
		if got := clip(c.text, c.most); got != c.want || columns(got) > c.most {
			t.Errorf("clip(%q, %d) = %q, want %q", c.text, c.most, got, c.want)
		}
	}
}

func TestATableIsAlignedAndFitsItsTerminal(t *testing.T) {
	var table table
	table.row(cell{text: "写真", style: bold}, cell{text: "1 file", right: true}, "a remark")
	table.row(cell{text: "Documents", style: bold}, cell{text: "12 files", right: true}, "")
	table.row("one", "a cell that is last widens nothing")
	for _, c := range []struct {
		on   terminal
		want string
	}{
		{terminal{}, "写真         1 file  a remark\nDocuments  12 files\none        a cell that is last widens nothing\n"},
		{terminal{width: 24}, "写真         1 file  a …\nDocuments  12 files\none        a cell that …\n"},
		{terminal{width: 24, colour: true}, "\x1b[1m写真\x1b[0m         1 file  a …\n\x1b[1mDocuments\x1b[0m  12 files\none        a cell that …\n"},
	} {
		var b bytes.Buffer
		if err := table.write(&b, c.on); err != nil {
			t.Fatal(err)
		}
		if b.String() != c.want {
			t.Errorf("on %+v:\n%s\nwant:\n%s", c.on, b.String(), c.want)
		}
	}
}

// modules reads a drawing back: which modules are dark.
func modules(drawing string, dark bool) [][]bool {
	var rows [][]bool
	for line := range strings.SplitSeq(drawing, "\n") {
		line = strings.TrimSuffix(strings.TrimPrefix(line, "\x1b[30;107m"), "\x1b[0m")
		var upper, lower []bool
		for _, r := range line {
			upper = append(upper, (r == '█' || r == '▀') == dark)
			lower = append(lower, (r == '█' || r == '▄') == dark)
		}
		rows = append(rows, upper, lower)
	}
	return rows
}

func TestAQRCodeIsDrawnModuleByModuleWithALightBorder(t *testing.T) {
	const text = "kith:ticket-of-a-device-with-an-address"
	code, err := qr.Encode(text, qr.L)
	if err != nil {
		t.Fatal(err)
	}
	for _, colour := range []bool{true, false} {
		drawing, err := qrCode(text, terminal{width: 80, colour: colour})
		if err != nil {
			t.Fatal(err)
		}
		rows := modules(drawing, colour)
		for y, row := range rows {
			if len(row) != code.Size+2*quiet {
				t.Fatalf("row %d has %d modules, want %d", y, len(row), code.Size+2*quiet)
			}
			for x, dark := range row {
				if dark != code.Black(x-quiet, y-quiet) {
					t.Fatalf("colour %v: module %d, %d is dark: %v", colour, x, y, dark)
				}
			}
		}
		if len(rows) < code.Size+2*quiet {
			t.Errorf("%d rows for a code of %d", len(rows), code.Size)
		}
	}
}

func TestAQRCodeThatDoesNotFitIsNotDrawn(t *testing.T) {
	if _, err := qrCode("text", terminal{width: 20}); err == nil {
		t.Error("it was drawn on 20 columns")
	}
	if _, err := qrCode(strings.Repeat("x", 5000), terminal{width: 200}); err == nil {
		t.Error("5,000 bytes were drawn")
	}
}

package main

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// aTicket is as long as tickets get: eight addresses, of every kind.
var aTicket = "kith1" + strings.Repeat("abcdefgh234567", 36)

func TestAQRCodeHoldsTheTicket(t *testing.T) {
	for name, colour := range map[string]bool{"in colour": true, "without colours": false} {
		drawn, err := qrCode(strings.ToUpper(aTicket), terminal{width: 80, colour: colour})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		modules := modulesOf(t, drawn, colour)
		if side := len(modules[0]); len(modules)/2 != (side+1)/2 || side > 80 {
			t.Errorf("%s: %d by %d modules", name, len(modules), side)
		}
		if got := scanned(t, modules); got != strings.ToUpper(aTicket) {
			t.Errorf("%s: read as %q", name, got)
		}
	}
}

// modulesOf reads what a terminal would show: true is dark.
func modulesOf(t *testing.T, drawn string, colour bool) [][]bool {
	t.Helper()
	var out [][]bool
	for _, line := range strings.Split(drawn, "\n") {
		if colour {
			line = strings.TrimSuffix(strings.TrimPrefix(line, "\x1b[30;107m"), "\x1b[0m")
		}
		var upper, lower []bool
		for _, r := range line {
			ink := map[rune][2]bool{'█': {true, true}, '▀': {true, false}, '▄': {false, true}, ' ': {}}
			both, ok := ink[r]
			if !ok {
				t.Fatalf("%q in a QR code", r)
			}
			upper, lower = append(upper, both[0] == colour), append(lower, both[1] == colour)
		}
		out = append(out, upper, lower)
	}
	return out
}

// scanned has a reader of QR codes look at it, if the machine has one.
func scanned(t *testing.T, modules [][]bool) string {
	t.Helper()
	reader, err := exec.LookPath("zbarimg")
	if err != nil {
		t.Skip("no zbarimg here to read it")
	}
	const scale = 4
	picture := image.NewGray(image.Rect(0, 0, scale*len(modules[0]), scale*len(modules)))
	for y := range picture.Rect.Dy() {
		for x := range picture.Rect.Dx() {
			if !modules[y/scale][x/scale] {
				picture.SetGray(x, y, color.Gray{Y: 255})
			}
		}
	}
	var b bytes.Buffer
	if err := png.Encode(&b, picture); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "code.png")
	if err := os.WriteFile(file, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(reader, "--quiet", "--raw", file).Output()
	if err != nil {
		t.Fatalf("it cannot be read: %v", err)
	}
	return strings.TrimSpace(string(out))
}

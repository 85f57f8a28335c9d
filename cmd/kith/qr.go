package main

import (
	"errors"
	"fmt"
	"strings"

	"rsc.io/qr"
)

// quiet is the width of the light border that readers need, in modules.
const quiet = 2

var errTooNarrow = errors.New("the terminal is too narrow")

// qrCode draws text as a QR code, two modules to a character. With colours it
// is dark on light whatever the terminal's own colours are; without, light
// modules are drawn, which fits terminals with a dark background.
func qrCode(text string, on terminal) (string, error) {
	code, err := qr.Encode(text, qr.L)
	if err != nil {
		return "", fmt.Errorf("draw a QR code of %d bytes: %w", len(text), err)
	}
	if code.Size+2*quiet > on.width {
		return "", errTooNarrow
	}
	var b strings.Builder
	for y := -quiet; y < code.Size+quiet; y += 2 {
		if on.colour {
			b.WriteString("\x1b[30;107m")
		}
		for x := -quiet; x < code.Size+quiet; x++ {
			b.WriteString(halves(code.Black(x, y), code.Black(x, y+1) && y+1 < code.Size+quiet, on.colour))
		}
		if on.colour {
			b.WriteString("\x1b[0m")
		}
		b.WriteByte('\n')
	}
	return strings.TrimSuffix(b.String(), "\n"), nil
}

// halves is the character for two modules, one above the other.
func halves(upper, lower, dark bool) string {
	if !dark {
		upper, lower = !upper, !lower
	}
	switch {
	case upper && lower:
		return "█"
	case upper:
		return "▀"
	case lower:
		return "▄"
	}
	return " "
}

package main

import (
	"os"
	"strings"
	"unicode"

	"golang.org/x/term"
	"golang.org/x/text/width"
)

// terminal is what a stream is shown on; the zero value is a file or a pipe.
type terminal struct {
	width  int // columns; zero if it is none
	colour bool
}

func (t terminal) is() bool { return t.width > 0 }

func terminalOf(f *os.File) terminal {
	if !term.IsTerminal(int(f.Fd())) {
		return terminal{}
	}
	w, _, err := term.GetSize(int(f.Fd()))
	if err != nil || w < 20 {
		w = 80
	}
	return terminal{width: w, colour: os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"}
}

// The styles; used for what a person should see first, never as the only sign.
type style string

const (
	plain style = ""
	bold  style = "1"
	faint style = "2"
	good  style = "32"
	alert style = "33"
	bad   style = "31"
)

func (t terminal) paint(s style, text string) string {
	if !t.colour || s == plain || text == "" {
		return text
	}
	return "\x1b[" + string(s) + "m" + text + "\x1b[0m"
}

// columns is the number of columns that s takes on a terminal.
func columns(s string) int {
	n := 0
	for _, r := range s {
		n += runeColumns(r)
	}
	return n
}

func runeColumns(r rune) int {
	if unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf) {
		return 0
	}
	switch width.LookupRune(r).Kind() {
	case width.EastAsianWide, width.EastAsianFullwidth:
		return 2
	}
	return 1
}

// clip shortens s to so many columns, and marks that.
func clip(s string, most int) string {
	if columns(s) <= most {
		return s
	}
	var b strings.Builder
	n := 0
	for _, r := range s {
		if n += runeColumns(r); n > most-1 {
			break
		}
		b.WriteRune(r)
	}
	return b.String() + "…"
}

package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

const phraseHelp = "The words come from KITH_PHRASE, from standard input, or are asked for; they are never\n" +
	"an argument, which others on this machine could see."

// secretLine reads lines from a terminal without showing what is typed.
type secretLine struct {
	file   *os.File
	before *term.State
}

// newSecretLine is nil if f is no terminal.
func newSecretLine(f *os.File) *secretLine {
	before, err := term.GetState(int(f.Fd()))
	if err != nil {
		return nil
	}
	return &secretLine{f, before}
}

func (s *secretLine) read() (string, error) {
	line, err := term.ReadPassword(int(s.file.Fd()))
	return string(line), err
}

// restore makes the terminal show again what is typed, after a read that has
// not ended.
func (s *secretLine) restore() { _ = term.Restore(int(s.file.Fd()), s.before) }

// phrase is the recovery phrase, as it was given.
func (a *app) phrase(ctx context.Context) (string, error) {
	text := a.getenv("KITH_PHRASE")
	if text == "" {
		var err error
		if text, err = a.readSecret(ctx, "The 24 words: "); err != nil {
			return "", err
		}
	}
	if text = strings.Join(strings.Fields(strings.ToLower(text)), " "); text == "" {
		return "", &usage{message: "no recovery phrase was given", hint: "put the words into KITH_PHRASE or on standard input"}
	}
	return text, nil
}

// readSecret reads a line from a terminal, or all of standard input.
func (a *app) readSecret(ctx context.Context, prompt string) (string, error) {
	if !a.inTerminal || a.secret == nil {
		return untilDone(ctx, func() (string, error) {
			b, err := io.ReadAll(io.LimitReader(a.in, maxTyped))
			return string(b), err
		})
	}
	if _, err := fmt.Fprint(a.err, prompt); err != nil {
		return "", err
	}
	text, err := untilDone(ctx, a.secret.read)
	if err != nil {
		a.secret.restore()
	}
	if _, werr := fmt.Fprintln(a.err); err == nil {
		err = werr
	}
	return text, err
}

package config

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"github.com/kithmesh/kith/node/durable"
)

// Set changes one setting in the file at path, given in the form that a flag
// would have, and leaves all else in it as it is. A file that is not there is
// written from the template first; a link is followed. Errors wrap
// [ErrSetting] for the value, [ErrFile] or [ErrEdit] for the file, which is
// then unchanged.
func Set(path, name, text string) error {
	s, err := settingNamed(name, text)
	if err != nil {
		return fmt.Errorf("set %s: %w", name, err)
	}
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	perm := fs.FileMode(0o600)
	data, info, err := read(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		data = []byte(template())
	case err != nil:
		return fmt.Errorf("set %s: %w", name, err)
	default:
		perm = info.Mode().Perm()
	}
	edited, err := edit(string(data), s, text)
	if err != nil {
		return fmt.Errorf("set %s: %s%w", name, path, err)
	}
	if err := durable.Write(path, []byte(edited), perm); err != nil {
		return fmt.Errorf("set %s: write %q: %w", name, path, err)
	}
	return nil
}

func settingNamed(name, text string) (*setting, error) {
	s, ok := find(name)
	if !ok {
		return nil, fmt.Errorf("%w: there is none of that name", ErrSetting)
	}
	return s, s.parse(new(Settings), text)
}

// edit puts s into the document, and then looks whether exactly that changed.
func edit(doc string, s *setting, text string) (string, error) {
	before, err := decode([]byte(doc))
	if err != nil {
		return "", err
	}
	lines := strings.SplitAfter(doc, "\n")
	end := "\n"
	if strings.HasSuffix(lines[0], "\r\n") {
		end = "\r\n"
	}
	at, n := statement(lines, s.name)
	if n > 1 && strings.Contains(strings.Join(lines[at:at+n], ""), "#") {
		return "", fmt.Errorf(":%d: %w: a comment stands within the value", at+1, ErrEdit)
	}
	if n > 0 {
		lines[at] = s.line(text) + comment(lines[at:at+n], end)
		clear(lines[at+1 : at+n])
	} else {
		at := placeFor(lines, s.name)
		if at > 0 && !strings.HasSuffix(lines[at-1], "\n") {
			lines[at-1] += end
		}
		lines = append(lines[:at:at], append([]string{s.line(text) + end}, lines[at:]...)...)
	}
	edited := strings.Join(lines, "")
	after, err := decode([]byte(edited))
	if err != nil {
		return "", fmt.Errorf(": %w (%w)", ErrEdit, err)
	}
	want := maps.Clone(before)
	want[s.name] = after[s.name]
	if !maps.Equal(after, want) || !s.same(after[s.name], text) {
		return "", fmt.Errorf(": %w", ErrEdit)
	}
	return edited, nil
}

// same tells whether two texts mean the same value.
func (s *setting) same(a, b string) bool {
	var x, y Settings
	return s.parse(&x, a) == nil && s.parse(&y, b) == nil && s.text(&x) == s.text(&y)
}

// maxValue bounds the lines that one value may take to be found; trying takes
// time that grows with their square.
const maxValue = 500

// statement finds the lines that set a key: the first, and how many there are,
// none if it is not set. A value may take several lines; the fewest that are
// a document by themselves are one statement.
func statement(lines []string, name string) (at, n int) {
	for at = 0; at < len(lines); at += max(n, 1) {
		n = 0
		if line := strings.TrimSpace(lines[at]); line == "" || line[0] == '#' {
			continue
		}
		for n = 1; n <= maxValue && at+n <= len(lines); n++ {
			if keys, ok := parse(strings.Join(lines[at:at+n], "")); ok {
				if _, found := keys[name]; found {
					return at, n
				}
				break
			}
		}
	}
	return 0, 0
}

func parse(doc string) (map[string]any, bool) {
	var keys map[string]any
	err := toml.Unmarshal([]byte(doc), &keys)
	return keys, err == nil
}

// comment is what follows the value on its line, the line's end included. A
// value of several lines has none.
func comment(lines []string, end string) string {
	line := strings.TrimRight(lines[0], "\r\n")
	if len(lines) > 1 {
		return end
	}
	if len(line) == len(lines[0]) {
		end = ""
	}
	for i, c := range line {
		if c != '#' {
			continue
		}
		if _, ok := parse(line[:i]); ok {
			value := strings.TrimRight(line[:i], " \t")
			return line[len(value):] + end
		}
	}
	return end
}

// placeFor is the line before which a key that is not set belongs: after its
// line in the template, or at the end.
func placeFor(lines []string, name string) int {
	for i, line := range lines {
		key, _, ok := strings.Cut(strings.TrimLeft(line, "# \t"), "=")
		if ok && strings.HasPrefix(line, "#") && strings.TrimSpace(key) == name {
			return i + 1
		}
	}
	n := len(lines)
	for n > 0 && lines[n-1] == "" {
		n--
	}
	return n
}

// lineOf is the number of the line that sets a key, from 1; 0 if none does.
func lineOf(doc, name string) int {
	at, n := statement(strings.SplitAfter(doc, "\n"), name)
	if n == 0 {
		return 0
	}
	return at + 1
}

package ignore

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/kithmesh/kith/index/entry"
)

// FileName is the name of a shared file of rules, in any directory.
const FileName = ".kithignore"

// LocalPath is where a folder keeps the rules of this device alone.
const LocalPath = entry.Reserved + "/ignore"

// Bounds of one file of rules.
const (
	MaxSize    = 1 << 20 // bytes
	MaxLines   = 10_000
	MaxPattern = 8192 // bytes of one line
)

// Rules are the patterns of one file, for what lies below one directory.
type Rules struct {
	dir      entry.Path
	source   string
	patterns []pattern
	problems []Problem
}

// Rule is the place of one pattern, so that a person can find it.
type Rule struct {
	Source  string // as given to [Parse]
	Line    int    // from 1; 0 where a whole file was refused
	Pattern string // as written, without trailing spaces
}

// Problem is a line that does not do what its writer may think.
type Problem struct {
	Source string
	Line   int // from 1; 0 for the file as a whole
	Text   string
}

// Parse reads the text of a file of rules that applies to what lies below dir.
// The source names the file in answers and problems. It never fails: a line
// that can match nothing is left out and told by [Rules.Problems], and a text
// beyond [MaxSize] or [MaxLines] is refused as by [Refuse].
func Parse(dir entry.Path, source string, text []byte) *Rules {
	if len(text) > MaxSize {
		return Refuse(dir, source, fmt.Sprintf("is larger than %d bytes", MaxSize))
	}
	text = bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))
	if n := bytes.Count(text, []byte("\n")); n > MaxLines || n == MaxLines && text[len(text)-1] != '\n' {
		return Refuse(dir, source, fmt.Sprintf("has more than %d lines", MaxLines))
	}
	r := &Rules{dir: dir, source: source}
	number := 0
	for line := range strings.SplitSeq(string(text), "\n") {
		number++
		r.add(number, strings.TrimSuffix(line, "\r"))
	}
	return r
}

// Refuse stands in for a file of rules that could not be read or understood
// in whole: it ignores everything below dir but the file itself, so that a
// mended one can still arrive.
func Refuse(dir entry.Path, source, why string) *Rules {
	r := &Rules{dir: dir, source: source}
	r.add(0, "*")
	r.add(0, "!/"+FileName)
	r.problems = append(r.problems, Problem{Source: source, Text: why + "; everything below it is ignored until that is mended"})
	return r
}

func (r *Rules) add(number int, line string) {
	if line == "" || line[0] == '#' {
		return
	}
	line = trimSpaces(line)
	p, err := compile(line)
	if err != nil {
		r.problems = append(r.problems, Problem{Source: r.source, Line: number, Text: err.Error()})
		return
	}
	p.line = number
	r.patterns = append(r.patterns, p)
}

// Problems are the lines that match nothing, in order.
func (r *Rules) Problems() []Problem { return r.problems }

// last finds the last pattern that matches a path, nil if none does. The
// path must lie below r.dir.
func (r *Rules) last(p entry.Path, isDir bool) *pattern {
	path := string(p)
	if r.dir != "" {
		path = path[len(r.dir)+1:]
	}
	name := path[strings.LastIndexByte(path, '/')+1:]
	for i := len(r.patterns) - 1; i >= 0; i-- {
		if r.patterns[i].matches(path, name, isDir) {
			return &r.patterns[i]
		}
	}
	return nil
}

func (r *Rules) rule(p *pattern) Rule {
	return Rule{Source: r.source, Line: p.line, Pattern: p.text}
}

// trimSpaces drops trailing spaces that no backslash protects.
func trimSpaces(s string) string {
	end := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case ' ':
			continue
		case '\\':
			i++
		}
		end = i + 1
	}
	return s[:min(end, len(s))]
}

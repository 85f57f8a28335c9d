package ignore

import "strings"

// matches tells whether the pattern matches a path below the directory of its
// rules, whose last name is name.
func (p *pattern) matches(path, name string, isDir bool) bool {
	if p.isDir && !isDir {
		return false
	}
	s := path
	if p.byName {
		s = name
	}
	if len(s) < len(p.prefix)+len(p.suffix) || s[:len(p.prefix)] != p.prefix ||
		s[len(s)-len(p.suffix):] != p.suffix {
		return false
	}
	s = s[len(p.prefix) : len(s)-len(p.suffix)]
	switch {
	case len(p.middle) == 0:
		return s == ""
	case len(p.middle) == 1 && p.middle[0].op == opStar:
		return p.byName || strings.IndexByte(s, '/') < 0
	}
	return match(p.middle, s)
}

// retreat is where matching goes on when it got stuck: the tokens after one
// that can take more, and what it has left to them so far.
type retreat struct {
	tokens []token
	rest   string
	op     op
	set    bool
}

// match tells whether the tokens match all of s.
//
// It goes back to the last star only, and beyond that to the last token that
// crosses slashes: giving an earlier one more bytes cannot help, for the later
// one could take those as well. The literals between two tokens that cross
// slashes begin and end at slashes, so each name is held against each part of
// the pattern once: len(s) times the length of the pattern at worst.
func match(tokens []token, s string) bool {
	var near, far retreat
	for {
		if rest, ok := step(&tokens, s); ok {
			if len(tokens) == 0 && rest == "" {
				return true
			}
			s = rest
			if len(tokens) > 0 {
				here := retreat{tokens[1:], s, tokens[0].op, true}
				if here.op == opStar {
					near = here
				} else {
					near, far = retreat{}, here
				}
				tokens = here.tokens
				continue
			}
		}
		switch {
		case near.more():
			tokens, s = near.tokens, near.rest
		case far.more():
			near = retreat{}
			tokens, s = far.tokens, far.rest
		default:
			return false
		}
	}
}

// step takes the tokens of fixed length that come first off both.
func step(tokens *[]token, s string) (rest string, ok bool) {
	ts := *tokens
	for ; len(ts) > 0; ts = ts[1:] {
		t := &ts[0]
		switch t.op {
		case opLiteral:
			if s, ok = strings.CutPrefix(s, t.literal); !ok {
				return "", false
			}
			continue
		case opAny, opClass:
			if s == "" || s[0] == '/' || t.op == opClass && !t.class.has(s[0]) {
				return "", false
			}
			s = s[1:]
			continue
		case opStar, opDeep, opAll:
		}
		break
	}
	*tokens = ts
	return s, true
}

// more gives the token of r the next bytes it may take, and tells whether
// there were any.
func (r *retreat) more() bool {
	if !r.set || r.rest == "" {
		return false
	}
	n := 1
	switch r.op {
	case opStar:
		if r.rest[0] == '/' {
			return false
		}
	case opDeep:
		if n = strings.IndexByte(r.rest, '/') + 1; n == 0 {
			return false
		}
	case opAll, opLiteral, opAny, opClass:
	}
	r.rest = r.rest[n:]
	return true
}

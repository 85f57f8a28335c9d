package ignore

import (
	"errors"
	"fmt"
	"strings"
)

// pattern is one compiled line: prefix, middle and suffix, which together
// match a whole name or a whole path below the directory of the rules.
type pattern struct {
	text   string // as written
	line   int
	again  bool // written with "!": what it matches is not ignored
	isDir  bool // written with a trailing slash: matches directories only
	byName bool // has no other slash: matches the last name of a path

	prefix, suffix string // literal bytes
	middle         []token
}

// token is one element of a pattern.
type token struct {
	op      op
	literal string
	class   *class
}

type op uint8

const (
	opLiteral op = iota // these bytes
	opAny               // one byte, not a slash
	opClass             // one byte of a class, not a slash
	opStar              // any bytes without a slash
	opDeep              // nothing, or any bytes up to and with a slash
	opAll               // any bytes
)

var (
	errEmpty  = errors.New("a pattern without a name matches nothing")
	errEscape = errors.New(`a pattern that ends in "\" matches nothing`)
	errClass  = errors.New(`a "[" without its "]" matches nothing; write "\[" for the character`)
	errNUL    = errors.New("a pattern with a NUL byte matches nothing")
	errLong   = fmt.Errorf("a pattern of more than %d bytes is not read", MaxPattern)
)

// compile reads one line without its trailing spaces. It fails if the pattern
// can match nothing.
func compile(line string) (pattern, error) {
	p := pattern{text: line}
	if len(line) > MaxPattern {
		return p, errLong
	}
	if strings.IndexByte(line, 0) >= 0 {
		return p, errNUL
	}
	line, p.again = strings.CutPrefix(line, "!")
	line, p.isDir = strings.CutSuffix(line, "/")
	p.byName = strings.IndexByte(line, '/') < 0
	if !p.byName {
		line = strings.TrimPrefix(line, "/")
	}
	if line == "" {
		return p, errEmpty
	}
	c := compiler{rest: line, byName: p.byName}
	if err := c.run(); err != nil {
		return p, err
	}
	p.prefix, p.middle, p.suffix = split(c.out)
	return p, nil
}

// split takes the literals off both ends.
func split(ts []token) (prefix string, middle []token, suffix string) {
	if len(ts) > 0 && ts[0].op == opLiteral {
		prefix, ts = ts[0].literal, ts[1:]
	}
	if n := len(ts); n > 0 && ts[n-1].op == opLiteral {
		suffix, ts = ts[n-1].literal, ts[:n-1]
	}
	return prefix, ts, suffix
}

// compiler turns a pattern into tokens.
type compiler struct {
	rest   string
	byName bool
	// edge: what comes next opens a name. git also takes the end of the
	// literal bytes that a pattern begins with for an edge, and so do we.
	edge    bool
	wild    bool   // a special character was seen
	literal []byte // literal bytes not yet in out
	out     []token
}

func (c *compiler) run() error {
	for c.rest != "" {
		b := c.rest[0]
		if !c.wild && strings.IndexByte(`*?[\`, b) >= 0 {
			c.wild, c.edge = true, true
		}
		switch b {
		case '*':
			c.stars()
		case '?':
			c.emit(token{op: opAny}, c.rest[1:])
		case '[':
			set, rest, ok := parseClass(c.rest[1:])
			if !ok {
				return errClass
			}
			c.emit(token{op: opClass, class: set}, rest)
		case '\\':
			if len(c.rest) == 1 {
				return errEscape
			}
			c.plain(c.rest[1], c.rest[2:])
		default:
			c.plain(b, c.rest[1:])
		}
	}
	c.flush()
	return nil
}

// stars reads a run of stars. Two or more reach across directories if they
// fill the place between two slashes; anywhere else they are one star.
func (c *compiler) stars() {
	after := strings.TrimLeft(c.rest, "*")
	deep := len(c.rest)-len(after) > 1 && c.edge && !c.byName
	switch {
	case deep && strings.HasPrefix(after, "/"):
		c.emit(token{op: opDeep}, after[1:])
		c.edge = true
	case deep && (after == "" || strings.HasPrefix(after, `\/`)):
		c.emit(token{op: opAll}, after)
	default:
		c.emit(token{op: opStar}, after)
	}
}

// emit appends a token that is not literal and goes on with rest.
func (c *compiler) emit(t token, rest string) {
	c.flush()
	c.out = append(c.out, t)
	c.edge, c.rest = false, rest
}

// plain appends a literal byte and goes on with rest.
func (c *compiler) plain(b byte, rest string) {
	c.literal = append(c.literal, b)
	c.edge, c.rest = b == '/', rest
}

func (c *compiler) flush() {
	if len(c.literal) > 0 {
		c.out = append(c.out, token{op: opLiteral, literal: string(c.literal)})
		c.literal = c.literal[:0]
	}
}

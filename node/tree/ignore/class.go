package ignore

import "strings"

// class is a set of bytes.
type class [4]uint64

func (c *class) has(b byte) bool { return c[b>>6]&(1<<(b&63)) != 0 }

func (c *class) add(lo, hi byte) {
	for b := int(lo); b <= int(hi); b++ {
		c[b>>6] |= 1 << (b & 63)
	}
}

// named are the ranges of the POSIX classes, as git understands them: ASCII
// only, and "space" without vertical tab and form feed.
var named = map[string]string{
	"alnum":  "09AZaz",
	"alpha":  "AZaz",
	"blank":  "\t\t  ",
	"cntrl":  "\x00\x1f\x7f\x7f",
	"digit":  "09",
	"graph":  "!~",
	"lower":  "az",
	"print":  " ~",
	"punct":  "!/:@[`{~",
	"space":  "\t\n\r\r  ",
	"upper":  "AZ",
	"xdigit": "09AFaf",
}

// parseClass reads a character class behind its opening bracket and returns
// what follows it. It is not ok if the class does not end or names a class
// that does not exist.
func parseClass(s string) (set *class, rest string, ok bool) {
	set = new(class)
	inverse := s != "" && (s[0] == '!' || s[0] == '^')
	if inverse {
		s = s[1:]
	}
	last := byte(0) // where a range may begin; 0 if nowhere
	for first := true; ; first = false {
		switch {
		case s == "":
			return nil, "", false
		case s[0] == ']' && !first:
			if inverse {
				for i := range set {
					set[i] = ^set[i]
				}
			}
			return set, s[1:], true
		case s[0] == '-' && last != 0 && len(s) > 1 && s[1] != ']':
			hi, after, ok := escaped(s[1:])
			if !ok {
				return nil, "", false
			}
			set.add(last, hi)
			last, s = 0, after
		case strings.HasPrefix(s, "[:"):
			name, after, ok := strings.Cut(s[2:], "]")
			if !ok {
				return nil, "", false
			}
			name, ok = strings.CutSuffix(name, ":")
			if !ok { // no name after all: a bracket like any other byte
				set.add('[', '[')
				last, s = '[', s[1:]
				continue
			}
			ranges, ok := named[name]
			if !ok {
				return nil, "", false
			}
			for i := 0; i < len(ranges); i += 2 {
				set.add(ranges[i], ranges[i+1])
			}
			last, s = 0, after
		default:
			b, after, ok := escaped(s)
			if !ok {
				return nil, "", false
			}
			set.add(b, b)
			last, s = b, after
		}
	}
}

// escaped reads one byte that may have a backslash before it.
func escaped(s string) (b byte, rest string, ok bool) {
	if s[0] != '\\' {
		return s[0], s[1:], true
	}
	if len(s) == 1 {
		return 0, "", false
	}
	return s[1], s[2:], true
}

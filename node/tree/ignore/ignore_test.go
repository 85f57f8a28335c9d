package ignore

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/kithmesh/kith/index/entry"
)

// within judges a path, written with a trailing slash if it is a directory,
// by files of rules keyed by their own paths.
func within(t *testing.T, files map[string]string, path string) (bool, Rule) {
	t.Helper()
	load := func(dir entry.Path) *Rules {
		source := string(dir.Join(FileName))
		text, ok := files[source]
		if !ok {
			return nil
		}
		return Parse(dir, source, []byte(text))
	}
	var local *Rules
	if text, ok := files[LocalPath]; ok {
		local = Parse("", LocalPath, []byte(text))
	}
	p, isDir := strings.CutSuffix(path, "/")
	return New(local).With(load("")).Find(entry.Path(p), isDir, load)
}

func TestTheLastPatternThatMatchesDecides(t *testing.T) {
	type files map[string]string
	for name, c := range map[string]struct {
		files files
		path  string
		rule  Rule // none: no pattern matches
		keeps bool // the rule takes the path back
	}{
		"no rules ignore nothing":                        {nil, "a", Rule{}, false},
		"a preset is junk anywhere":                      {nil, "a/b/.DS_Store", Rule{"kith's presets", 1, ".DS_Store"}, false},
		"a preset can be taken back":                     {files{".kithignore": "!.DS_Store"}, "a/.DS_Store", Rule{".kithignore", 1, "!.DS_Store"}, true},
		"what a person may have written is no junk":      {nil, "desktop.ini", Rule{}, false},
		"a volume's bin is junk at the root":             {nil, ".Trash-1000/", Rule{"kith's presets", 19, "/.Trash-[0-9]*/"}, false},
		"a volume's bin is none further down":            {nil, "a/.Trash-1000/", Rule{}, false},
		"a deeper file overrules the one above":          {files{".kithignore": "*.o", "a/.kithignore": "!x.o"}, "a/x.o", Rule{"a/.kithignore", 1, "!x.o"}, true},
		"a file says nothing about its neighbours":       {files{"a/.kithignore": "*"}, "ab/x", Rule{}, false},
		"an anchor counts from the file's directory":     {files{"a/.kithignore": "\n/x"}, "a/x", Rule{"a/.kithignore", 2, "/x"}, false},
		"an anchored pattern stays there":                {files{"a/.kithignore": "/x"}, "a/b/x", Rule{}, false},
		"this device overrules what is shared":           {files{".kithignore": "*.iso", LocalPath: "!a/*.iso"}, "a/x.iso", Rule{LocalPath, 1, "!a/*.iso"}, true},
		"this device overrules a deeper file as well":    {files{"a/.kithignore": "!x", LocalPath: "x"}, "a/x", Rule{LocalPath, 1, "x"}, false},
		"below an ignored directory all is ignored":      {files{".kithignore": "build/", "build/.kithignore": "!*"}, "build/a/b", Rule{".kithignore", 1, "build/"}, false},
		"not even this device brings it back":            {files{".kithignore": "build/", LocalPath: "!build/a"}, "build/a", Rule{".kithignore", 1, "build/"}, false},
		"but it can bring back the directory":            {files{".kithignore": "build/", LocalPath: "!build/"}, "build/a", Rule{}, false},
		"a pattern for directories leaves files":         {files{".kithignore": "build/"}, "build", Rule{}, false},
		"case counts":                                    {files{".kithignore": "README"}, "readme", Rule{}, false},
		"a class may be inverse":                         {files{".kithignore": "x[!a]"}, "xb", Rule{".kithignore", 1, "x[!a]"}, false},
		"stars reach across directories between slashes": {files{".kithignore": "a/**/z"}, "a/b/c/z", Rule{".kithignore", 1, "a/**/z"}, false},
		"or across none":                                 {files{".kithignore": "a/**/z"}, "a/z", Rule{".kithignore", 1, "a/**/z"}, false},
		"trailing stars need something below":            {files{".kithignore": "a/**"}, "a/", Rule{}, false},
		"one star stays within a name":                   {files{".kithignore": "a/*z"}, "a/b/z", Rule{}, false},
		"trailing spaces are not part of a pattern":      {files{".kithignore": "a  \r\n"}, "a", Rule{".kithignore", 1, "a"}, false},
		"an escaped one is":                              {files{".kithignore": `a\ `}, "a ", Rule{".kithignore", 1, `a\ `}, false},
		"a byte order mark is not part of a pattern":     {files{".kithignore": "\xef\xbb\xbfa"}, "a", Rule{".kithignore", 1, "a"}, false},
		"a comment matches nothing":                      {files{".kithignore": "#a"}, "#a", Rule{}, false},
		"names are bytes":                                {files{".kithignore": "?\xff"}, "\xfe\xff", Rule{".kithignore", 1, "?\xff"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			ignored, rule := within(t, c.files, c.path)
			if want := c.rule != (Rule{}) && !c.keeps; ignored != want || rule != c.rule {
				t.Errorf("ignored %v by %+v, want %v by %+v", ignored, rule, want, c.rule)
			}
		})
	}
}

func TestMatchTrustsTheWalkAboutDirectories(t *testing.T) {
	s := New(nil).With(Parse("", FileName, []byte("build/\n")))
	if ignored, _ := s.Match("build/a", false); ignored {
		t.Error("a path was judged by a directory above it")
	}
}

func TestRulesOfAnotherDirectoryDoNotMatch(t *testing.T) {
	s := (*Set)(nil).With(Parse("a/b", FileName, []byte("*")))
	for _, p := range []entry.Path{"a", "a/b", "a/bc", "x"} {
		if ignored, _ := s.Match(p, true); ignored {
			t.Errorf("%q is ignored by rules for what lies below a/b", p)
		}
	}
}

func TestNilRulesChangeNothing(t *testing.T) {
	s := New(nil)
	if s.With(nil) != s {
		t.Error("a set with nil rules is another one")
	}
}

func TestLinesThatMatchNothingAreTold(t *testing.T) {
	r := Parse("a", "a/.kithignore", []byte("ok\nx[a\n\n!\nx\\\n/\na\x00b\n[[:nope:]]\n"+strings.Repeat("x", MaxPattern+1)+"\n*.o"))
	want := map[int]error{2: errClass, 4: errEmpty, 5: errEscape, 6: errEmpty, 7: errNUL, 8: errClass, 9: errLong}
	for _, p := range r.Problems() {
		if p.Source != "a/.kithignore" || want[p.Line] == nil || p.Text != want[p.Line].Error() {
			t.Errorf("unexpected %+v", p)
		}
		delete(want, p.Line)
	}
	if len(want) > 0 {
		t.Errorf("not told: %v", want)
	}
	if ignored, rule := (*Set)(nil).With(r).Match("a/x.o", false); !ignored || rule.Line != 10 {
		t.Errorf("the lines around them do not hold: %v %+v", ignored, rule)
	}
}

func TestAFileThatIsTooBigIgnoresEverythingButItself(t *testing.T) {
	lines := strings.Repeat("x\n", MaxLines)
	for name, c := range map[string]struct {
		text    string
		refused bool
	}{
		"as many lines as allowed": {lines, false},
		"one line more":            {lines + "y", true},
		"as large as allowed":      {strings.Repeat("#", MaxSize), false},
		"one byte more":            {strings.Repeat("#", MaxSize+1), true},
	} {
		t.Run(name, func(t *testing.T) {
			s := New(nil).With(Parse("a", "a/.kithignore", []byte(c.text)))
			if ignored, rule := s.Match("a/photo.jpg", false); ignored != c.refused || ignored && rule.Line != 0 {
				t.Errorf("ignored %v by %+v, want %v", ignored, rule, c.refused)
			}
			if ignored, _ := s.Match("a/.kithignore", false); ignored {
				t.Error("a mended file could not arrive")
			}
			if ignored, _ := s.Match("b/photo.jpg", false); ignored {
				t.Error("what lies elsewhere is ignored")
			}
		})
	}
}

func TestPatternsDoNotExplode(t *testing.T) {
	deep := entry.Path(strings.Repeat("a/", 2000) + "a")
	long := entry.Path(strings.Repeat("a", entry.MaxName))
	for _, c := range []struct {
		pattern string
		path    entry.Path
	}{
		{strings.Repeat("a*", 100) + "b", long},
		{strings.Repeat("*a", 100) + "[b]", long},
		{strings.Repeat("**/", 500) + "b[c]", deep},
		{strings.Repeat("**/a/", 500) + "*b", deep},
		{strings.Repeat("**/*a*/", 400) + "[b]", deep},
		{"a**" + strings.Repeat(`/**\/a`, 300) + "?b", deep},
		{strings.Repeat("*?", 1000) + "/[b]", deep},
	} {
		p, err := compile(c.pattern)
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		if p.matches(string(c.path), c.path.Name(), false) {
			t.Errorf("%.20q matches", c.pattern)
		}
		// 4 KiB against 4 KiB are 16 million steps: far below a second.
		if d := time.Since(start); d > 2*time.Second {
			t.Errorf("%.20q took %v", c.pattern, d)
		}
	}
}

func FuzzAnyTextJudgesAnyPath(f *testing.F) {
	f.Add("*.o\n!a/**/b\n[!a-c]\\ \n/x/\n", "a/b/c.o", false)
	f.Add("a**/[[:alpha:]-z]\r\n**\\/x", "a/bx", true)
	f.Fuzz(func(t *testing.T, text, path string, isDir bool) {
		p, err := entry.ParsePath(path)
		if err != nil {
			return
		}
		r := Parse("", FileName, []byte(text))
		none := func(entry.Path) *Rules { return nil }
		ignored, rule := (*Set)(nil).With(r).Find(p, isDir, none)
		if ignored && (rule.Pattern == "" || rule.Pattern[0] == '!') {
			t.Errorf("ignored by %+v", rule)
		}
		below, _ := (*Set)(nil).With(r).Find(p.Join("x"), isDir, none)
		if asDir, _ := (*Set)(nil).With(r).Find(p, true, none); asDir && !below {
			t.Errorf("%q is ignored, what lies below is not", p)
		}
	})
}

func BenchmarkMatch(b *testing.B) {
	small := New(nil).With(Parse("", FileName, []byte("*.o\n*.tmp\nnode_modules/\n/build/\n!keep.o\ndoc/**/*.pdf\n")))
	var many strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&many, "name-%d\n*.ext%d\n/dir/%d/*.x\n", i, i, i)
	}
	large := New(nil).With(Parse("", FileName, []byte(many.String())))
	for name, s := range map[string]*Set{"small": small, "3000 patterns": large} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				s.Match("some/directory/of/mine/holiday-0042.jpeg", false)
			}
		})
	}
}

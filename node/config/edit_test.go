package config

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestSetChangesOneSettingAndNothingElse(t *testing.T) {
	for name, c := range map[string]struct{ before, key, text, after string }{
		"a line with a comment": {
			"# mine\nname = 'old' # since # 2024\nmdns = true\n", "name", "new",
			"# mine\nname = 'new' # since # 2024\nmdns = true\n",
		},
		"a value with a hash": {"name = 'a # b'  # c\n", "name", "d", "name = 'd'  # c\n"},
		"a quoted key":        {"\"name\" = \"old\"\n", "name", "new", "name = 'new'\n"},
		"odd spacing":         {"  name='old'\nui = 'off'", "name", "new", "name = 'new'\nui = 'off'"},
		"the last line, open": {"name = 'old'", "name", "new", "name = 'new'"},
		"a list over lines": {
			"listen = [\n  '/ip4/1.2.3.4/tcp/1',\n\n]\nmdns = true\n", "listen", "/ip6/::1/tcp/2",
			"listen = ['/ip6/::1/tcp/2']\nmdns = true\n",
		},
		"a text over lines": {"name = '''\nold'''\nmdns = true\n", "name", "new", "name = 'new'\nmdns = true\n"},
		"not set":           {"mdns = true", "name", "new", "mdns = true\nname = 'new'\n"},
		"not set, empty":    {"", "mdns", "false", "mdns = false\n"},
		"its comment there": {
			"# name = 'x'\n\n# mdns\n", "name", "new", "# name = 'x'\nname = 'new'\n\n# mdns\n",
		},
		"DOS lines":         {"# a\r\nname = 'old' # b\r\nmdns = true\r\n", "name", "new", "# a\r\nname = 'new' # b\r\nmdns = true\r\n"},
		"DOS lines, added":  {"mdns = true\r\n", "ui", "off", "mdns = true\r\nui = 'off'\r\n"},
		"a quote in it":     {"name = 'old'\n", "name", "Jo's phone", "name = \"Jo's phone\"\n"},
		"a key in a string": {"ui = 'off' # name = 'x'\nname = 'old'\n", "name", "new", "ui = 'off' # name = 'x'\nname = 'new'\n"},
	} {
		path := write(t, c.before)
		if err := Set(path, c.key, c.text); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got, _ := os.ReadFile(path); string(got) != c.after {
			t.Errorf("%s:\n%s", name, got)
		}
	}
}

func TestSetLeavesAFileAloneThatItCannotChange(t *testing.T) {
	for name, c := range map[string]struct {
		text, key, value string
		want             error
	}{
		"broken":           {"name = \n", "name", "new", ErrFile},
		"unknown key":      {"nmae = 'x'\n", "name", "new", ErrFile},
		"bad value":        {"name = 'x'\n", "name", "", ErrSetting},
		"no such setting":  {"name = 'x'\n", "colour", "red", ErrSetting},
		"comment in value": {"listen = [\n# home\n'/ip4/1.2.3.4/tcp/1']\n", "listen", "", ErrEdit},
	} {
		path := write(t, c.text)
		if err := Set(path, c.key, c.value); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
		if got, _ := os.ReadFile(path); string(got) != c.text {
			t.Errorf("%s: changed to %q", name, got)
		}
	}
}

func TestSetWritesTheTemplateFirstAndKeepsModeAndLink(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "config.toml")
	if err := Set(path, "name", "new"); err != nil {
		t.Fatal(err)
	}
	raw, _ := os.ReadFile(path)
	if !strings.HasPrefix(string(raw), "# Settings") || !strings.Contains(string(raw), "\nname = 'new'\n\n") {
		t.Fatalf("%s", raw)
	}
	link := filepath.Join(t.TempDir(), "linked.toml")
	if err := errors.Join(os.Chmod(path, 0o644), os.Symlink(path, link)); err != nil {
		t.Skipf("needs symlinks: %v", err)
	}
	if err := Set(link, "mdns", "false"); err != nil {
		t.Fatal(err)
	}
	info, _ := os.Lstat(link)
	target, _ := os.Stat(path)
	if info.Mode().Type() != os.ModeSymlink || target.Mode().Perm() != 0o644 {
		t.Fatalf("%v, %v", info.Mode(), target.Mode())
	}
	if f := load(t, path); f.text["mdns"] != "false" || f.text["name"] != "new" {
		t.Fatal(f.text)
	}
}

func FuzzEdit(f *testing.F) {
	f.Add(template(), "name", "new")
	f.Add("name = 'a' # b\nlisten = [\n'/ip4/1.2.3.4/tcp/1',\n]\nmdns=false", "listen", "/ip4/1.2.3.4/tcp/7")
	f.Add("name = \"\"\"\na\"\"\"\r\n", "name", "b")
	f.Fuzz(func(t *testing.T, doc, name, text string) {
		s, err := settingNamed(name, text)
		if err != nil {
			return
		}
		before, err := decode([]byte(doc))
		if err != nil {
			return
		}
		edited, err := edit(doc, s, text)
		if err != nil {
			if !errors.Is(err, ErrEdit) {
				t.Fatal(err)
			}
			return
		}
		after, err := decode([]byte(edited))
		if err != nil || !s.same(after[name], text) {
			t.Fatalf("%q became %q: %v", doc, edited, err)
		}
		delete(before, name)
		delete(after, name)
		if !maps.Equal(before, after) {
			t.Fatalf("%q became %q", doc, edited)
		}
		if strings.Count(edited, "#") < strings.Count(doc, "#")-strings.Count(text, "#")-1 && !strings.Contains(before[name], "#") {
			t.Fatalf("a comment of %q is lost: %q", doc, edited)
		}
	})
}

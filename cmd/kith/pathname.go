package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/control"
)

// placesOf makes places of what was typed: each as it is, and as the path
// that it would be from the current directory.
func placesOf(args []string) ([]control.Place, error) {
	real := map[string]string{}
	out := make([]control.Place, 0, len(args))
	for _, arg := range args {
		p, err := placeOf(arg, real)
		if err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, nil
}

// placeOf resolves the symlinks above the last name and not that one, which
// may be a symlink that lies in a folder. What ends in a slash or a dot means
// the directory, wherever it is. real remembers directories that it has
// resolved.
func placeOf(arg string, real map[string]string) (control.Place, error) {
	if arg == "" {
		return control.Place{}, &usage{message: "an empty path", hint: "give a path on this machine, or FOLDER/PATH"}
	}
	abs, err := filepath.Abs(arg)
	if err != nil {
		return control.Place{}, fmt.Errorf("find %q: %w", arg, err)
	}
	dir, last := filepath.Dir(abs), filepath.Base(abs)
	if _, name := filepath.Split(arg); name == "" || name == "." || name == ".." {
		dir, last = abs, ""
	}
	at, ok := real[dir]
	if !ok {
		at = resolved(dir)
		real[dir] = at
	}
	return control.Place{Text: arg, Absolute: filepath.Join(at, last)}, nil
}

// resolved is a clean absolute path with the symlinks in it resolved, as far
// down as it exists: what was freed has no directory here perhaps.
func resolved(path string) string {
	for above, below := path, ""; ; {
		if real, err := filepath.EvalSymlinks(above); err == nil {
			return filepath.Join(real, below)
		}
		parent := filepath.Dir(above)
		if parent == above {
			return path
		}
		above, below = parent, filepath.Join(filepath.Base(above), below)
	}
}

// shown is a name from a folder as people see it, and as a shell takes it if
// it holds what a terminal must not: $'a\xff'.
func shown(name string) string {
	if utf8.ValidString(name) && !strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return name
	}
	var b strings.Builder
	b.WriteString("$'")
	for len(name) > 0 {
		r, n := utf8.DecodeRuneInString(name)
		switch {
		case r == '\'' || r == '\\':
			b.WriteString("\\" + string(r))
		case unicode.IsPrint(r) && (r != utf8.RuneError || n > 1):
			b.WriteRune(r)
		default:
			for _, c := range []byte(name[:n]) {
				fmt.Fprintf(&b, "\\x%02x", c)
			}
		}
		name = name[n:]
	}
	return b.String() + "'"
}

// within is a path with its folder, as commands take it.
func within(f control.Folder, path string) string {
	if path == "" {
		return f.Label
	}
	return f.Label + "/" + path
}

// onDisk is where a path of a folder lies on this machine.
func onDisk(f control.Folder, path string) string {
	return filepath.Join(f.Path, filepath.FromSlash(path))
}

// pathBytes are the bytes of a path that JSON cannot hold as they are, base64
// in JSON; nil for nearly all.
func pathBytes(path string) []byte {
	if utf8.ValidString(path) {
		return nil
	}
	return []byte(path)
}

// kindName is the type of a path in JSON; empty if nothing is known of it.
func kindName(k entry.Kind) string {
	if k == 0 {
		return ""
	}
	return k.String()
}

type deviceView struct {
	Device string `json:"device"`
	Name   string `json:"name"`
}

func viewDevice(d control.Identity) deviceView { return deviceView{string(d.ID), d.Name} }

// names lists devices for people.
func names(devices []control.Identity) string {
	return strings.Join(views(devices, func(d control.Identity) string { return d.Name }), ", ")
}

func (a *app) completePath(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return nil, cobra.ShellCompDirectiveDefault
}

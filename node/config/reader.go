package config

import (
	"fmt"
	"io/fs"
	"os"
)

// Reader reads the settings again while a device runs, always with the flags
// and the environment that it was started with.
type Reader struct {
	Path   string // of the settings file
	Flags  map[string]string
	Getenv func(string) string
}

// Reading is what a [Reader] has found.
type Reading struct {
	Settings  Settings // all of them; of no use if there was an error
	Overruled []Overruled

	file  *File
	fixed map[string]bool // given by a flag or a variable, which no file changes
}

// Overruled is a setting to which the file gives another value than the flag
// or the variable that goes before it.
type Overruled struct {
	Setting string
	Value   string // in the file
	By      string // "--name" or "KITH_NAME"
}

// Read reads the settings. Errors are those of [Load] and [File.Resolve], and
// one that wraps [fs.ErrNotExist] if the file is gone: a device that runs had
// one, and does not go by defaults because a disk is away. What is returned
// knows in every case whether the file changes once more.
func (r Reader) Read() (Reading, error) {
	file, err := loadFile(r.Path)
	out := Reading{file: file, fixed: map[string]bool{}}
	if err == nil && file.info == nil {
		err = fmt.Errorf("load settings: %s: %w", r.Path, fs.ErrNotExist)
	}
	if err != nil {
		return out, err
	}
	var sources []Source
	if out.Settings, sources, err = file.Resolve(r.Flags, r.Getenv); err != nil {
		return out, fmt.Errorf("read the settings: %w", err)
	}
	for _, s := range sources {
		by, shadowed := Shadowed(sources, s.Setting)
		if !shadowed {
			continue
		}
		out.fixed[s.Setting] = true
		one, _ := find(s.Setting)
		text, ok := file.text[s.Setting]
		if !ok {
			continue
		}
		var said Settings
		if err := one.parse(&said, text); err == nil && one.text(&said) != s.Value {
			out.Overruled = append(out.Overruled, Overruled{s.Setting, one.text(&said), by})
		}
	}
	return out, nil
}

// Fixed tells whether a flag or a variable goes before the file.
func (r Reading) Fixed(name string) bool { return r.fixed[name] }

// Changed tells whether the file is no longer what was read. It only looks at
// the directory.
func (r Reading) Changed() bool { return r.file.Changed() }

// Linked tells whether the settings file is a link, so that it can change while
// nothing does in its directory.
func (r Reader) Linked() bool {
	info, err := os.Lstat(r.Path)
	return err == nil && info.Mode()&fs.ModeSymlink != 0
}

// Value is a setting in the form that a flag would have; empty for a name that
// none has.
func (s Settings) Value(name string) string {
	one, ok := find(name)
	if !ok {
		return ""
	}
	return one.text(&s)
}

// Adopt gives one setting the value that it has in o.
func (s *Settings) Adopt(o Settings, name string) error {
	one, ok := find(name)
	if !ok {
		return fmt.Errorf("%s: %w: there is none of that name", name, ErrSetting)
	}
	return one.parse(s, one.text(&o))
}

func find(name string) (*setting, bool) {
	for i := range settings {
		if settings[i].name == name {
			return &settings[i], true
		}
	}
	return nil, false
}

package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

// maxFile bounds the settings file, in bytes.
const maxFile = 1 << 20

// File is what the settings file said when it was loaded.
type File struct {
	path string
	info fs.FileInfo       // nil if there was no file
	text map[string]string // of the settings that it holds
}

// document is the file as TOML. A setting that is not there is nil.
type document struct {
	Name           *string   `toml:"name"`
	Listen         *[]string `toml:"listen"`
	LANOnly        *bool     `toml:"lan-only"`
	Discovery      *string   `toml:"discovery"`
	Bootstrap      *[]string `toml:"bootstrap"`
	Relay          *string   `toml:"relay"`
	PortMapping    *bool     `toml:"port-mapping"`
	UI             *string   `toml:"ui"`
	LogLevel       *string   `toml:"log-level"`
	RescanInterval *string   `toml:"rescan-interval"`
	MDNS           *bool     `toml:"mdns"`
	BrakeFiles     *int64    `toml:"brake-files"`
	BrakeShare     *int64    `toml:"brake-share"`
	Metered        *string   `toml:"metered"`
	OnMetered      *string   `toml:"on-metered"`
	OnBattery      *string   `toml:"on-battery"`
	BatteryBelow   *int64    `toml:"battery-below"`
}

// Load reads and checks the settings file; one that is not there says nothing.
// Errors wrap [ErrFile] and name the file, and where they can the line, the
// column and the key.
func Load(path string) (*File, error) {
	f, err := loadFile(path)
	if err != nil {
		return nil, err
	}
	return f, nil
}

// loadFile returns, with an error too, a file that knows whether it has changed.
func loadFile(path string) (*File, error) {
	f := &File{path: path}
	data, info, err := read(path)
	if errors.Is(err, fs.ErrNotExist) {
		return f, nil
	}
	if f.info = info; info == nil {
		f.info, _ = os.Stat(path) // for one that cannot be opened
	}
	if err != nil {
		return f, fmt.Errorf("load settings: %w", err)
	}
	if f.text, err = decode(data); err != nil {
		return f, fmt.Errorf("load settings: %s%w", path, err)
	}
	return f, nil
}

// Changed tells whether the file is no longer what was loaded. It only looks
// at the directory, so it may be asked often.
func (f *File) Changed() bool {
	info, err := os.Stat(f.path)
	if err != nil || f.info == nil {
		return (err == nil) != (f.info != nil)
	}
	return !os.SameFile(info, f.info) || info.Size() != f.info.Size() || !info.ModTime().Equal(f.info.ModTime())
}

func read(path string) ([]byte, fs.FileInfo, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return nil, nil, err
	}
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(data) > maxFile {
		err = fmt.Errorf("%s: %w: larger than %d bytes", path, ErrFile, maxFile)
	}
	return data, info, err
}

// decode is the text form of each setting in the file. Its errors begin with
// the position, to follow the file's name.
func decode(data []byte) (map[string]string, error) {
	var doc document
	d := toml.NewDecoder(strings.NewReader(string(data))).DisallowUnknownFields()
	if err := d.Decode(&doc); err != nil {
		return nil, positioned(err)
	}
	text := doc.texts()
	var scratch Settings
	for i := range settings {
		s := &settings[i]
		t, ok := text[s.name]
		if !ok {
			continue
		}
		if err := s.parse(&scratch, t); err != nil {
			return nil, fmt.Errorf(":%d: %w: %s: %w", lineOf(string(data), s.name), ErrFile, s.name, err)
		}
	}
	return text, nil
}

func (d *document) texts() map[string]string {
	text := make(map[string]string)
	str := func(name string, v *string) {
		if v != nil {
			text[name] = *v
		}
	}
	number := func(name string, v *int64) {
		if v != nil {
			text[name] = strconv.FormatInt(*v, 10)
		}
	}
	flag := func(name string, v *bool) {
		if v != nil {
			text[name] = strconv.FormatBool(*v)
		}
	}
	list := func(name string, v *[]string) {
		if v != nil {
			text[name] = strings.Join(*v, ",")
		}
	}
	str("name", d.Name)
	str("discovery", d.Discovery)
	str("relay", d.Relay)
	str("ui", d.UI)
	str("log-level", d.LogLevel)
	str("rescan-interval", d.RescanInterval)
	flag("lan-only", d.LANOnly)
	flag("port-mapping", d.PortMapping)
	flag("mdns", d.MDNS)
	number("brake-files", d.BrakeFiles)
	number("brake-share", d.BrakeShare)
	str("metered", d.Metered)
	str("on-metered", d.OnMetered)
	str("on-battery", d.OnBattery)
	number("battery-below", d.BatteryBelow)
	list("listen", d.Listen)
	list("bootstrap", d.Bootstrap)
	return text
}

// positioned turns a decoder's error into one line that begins with a position.
func positioned(err error) error {
	if strict := (*toml.StrictMissingError)(nil); errors.As(err, &strict) && len(strict.Errors) > 0 {
		first := &strict.Errors[0]
		row, column := first.Position()
		return fmt.Errorf(":%d:%d: %w: no such setting: %q (there are %s)",
			row, column, ErrFile, strings.Join(first.Key(), "."), strings.Join(Names(), ", "))
	}
	if at := (*toml.DecodeError)(nil); errors.As(err, &at) {
		row, column := at.Position()
		key := strings.Join(at.Key(), ".")
		if key != "" {
			key = ": " + key
		}
		return fmt.Errorf(":%d:%d: %w%s: %s", row, column, ErrFile, key, strings.TrimPrefix(at.Error(), "toml: "))
	}
	return fmt.Errorf(": %w: %w", ErrFile, err)
}

package node

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/control"
)

// findPlace is the folder and the path in it that a person means: a path on
// this machine that lies in a folder, or else FOLDER/PATH. Where both can be
// meant, the one that exists is.
func (d *Device) findPlace(p control.Place) (*share, entry.Path, error) {
	here, at, inside := d.placeOnDisk(p.Absolute)
	if inside {
		if known, err := here.known(at); err != nil || known {
			return here, at, err
		}
	}
	label, rest, _ := strings.Cut(strings.TrimRight(p.Text, "/"), "/")
	if s, err := d.findShare(label); err == nil && !filepath.IsAbs(p.Text) {
		named, err := placeIn(rest)
		if err != nil {
			return nil, "", err
		}
		if known, err := s.known(named); err != nil || known || !inside {
			return s, named, err
		}
	}
	if inside {
		return here, at, nil
	}
	return nil, "", fmt.Errorf("%q: %w", p.Text, control.ErrNoPath)
}

// placeOnDisk is the folder in whose tree an absolute path lies.
func (d *Device) placeOnDisk(abs string) (*share, entry.Path, bool) {
	for _, s := range d.allShares() {
		root := s.controlled().Path
		if root == "" || s.tree == nil {
			continue
		}
		if abs == root {
			return s, "", true
		}
		if rest, ok := strings.CutPrefix(abs, strings.TrimRight(root, string(filepath.Separator))+string(filepath.Separator)); ok {
			if p, err := placeIn(filepath.ToSlash(rest)); err == nil {
				return s, p, true
			}
		}
	}
	return nil, "", false
}

func placeIn(rest string) (entry.Path, error) {
	if rest == "" {
		return "", nil
	}
	p, err := entry.ParsePath(rest)
	if err != nil {
		return "", fmt.Errorf("%w: %w", control.ErrNoPath, err)
	}
	return p, nil
}

// existing is findPlace for a path that has to be known.
func (d *Device) existing(p control.Place) (*share, entry.Path, error) {
	s, at, err := d.findPlace(p)
	if err != nil {
		return nil, "", err
	}
	known, err := s.known(at)
	if err == nil && !known {
		err = fmt.Errorf("%q: %w", p.Text, control.ErrNoPath)
	}
	return s, at, err
}

// shownPath is FOLDER/PATH.
func (s *share) shownPath(p entry.Path) string {
	if p == "" {
		return s.controlled().Label
	}
	return s.controlled().Label + "/" + string(p)
}

package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/kithmesh/kith/node/control"
)

func step(files, bytes int64) control.Progress {
	return control.Progress{Folders: []control.FolderProgress{{
		Folder: docs, State: control.StateSyncing, NeedFiles: files, NeedBytes: bytes,
	}}}
}

func TestProgressTellsHowFarHowFastAndHowLong(t *testing.T) {
	var m meter
	t0 := theHour
	m.update(step(100, 1_000_000_000), t0)
	if got, want := m.text(step(100, 1), control.Synced), "Documents: 0 of 100 files, 0 B of 1 GB"; got != want {
		t.Errorf("at first %q, want %q", got, want)
	}
	m.update(step(50, 700_000_000), t0.Add(3*time.Second))
	if got, want := m.text(step(50, 1), control.Synced), "Documents: 50 of 100 files, 300 MB of 1 GB, 100 MB/s, 7 s left"; got != want {
		t.Errorf("then %q, want %q", got, want)
	}
	// A scan finds more: nothing is undone.
	m.update(step(150, 900_000_000), t0.Add(6*time.Second))
	if got, want := m.text(step(150, 1), control.Synced), "Documents: 50 of 200 files, 300 MB of 1.2 GB"; got != want {
		t.Errorf("with more to do %q, want %q", got, want)
	}
	m.update(step(0, 0), t0.Add(7*time.Second))
	if got, want := m.text(step(0, 0), control.Synced), "Documents: syncing"; got != want {
		t.Errorf("in the end %q, want %q", got, want)
	}
}

func TestManyFoldersAreAddedUp(t *testing.T) {
	two := control.Progress{Folders: append(step(1, 10).Folders, step(2, 20).Folders...)}
	var m meter
	m.update(two, theHour)
	if got, want := m.text(two, control.Synced), "2 folders: 0 of 3 files, 0 B of 30 B"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got, want := new(meter).text(control.Progress{}, control.Connected), "0 folders: waiting until connected"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestALineIsDrawnAgainOnATerminalAndSeldomElsewhere(t *testing.T) {
	for _, c := range []struct {
		name  string
		on    terminal
		lines int
		drawn int
	}{
		{"a pipe", terminal{}, 3, 0},
		{"a terminal", terminal{width: 30}, 0, 101},
	} {
		var b bytes.Buffer
		l := newProgressLine(&b, c.on, control.Synced)
		for i := range 101 { // ten seconds
			if err := l.update(step(100-int64(i), 1000), theHour.Add(time.Duration(i)*100*time.Millisecond)); err != nil {
				t.Fatal(err)
			}
		}
		if err := l.clear(); err != nil {
			t.Fatal(err)
		}
		if got := strings.Count(b.String(), "\n"); got != c.lines {
			t.Errorf("%s: %d lines, want %d", c.name, got, c.lines)
		}
		if got := strings.Count(b.String(), "\rDocuments"); got != c.drawn {
			t.Errorf("%s: drawn %d times, want %d", c.name, got, c.drawn)
		}
		for part := range strings.SplitSeq(b.String(), "\r") {
			if w := columns(strings.TrimSuffix(part, "\x1b[K")); c.on.is() && w >= c.on.width {
				t.Errorf("%s: a line of %d columns", c.name, w)
			}
		}
	}
}

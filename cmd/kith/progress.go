package main

import (
	"fmt"
	"io"
	"time"

	"github.com/kithmesh/kith/node/control"
)

const (
	redrawEvery = 100 * time.Millisecond // on a terminal
	lineEvery   = 5 * time.Second        // in a file or a pipe
	rateOver    = 3 * time.Second        // the time over which the rate is smoothed
)

// progressLine shows how far a wait has come: one line that is drawn again on
// a terminal, a plain line now and then elsewhere.
type progressLine struct {
	w     io.Writer
	on    terminal
	goal  control.Goal
	meter meter
	shown time.Time
	drawn bool
}

func newProgressLine(w io.Writer, on terminal, goal control.Goal) *progressLine {
	return &progressLine{w: w, on: on, goal: goal}
}

// progressLine is one on the error stream, or nowhere if what is printed is
// for scripts.
func (a *app) progressLine(goal control.Goal) *progressLine {
	if a.json {
		return newProgressLine(io.Discard, terminal{}, goal)
	}
	return newProgressLine(a.err, a.errTerminal, goal)
}

func (l *progressLine) update(p control.Progress, t time.Time) error {
	l.meter.update(p, t)
	return l.show(t, func() string { return l.meter.text(p, l.goal) })
}

// show tells what goes on, if it is time to tell again.
func (l *progressLine) show(t time.Time, what func() string) error {
	every := lineEvery
	if l.on.is() {
		every = redrawEvery
	}
	if !l.shown.IsZero() && t.Sub(l.shown) < every {
		return nil
	}
	l.shown = t
	text := printable(what())
	var err error
	if l.on.is() {
		l.drawn = true
		_, err = fmt.Fprintf(l.w, "\r%s\x1b[K", clip(text, l.on.width-1))
	} else {
		_, err = fmt.Fprintln(l.w, text)
	}
	return err
}

// clear takes the line off the terminal.
func (l *progressLine) clear() error {
	if !l.drawn {
		return nil
	}
	l.drawn = false
	_, err := io.WriteString(l.w, "\r\x1b[K")
	return err
}

// meter derives totals and a rate from what is still missing. What is missing
// may grow while scans find more; the total grows with it.
type meter struct {
	at           time.Time
	files, bytes int64   // missing
	doneFiles    int64   // done since the start
	doneBytes    int64   //
	rate         float64 // bytes per second, smoothed
}

func (m *meter) update(p control.Progress, t time.Time) {
	var files, bytes int64
	for _, f := range p.Folders {
		files, bytes = files+f.NeedFiles, bytes+f.NeedBytes
	}
	if !m.at.IsZero() {
		m.doneFiles += max(m.files-files, 0)
		done := max(m.bytes-bytes, 0)
		m.doneBytes += done
		if d := t.Sub(m.at); d > 0 {
			weight := min(float64(d)/float64(rateOver), 1)
			m.rate += weight * (float64(done)/d.Seconds() - m.rate)
		}
	}
	m.at, m.files, m.bytes = t, files, bytes
}

// text is one line: what is waited for, how far it is, how fast, how long.
func (m *meter) text(p control.Progress, goal control.Goal) string {
	name := fmt.Sprintf("%d folders", len(p.Folders))
	state := ""
	if len(p.Folders) == 1 {
		name, state = p.Folders[0].Label, string(p.Folders[0].State)
	}
	if m.files == 0 && m.bytes == 0 {
		if state != "" && state != string(control.StateInSync) {
			return fmt.Sprintf("%s: %s", name, state)
		}
		return fmt.Sprintf("%s: waiting until %s", name, goal)
	}
	text := fmt.Sprintf("%s: %s of %s, %s of %s", name, count(m.doneFiles), plural(m.doneFiles+m.files, "file"),
		size(m.doneBytes), size(m.doneBytes+m.bytes))
	if m.rate >= 1 {
		left := time.Duration(float64(m.bytes) / m.rate * float64(time.Second))
		text += fmt.Sprintf(", %s/s, %s left", size(int64(m.rate)), span(left))
	}
	return text
}

//go:build linux

package meshtest

import (
	"fmt"
	"os"
	"strings"
)

// journal is what a run has done: all of it in a file, the last of it in
// memory.
type journal struct {
	file  *os.File
	path  string
	lines []string
	n     int // lines in all
}

// journalLines is how many lines are told of a run that went wrong.
const journalLines = 400

func (j *journal) open(path string) (err error) {
	j.path = path
	j.file, err = os.Create(path)
	return err
}

func (j *journal) close() { _ = j.file.Close() }

func (j *journal) write(line string) {
	fmt.Fprintln(j.file, line)
	j.n++
	if j.lines = append(j.lines, line); len(j.lines) > 2*journalLines {
		j.lines = append(j.lines[:0], j.lines[len(j.lines)-journalLines:]...)
	}
}

// text is the last of it.
func (j *journal) text() string {
	before := ""
	if n := j.n - len(j.lines); n > 0 {
		before = fmt.Sprintf("(%d lines before; kept with -mesh-keep)\n", n)
	}
	return before + strings.Join(j.lines, "\n") + "\n"
}

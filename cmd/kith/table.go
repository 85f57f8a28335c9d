package main

import (
	"fmt"
	"io"
	"strings"
)

// cell is a piece of a row.
type cell struct {
	text  string
	style style
	right bool // aligned to the right
}

// table lays rows out in aligned columns, two spaces apart. The last cell of a
// row takes part in no alignment, so that a long remark widens nothing.
type table struct {
	rows [][]cell
}

// row adds cells given as text or as cell.
func (t *table) row(cells ...any) {
	row := make([]cell, 0, len(cells))
	for _, c := range cells {
		switch c := c.(type) {
		case cell:
			c.text = printable(c.text)
			row = append(row, c)
		default:
			row = append(row, cell{text: printable(fmt.Sprint(c))})
		}
	}
	t.rows = append(t.rows, row)
}

// write prints the table, each line clipped to the terminal if it is one.
func (t *table) write(w io.Writer, on terminal) error {
	widths := t.widths()
	for _, row := range t.rows {
		if _, err := fmt.Fprintln(w, t.line(row, widths, on)); err != nil {
			return err
		}
	}
	return nil
}

func (t *table) widths() []int {
	var widths []int
	for _, row := range t.rows {
		for i, c := range row[:max(len(row)-1, 0)] {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], columns(c.text))
		}
	}
	return widths
}

func (t *table) line(row []cell, widths []int, on terminal) string {
	var b strings.Builder
	used := 0
	for i, c := range row {
		text := c.text
		if on.is() {
			text = clip(text, max(on.width-used, 1))
		}
		pad := 0
		if i < len(row)-1 {
			pad = max(widths[i]-columns(text), 0)
		}
		if c.right {
			b.WriteString(strings.Repeat(" ", pad) + on.paint(c.style, text) + "  ")
		} else {
			b.WriteString(on.paint(c.style, text) + strings.Repeat(" ", pad) + "  ")
		}
		used += columns(text) + pad + 2
		if on.is() && used >= on.width {
			break
		}
	}
	return strings.TrimRight(b.String(), " ")
}

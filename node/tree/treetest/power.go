package treetest

import "bytes"

// LosePower ends the program and takes back some of what was not synced: of
// names and metadata the last changes, as many as chance has it; of the content
// of each file any part, and sometimes all of it, so that an older one is back.
// It returns what is left of files that people have written.
func (d *Disk) LosePower() (torn []string) {
	d.Kill()
	back := 0
	if n := len(d.journal); n > 0 {
		back = d.rng.IntN(n + 1)
	}
	noticed := d.Noticed
	d.Noticed = noticedByNobody
	for range back {
		last := len(d.journal) - 1
		undo := d.journal[last]
		d.journal = d.journal[:last]
		undo()
	}
	for _, n := range d.unsynced {
		if n.dirty {
			d.loseContent(n)
			if !n.staged {
				torn = append(torn, string(n.body))
			}
		}
	}
	d.Noticed = noticed
	d.Writeback() // what is there now is what the disk holds
	for _, n := range d.all() {
		n.writers, n.failing = 0, nil
	}
	return torn
}

// loseContent leaves some of what was written. What was only added to a file
// takes nothing of what was there before.
func (d *Disk) loseContent(n *node) {
	least := 0
	if bytes.HasPrefix(n.body, n.safe.body) {
		least = len(n.safe.body)
	}
	switch d.rng.IntN(4) {
	case 0: // it was on its way by itself
	case 1:
		n.body, n.modTime, n.changeTime = n.safe.body, n.safe.modTime, n.safe.changeTime
	case 2:
		n.body = n.body[:least]
	default:
		n.body = n.body[:least+d.rng.IntN(len(n.body)-least+1)]
	}
}

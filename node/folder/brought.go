package folder

import (
	"time"

	"github.com/kithmesh/kith/index"
	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/folder/brake"
	"github.com/kithmesh/kith/node/folder/merge"
)

// This file tells the brake which files have come lately, and by whom.

// reaches tells whether an author may have to be held. What that author brought
// is looked for only where it makes a difference.
func (h *held) reaches(author string, doomed, files int64, now time.Time) bool {
	c := brake.Count{All: doomed}
	if !h.meter.Reaches(author, c, files, h.holds, now) {
		return false
	}
	if !h.meter.Brings(author) {
		return true
	}
	for p, by := range h.doomed {
		if by == author && h.meter.Own(author, p) {
			c.Own++
		}
	}
	return h.meter.Reaches(author, c, files, h.holds, now)
}

// brought notes what an item which was applied has brought: a file where none
// lay, or another content.
func (a *actor) brought(it *item) {
	if it.choice.Action != merge.Adopt || it.deviates {
		return
	}
	m, l, author := &a.brake.meter, it.here(), it.remote.AuthorName
	switch {
	case it.from != nil:
		if !m.Own(author, it.from.Path) {
			m.Rests(it.path)
		}
		m.Moved(it.from.Path, it.path)
	case it.result.Kind != entry.File || it.result.Absent:
		m.Gone(it.path)
	case l != nil && l.Kind == entry.File:
		if !l.SameContent(it.remote) {
			m.Rewrote(author, it.path, it.copied)
		}
	case it.local == nil || !it.local.Absent: // else a person has asked for it
		m.Brought(author, it.path, it.copied || l != nil && l.Lives(), a.Clock())
	}
}

// noteCopied notes of a file that its author brought, and is about to rewrite,
// whether the folder has the new content already. For a new file that was
// found out as it was planned.
func (a *actor) noteCopied(x *index.Folder, it *item) {
	m, author := &a.brake.meter, it.remote.AuthorName
	if it.from != nil || it.copied || !m.Own(author, it.path) {
		return
	}
	n := 0
	for o := range x.FindContent(it.result) {
		if n++; n > maxSameFiles || o.Path != it.path && !m.Own(author, o.Path) {
			it.copied = true
			return
		}
	}
}

package control

import (
	"fmt"
	"time"

	"github.com/kithmesh/kith/proto/controlpb"
)

// micros and instant keep moments of the past to the microsecond, as vaults
// do. Only zero is zero: the beginning of 1970 must not become now.
func micros(t time.Time) int64 {
	us := t.UnixMicro()
	switch {
	case t.IsZero():
		return 0
	case us == 0:
		return 1
	}
	return us
}

func instant(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}

// wordOf is the number on the wire of one of the words of a table, 0 for what
// is none of them.
func wordOf[W ~int32, P comparable](words map[W]P, word P) W {
	for w, p := range words {
		if p == word {
			return w
		}
	}
	return 0
}

var happenings = map[controlpb.Happening]Happening{
	controlpb.Happening_HAPPENING_CREATED: Created,
	controlpb.Happening_HAPPENING_EDITED:  Edited,
	controlpb.Happening_HAPPENING_DELETED: Deleted,
	controlpb.Happening_HAPPENING_RENAMED: Renamed,
	controlpb.Happening_HAPPENING_REVIVED: Revived,
	controlpb.Happening_HAPPENING_MODE:    Modified,
}

// happeningFromWire takes what a newer device may know for an edit: something
// has changed.
func happeningFromWire(w controlpb.Happening) Happening {
	if h, ok := happenings[w]; ok {
		return h
	}
	return Edited
}

var overwrites = map[controlpb.Overwrite]Overwrite{
	controlpb.Overwrite_OVERWRITE_UNSPECIFIED: OverwriteNever,
	controlpb.Overwrite_OVERWRITE_NEVER:       OverwriteNever,
	controlpb.Overwrite_OVERWRITE_IF_CHANGED:  OverwriteIfChanged,
	controlpb.Overwrite_OVERWRITE_ALWAYS:      OverwriteAlways,
}

// overwriteToWire makes what is no way to treat a path a number that is none
// either, so that the device refuses it; nothing said is never.
func overwriteToWire(o Overwrite) controlpb.Overwrite {
	switch o {
	case "", OverwriteNever:
		return controlpb.Overwrite_OVERWRITE_NEVER
	case OverwriteIfChanged:
		return controlpb.Overwrite_OVERWRITE_IF_CHANGED
	case OverwriteAlways:
		return controlpb.Overwrite_OVERWRITE_ALWAYS
	}
	return -1
}

func overwriteFromWire(w controlpb.Overwrite) (Overwrite, error) {
	if o, ok := overwrites[w]; ok {
		return o, nil
	}
	return "", fmt.Errorf("overwrite %d: %w", w, ErrInvalid)
}

func momentToWire(m Moment) *controlpb.Moment {
	return &controlpb.Moment{AtUs: micros(m.At), Label: text(m.Label)}
}

func momentFromWire(m *controlpb.Moment) (Moment, error) {
	out := Moment{At: instant(m.GetAtUs()), Label: m.GetLabel()}
	if out.Label == "" {
		return out, nil
	}
	if !out.At.IsZero() {
		return Moment{}, fmt.Errorf("moment: %w: both a time and a snapshot's label", ErrInvalid)
	}
	if err := checkName("a snapshot's label", out.Label); err != nil {
		return Moment{}, WithHint(err, "a time is said like 2026-11-20 14:00, yesterday 14:00 or 2h ago")
	}
	return out, nil
}

func logEventToWire(e LogEvent) *controlpb.LogEvent {
	return &controlpb.LogEvent{
		Folder: folderToWire(e.Folder), Path: []byte(e.Path), OldPath: []byte(e.OldPath), What: wordOf(happenings, e.What), Kind: kindToWire(e.Kind),
		Device: identityToWire(e.Device), AtUs: micros(e.At), ReceivedUs: micros(e.Received), Size: e.Size, Before: e.Before,
		Batch: text(e.Batch), Kept: e.Kept,
	}
}

func logEventFromWire(e *controlpb.LogEvent) LogEvent {
	return LogEvent{
		Folder: folderFromWire(e.GetFolder()), Path: string(e.GetPath()), OldPath: string(e.GetOldPath()), What: happeningFromWire(e.GetWhat()), Kind: kindFromWire(e.GetKind()),
		Device: identityFromWire(e.GetDevice()), At: instant(e.GetAtUs()), Received: instant(e.GetReceivedUs()), Size: e.GetSize(),
		Before: e.GetBefore(), Batch: e.GetBatch(), Kept: e.GetKept(),
	}
}

func differenceToWire(d Difference) *controlpb.Difference {
	return &controlpb.Difference{
		Folder: folderToWire(d.Folder), Path: []byte(d.Path), What: wordOf(happenings, d.What), Kind: kindToWire(d.Kind), Size: d.Size, Before: d.Before,
		OldKind: kindToWire(d.OldKind), ChangedUs: micros(d.TimeChanged),
	}
}

func differenceFromWire(d *controlpb.Difference) Difference {
	return Difference{
		Folder: folderFromWire(d.GetFolder()), Path: string(d.GetPath()), What: happeningFromWire(d.GetWhat()), Kind: kindFromWire(d.GetKind()), Size: d.GetSize(),
		Before: d.GetBefore(), OldKind: kindFromWire(d.GetOldKind()), TimeChanged: instant(d.GetChangedUs()),
	}
}

func snapshotToWire(s Snapshot) *controlpb.Snapshot {
	return &controlpb.Snapshot{Folder: folderToWire(s.Folder), Label: text(s.Label), AtUs: micros(s.At), Kept: convert(s.Kept, identityToWire)}
}

func snapshotFromWire(s *controlpb.Snapshot) Snapshot {
	return Snapshot{
		Folder: folderFromWire(s.GetFolder()), Label: s.GetLabel(), At: instant(s.GetAtUs()), Kept: convert(s.GetKept(), identityFromWire),
	}
}

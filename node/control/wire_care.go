package control

import (
	"fmt"

	"github.com/kithmesh/kith/proto/controlpb"
)

var keeps = map[controlpb.Keep]Keep{
	controlpb.Keep_KEEP_MINE:   KeepMine,
	controlpb.Keep_KEEP_THEIRS: KeepTheirs,
	controlpb.Keep_KEEP_BOTH:   KeepBoth,
	controlpb.Keep_KEEP_NEWEST: KeepNewest,
	controlpb.Keep_KEEP_MAIN:   KeepMain,
}

func keepToWire(k Keep) controlpb.Keep {
	for w, p := range keeps {
		if p == k {
			return w
		}
	}
	return controlpb.Keep_KEEP_UNSPECIFIED
}

func keepFromWire(w controlpb.Keep) (Keep, error) {
	if k, ok := keeps[w]; ok {
		return k, nil
	}
	return "", fmt.Errorf("keep %d: %w", w, ErrInvalid)
}

func conflictVersionToWire(v ConflictVersion) *controlpb.ConflictVersion {
	return &controlpb.ConflictVersion{
		Path: []byte(v.Path), Device: text(v.Device), Mine: v.Mine, Kind: kindToWire(v.Kind), Size: v.Size, ModifiedMs: millis(v.ModTime),
	}
}

func conflictVersionFromWire(v *controlpb.ConflictVersion) ConflictVersion {
	return ConflictVersion{
		Path: string(v.GetPath()), Device: v.GetDevice(), Mine: v.GetMine(), Kind: kindFromWire(v.GetKind()),
		Size: v.GetSize(), ModTime: moment(v.GetModifiedMs()),
	}
}

func conflictToWire(c Conflict) *controlpb.Conflict {
	out := &controlpb.Conflict{Folder: folderToWire(c.Folder), Path: []byte(c.Path), Copies: convert(c.Copies, conflictVersionToWire)}
	if c.Main.Path != "" {
		out.Main = conflictVersionToWire(c.Main)
	}
	return out
}

func conflictFromWire(c *controlpb.Conflict) Conflict {
	return Conflict{
		Folder: folderFromWire(c.GetFolder()), Path: string(c.GetPath()),
		Main: conflictVersionFromWire(c.GetMain()), Copies: convert(c.GetCopies(), conflictVersionFromWire),
	}
}

func resolvedToWire(r Resolved) *controlpb.Resolved {
	return &controlpb.Resolved{
		Path: []byte(r.Path), Kept: []byte(r.Kept), Removed: convert(r.Removed, rawBytes), Renamed: convert(r.Renamed, rawBytes),
		Problem: text(r.Problem),
	}
}

func resolvedFromWire(r *controlpb.Resolved) Resolved {
	return Resolved{
		Path: string(r.GetPath()), Kept: string(r.GetKept()), Removed: convert(r.GetRemoved(), rawString),
		Renamed: convert(r.GetRenamed(), rawString), Problem: r.GetProblem(),
	}
}

func batchToWire(b HeldBatch) *controlpb.HeldBatch {
	return &controlpb.HeldBatch{
		Id: text(b.ID), Folder: folderToWire(b.Folder), From: identityToWire(b.From), Deletes: b.Deletes, Rewrites: b.Rewrites,
		Files: b.Files, Bytes: b.Bytes, SinceMs: millis(b.Since), Paths: convert(b.Paths, rawBytes),
	}
}

func batchFromWire(b *controlpb.HeldBatch) HeldBatch {
	return HeldBatch{
		ID: b.GetId(), Folder: folderFromWire(b.GetFolder()), From: identityFromWire(b.GetFrom()), Deletes: b.GetDeletes(),
		Rewrites: b.GetRewrites(), Files: b.GetFiles(), Bytes: b.GetBytes(), Since: moment(b.GetSinceMs()),
		Paths: convert(b.GetPaths(), rawString),
	}
}

// checkBatch accepts what may be the ID of a batch.
func checkBatch(id string) error {
	if id == "" || len(id) > maxBatch {
		return fmt.Errorf("batch ID of %d bytes: %w", len(id), ErrInvalid)
	}
	return nil
}

func findingToWire(f Finding) *controlpb.Finding {
	return &controlpb.Finding{Subject: text(f.Subject), Ok: f.OK, Code: text(f.Code), Message: text(f.Message), Hint: text(f.Hint)}
}

func findingFromWire(f *controlpb.Finding) Finding {
	return Finding{Subject: f.GetSubject(), OK: f.GetOk(), Code: f.GetCode(), Message: f.GetMessage(), Hint: f.GetHint()}
}

package control

import (
	"fmt"
	"strings"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/proto/controlpb"
)

func placeToWire(p Place) *controlpb.Place {
	return &controlpb.Place{Text: []byte(p.Text), Absolute: []byte(p.Absolute)}
}

// placeFromWire accepts a place that names something in at least one way.
func placeFromWire(p *controlpb.Place) (Place, error) {
	out := Place{Text: string(p.GetText())}
	switch {
	case out.Text == "" && len(p.GetAbsolute()) == 0:
		return Place{}, fmt.Errorf("an empty place: %w", ErrInvalid)
	case len(out.Text) > maxText:
		return Place{}, fmt.Errorf("place of %d bytes: %w: at most %d", len(out.Text), ErrInvalid, maxText)
	case strings.IndexByte(out.Text, 0) >= 0:
		return Place{}, fmt.Errorf("place %q: %w: a NUL byte", out.Text, ErrInvalid)
	case len(p.GetAbsolute()) == 0:
		return out, nil
	}
	var err error
	out.Absolute, err = checkPath(p.GetAbsolute())
	return out, err
}

func placesFromWire(in []*controlpb.Place) ([]Place, error) {
	if len(in) == 0 || len(in) > maxPlaces {
		return nil, fmt.Errorf("%d places: %w: from 1 to %d", len(in), ErrInvalid, maxPlaces)
	}
	out := make([]Place, 0, len(in))
	for _, p := range in {
		place, err := placeFromWire(p)
		if err != nil {
			return nil, err
		}
		out = append(out, place)
	}
	return out, nil
}

// The numbers of kinds are the same on the wire; what is no kind becomes zero.
func kindToWire(k entry.Kind) controlpb.Kind {
	if k > entry.Symlink {
		return controlpb.Kind_KIND_UNSPECIFIED
	}
	return controlpb.Kind(k)
}

func kindFromWire(k controlpb.Kind) entry.Kind {
	if k < 0 || k > controlpb.Kind(entry.Symlink) {
		return 0
	}
	return entry.Kind(k) //nolint:gosec // bounded above
}

var wheres = map[controlpb.Whereabouts]Whereabouts{
	controlpb.Whereabouts_WHEREABOUTS_UNSPECIFIED: "",
	controlpb.Whereabouts_WHEREABOUTS_HERE:        Here,
	controlpb.Whereabouts_WHEREABOUTS_ELSEWHERE:   Elsewhere,
	controlpb.Whereabouts_WHEREABOUTS_COMING:      Coming,
	controlpb.Whereabouts_WHEREABOUTS_LOCAL:       LocalEdit,
}

func whereToWire(p Whereabouts) controlpb.Whereabouts {
	for w, q := range wheres {
		if p == q {
			return w
		}
	}
	return controlpb.Whereabouts_WHEREABOUTS_UNSPECIFIED
}

// whereFromWire takes what a newer device may know for elsewhere: nobody must
// believe that a content is here unless it was said.
func whereFromWire(w controlpb.Whereabouts) Whereabouts {
	if p, ok := wheres[w]; ok {
		return p
	}
	return Elsewhere
}

func pathEntryToWire(e PathEntry) *controlpb.PathEntry {
	return &controlpb.PathEntry{
		Folder: folderToWire(e.Folder), Path: []byte(e.Path), Kind: kindToWire(e.Kind), Size: e.Size,
		ModifiedMs: millis(e.ModTime), Where: whereToWire(e.Where), Pinned: e.Pinned, Holders: convert(e.Holders, identityToWire),
	}
}

func pathEntryFromWire(e *controlpb.PathEntry) PathEntry {
	return PathEntry{
		Folder: folderFromWire(e.GetFolder()), Path: string(e.GetPath()), Kind: kindFromWire(e.GetKind()), Size: e.GetSize(),
		ModTime: moment(e.GetModifiedMs()), Where: whereFromWire(e.GetWhere()), Pinned: e.GetPinned(),
		Holders: convert(e.GetHolders(), identityFromWire),
	}
}

func getProgressToWire(p GetProgress) *controlpb.GetProgress {
	return &controlpb.GetProgress{
		Files: p.Files, NeedFiles: p.NeedFiles, Bytes: p.Bytes, NeedBytes: p.NeedBytes, Problems: convert(p.Problems, problemToWire),
	}
}

func getProgressFromWire(p *controlpb.GetProgress) GetProgress {
	return GetProgress{
		Files: p.GetFiles(), NeedFiles: p.GetNeedFiles(), Bytes: p.GetBytes(), NeedBytes: p.GetNeedBytes(),
		Problems: convert(p.GetProblems(), problemFromWire),
	}
}

func freedToWire(f Freed) *controlpb.FreeResponse {
	return &controlpb.FreeResponse{
		Files: f.Files, Bytes: f.Bytes, Kept: f.Kept,
		Reasons: convert(f.Reasons, func(k Kept) *controlpb.Kept {
			return &controlpb.Kept{Code: text(k.Code), Message: text(k.Message), Paths: convert(k.Paths, rawBytes), Files: k.Files}
		}),
		Copies: convert(f.Copies, func(p Proof) *controlpb.Proof {
			return &controlpb.Proof{Device: identityToWire(p.Identity), Files: p.Files, Answer: text(p.Answer)}
		}),
	}
}

func freedFromWire(f *controlpb.FreeResponse) Freed {
	return Freed{
		Files: f.GetFiles(), Bytes: f.GetBytes(), Kept: f.GetKept(),
		Reasons: convert(f.GetReasons(), func(k *controlpb.Kept) Kept {
			return Kept{Code: k.GetCode(), Message: k.GetMessage(), Paths: convert(k.GetPaths(), rawString), Files: k.GetFiles()}
		}),
		Copies: convert(f.GetCopies(), func(p *controlpb.Proof) Proof {
			return Proof{Identity: identityFromWire(p.GetDevice()), Files: p.GetFiles(), Answer: p.GetAnswer()}
		}),
	}
}

func explanationToWire(e Explanation) *controlpb.WhyResponse {
	return &controlpb.WhyResponse{
		Folder: folderToWire(e.Folder), Path: []byte(e.Path), Kind: kindToWire(e.Kind), Where: whereToWire(e.Where),
		Version: text(e.Version), Holders: convert(e.Holders, identityToWire), Causes: convert(e.Causes, problemToWire),
	}
}

func explanationFromWire(e *controlpb.WhyResponse) Explanation {
	return Explanation{
		Folder: folderFromWire(e.GetFolder()), Path: string(e.GetPath()), Kind: kindFromWire(e.GetKind()), Where: whereFromWire(e.GetWhere()),
		Version: e.GetVersion(), Holders: convert(e.GetHolders(), identityFromWire), Causes: convert(e.GetCauses(), problemFromWire),
	}
}

// Paths cross as the bytes that they are.
func rawBytes(s string) []byte  { return []byte(s) }
func rawString(b []byte) string { return string(b) }

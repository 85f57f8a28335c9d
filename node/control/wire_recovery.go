package control

import (
	"fmt"
	"math"
	"strings"

	"github.com/kithmesh/kith/proto/controlpb"
)

// checkPhrase bounds what is read as the words of a phrase. Its errors never
// quote them.
func checkPhrase(phrase string) error {
	if strings.TrimSpace(phrase) == "" || len(phrase) > maxPhrase {
		return fmt.Errorf("recovery phrase of %d bytes: %w", len(phrase), ErrInvalid)
	}
	return nil
}

func draftToWire(d RecoveryDraft) *controlpb.DraftResponse {
	return &controlpb.DraftResponse{Id: text(d.ID), Words: convert(d.Words, text), Ask: convert(d.Ask, small)}
}

func draftFromWire(d *controlpb.DraftResponse) RecoveryDraft {
	return RecoveryDraft{ID: d.GetId(), Words: append([]string{}, d.GetWords()...), Ask: convert(d.GetAsk(), func(n int32) int { return int(n) })}
}

// small keeps what is counted within what the wire can say.
func small(n int) int32 {
	return int32(max(0, min(n, math.MaxInt32))) //nolint:gosec // bounded here
}

func confirmFromWire(r *controlpb.ConfirmRequest) ([]string, error) {
	if r.GetDraft() == "" || len(r.GetDraft()) > maxBatch {
		return nil, fmt.Errorf("draft ID of %d bytes: %w", len(r.GetDraft()), ErrInvalid)
	}
	if len(r.GetAnswers()) > maxWords {
		return nil, fmt.Errorf("%d words: %w: at most %d", len(r.GetAnswers()), ErrInvalid, maxWords)
	}
	for _, w := range r.GetAnswers() {
		if len(w) > maxWord {
			return nil, fmt.Errorf("word of %d bytes: %w: at most %d", len(w), ErrInvalid, maxWord)
		}
	}
	return r.GetAnswers(), nil
}

func recoveryStateToWire(s RecoveryState) *controlpb.RecoveryState {
	return &controlpb.RecoveryState{
		CreatedMs: millis(s.Created), Matches: s.Matches,
		Folders: convert(s.Folders, func(f RecoveryFolder) *controlpb.RecoveryFolder {
			return &controlpb.RecoveryFolder{Folder: folderToWire(f.Folder), Covered: f.Covered, Epochs: small(f.Epochs), At: convert(f.At, identityToWire)}
		}),
	}
}

func recoveryStateFromWire(s *controlpb.RecoveryState) RecoveryState {
	return RecoveryState{
		Created: moment(s.GetCreatedMs()), Matches: s.GetMatches(),
		Folders: convert(s.GetFolders(), func(f *controlpb.RecoveryFolder) RecoveryFolder {
			return RecoveryFolder{
				Folder: folderFromWire(f.GetFolder()), Covered: f.GetCovered(), Epochs: int(f.GetEpochs()), At: convert(f.GetAt(), identityFromWire),
			}
		}),
	}
}

func recoverToWire(r RecoverRequest) *controlpb.RecoverRequest {
	return &controlpb.RecoverRequest{
		Phrase: text(r.Phrase), At: convert(r.At, text), Code: text(r.Code), To: []byte(r.To), Folders: convert(r.Folders, text),
		Paths: convert(r.Paths, rawBytes), Revoke: convert(r.Revoke, text),
	}
}

func recoverFromWire(r *controlpb.RecoverRequest) (RecoverRequest, error) {
	out := RecoverRequest{Phrase: r.GetPhrase(), At: r.GetAt(), Code: r.GetCode(), Folders: r.GetFolders(), Revoke: r.GetRevoke()}
	if err := checkPhrase(out.Phrase); err != nil {
		return out, err
	}
	switch {
	case len(out.At) > maxAddresses:
		return out, fmt.Errorf("%d addresses: %w: at most %d", len(out.At), ErrInvalid, maxAddresses)
	case len(out.Code) > maxCode:
		return out, fmt.Errorf("code of %d bytes: %w", len(out.Code), ErrInvalid)
	case len(out.Folders) > maxRecovered || len(out.Revoke) > maxRecovered:
		return out, fmt.Errorf("%d folders and %d devices: %w: at most %d", len(out.Folders), len(out.Revoke), ErrInvalid, maxRecovered)
	case len(r.GetPaths()) > maxPlaces:
		return out, fmt.Errorf("%d paths: %w: at most %d", len(r.GetPaths()), ErrInvalid, maxPlaces)
	}
	for _, p := range r.GetPaths() {
		if len(p) == 0 || len(p) > maxText || strings.IndexByte(string(p), 0) >= 0 {
			return out, fmt.Errorf("path %q: %w: not FOLDER/PATH", clipped(p), ErrInvalid)
		}
		out.Paths = append(out.Paths, string(p))
	}
	var err error
	out.To, err = checkPath(r.GetTo())
	return out, err
}

// clipped is the beginning of what may be long.
func clipped(b []byte) []byte { return b[:min(len(b), maxLabel)] }

func recoveredToWire(r Recovered) *controlpb.RecoverEvent {
	return &controlpb.RecoverEvent{Event: &controlpb.RecoverEvent_Done{Done: &controlpb.Recovered{
		From: identityToWire(r.From), Folders: convert(r.Folders, folderToWire), Revoked: convert(r.Revoked, identityToWire), Left: convert(r.Left, text),
	}}}
}

func recoveredFromWire(r *controlpb.Recovered) Recovered {
	return Recovered{
		From: identityFromWire(r.GetFrom()), Folders: convert(r.GetFolders(), folderFromWire), Revoked: convert(r.GetRevoked(), identityFromWire),
		Left: append([]string{}, r.GetLeft()...),
	}
}

package control

import (
	"fmt"
	"path/filepath"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/proto/controlpb"
)

// text makes s fit for a string on the wire, which must be UTF-8. Texts that
// people read may quote names that are not.
func text(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

// millis and moment keep times to the millisecond; zero stays zero.
func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func moment(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// convert maps a slice; the result is never nil.
func convert[A, B any](in []A, f func(A) B) []B {
	out := make([]B, 0, len(in))
	for _, a := range in {
		out = append(out, f(a))
	}
	return out
}

// The numbers of roles are the same on the wire; what is no role becomes zero.
func roleToWire(r entry.Role) controlpb.Role {
	if r > entry.RoleBackup {
		return controlpb.Role_ROLE_UNSPECIFIED
	}
	return controlpb.Role(r)
}

func roleFromWire(r controlpb.Role) (entry.Role, error) {
	if r < 0 || r > controlpb.Role(entry.RoleBackup) {
		return 0, fmt.Errorf("role %d: %w", r, ErrInvalid)
	}
	return entry.Role(r), nil //nolint:gosec // bounded above
}

var states = map[controlpb.State]State{
	controlpb.State_STATE_IN_SYNC:  StateInSync,
	controlpb.State_STATE_SCANNING: StateScanning,
	controlpb.State_STATE_SYNCING:  StateSyncing,
	controlpb.State_STATE_WAITING:  StateWaiting,
	controlpb.State_STATE_PAUSED:   StatePaused,
	controlpb.State_STATE_HELD:     StateHeld,
	controlpb.State_STATE_FENCED:   StateFenced,
	controlpb.State_STATE_ERROR:    StateError,
}

func stateToWire(s State) controlpb.State {
	for w, p := range states {
		if p == s {
			return w
		}
	}
	return controlpb.State_STATE_UNSPECIFIED
}

// stateFromWire takes a state that a newer device may know for an error: it is
// certainly not in sync.
func stateFromWire(w controlpb.State) State {
	if s, ok := states[w]; ok {
		return s
	}
	return StateError
}

var goals = map[controlpb.Goal]Goal{
	controlpb.Goal_GOAL_SYNCED:    Synced,
	controlpb.Goal_GOAL_PROTECTED: Protected,
	controlpb.Goal_GOAL_CONNECTED: Connected,
}

func goalToWire(g Goal) controlpb.Goal {
	for w, p := range goals {
		if p == g {
			return w
		}
	}
	return controlpb.Goal_GOAL_UNSPECIFIED
}

func goalFromWire(w controlpb.Goal) (Goal, error) {
	if g, ok := goals[w]; ok {
		return g, nil
	}
	return "", fmt.Errorf("goal %d: %w", w, ErrInvalid)
}

// checkName accepts what can be the label of a folder or the name of a device.
func checkName(what, s string) error {
	switch {
	case len(s) > maxLabel:
		return fmt.Errorf("%s of %d bytes: %w: at most %d", what, len(s), ErrInvalid, maxLabel)
	case !utf8.ValidString(s):
		return fmt.Errorf("%s %q: %w: not UTF-8", what, s, ErrInvalid)
	case strings.TrimSpace(s) != s:
		return fmt.Errorf("%s %q: %w: space around it", what, s, ErrInvalid)
	case strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }):
		return fmt.Errorf("%s %q: %w: not printable", what, s, ErrInvalid)
	case strings.Contains(s, "/"):
		return fmt.Errorf("%s %q: %w: a slash", what, s, ErrInvalid)
	}
	return nil
}

// checkPath accepts an absolute path and returns it clean.
func checkPath(b []byte) (string, error) {
	p := string(b)
	switch {
	case len(p) > maxPath:
		return "", fmt.Errorf("path of %d bytes: %w: at most %d", len(p), ErrInvalid, maxPath)
	case strings.IndexByte(p, 0) >= 0:
		return "", fmt.Errorf("path %q: %w: a NUL byte", p, ErrInvalid)
	case !filepath.IsAbs(p):
		return "", fmt.Errorf("path %q: %w: not absolute", p, ErrInvalid)
	}
	return filepath.Clean(p), nil
}

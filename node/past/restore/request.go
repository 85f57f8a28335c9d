package restore

import (
	"fmt"
	"strings"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/past"
)

// Overwrite is what becomes of a file that is in the way of another.
type Overwrite int

// What may become of it.
const (
	// Never: it stays, and the other is restored beside it. Where mode or
	// modification time are all that differs they stay too.
	Never Overwrite = iota
	// IfChanged: it goes if it is just what some version says that a source
	// holds, so that nothing is lost that is nowhere else; otherwise it stays. A
	// directory goes for a file if all in it is such, or what the index says.
	IfChanged
	// Always: it goes, a directory with all that is in it. Only what kith does not
	// sync stays.
	Always
)

func (o Overwrite) String() string { return [...]string{"never", "if-changed", "always"}[o] }

// ParseOverwrite reads what [Overwrite.String] wrote.
func ParseOverwrite(s string) (Overwrite, error) {
	for _, o := range []Overwrite{Never, IfChanged, Always} {
		if s == o.String() {
			return o, nil
		}
	}
	return 0, fmt.Errorf("%q is not never, if-changed or always", s)
}

// Request says what is to be restored.
type Request struct {
	Tree *past.Tree // open until the plan is carried out
	// Below is the path that is restored, with all below it; empty is all.
	Below entry.Path
	// Base is a directory above Below, or empty: paths at the target are
	// relative to it.
	Base      entry.Path
	Overwrite Overwrite
}

// Action is what is done about one path.
type Action uint8

// The actions.
const (
	Make    Action = iota // nothing is there
	Replace               // what is there goes
	Beside                // what is there stays
	SetMeta               // the content is there: mode or modification time are set
	Remove                // what is there goes; part of undoing alone
)

func (a Action) String() string {
	return [...]string{"make", "replace", "beside", "metadata", "remove"}[a]
}

// Step is what is done about one path.
type Step struct {
	Action Action
	Path   entry.Path // in the folder
	At     entry.Path // at the target
	Kind   entry.Kind // of what is made there, or removed
	Size   int64      // bytes; files only
}

// strip is a path of the folder as one of the target.
func strip(p, base entry.Path) entry.Path {
	if base == "" {
		return p
	}
	return entry.Path(strings.TrimPrefix(string(p), string(base)+"/"))
}

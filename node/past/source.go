package past

import (
	"context"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/protocol/history"
	"github.com/kithmesh/kith/protocol/seal"
)

// MaxAsk is how many records or blocks a [Source] is asked for at once.
const MaxAsk = 4096

// Source is one vault of the folder, in this device or another. All methods may
// be called at the same time. Each calls back from one goroutine, and returns
// the first error of the callback; a nil error means that all was told.
type Source interface {
	// AsOf tells all versions that were newest at a moment, in any order.
	AsOf(ctx context.Context, t time.Time, each func(history.Held) error) error
	// Versions tells all held versions of up to MaxAsk records.
	Versions(ctx context.Context, ids []seal.RecordID, each func(history.Held) error) error
	// Received tells all held versions that were received after a sequence
	// number, ascending.
	Received(ctx context.Context, after entry.Sequence, each func(history.Held) error) error
	// Blocks tells, for up to MaxAsk blocks, once for each and in any order,
	// its sealed form: nil if it is not held. Of a block that devices have given
	// in several forms, form, from 0 to MaxForms-1, is which; it is nil for
	// those that do not exist. sealed may be overwritten when got returns.
	Blocks(ctx context.Context, ids []entry.BlockID, form int, got func(i int, sealed []byte) error) error
}

// MaxForms is how many sealed forms of one block a source may hold.
const MaxForms = 4

// Past is the past of one folder, as far as some sources know it.
type Past struct {
	Keys    map[entry.Epoch]*seal.Keys
	Sources []Source
	// Spool is the directory of temporary files; empty is the system's.
	Spool string
}

// Gaps tell what a view of the past may lack.
type Gaps struct {
	// Unopened is how many versions could not be opened, Records the first
	// [MaxNamed] of their records, and Cause why the first of them could not.
	Unopened int64
	Records  []seal.RecordID
	Cause    error
	// Failed are the errors of sources that told less than they had.
	Failed []error
}

// MaxNamed is how many records [Gaps] name.
const MaxNamed = 1000

// None tells whether nothing is missing.
func (g *Gaps) None() bool { return g.Unopened == 0 && len(g.Failed) == 0 }

// Err is the first thing that is missing, nil if nothing is.
func (g *Gaps) Err() error {
	if len(g.Failed) > 0 {
		return g.Failed[0]
	}
	return g.Cause
}

func (g *Gaps) unopened(id seal.RecordID, err error) {
	g.Unopened++
	if g.Cause == nil {
		g.Cause = err
	}
	if len(g.Records) < MaxNamed {
		g.Records = append(g.Records, id)
	}
}

// add takes over the gaps of a part of a view.
func (g *Gaps) add(o Gaps) {
	g.Unopened += o.Unopened
	if g.Cause == nil {
		g.Cause = o.Cause
	}
	g.Records = append(g.Records, o.Records[:min(len(o.Records), MaxNamed-len(g.Records))]...)
	g.Failed = append(g.Failed, o.Failed...)
}

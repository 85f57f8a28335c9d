package guard

import (
	"context"
	"fmt"
	"iter"
	"math/rand/v2"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/version"
	"github.com/kithmesh/kith/node/past"
	"github.com/kithmesh/kith/protocol/history"
	"github.com/kithmesh/kith/protocol/seal"
)

// Folder is what this device has of a folder, with which a vault is compared.
type Folder interface {
	// Keys are those of all epochs that this device knows.
	Keys() []*seal.Keys
	// Entries are all entries of its index, what is deleted included.
	Entries() iter.Seq2[*entry.Entry, error]
	// Sealed calls send for each block in order, with its raw sealed form, valid
	// only during the call, or with nil where it does not lie here.
	Sealed(ctx context.Context, ids []entry.BlockID, send func(sealed []byte) error) error
	// Same tells how far this device is, and whether the vault has said that it
	// holds all of that.
	Same() (Mark, bool)
}

// Vault is that of a member, which can be asked.
type Vault interface {
	State(ctx context.Context) (history.State, error)
	// Tree is the folder as the vault had it when it stood so; it is to be
	// closed.
	Tree(ctx context.Context, st history.State) (*past.Tree, error)
	// Blocks is that of a [past.Source].
	Blocks(ctx context.Context, ids []entry.BlockID, form int, got func(i int, sealed []byte) error) error
	Prover
	// Mend has the vault fetch this device's form of up to [history.MaxIDs]
	// blocks, and tells of how many.
	Mend(ctx context.Context, ids []entry.BlockID) (int, error)
}

// Prover proves which blocks it holds: see [history.Client.Prove].
type Prover interface {
	Prove(ctx context.Context, nonce [32]byte, ids []entry.BlockID, got func(i int, forms []history.Proven) error) error
}

// Proof is one vault that is to show what it holds, once.
type Proof struct {
	Folder Folder
	Vault  Vault
	Sample float64 // the share of the files that is asked about, up to 1
	// Progress is how many blocks were asked about, of how many that are known
	// of by then. An error of it ends the proof.
	Progress func(blocks, total int64) error
	// MendTime is how long the vault may take to fetch what it could not prove;
	// zero is 20 seconds.
	MendTime time.Duration

	out   Result
	total int64
}

// Result is what a proof has shown.
type Result struct {
	At       time.Time // when it began
	Files    int64     // that were proven or restored
	Blocks   int64
	Bytes    int64
	Mended   int64 // blocks that were bad and are good again
	Problems []Problem
}

func (x *Proof) problem(code, text string) {
	x.out.Problems = append(x.out.Problems, Problem{Code: code, Message: text})
}

// run makes one attempt. That the vault could not be asked is a problem too.
func (x *Proof) run(ctx context.Context, attempt func(context.Context) error) Result {
	x.out = Result{At: time.Now()}
	if err := attempt(ctx); err != nil {
		x.problem("not_proven", "could not be asked: "+err.Error())
	}
	return x.out
}

// Verified notes what [Proof.Verify] has shown.
func (g *Guard) Verified(r *Result) {
	if g.bears(r) {
		g.Proven = r.At
	}
}

// Restored notes what [Proof.Drill] has shown.
func (g *Guard) Restored(r *Result) {
	if g.bears(r) {
		g.Drilled = r.At
	}
}

// bears notes what was withheld, and tells whether all was shown.
func (g *Guard) bears(r *Result) bool {
	for _, p := range r.Problems {
		if p.Code == Withheld {
			g.blame(Fault{p.Code, p.Message, time.Now()})
		}
	}
	return len(r.Problems) == 0
}

// Verify compares the vault's records with the index of this device, and has it
// prove the blocks of what lies here.
func (x *Proof) Verify(ctx context.Context) Result { return x.run(ctx, x.verify) }

func (x *Proof) verify(ctx context.Context) error {
	before, same := x.Folder.Same()
	st, err := x.Vault.State(ctx)
	if err != nil {
		return err
	}
	tree, err := x.Vault.Tree(ctx, st)
	if err != nil {
		return err
	}
	defer func() { _ = tree.Close() }()
	if n := tree.Gaps.Unopened; n > 0 {
		x.problem(Withheld, fmt.Sprintf("%d of its versions cannot be opened: %v", n, tree.Gaps.Cause))
	}
	lacks, files := x.compare(tree, same)
	// What has changed here meanwhile the vault may not have been told of then.
	if after, _ := x.Folder.Same(); after != before {
		same, lacks = false, 0
	}
	if lacks > 0 {
		x.problem(Withheld, fmt.Sprintf("it lacks %d paths that it said it holds", lacks))
	}
	if !same {
		x.problem("behind", "it does not have all yet that is here; what it has was asked about")
	}
	return x.prove(ctx, files)
}

// compare counts what the vault lacks of the index, and returns the files that
// both have in one version, as many as the sample asks for, and one at least.
func (x *Proof) compare(tree *past.Tree, same bool) (lacks int64, files []*entry.Entry) {
	var other *entry.Entry
	others := 0
	for e, err := range x.Folder.Entries() {
		if err != nil || e.Unknown {
			continue
		}
		row, known := tree.Find(e.Path)
		switch {
		case !e.Lives():
			if known && same && tree.Entry(row).Version.Compare(e.Version) == version.Before {
				lacks++
			}
		case !known:
			if same {
				lacks++
			}
		default:
			switch order := tree.Entry(row).Version.Compare(e.Version); {
			case order == version.Before && same:
				lacks++
			case order == version.Equal && e.Kind == entry.File && !e.Absent:
				if rand.Float64() < x.Sample {
					files = append(files, e)
				} else if others++; rand.IntN(others) == 0 {
					other = e
				}
			}
		}
	}
	if len(files) == 0 && other != nil {
		files = append(files, other) // nothing is proven by asking nothing
	}
	for _, e := range files {
		x.total += int64(len(e.Blocks))
	}
	return lacks, files
}

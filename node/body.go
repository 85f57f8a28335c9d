package node

import (
	"context"
	"fmt"
	"slices"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/backup"
	"github.com/kithmesh/kith/node/control"
	"github.com/kithmesh/kith/node/folder"
	"github.com/kithmesh/kith/protocol/exchange"
)

// body is what a share is to the other members: a folder with a tree, or the
// vault of a backup.
type body interface {
	telling
	hearing
}

// telling is what members are told, and what they say to it.
type telling interface {
	State() exchange.FolderState
	Records(ctx context.Context, d entry.DeviceID, after entry.Sequence, limit exchange.Limit) (exchange.Batch, error)
	Started(ctx context.Context, d entry.DeviceID, s exchange.Start) error
	Acked(ctx context.Context, d entry.DeviceID, k exchange.Ack) error
	Status() folder.Status
}

// hearing is what members tell.
type hearing interface {
	attach(ctx context.Context, s *seat, told exchange.FolderState) error
	detachIf(ctx context.Context, d entry.DeviceID, meant func(*seat) bool) error
	Detach(ctx context.Context, d entry.DeviceID) error
	Hear(ctx context.Context, d entry.DeviceID, b exchange.Batch, refused []error) error
	Told(ctx context.Context, d entry.DeviceID, index uint64, head entry.Sequence) error
}

// treeBody is a folder with a tree.
type treeBody struct{ *folder.Folder }

func (b treeBody) attach(ctx context.Context, s *seat, told exchange.FolderState) error {
	return b.Attach(ctx, s, told)
}

func (b treeBody) detachIf(ctx context.Context, d entry.DeviceID, meant func(*seat) bool) error {
	return b.DetachIf(ctx, d, func(m folder.Member) bool { s, ok := m.(*seat); return ok && meant(s) })
}

// vaultBody is the vault of a backup.
type vaultBody struct{ *backup.Keeper }

func (b vaultBody) attach(ctx context.Context, s *seat, told exchange.FolderState) error {
	return b.Attach(ctx, s, told)
}

func (b vaultBody) detachIf(ctx context.Context, d entry.DeviceID, meant func(*seat) bool) error {
	return b.DetachIf(ctx, d, func(m backup.Member) bool { s, ok := m.(*seat); return ok && meant(s) })
}

// Status is that of the vault, in the words of a folder: what it needs are
// versions, whose files it cannot know.
func (b vaultBody) Status() folder.Status {
	st := b.Keeper.Status()
	out := folder.Status{
		State: folder.InSync, Head: st.Head, NeedFiles: st.NeedRecords, NeedBytes: st.NeedBytes, Quiet: st.Quiet,
		Members: map[entry.DeviceID]folder.MemberStatus{},
	}
	switch {
	case st.Waiting:
		out.State = folder.Waiting
	case !st.Quiet:
		out.State = folder.Syncing
	}
	for d, m := range st.Members {
		out.Members[d] = folder.MemberStatus(m)
	}
	for _, p := range st.Problems {
		out.Problems = append(out.Problems, folder.Problem{Code: p.Code, Text: p.Text, Hint: p.Hint})
		if p.Code == "vault_failed" {
			out.State = folder.Failed
		}
	}
	return out
}

// withTree is the folder with a tree that this device has of a share.
func (s *share) withTree() (*folder.Folder, error) {
	if s.tree == nil {
		return nil, fmt.Errorf("%q: %w", s.controlled().Label, control.ErrNotHere)
	}
	return s.tree, nil
}

// withTrees are the shares of which this device has a tree.
func withTrees(shares []*share) []*share {
	return slices.DeleteFunc(slices.Clone(shares), func(s *share) bool { return s.tree == nil })
}

// known tells whether anything is known of a path.
func (s *share) known(p entry.Path) (bool, error) {
	tree, err := s.withTree()
	if err != nil {
		return false, err
	}
	return tree.Known(p)
}

// scan looks for changes in the tree. A vault has none, but asks the others.
func (s *share) scan(ctx context.Context) error {
	if s.tree == nil {
		return s.keeper.RunNow(ctx)
	}
	return s.tree.Scan(ctx)
}

package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/version"
	"github.com/kithmesh/kith/node/control"
	"github.com/kithmesh/kith/node/durable"
	"github.com/kithmesh/kith/node/folder"
	"github.com/kithmesh/kith/node/past"
	"github.com/kithmesh/kith/node/past/restore"
)

// approval is a held batch that a person has let pass, so that it can be undone
// by the ID by which they know it.
type approval struct {
	ID     string          `json:"id"`
	Folder entry.FolderID  `json:"folder"`
	At     time.Time       `json:"at"` // just before
	Files  []approvedPiece `json:"files"`
}

type approvedPiece struct {
	Path    []byte          `json:"path"` // a name is bytes
	Version version.Version `json:"version"`
}

const (
	approvalsFile = "approved.json"
	maxApprovals  = 20
)

func (d *Device) approvalsPath() string { return filepath.Join(d.Places.State, approvalsFile) }

func (d *Device) approvals() (out []approval, err error) {
	b, err := os.ReadFile(d.approvalsPath())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err == nil {
		err = json.Unmarshal(b, &out)
	}
	return out, err
}

// noteApproval remembers a batch that is about to be applied.
func (d *Device) noteApproval(s *share, h folder.Held, at time.Time) {
	all, err := d.approvals()
	if err != nil {
		d.Log.Warn("what was approved before is forgotten", "error", err)
		all = nil
	}
	a := approval{ID: h.ID, Folder: s.ID, At: at}
	for i := range h.Batch.Files {
		f := &h.Batch.Files[i]
		a.Files = append(a.Files, approvedPiece{[]byte(f.Path), f.Version})
	}
	all = append(all, a)
	all = all[max(0, len(all)-maxApprovals):]
	b, err := json.Marshal(all)
	if err == nil {
		err = durable.Write(d.approvalsPath(), b, 0o600)
	}
	if err != nil {
		d.Log.Warn("note an approved batch", "error", err)
	}
}

// undoApproved takes back a batch that was approved here: its paths become what
// they were then, unless they have changed again. It wraps [control.ErrNoBatch].
func (h historian) undoApproved(
	ctx context.Context, r control.UndoRequest, progress func(control.RestoreProgress) error,
) (control.Restored, error) {
	all, err := h.device.approvals()
	i := slices.IndexFunc(all, func(a approval) bool { return a.ID == r.Batch })
	if err != nil || i < 0 {
		return control.Restored{}, errors.Join(err, control.ErrNoBatch)
	}
	s := h.device.share(all[i].Folder)
	if s == nil || s.tree == nil {
		return control.Restored{}, control.ErrNoBatch
	}
	x := &restoring{share: s, dry: r.DryRun, progress: progress}
	x.out = control.Restored{Folder: s.controlled(), DryRun: r.DryRun, At: all[i].At, Source: h.device.identity(h.device.id.ID())}
	if s.keeper == nil {
		return x.out, fmt.Errorf("%q: %w", x.out.Folder.Label, control.ErrNoVault)
	}
	from, closeAll, err := s.sources(ctx, "")
	if err != nil {
		return x.out, err
	}
	defer closeAll()
	if err := s.tree.Scan(ctx); err != nil {
		return x.out, err
	}
	// What was here then only the history here knows: others had the batch before.
	tree, p, _, err := s.treeAt(ctx, from[:1], control.Moment{At: all[i].At})
	if err != nil {
		return x.out, err
	}
	defer func() { _ = tree.Close() }()
	p.Sources = sourcesOf(from)
	steps, err := x.stepsBack(tree, all[i].Files)
	if err != nil {
		return x.out, err
	}
	err = x.run(ctx, p, func(ctx context.Context, r *restore.Restore) (*restore.Plan, error) {
		return r.PlanUndo(ctx, &past.Undo{ID: past.BatchID(all[i].ID), Steps: steps})
	})
	return x.out, err
}

// stepsBack are the steps that give paths what a tree has, if they are as a
// batch has left them.
func (x *restoring) stepsBack(tree *past.Tree, files []approvedPiece) (steps []past.Step, err error) {
	for i := range files {
		at := entry.Path(files[i].Path)
		now, err := x.share.tree.Entry(at)
		if err != nil {
			return nil, err
		}
		if now == nil || now.Version.Compare(files[i].Version) != version.Equal {
			x.out.Paths = append(x.out.Paths, control.RestoredPath{Path: string(at), What: control.OutcomeSkipped})
			continue
		}
		step := past.Step{Path: at}
		if now.Lives() {
			step.Now = now
		}
		if row, ok := tree.Find(at); ok {
			if step.Before, err = tree.Whole(row); err != nil {
				return nil, err
			}
		}
		steps = append(steps, step)
	}
	return steps, nil
}

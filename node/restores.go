package node

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/control"
	"github.com/kithmesh/kith/node/folder"
	"github.com/kithmesh/kith/node/past"
	"github.com/kithmesh/kith/node/past/restore"
	"github.com/kithmesh/kith/protocol/seal"
)

var overwrites = map[control.Overwrite]restore.Overwrite{
	"": restore.Never, control.OverwriteNever: restore.Never, control.OverwriteIfChanged: restore.IfChanged, control.OverwriteAlways: restore.Always,
}

var outcomes = map[restore.Action]control.Outcome{
	restore.Make: control.OutcomeWritten, restore.Replace: control.OutcomeReplaced, restore.Beside: control.OutcomeBeside,
	restore.Remove: control.OutcomeRemoved,
}

// Restore implements [control.Past].
func (h historian) Restore(
	ctx context.Context, r control.RestoreRequest, progress func(control.RestoreProgress) error,
) (control.Restored, error) {
	s, at, err := h.device.findPlace(r.Place)
	if err != nil {
		return control.Restored{}, fmt.Errorf("restore %w", err)
	}
	overwrite, ok := overwrites[r.Overwrite]
	if !ok {
		return control.Restored{}, fmt.Errorf("restore: %w: overwrite %q", control.ErrInvalid, r.Overwrite)
	}
	x := &restoring{share: s, to: r.To, dry: r.DryRun, progress: progress}
	x.out = control.Restored{Folder: s.controlled(), To: r.To, DryRun: r.DryRun}
	from, closeAll, err := s.sources(ctx, r.Source)
	if err != nil {
		return x.out, fmt.Errorf("restore %w", err)
	}
	defer closeAll()
	tree, p, t, err := s.treeAt(ctx, from, r.At)
	if err != nil {
		return x.out, pastError("restore", r.Place.Text, err)
	}
	defer func() { _ = tree.Close() }()
	if first, end := tree.Below(at); first == end && at != "" {
		return x.out, fmt.Errorf("restore %q: at that time %w", r.Place.Text, control.ErrNoPath)
	}
	took, _, err := s.at(from, r.At)
	if err != nil {
		return x.out, pastError("restore", r.Place.Text, err)
	}
	x.out.At, x.out.Source = t, h.device.identity(best(took))
	if n := tree.Gaps.Unopened; n > 0 {
		x.out.Problems = append(x.out.Problems, control.Problem{
			Code: "unreadable", Message: fmt.Sprintf("%d versions of that time cannot be opened: %v", n, tree.Gaps.Cause),
		})
	}
	if d := partly(took, t, h.device.id.ID()); d != "" {
		x.out.Problems = append(x.out.Problems, control.Problem{
			Code: "incomplete", Message: h.device.nameOf(d) + " does not have all of the folder: what it has is restored",
			Hint: "another backup, or this one when it is complete, may have the rest: kith status",
		})
	}
	p.Sources = sourcesOf(from) // for content, those that begin later count too
	err = x.run(ctx, p, func(ctx context.Context, r *restore.Restore) (*restore.Plan, error) {
		return r.Plan(ctx, restore.Request{Tree: tree, Below: at, Overwrite: overwrite})
	})
	if err != nil {
		return x.out, pastError("restore", r.Place.Text, err)
	}
	return x.out, nil
}

func sourcesOf(from []source) (out []past.Source) {
	for _, s := range from {
		out = append(out, s.Source)
	}
	return out
}

// best is whose vault a person is told of, of those that took part: a backup's
// rather than this device's own.
func best(from []source) entry.DeviceID { return from[len(from)-1].device }

// Undo implements [control.Past].
func (h historian) Undo(ctx context.Context, r control.UndoRequest, progress func(control.RestoreProgress) error) (control.Restored, error) {
	for _, s := range withTrees(h.device.allShares()) {
		out, err := h.undoIn(ctx, s, r, progress)
		if errors.Is(err, past.ErrNoBatch) || errors.Is(err, control.ErrNoHistory) {
			continue
		}
		if err != nil {
			return out, pastError("undo", r.Batch, err)
		}
		return out, nil
	}
	out, err := h.undoApproved(ctx, r, progress)
	if err != nil {
		return out, pastError("undo", r.Batch, err)
	}
	return out, nil
}

func (h historian) undoIn(
	ctx context.Context, s *share, r control.UndoRequest, progress func(control.RestoreProgress) error,
) (control.Restored, error) {
	x := &restoring{share: s, dry: r.DryRun, progress: progress}
	x.out = control.Restored{Folder: s.controlled(), DryRun: r.DryRun, At: time.Now()}
	from, closeAll, err := s.sources(ctx, "")
	if err != nil {
		return x.out, err
	}
	defer closeAll()
	if err := s.tree.Scan(ctx); err != nil {
		return x.out, err
	}
	p := s.pastOf(from)
	plan, err := p.Undo(ctx, past.BatchID(r.Batch), past.UndoOptions{Now: s.entries()})
	if err != nil {
		return x.out, err
	}
	x.out.Source = h.device.identity(best(from))
	for _, skip := range plan.Skipped {
		if skip.Why != past.AlreadySo {
			x.out.Paths = append(x.out.Paths, control.RestoredPath{Path: string(skip.Path), What: control.OutcomeSkipped})
			x.out.Problems = append(x.out.Problems, control.Problem{Path: string(skip.Path), Code: "skipped", Message: skip.Why.String()})
		}
	}
	err = x.run(ctx, p, func(ctx context.Context, r *restore.Restore) (*restore.Plan, error) { return r.PlanUndo(ctx, &plan) })
	return x.out, err
}

// restoring is one restore on its way.
type restoring struct {
	share    *share
	to       string // empty: in place
	dry      bool
	progress func(control.RestoreProgress) error
	out      control.Restored
	covered  bool // a backup holds all that is here, so that nothing replaced is lost
}

func (x *restoring) run(ctx context.Context, p *past.Past, plan func(context.Context, *restore.Restore) (*restore.Plan, error)) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	r := &restore.Restore{Past: p, Progress: func(b restore.Progress) {
		err := x.progress(control.RestoreProgress{
			Folder: x.out.Folder, Files: b.Files, Bytes: b.Bytes, TotalFiles: b.TotalFiles, TotalBytes: b.TotalBytes,
		})
		if err != nil {
			cancel(err)
		}
	}}
	dir := x.to
	if dir != "" {
		if err := canHold(dir); err != nil {
			return err
		}
	} else {
		dir, r.Before, r.Known = x.out.Folder.Path, x.keepAll, x.known
		if err := x.before(ctx); err != nil {
			return err
		}
	}
	target, err := restore.Into(dir)
	if err != nil {
		return err
	}
	r.Target = target
	err = x.carryOut(ctx, r, plan)
	err = errors.Join(err, target.Close())
	if x.to == "" && !x.dry {
		err = errors.Join(err, x.share.tree.Scan(ctx))
	}
	if _, ofPath := errors.AsType[*fs.PathError](err); ofPath && x.to != "" {
		err = control.WithHint(err, "can files be made there? kith restore --to names another directory")
	}
	return err
}

// canHold tells whether a path is a directory or can be made one, as far as that
// shows by looking.
func canHold(dir string) error {
	for at := dir; ; at = filepath.Dir(at) {
		info, err := os.Stat(at)
		_, isThere := os.Lstat(at)
		why := ""
		switch {
		case err == nil && info.IsDir():
			return nil
		case err == nil:
			why = "it is no directory"
		case errors.Is(err, fs.ErrPermission):
			why = "it may not be looked into"
		case isThere == nil:
			why = "it is a link that leads nowhere"
		}
		if why != "" {
			err := fmt.Errorf("into %q: %w: %s", at, control.ErrInvalid, why)
			return control.WithHint(err, "--to names a directory, which is made if nothing is there")
		}
		if at == filepath.Dir(at) {
			return nil
		}
	}
}

func (x *restoring) carryOut(ctx context.Context, r *restore.Restore, plan func(context.Context, *restore.Restore) (*restore.Plan, error)) error {
	p, err := plan(ctx, r)
	if err != nil {
		return err
	}
	done := restore.Result{Removed: p.Totals.Removed, Bytes: p.Totals.Bytes, Skipped: p.Skipped}
	if !x.dry {
		done, err = r.Run(ctx, p)
	}
	if err == nil {
		x.take(p, &done)
	}
	return errors.Join(err, p.Close())
}

// before records what lies here and pins it, so that what is replaced can be
// had again.
func (x *restoring) before(ctx context.Context) error {
	if x.dry {
		return nil
	}
	if err := x.share.tree.Check(ctx); err != nil {
		return err
	}
	if err := x.share.tree.Scan(ctx); err != nil {
		return err
	}
	st := x.settled(ctx)
	if n := st.NeedFiles + st.Held; n > 0 {
		x.out.Problems = append(x.out.Problems, control.Problem{
			Code: "more_to_come", Message: fmt.Sprintf("%d changes of other devices are still to come, or held: they change what is restored now", n),
			Hint: "kith wait, or kith reject what is held, and then restore again",
		})
	}
	x.covered = st.Quiet && x.share.isProtected(st)
	snap, err := x.share.snapshot(ctx, "before restore "+time.Now().Format("2006-01-02 15:04:05.000"))
	if err != nil {
		x.covered = false
		x.share.device.Log.Warn("no snapshot before a restore", "folder", x.share.ID, "error", err)
	}
	x.out.Snapshot = snap.Label
	return nil
}

// settleTime is how long changes of others are waited for that are on their way.
const settleTime = 20 * time.Second

// settled is the status once what is on its way has come, or time is over.
func (x *restoring) settled(ctx context.Context) folder.Status {
	ctx, cancel := context.WithTimeout(ctx, settleTime)
	defer cancel()
	for {
		changed := x.share.device.changed.next()
		st := x.share.Status()
		if st.Quiet || st.NeedFiles == 0 || st.State == folder.Waiting || st.State == folder.Braked {
			return st
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return st
		}
	}
}

// known is what the index says of a path.
func (x *restoring) known(p entry.Path) *entry.Entry {
	e, err := x.share.tree.Entry(p)
	if err != nil {
		return nil
	}
	return e
}

// keepAll sees to it that what lies at paths can be had again. Those of which
// that cannot be said are to stay.
func (x *restoring) keepAll(ctx context.Context, losing []entry.Path) (refused map[entry.Path]error, err error) {
	refused = map[entry.Path]error{}
	for _, p := range losing {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := x.keep(ctx, p); err != nil {
			refused[p] = err
		}
	}
	return refused, nil
}

// keep sees to it that what lies at a path can be had again.
func (x *restoring) keep(ctx context.Context, p entry.Path) error {
	e, err := x.share.tree.Entry(p)
	switch {
	case err != nil:
		return err
	case e == nil || e.Unknown || !e.Lives():
		return fmt.Errorf("%q: what lies there is not known yet", p)
	case e.Kind != entry.File || x.covered:
		return nil
	case x.share.keeper == nil:
		return fmt.Errorf("%q: no backup holds what lies there", p)
	}
	for _, k := range x.share.keys() {
		if k.Epoch() != e.Epoch {
			continue
		}
		r, err := k.SealRecord(e)
		if err != nil {
			return err
		}
		return x.share.keeper.StoreAll(ctx, []*seal.Record{r}, x.share.contentHere)
	}
	return past.ErrNoKey
}

// take tells of each path what has become of it.
func (x *restoring) take(p *restore.Plan, done *restore.Result) {
	x.out.Bytes, x.out.Same, x.out.Removed = done.Bytes, p.Totals.Left, done.Removed
	left := map[entry.Path]bool{}
	for _, of := range []struct {
		paths   []restore.Skipped
		outcome control.Outcome
		code    string
	}{
		{done.Lost, control.OutcomeMissing, "missing"}, {done.Failed, control.OutcomeSkipped, "not_restored"}, {done.Skipped, control.OutcomeSkipped, "skipped"},
	} {
		for _, s := range of.paths {
			left[s.Path] = true
			x.out.Paths = append(x.out.Paths, control.RestoredPath{Path: string(s.Path), What: of.outcome})
			x.out.Problems = append(x.out.Problems, control.Problem{Path: string(s.Path), Code: of.code, Message: s.Err.Error()})
		}
	}
	for s := range p.Steps() {
		outcome, known := outcomes[s.Action]
		if !known || left[s.Path] {
			continue
		}
		if s.Kind == entry.File && s.Action != restore.Remove {
			x.out.Files++
		}
		path := control.RestoredPath{Path: string(s.Path), What: outcome}
		if s.Action == restore.Beside {
			path.As = string(s.At)
		}
		x.out.Paths = append(x.out.Paths, path)
	}
}

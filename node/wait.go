package node

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/roster"
	"github.com/kithmesh/kith/node/control"
	"github.com/kithmesh/kith/node/folder"
	"github.com/kithmesh/kith/protocol/exchange"
)

// waitEvery is how often a wait tells its progress.
const waitEvery = 250 * time.Millisecond

// Wait implements [control.States].
//
// For Synced it scans, and asks every connected member to scan: only then does
// it know of all changes that were there when it was called. From then on it
// watches what the exchange says.
func (d *Device) Wait(ctx context.Context, r control.WaitRequest, progress func(control.Progress) error) error {
	var shares []*share
	for _, text := range r.Folders {
		s, err := d.findShare(text)
		if err != nil {
			return fmt.Errorf("wait: %w", err)
		}
		shares = append(shares, s)
	}
	if len(r.Folders) == 0 {
		shares, _ = d.someShares("")
	}
	if r.For == control.Protected {
		for _, s := range shares {
			if s.tree != nil && !s.hasBackup() {
				err := fmt.Errorf("wait for protected: no member of %q is a backup: %w", s.controlled().Label, control.ErrInvalid)
				return control.WithHint(err, "kith share FOLDER DEVICE --role backup, and accept it there")
			}
		}
	}
	looked := make(chan error, 1)
	if r.For == control.Synced || r.For == control.Protected {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		stop, done := d.tasks.start(func(context.Context) error { looked <- d.lookEverywhere(ctx, shares); return nil })
		defer func() { stop(); cancel(); <-done }()
	} else {
		looked <- nil
	}
	return d.waitUntil(ctx, r.For, shares, looked, progress)
}

func (d *Device) waitUntil(
	ctx context.Context, goal control.Goal, shares []*share, looked <-chan error, progress func(control.Progress) error,
) error {
	ready := false
	var told time.Time
	for {
		changed := d.changed.next()
		p, reached := d.progress(goal, shares)
		if time.Since(told) >= waitEvery || reached && ready {
			if err := progress(p); err != nil {
				return err
			}
			told = time.Now()
		}
		if reached && ready {
			return nil
		}
		timer := time.NewTimer(waitEvery)
		select {
		case err := <-looked:
			if err != nil {
				timer.Stop()
				return err
			}
			ready, looked = true, nil
		case <-changed:
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
		timer.Stop()
	}
}

// progress is how far all folders are from the goal.
func (d *Device) progress(goal control.Goal, shares []*share) (control.Progress, bool) {
	var p control.Progress
	all := true
	for _, s := range shares {
		f := control.FolderProgress{Folder: s.controlled()}
		st := s.Status()
		f.State = stateNames[st.State]
		f.NeedFiles, f.NeedBytes = st.NeedFiles, st.NeedBytes
		connected, same := 0, true
		for id, m := range st.Members {
			if _, member := s.member(id); !member || !m.Connected || id == d.id.ID() {
				continue
			}
			connected++
			same = same && m.Same
			f.NeedFiles += m.NeedFiles
			f.NeedBytes += m.NeedBytes
		}
		f.Reached = st.Quiet && same
		switch goal {
		case control.Connected:
			f.Reached = connected > 0
		case control.Protected:
			f.Reached = st.Quiet && (s.tree == nil || s.isProtected(st))
		case control.Synced:
		}
		all = all && f.Reached
		p.Folders = append(p.Folders, f)
	}
	if goal == control.Connected && len(shares) == 0 {
		all = d.anyMet()
	}
	return p, all
}

// hasBackup tells whether a device was admitted as a backup, whether it has
// joined by now or not.
func (s *share) hasBackup() bool {
	return slices.ContainsFunc(s.members(), func(m roster.Member) bool { return m.Role == entry.RoleBackup })
}

// isProtected tells whether a connected backup holds all that is here.
func (s *share) isProtected(st folder.Status) bool {
	return slices.ContainsFunc(s.backups(), func(m roster.Member) bool { return st.Members[m.Device].Same })
}

func (d *Device) anyMet() bool {
	met := false
	d.eachLink(func(l *link) { met = met || l.meets() })
	return met
}

// lookEverywhere scans the folders here and on all connected members, and
// returns when what the members found is known here to be still to be heard.
func (d *Device) lookEverywhere(ctx context.Context, shares []*share) error {
	g, ctx := errgroup.WithContext(ctx)
	for _, s := range shares {
		g.Go(func() error {
			if err := s.scan(ctx); err != nil {
				return fmt.Errorf("scan %q: %w", s.controlled().Label, err)
			}
			return nil
		})
		d.eachLink(func(l *link) {
			if st := s.Status().Members[l.id]; st.Connected {
				g.Go(func() error { l.ask(ctx, s); return nil })
			}
		})
	}
	return g.Wait()
}

// ask has the peer scan a folder. A peer that goes away meanwhile is no longer
// a connected member, and one that cannot scan says so in its own status.
func (l *link) ask(ctx context.Context, s *share) {
	nonce, answer := l.expect(s)
	defer l.forget(nonce)
	l.teller.Wake()
	select {
	case a := <-answer:
		if a.Problem != "" {
			l.device.Log.Info("a device could not scan", "device", l.id, "problem", a.Problem)
			return
		}
		_ = s.Told(ctx, l.id, a.Index, a.Head)
	case <-l.done:
	case <-ctx.Done():
	}
}

// expect notes an ask to be told, and where its answer goes.
func (l *link) expect(s *share) (uint64, <-chan exchange.Answer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.nonce++
	ch := make(chan exchange.Answer, 1)
	l.answers[l.nonce] = ch
	ask := exchange.Ask{Folder: s.ID, Nonce: l.nonce}
	l.asks = append(l.asks, ask)
	l.waiting[l.nonce] = ask
	return l.nonce, ch
}

// askAgain has a new stream carry what the last one may have lost: an ask is
// told once.
func (l *link) askAgain() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asks = nil
	for _, n := range slices.Sorted(maps.Keys(l.waiting)) {
		l.asks = append(l.asks, l.waiting[n])
	}
}

func (l *link) forget(nonce uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.answers, nonce)
	delete(l.waiting, nonce)
}

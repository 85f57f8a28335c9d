package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/kithmesh/kith/node/control"
)

// demoLabel is the label of the folder in the demo.
const demoLabel = "Demo"

// patience is how long the demo waits for any one thing.
const patience = 60 * time.Second

// errDemo is wrapped when what the demo is to show did not come about.
var errDemo = errors.New("the demo did not go as it should")

// story is the demo as a sequence of steps. Each does something through the
// control API or in the files, waits until both devices show it, checks that
// by hash, and says what happened.
type story struct {
	app           *app
	dir, source   string
	laptop, phone *demoDevice
	nas, fresh    *demoDevice // a backup, and the laptop that comes after the loss
	sample        sample

	good   string    // the hash of the trees before the mistake
	goodAt time.Time // when that was so
	phrase string    // the words of the recovery
}

func (s *story) tell(ctx context.Context) error {
	for _, step := range []struct {
		name string
		do   func(context.Context) (string, error)
	}{
		{"files", s.makeFiles},
		{"start", s.startBoth},
		{"pair", s.pair},
		{"share", s.share},
		{"sync", s.sync},
		{"edit", s.editBoth},
		{"rename", s.rename},
		{"conflict", s.conflict},
		{"backup", s.backUp},
		{"words", s.words},
		{"mistake", s.mistake},
		{"the past", s.past},
		{"loss", s.loss},
		{"recovery", s.rebuild},
	} {
		start := now()
		text, err := step.do(ctx)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			return fmt.Errorf("demo, step %s: %w%s", step.name, err, s.logs())
		}
		if err := s.app.demoSays(step.name, now().Sub(start), text); err != nil {
			return err
		}
	}
	return nil
}

func (s *story) makeFiles(context.Context) (string, error) {
	made, err := makeSample(s.laptop.files, s.source)
	if err != nil {
		return "", err
	}
	s.sample = made
	text := plural(made.files, "file") + ", " + size(made.bytes) + " on the laptop"
	switch {
	case s.source == "":
		return text, nil
	case made.skipped > 0:
		return fmt.Sprintf("%s, copied from %s; %s there left out: the demo copies at most %s and %s", text, s.source,
			plural(made.skipped, "file"), size(maxCopyBytes), plural(maxCopyFiles, "file")), nil
	}
	return text + ", copied from " + s.source, nil
}

func (s *story) startBoth(ctx context.Context) (string, error) {
	for _, d := range []*demoDevice{s.laptop, s.phone} {
		if err := d.start(ctx); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("laptop (…%s) and phone (…%s) are up, each a process of its own", s.laptop.ready.short(), s.phone.ready.short()), nil
}

func (s *story) pair(ctx context.Context) (string, error) {
	shown, check, err := pairDevices(ctx, s.laptop, s.phone)
	return fmt.Sprintf("the laptop shows %s, the phone uses it; both show: %s", shown, strings.Join(check[:], " ")), err
}

// pairDevices lets one device show a code that the other uses, as two people
// would.
func pairDevices(ctx context.Context, host, guest *demoDevice) (shown string, check [4]string, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	code := make(chan string, 1)
	type answer struct {
		paired control.Paired
		err    error
	}
	came := make(chan answer, 1)
	go func() {
		p, err := host.ShowCode(ctx, control.ShowCodeRequest{}, func(i control.Invitation) error { code <- i.Code; return nil })
		came <- answer{p, err}
	}()
	select {
	case shown = <-code:
	case a := <-came:
		return "", check, a.err
	}
	at, err := guest.UseCode(ctx, control.UseCodeRequest{Code: shown, At: host.ready.Listen})
	if err != nil {
		cancel()
		<-came
		return "", check, err
	}
	a := <-came
	if a.err == nil && a.paired.Check != at.Check {
		a.err = fmt.Errorf("%w: the check words differ", errDemo)
	}
	return shown, at.Check, a.err
}

func (s *story) share(ctx context.Context) (string, error) {
	if _, err := s.laptop.AddFolder(ctx, control.AddRequest{Path: s.laptop.files, Label: demoLabel}); err != nil {
		return "", err
	}
	if _, err := s.laptop.Share(ctx, control.ShareRequest{Folder: demoLabel, Device: s.phone.ready.Device}); err != nil {
		return "", err
	}
	err := eventually(ctx, "the offer to arrive", func() (bool, error) {
		offers, err := s.phone.Offers(ctx)
		return len(offers) > 0, err
	})
	if err != nil {
		return "", err
	}
	_, err = s.phone.AcceptOffer(ctx, control.AcceptRequest{Folder: demoLabel, Path: s.phone.files})
	return "the laptop offers the folder as " + demoLabel + ", the phone accepts it", err
}

func (s *story) sync(ctx context.Context) (string, error) {
	start := now()
	digest, err := s.same(ctx)
	if err != nil {
		return "", err
	}
	rate := float64(s.sample.bytes) / now().Sub(start).Seconds()
	return fmt.Sprintf("all %s on the phone, %s/s; both trees have the hash %s", plural(s.sample.files, "file"), size(int64(rate)), digest), nil
}

func (s *story) editBoth(ctx context.Context) (string, error) {
	if err := s.laptop.write(noteName, "bread, milk, and a lamp\n"); err != nil {
		return "", err
	}
	if err := s.phone.write(phoneName, "written on the phone\n"); err != nil {
		return "", err
	}
	start := now()
	err := eventually(ctx, "the edits to arrive", func() (bool, error) {
		return s.phone.read(noteName) == "bread, milk, and a lamp\n" && s.laptop.read(phoneName) == "written on the phone\n", nil
	})
	if err != nil {
		return "", err
	}
	took := now().Sub(start)
	if _, err := s.same(ctx); err != nil {
		return "", err
	}
	return fmt.Sprintf("an edit on the laptop and a new file on the phone, both on both after %s", elapsed(took)), nil
}

func (s *story) rename(ctx context.Context) (string, error) {
	before, err := s.traffic(ctx)
	if err != nil {
		return "", err
	}
	if err := os.Rename(s.laptop.at(bigName), s.laptop.at(renamedName)); err != nil {
		return "", err
	}
	start := now()
	err = eventually(ctx, "the rename to arrive", func() (bool, error) {
		return s.phone.size(renamedName) == bigBytes && s.phone.size(bigName) < 0, nil
	})
	if err != nil {
		return "", err
	}
	took := now().Sub(start)
	if _, err := s.same(ctx); err != nil {
		return "", err
	}
	text := fmt.Sprintf("a file of %s renamed on the laptop, so on the phone after %s", size(bigBytes), elapsed(took))
	after, err := s.traffic(ctx)
	if err == nil && after > before {
		text += "; " + size(after-before) + " crossed the wire"
	}
	return text, err
}

// traffic is what the laptop has exchanged with the phone so far, in bytes.
func (s *story) traffic(ctx context.Context) (int64, error) {
	st, err := s.laptop.Status(ctx, "")
	var n int64
	for _, p := range st.Peers {
		n += p.Sent + p.Received
	}
	return n, err
}

// conflict has both devices change one file while they cannot see each other.
func (s *story) conflict(ctx context.Context) (string, error) {
	if err := s.phone.end(); err != nil {
		return "", err
	}
	texts := map[*demoDevice]string{s.laptop: "meet on Monday\n", s.phone: "meet on Friday\n"}
	for d, text := range texts {
		if err := d.write(planName, text); err != nil {
			return "", err
		}
	}
	if err := s.phone.start(ctx); err != nil {
		return "", err
	}
	copies := ""
	err := eventually(ctx, "the conflict to be settled", func() (bool, error) {
		names, err := filepath.Glob(s.laptop.at(conflictGlob))
		if len(names) == 1 {
			copies = filepath.Join(filepath.Dir(planName), filepath.Base(names[0]))
		}
		return len(names) == 1 && s.phone.size(copies) > 0, err
	})
	if err != nil {
		return "", err
	}
	if _, err := s.same(ctx); err != nil {
		return "", err
	}
	won, kept := s.phone.read(planName), s.phone.read(copies)
	if won == kept || won+kept != texts[s.laptop]+texts[s.phone] && kept+won != texts[s.laptop]+texts[s.phone] {
		return "", fmt.Errorf("%w: %q and %q are not what both wrote", errDemo, won, kept)
	}
	return fmt.Sprintf("the phone was off and both changed one file; now both have both: %q says %q, %q says %q",
		filepath.Base(planName), strings.TrimSpace(won), filepath.Base(copies), strings.TrimSpace(kept)), nil
}

// same waits until both devices say that they are in sync and their trees are
// the same, and returns the hash of the trees.
func (s *story) same(ctx context.Context) (string, error) {
	digest := ""
	err := eventually(ctx, "both trees to be the same", func() (bool, error) {
		for _, d := range []*demoDevice{s.phone, s.laptop} {
			for _, goal := range []control.Goal{control.Connected, control.Synced} {
				r := control.WaitRequest{Folders: []string{demoLabel}, For: goal, Timeout: patience}
				if err := d.Wait(ctx, r, func(control.Progress) error { return nil }); err != nil {
					return false, err
				}
			}
		}
		one, err := treeDigest(s.laptop.files)
		if err == nil {
			var other string
			other, err = treeDigest(s.phone.files)
			digest = one
			if err == nil {
				return one == other, nil
			}
		}
		// A tree may change while it is read: then it is not yet the same.
		if errors.Is(err, fs.ErrNotExist) {
			return false, nil
		}
		return false, err
	})
	return digest, err
}

// devices are all devices of the story.
func (s *story) devices() []*demoDevice { return []*demoDevice{s.laptop, s.phone, s.nas, s.fresh} }

// logs is where to look after a failure: the last lines of both logs.
func (s *story) logs() string {
	text := ""
	for _, d := range s.devices() {
		if last := d.lastLog(); last != "" {
			text += "; " + d.name + " said last: " + last
		}
	}
	return text
}

// eventually asks again and again until holds says so.
func eventually(ctx context.Context, what string, holds func() (bool, error)) error {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("wait for %s: %w", what, control.ErrTimeout))
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		ok, err := holds()
		if err != nil || ok {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

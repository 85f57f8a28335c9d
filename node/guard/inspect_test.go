package guard_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/guard"
	"github.com/kithmesh/kith/node/past/pasttest"
	"github.com/kithmesh/kith/protocol/history"
)

// mute is a vault that does not answer.
type mute struct {
	mu            sync.Mutex
	asked, atOnce int
}

func (m *mute) State(ctx context.Context) (history.State, error) {
	m.mu.Lock()
	m.asked++
	m.atOnce = max(m.atOnce, m.asked)
	m.mu.Unlock()
	<-ctx.Done()
	m.mu.Lock()
	m.asked--
	m.mu.Unlock()
	return history.State{}, ctx.Err()
}

func (m *mute) Received(ctx context.Context, _ entry.Sequence, _ func(history.Held) error) error {
	<-ctx.Done()
	return ctx.Err()
}

func index(v history.VaultID) uint64 { return uint64(v[0]) }

// TestVaultsThatDoNotAnswerHoldUpNoOther for long: they are asked four at a time.
func TestVaultsThatDoNotAnswerHoldUpNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m mute
		var mu sync.Mutex
		gaveUp := 0
		all := make([]guard.Inspection, 11)
		for i := range all {
			all[i] = guard.Inspection{
				Vault: &m, Known: func() guard.Guard { return guard.Guard{} }, Index: index,
				Done: func(_ context.Context, _ guard.Seen, err error) {
					mu.Lock()
					defer mu.Unlock()
					if errors.Is(err, context.DeadlineExceeded) {
						gaveUp++
					}
				},
			}
		}
		answers := stands{says: history.State{Vault: history.VaultID{3}, Sequence: 5}}
		var answered time.Duration
		began := time.Now()
		all[3].Vault = answers
		all[3].Done = func(_ context.Context, s guard.Seen, err error) {
			answered = time.Since(began)
			if err != nil || s.State.Sequence != 5 || s.Index != 3 || s.Fault.Code != "" {
				t.Errorf("%+v, %v", s, err)
			}
		}
		guard.Inspect(t.Context(), all)
		if took := time.Since(began); took != 60*time.Second || gaveUp != 10 || m.atOnce != 4 {
			t.Errorf("%v, %d gave no answer, %d at once", took, gaveUp, m.atOnce)
		}
		if answered != 0 {
			t.Errorf("the one that answers was heard after %v", answered)
		}
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		began = time.Now()
		guard.Inspect(ended, all[:3])
		if time.Since(began) > 0 {
			t.Error("it goes on when the device ends")
		}
	})
}

// stands is a vault that stands so, and has received what a real one has.
type stands struct {
	pasttest.Vault
	says history.State
}

func (s stands) State(context.Context) (history.State, error) { return s.says, nil }

// standing is how a vault stands.
func standing(v pasttest.Vault) history.State {
	head := v.Head()
	return history.State{Vault: history.VaultID{1}, Sequence: head.Sequence, Moment: head.Moment}
}

// look inspects the vault of a folder by what was known of it.
func look(f *pasttest.Folder, known guard.Guard) (seen guard.Seen) {
	f.T.Helper()
	f.Flush()
	v := pasttest.Vault{Vault: f.Vault}
	guard.Inspect(f.T.Context(), []guard.Inspection{{
		Vault: stands{v, standing(v)}, Index: index,
		Known: func() guard.Guard { return known },
		Done: func(_ context.Context, s guard.Seen, err error) {
			if seen = s; err != nil {
				f.T.Error(err)
			}
		},
	}})
	return seen
}

// TestAVaultThatWasSetBackAndWentOnIsFoundOut by when it received what it had.
func TestAVaultThatWasSetBackAndWentOnIsFoundOut(t *testing.T) {
	f := pasttest.New(t)
	names := []entry.Path{"a", "b", "c", "d", "e", "f"}
	for _, p := range names[:3] {
		f.Write(p, "as it was")
		f.Pass(time.Second)
		f.Flush()
	}
	g := guard.Guard{Since: f.Now}
	first := look(f, g)
	g.Saw(&first)
	f.Pass(time.Hour)
	f.Write("more", "later")
	if again := look(f, g); again.Fault.Code != "" {
		t.Errorf("one that goes on: %+v", again.Fault)
	}
	// Another store of the same ID, which received these changes after the
	// first had.
	late := pasttest.New(t)
	late.Now = f.Now
	for _, p := range names {
		late.Write(p, "anew")
		late.Pass(time.Second)
		late.Flush()
	}
	if again := look(late, g); again.Fault.Code != guard.SetBack || again.Fault.Found.IsZero() {
		t.Errorf("one that was set back, and has gone on: %+v", again)
	}
}

package control

import (
	"context"
	"fmt"

	"github.com/kithmesh/kith/proto/controlpb"
)

// DraftRecovery implements [Recovery].
func (c *Client) DraftRecovery(ctx context.Context) (RecoveryDraft, error) {
	a, err := ask(ctx, answerTime, c.recovery.Draft, &controlpb.DraftRequest{})
	if err != nil {
		return RecoveryDraft{}, err
	}
	return draftFromWire(a), nil
}

// ConfirmRecovery implements [Recovery].
func (c *Client) ConfirmRecovery(ctx context.Context, draft string, answers []string) (RecoveryState, error) {
	a, err := ask(ctx, 0, c.recovery.Confirm, &controlpb.ConfirmRequest{Draft: text(draft), Answers: convert(answers, text)})
	if err != nil {
		return RecoveryState{}, err
	}
	return recoveryStateFromWire(a.GetState()), nil
}

// TestRecovery implements [Recovery].
func (c *Client) TestRecovery(ctx context.Context, phrase string) (RecoveryState, error) {
	a, err := ask(ctx, answerTime, c.recovery.Test, &controlpb.TestRequest{Phrase: text(phrase)})
	if err != nil {
		return RecoveryState{}, err
	}
	return recoveryStateFromWire(a.GetState()), nil
}

// Recover implements [Recovery].
func (c *Client) Recover(ctx context.Context, r RecoverRequest, progress func(string) error) (Recovered, error) {
	var done *controlpb.Recovered
	err := follow(ctx, c.recovery.Recover, recoverToWire(r), func(e *controlpb.RecoverEvent) error {
		if d := e.GetDone(); d != nil {
			done = d
			return nil
		}
		return progress(e.GetProgress())
	})
	if err == nil && done == nil {
		err = fmt.Errorf("recover: %w", ErrStopping)
	}
	if err != nil {
		return Recovered{}, err
	}
	return recoveredFromWire(done), nil
}

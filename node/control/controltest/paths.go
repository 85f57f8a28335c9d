package controltest

import (
	"context"

	"github.com/kithmesh/kith/node/control"
)

// Paths are the answers of a device about single paths.
type Paths struct {
	Listed      []control.PathEntry   // what List tells
	Steps       []control.GetProgress // what Get tells before it ends
	Freed       control.Freed
	Reverted    control.Reverted
	Explanation control.Explanation
}

// paths answers the questions of [control.Paths].
type paths struct{ d *Device }

func (p paths) List(ctx context.Context, r control.ListRequest, each func(control.PathEntry) error) error {
	for _, e := range p.d.Paths.Listed {
		if err := each(e); err != nil {
			return err
		}
	}
	return p.d.answer(ctx, "List", r)
}

func (p paths) Get(ctx context.Context, r control.GetRequest, progress func(control.GetProgress) error) error {
	for _, s := range p.d.Paths.Steps {
		if err := progress(s); err != nil {
			return err
		}
	}
	return p.d.answer(ctx, "Get", r)
}

func (p paths) Free(ctx context.Context, r control.FreeRequest) (control.Freed, error) {
	return p.d.Paths.Freed, p.d.answer(ctx, "Free", r)
}

func (p paths) Revert(ctx context.Context, r control.RevertRequest) (control.Reverted, error) {
	return p.d.Paths.Reverted, p.d.answer(ctx, "Revert", r)
}

func (p paths) Why(ctx context.Context, place control.Place) (control.Explanation, error) {
	return p.d.Paths.Explanation, p.d.answer(ctx, "Why", place)
}

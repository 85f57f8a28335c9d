package rendezvous

import (
	"errors"
	"testing"

	ma "github.com/multiformats/go-multiaddr"
)

func TestTwoDevicesFindEachOther(t *testing.T) {
	a := enact(t, Options{})
	b := enact(t, Options{Bootstrap: a.Nodes()})
	if err := b.Publish(within(t), a.id, place(1)); err != nil {
		t.Fatal(err)
	}
	if got, err := last(t, a, b.id); err != nil || !same(got, place(1)) {
		t.Errorf("found %v, %v", got, err)
	}
	if err := a.Publish(within(t), b.id, place(2)); err != nil {
		t.Fatal(err)
	}
	if got, err := last(t, b, a.id); err != nil || !same(got, place(2)) {
		t.Errorf("found %v, %v", got, err)
	}
	t.Log(a.Health())
	t.Log(b.Health())
}

func TestADeviceThatIsAloneSaysSo(t *testing.T) {
	a := enact(t, Options{})
	_, other := deviceOf(t)
	if err := a.Publish(within(t), other, place(1)); !errors.Is(err, ErrAlone) {
		t.Error(err)
	}
	if err := a.Find(within(t), other, func([]ma.Multiaddr) {}); !errors.Is(err, ErrAlone) {
		t.Error(err)
	}
	if h := a.Health(); h.PublishError == "" || h.LookError == "" || h.Nodes != 0 {
		t.Errorf("%+v", h)
	}
}

package discovery

import (
	"testing"
)

// TestAGuestIsConnectedWhenItComesAndForgottenWhenItGoes, and not looked for in
// between.
func TestAGuestIsConnectedWhenItComesAndForgottenWhenItGoes(t *testing.T) {
	a, b := run(t, start(t, Options{})), run(t, start(t, Options{}))
	if err := a.Admit(b.ID()); err != nil {
		t.Fatal(err)
	}
	trust(t, b.Net, a.Net)
	if a.searching() {
		t.Error("a guest is looked for")
	}
	b.Remember(a.ID(), bare(a.Net))
	a.expect(t, Connected, b.ID())
	eventually(t, "a learns where b listens", func() bool { return len(a.Peers()[0].Addrs) == 2 })
	b.Distrust(a.ID())
	eventually(t, "a forgets where b was", func() bool { return len(a.Peers()[0].Addrs) == 0 })
	if a.searching() {
		t.Error("a guest that is gone is looked for")
	}
	if !a.Trusted(b.ID()) {
		t.Error("a guest is not admitted again")
	}
}

func TestADeviceThatIsTrustedIsNoGuest(t *testing.T) {
	a, b := start(t, Options{}), start(t, Options{})
	for _, admit := range []func() error{
		func() error { return a.Trust(b.ID()) },
		func() error { return a.Admit(b.ID()) },
	} {
		if err := admit(); err != nil {
			t.Fatal(err)
		}
		if !a.searching() {
			t.Error("a trusted device is not looked for")
		}
	}
	c := start(t, Options{})
	a.Distrust(b.ID())
	if err := a.Admit(c.ID()); err != nil || a.searching() {
		t.Errorf("a guest is looked for: %v", err)
	}
	if err := a.Trust(c.ID()); err != nil || !a.searching() {
		t.Errorf("a guest that has become trusted is not looked for: %v", err)
	}
}

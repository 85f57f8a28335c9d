package mdns

import (
	"slices"
	"testing"
	"time"
)

// TestAnEarTellsThatTheLinkCarriesWhatIsSaid has one speaker listen, whose own
// question comes back to it wherever multicast works at all.
func TestAnEarTellsThatTheLinkCarriesWhatIsSaid(t *testing.T) {
	s := speaker(t)
	if !slices.ContainsFunc(usable(), func(l link) bool { return !l.loop }) {
		t.Skip("there is no network here but loopback")
	}
	e := s.Overhear(testService(t))
	defer e.Stop()
	limit := time.After(patience)
	for e.Heard().Own == 0 {
		select {
		case <-e.News():
		case <-limit:
			t.Fatalf("its own question did not come back: %+v", e.Heard())
		}
	}
	if got := e.Heard(); !got.Joined || got.Failure != nil {
		t.Errorf("heard %+v, want a speaker that is on the link", got)
	}
}

// TestAnEarThatStoppedHearsNothing also sees to it that nothing is kept for it.
func TestAnEarThatStoppedHearsNothing(t *testing.T) {
	s := New(nil)
	e := s.Overhear(testService(t))
	e.Stop()
	if len(s.ears) != 0 || len(s.browses) != 0 {
		t.Errorf("%d ears and %d browses are left", len(s.ears), len(s.browses))
	}
	if got := e.Heard(); got.Joined || got.Own != 0 || len(got.Others) != 0 {
		t.Errorf("a speaker that does not run has heard %+v", got)
	}
}

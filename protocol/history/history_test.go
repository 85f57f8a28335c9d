package history

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/protocol/seal"
)

func ids(hs []Held) (out []seal.RecordID) {
	for _, h := range hs {
		out = append(out, h.Record.ID)
	}
	return out
}

// TestVersionsComeAsTheVaultTellsThem over one stream, request after request.
func TestVersionsComeAsTheVaultTellsThem(t *testing.T) {
	p := &past{}
	o, c := newOffice(t, p)
	rapid.Check(t, func(rt *rapid.T) {
		p.held = nil
		for _, n := range rapid.SliceOfN(rapid.IntRange(1, 500), 0, 40).Draw(rt, "versions") {
			p.held = append(p.held, held(n))
		}
		got, err := collected(func(each func(Held) error) error { return c.AsOf(t.Context(), at(500), each) })
		if err != nil || !slices.EqualFunc(got, p.held, sameHeld) {
			rt.Fatalf("as of: %v became %v: %v", p.held, got, err)
		}
		if len(p.held) > 0 {
			got, err = collected(func(each func(Held) error) error { return c.Versions(t.Context(), ids(p.held), each) })
			if err != nil || !slices.EqualFunc(got, p.held, sameHeld) {
				rt.Fatalf("versions: %v became %v: %v", p.held, got, err)
			}
		}
		slices.SortFunc(p.held, func(a, b Held) int { return int(a.Sequence) - int(b.Sequence) })
		p.held = slices.CompactFunc(p.held, func(a, b Held) bool { return a.Sequence == b.Sequence })
		got, err = collected(func(each func(Held) error) error { return c.Received(t.Context(), 0, each) })
		if err != nil || !slices.EqualFunc(got, p.held, func(a, b Held) bool { b.Until = time.Time{}; return sameHeld(a, b) }) {
			rt.Fatalf("received: %v became %v: %v", p.held, got, err)
		}
	})
	if o.streams() != 1 {
		t.Errorf("%d streams for requests one after the other", o.streams())
	}
}

func TestARequestArrivesAsItWasMade(t *testing.T) {
	p := &past{state: State{Moment: at(1)}, pin: Pin{At: at(3)}}
	o, c := newOffice(t, p)
	none := func(Held) error { return nil }
	ctx := t.Context()
	_, err1 := c.State(ctx)
	err2 := c.AsOf(ctx, at(5).Add(999*time.Nanosecond), none)
	err3 := c.Versions(ctx, []seal.RecordID{{1}, {2}, {1}}, none)
	err4 := c.Received(ctx, 1<<63, none)
	_, err5 := c.Pin(ctx, at(3).Add(1999*time.Nanosecond), []byte("label"))
	err6 := c.Prove(ctx, nonce, make([]entry.BlockID, 3), func(int, []Proven) error { return nil })
	_, err7 := c.Mend(ctx, make([]entry.BlockID, MaxIDs))
	if err := errors.Join(err1, err2, err3, err4, err5, err6, err7); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"asker docs: state",
		"asker docs: as of 1795000005000000",
		"asker docs: versions [01000000000000000000000000000000 02000000000000000000000000000000 01000000000000000000000000000000]",
		"asker docs: received after 9223372036854775808",
		`asker docs: pin 1795000003000001 "label"`,
		"asker docs: prove 6e6f6e6365 3",
		"asker docs: mend 4096",
	}
	if !slices.Equal(p.asked, want) {
		t.Errorf("asked\n%s\nnot\n%s", strings.Join(p.asked, "\n"), strings.Join(want, "\n"))
	}
	if o.streams() != 2 { // a pin has its own
		t.Errorf("%d streams", o.streams())
	}
}

func TestAStateComesWhole(t *testing.T) {
	s := State{
		Vault: VaultID{1, 15: 2}, Sequence: 1 << 60, Moment: at(9), Begins: at(1), Versions: 2, Blocks: 3, Bytes: maxNumber, Quota: 5, Damaged: 6,
		Full: true, Complete: at(8), Scrubbed: at(7), SetBack: at(6), SetBackFrom: 77, Untold: 4, Policy: "keep daily 7", Schedule: "at 3 o'clock", LastRun: at(2), NextRun: at(99),
		Pins: []Pin{{ID: PinID{1}, At: at(2), Label: []byte{1, 2}, By: anna}, {ID: PinID{2}, At: at(2), Label: []byte{}}, {ID: PinID{3}, At: at(5), Label: make([]byte, MaxLabel)}},
	}
	p := &past{state: s}
	_, c := newOffice(t, p)
	for _, want := range []State{s, {}} {
		p.state = want
		got, err := c.State(t.Context())
		if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%v became %v: %v", want, got, err)
		}
	}
	for i := range reflect.TypeFor[State]().NumField() {
		if reflect.ValueOf(s).Field(i).IsZero() {
			t.Errorf("%s is not tested", reflect.TypeFor[State]().Field(i).Name)
		}
	}
}

// TestOfTooManyPinsTheLatestAreTold and how many there are besides.
func TestOfTooManyPinsTheLatestAreTold(t *testing.T) {
	s := State{Untold: 5}
	for i := range MaxPins + 3 {
		s.Pins = append(s.Pins, Pin{ID: PinID{byte(i), byte(i >> 8)}, At: at(10000 - i)})
	}
	_, c := newOffice(t, &past{state: s})
	got, err := c.State(t.Context())
	if err != nil || len(got.Pins) != MaxPins || got.Untold != 8 {
		t.Fatalf("%d pins, %d untold: %v", len(got.Pins), got.Untold, err)
	}
	if first, last := got.Pins[0], got.Pins[MaxPins-1]; !first.At.Equal(at(10000-MaxPins+1)) || !last.At.Equal(at(10000)) {
		t.Errorf("from %s to %s", first.At, last.At)
	}
}

// TestATextForPeopleIsMadeFitToBeTold rather than the state withheld.
func TestATextForPeopleIsMadeFitToBeTold(t *testing.T) {
	for text, want := range map[string]string{
		"keep daily 7\nkeep weekly 4":      "keep daily 7 keep weekly 4",
		"a\x1b[2J\u202eb\xff":              "a [2J b\uFFFD",
		strings.Repeat("n", MaxText+1):     strings.Repeat("n", MaxText),
		"x" + strings.Repeat("ü", MaxText): "x" + strings.Repeat("ü", MaxText/2-1),
	} {
		_, c := newOffice(t, &past{state: State{Policy: text, Schedule: text}})
		if got, err := c.State(t.Context()); err != nil || got.Policy != want || got.Schedule != want {
			t.Errorf("%q became %q and %q: %v", text, got.Policy, got.Schedule, err)
		}
	}
}

func TestAPinComesBack(t *testing.T) {
	want := Pin{ID: PinID{4, 15: 1}, At: at(7), Label: []byte("sealed"), By: asker}
	_, c := newOffice(t, &past{pin: want})
	got, err := c.Pin(t.Context(), at(7), []byte("sealed"))
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v became %v: %v", want, got, err)
	}
}

func TestProofsComeInTheOrderInWhichTheyWereAskedFor(t *testing.T) {
	p := &past{forms: []Proven{{[32]byte{1}, seal.Raw, 30}, {[32]byte{2}, seal.Zstd, maxSealed}, {[32]byte{3}, 255, 1}, {[32]byte{4}, 0, 2}}}
	_, c := newOffice(t, p)
	next := 0
	err := c.Prove(t.Context(), nonce, make([]entry.BlockID, MaxIDs), func(i int, forms []Proven) error {
		if i != next || !slices.Equal(forms, p.forms[:min(i, 4)]) {
			return fmt.Errorf("block %d after %d: %v", i, next-1, forms)
		}
		next++
		return nil
	})
	if err != nil || next != MaxIDs {
		t.Errorf("%d blocks: %v", next, err)
	}
}

func TestItIsToldHowMuchIsMended(t *testing.T) {
	p := &past{}
	_, c := newOffice(t, p)
	for _, n := range []int{0, 1, 3} {
		p.mends = n
		if got, err := c.Mend(t.Context(), make([]entry.BlockID, 3)); err != nil || got != n {
			t.Errorf("%d became %d: %v", n, got, err)
		}
	}
}

// calls are the calls of a client, with what is asked within the bounds.
func calls(t *testing.T, c *Client) map[kind]func() error {
	ctx := t.Context()
	none := func(Held) error { return nil }
	return map[kind]func() error{
		askState:    func() error { _, err := c.State(ctx); return err },
		askAsOf:     func() error { return c.AsOf(ctx, at(500), none) },
		askVersions: func() error { return c.Versions(ctx, []seal.RecordID{held(1).Record.ID}, none) },
		askReceived: func() error { return c.Received(ctx, 0, none) },
		askPin:      func() error { _, err := c.Pin(ctx, at(1), nil); return err },
		askProve: func() error {
			return c.Prove(ctx, nonce, make([]entry.BlockID, 2), func(int, []Proven) error { return nil })
		},
		askMend: func() error { _, err := c.Mend(ctx, make([]entry.BlockID, 2)); return err },
	}
}

// TestTheReasonOfARefusalIsTold even after a part of the answer; what is no
// reason for a request ends the stream.
func TestTheReasonOfARefusalIsTold(t *testing.T) {
	ends := map[kind][]error{
		askState: {ErrRefused}, askAsOf: {ErrRefused, ErrFuture}, askVersions: {ErrRefused}, askReceived: {ErrRefused},
		askPin: {ErrRefused, ErrFuture, ErrFull}, askProve: {ErrRefused}, askMend: {ErrRefused, ErrFull},
	}
	for k, told := range ends {
		for _, reason := range []error{ErrRefused, ErrFuture, ErrFull} {
			p := &past{held: []Held{held(1)}, err: fmt.Errorf("folder: %w", reason)}
			_, c := newOffice(t, p)
			err := calls(t, c)[k]()
			if err == nil || errors.Is(err, reason) != slices.Contains(told, reason) {
				t.Errorf("request %d: %q became %v", k, reason, err)
			}
			if len(p.asked) != 1 {
				t.Errorf("request %d: asked %q", k, p.asked)
			}
		}
	}
}

func TestWithoutAKeepingNothingIsKept(t *testing.T) {
	p := &past{}
	o, c := newOffice(t, p)
	o.server.Keeping = nil
	for k, call := range calls(t, c) {
		if err := call(); errors.Is(err, ErrRefused) != (k >= askPin) {
			t.Errorf("request %d: %v", k, err)
		}
	}
}

// TestWhatMayNotBeAskedIsNotSent to anybody.
func TestWhatMayNotBeAskedIsNotSent(t *testing.T) {
	p := &past{}
	o, c := newOffice(t, p)
	ctx := t.Context()
	none := func(Held) error { return nil }
	pinned := func(at time.Time, label int) error { _, err := c.Pin(ctx, at, make([]byte, label)); return err }
	proven := func(nonce [32]byte, n int) error { return c.Prove(ctx, nonce, make([]entry.BlockID, n), nil) }
	mended := func(n int) error { _, err := c.Mend(ctx, make([]entry.BlockID, n)); return err }
	end := time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)
	for name, err := range map[string]error{
		"no moment":               c.AsOf(ctx, time.Time{}, none),
		"a moment before all":     c.AsOf(ctx, time.UnixMicro(0), none),
		"a moment after all":      c.AsOf(ctx, end, none),
		"no records":              c.Versions(ctx, nil, none),
		"too many records":        c.Versions(ctx, make([]seal.RecordID, MaxIDs+1), none),
		"a pin of no moment":      pinned(time.Time{}, 0),
		"a pin after all":         pinned(end, 0),
		"a label that is long":    pinned(at(1), MaxLabel+1),
		"a nonce of zeros":        proven([32]byte{}, 1),
		"proofs of nothing":       proven(nonce, 0),
		"proofs of too much":      proven(nonce, MaxIDs+1),
		"nothing to be mended":    mended(0),
		"too much to be mended":   mended(MaxIDs + 1),
		"a moment of year 400000": c.AsOf(ctx, time.Date(400000, 1, 1, 0, 0, 0, 0, time.UTC), none),
		"a moment of year 600000": c.AsOf(ctx, time.Date(600000, 1, 1, 0, 0, 0, 0, time.UTC), none),
	} {
		if !errors.Is(err, ErrRequest) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if o.streams() > 0 || len(p.asked) > 0 {
		t.Errorf("asked %v over %d streams", p.asked, o.streams())
	}
	if err := c.AsOf(ctx, end.Add(-time.Microsecond), none); err != nil {
		t.Errorf("the last moment: %v", err)
	}
}

// TestASourceThatBreaksItsWordEndsTheStream before what is wrong has left.
func TestASourceThatBreaksItsWordEndsTheStream(t *testing.T) {
	other := func(change func(*Held)) []Held {
		h := held(2)
		change(&h)
		return []Held{held(1), h}
	}
	for name, c := range map[string]struct {
		past *past
		kind kind
	}{
		"a version without a record":  {&past{held: other(func(h *Held) { h.Record = nil })}, askAsOf},
		"a version of no sequence":    {&past{held: other(func(h *Held) { h.Sequence = 0 })}, askAsOf},
		"never received":              {&past{held: other(func(h *Held) { h.Received = time.Time{} })}, askAsOf},
		"received after the moment":   {&past{held: other(func(h *Held) { h.Received = at(501) })}, askAsOf},
		"superseded before":           {&past{held: other(func(h *Held) { h.Until = at(1) })}, askAsOf},
		"a giver with an escape":      {&past{held: other(func(h *Held) { h.From = "\x1b[2J" })}, askAsOf},
		"another record":              {&past{held: []Held{held(2)}}, askVersions},
		"versions out of order":       {&past{held: []Held{held(2), held(1)}}, askReceived},
		"a version twice":             {&past{held: []Held{held(2), held(2)}}, askReceived},
		"a negative count":            {&past{state: State{Blocks: -1}}, askState},
		"a state of another time":     {&past{state: State{Moment: time.Unix(-1, 0)}}, askState},
		"a pin of no moment":          {&past{pin: Pin{}}, askPin},
		"a pin with a long label":     {&past{pin: Pin{At: at(1), Label: make([]byte, MaxLabel+1)}}, askPin},
		"a state with such a pin":     {&past{state: State{Pins: []Pin{{At: at(1), By: "\n"}}}}, askState},
		"a form of no bytes":          {&past{forms: make([]Proven, 1)}, askProve},
		"more mended than asked":      {&past{mends: 3}, askMend},
		"fewer than none mended":      {&past{mends: -1}, askMend},
		"an error":                    {&past{err: errBroken}, askMend},
		"an error after all versions": {&past{held: []Held{held(1)}, err: errBroken}, askAsOf},
	} {
		o, client := newOffice(t, c.past)
		if err := calls(t, client)[c.kind](); err == nil {
			t.Errorf("%s: it was told", name)
		}
		client.Close()
		o.close()
		if len(o.ended) != 1 || o.ended[0] == nil || !errors.Is(o.ended[0], errBroken) && !errors.Is(o.ended[0], ErrAnswer) {
			t.Errorf("%s: the stream ended with %v", name, o.ended)
		}
	}
}

package history

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"runtime"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/kithmesh/kith/proto/wirepb"
	"github.com/kithmesh/kith/protocol/frame"
)

const (
	ok      = wirepb.HistoryEnd_STATUS_OK
	refused = wirepb.HistoryEnd_STATUS_REFUSED
	future  = wirepb.HistoryEnd_STATUS_FUTURE
	full    = wirepb.HistoryEnd_STATUS_FULL
)

func end(s wirepb.HistoryEnd_Status) *wirepb.HistoryAnswer {
	return &wirepb.HistoryAnswer{What: &wirepb.HistoryAnswer_End{End: &wirepb.HistoryEnd{Status: s}}}
}

func mended(n uint32) *wirepb.HistoryAnswer {
	return &wirepb.HistoryAnswer{What: &wirepb.HistoryAnswer_Mended{Mended: &wirepb.HistoryMended{Blocks: n}}}
}

func proofs(forms ...*wirepb.HistoryProof) *wirepb.HistoryAnswer {
	return &wirepb.HistoryAnswer{What: &wirepb.HistoryAnswer_Proofs{Proofs: &wirepb.HistoryProofs{Forms: forms}}}
}

// proof is a good one, changed.
func proof(change func(*wirepb.HistoryProof)) *wirepb.HistoryProof {
	p := &wirepb.HistoryProof{Sum: make([]byte, 32), Encoding: 1, Size: 30}
	if change != nil {
		change(p)
	}
	return p
}

// versionMessage is version 1, changed. It has no giver.
func versionMessage(change func(*wirepb.HistoryVersion)) *wirepb.HistoryAnswer {
	h := held(1)
	v := versionToWire(&h, 0, "")
	if change != nil {
		change(v)
	}
	return &wirepb.HistoryAnswer{What: &wirepb.HistoryAnswer_Version{Version: v}}
}

// stateMessage is a good state, changed. It has no pins.
func stateMessage(change func(*wirepb.HistoryState)) *wirepb.HistoryAnswer {
	s := stateToWire(&State{Vault: VaultID{1}, Moment: at(1)})
	if change != nil {
		change(s)
	}
	return &wirepb.HistoryAnswer{What: &wirepb.HistoryAnswer_State{State: s}}
}

// pinMessage is a good pin, changed.
func pinMessage(change func(*wirepb.HistoryPin)) *wirepb.HistoryAnswer {
	p := pinToWire(&Pin{ID: PinID{1}, At: at(1)})
	if change != nil {
		change(p)
	}
	return &wirepb.HistoryAnswer{What: &wirepb.HistoryAnswer_Pin{Pin: p}}
}

// whole are answers in order, to what calls asks.
func whole(t testing.TB) map[kind][]byte {
	giver := func(v *wirepb.HistoryVersion) { v.From, v.Giver = 1, string(anna) }
	later := func(v *wirepb.HistoryVersion) { v.From, v.Sequence = 1, 5 }
	versions := framed(t, versionMessage(giver), versionMessage(later), end(ok))
	return map[kind][]byte{
		askState:    framed(t, stateMessage(func(s *wirepb.HistoryState) { s.Pins = 2 }), pinMessage(nil), pinMessage(nil), end(ok)),
		askAsOf:     versions,
		askVersions: versions,
		askReceived: versions,
		askPin:      framed(t, pinMessage(nil), end(ok)),
		askProve:    framed(t, proofs(proof(nil), proof(nil)), proofs(), end(ok)),
		askMend:     framed(t, mended(2), end(ok)),
	}
}

// TestAnAnswerThatBreaksOffIsAnError wherever it does.
func TestAnAnswerThatBreaksOffIsAnError(t *testing.T) {
	for k, answer := range whole(t) {
		for n := range len(answer) {
			if err := calls(t, answered(answer[:n]))[k](); !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("request %d: %d of %d bytes: %v", k, n, len(answer), err)
			}
		}
		if err := calls(t, answered(answer))[k](); err != nil {
			t.Errorf("request %d: %v", k, err)
		}
	}
}

// malformed are answers that are refused, with what they are said to answer.
func malformed(t testing.TB) map[string]struct {
	kind   kind
	answer []byte
} {
	out := map[string]struct {
		kind   kind
		answer []byte
	}{}
	add := func(k kind, name string, messages ...proto.Message) {
		out[name] = struct {
			kind   kind
			answer []byte
		}{k, framed(t, messages...)}
	}
	version := func(name string, change func(*wirepb.HistoryVersion)) {
		add(askAsOf, "version: "+name, versionMessage(change))
	}
	version("no record", func(v *wirepb.HistoryVersion) { v.Record = nil })
	version("a record without an ID", func(v *wirepb.HistoryVersion) { v.Record.Id = nil })
	version("a record of no version", func(v *wirepb.HistoryVersion) { v.Record.Counts = nil })
	version("no sequence", func(v *wirepb.HistoryVersion) { v.Sequence = 0 })
	version("never received", func(v *wirepb.HistoryVersion) { v.Received = 0 })
	version("received after the moment", func(v *wirepb.HistoryVersion) { v.Received = momentToWire(at(501)) })
	version("received beyond all times", func(v *wirepb.HistoryVersion) { v.Received = maxMoment + 1 })
	version("received when the numbers end", func(v *wirepb.HistoryVersion) { v.Received = math.MaxUint64 })
	version("superseded before", func(v *wirepb.HistoryVersion) { v.Until = v.Received - 1 })
	version("superseded beyond all times", func(v *wirepb.HistoryVersion) { v.Until = math.MaxUint64 })
	version("a giver without a name", func(v *wirepb.HistoryVersion) { v.From = 1 })
	version("a name without a giver", func(v *wirepb.HistoryVersion) { v.Giver = "a" })
	version("the second giver first", func(v *wirepb.HistoryVersion) { v.From, v.Giver = 2, "a" })
	version("a giver beyond all", func(v *wirepb.HistoryVersion) { v.From, v.Giver = math.MaxUint32, "a" })
	version("a long giver", func(v *wirepb.HistoryVersion) { v.From, v.Giver = 1, strings.Repeat("d", maxDevice+1) })
	version("a giver with an escape", func(v *wirepb.HistoryVersion) { v.From, v.Giver = 1, "a\x1b[2J" })
	version("a giver that turns the direction", func(v *wirepb.HistoryVersion) { v.From, v.Giver = 1, "a\u202e" })
	again := func(v *wirepb.HistoryVersion) { v.From, v.Giver = 1, "a" }
	add(askAsOf, "a giver named twice", versionMessage(again), versionMessage(again))
	add(askVersions, "a record that was not asked for", versionMessage(func(v *wirepb.HistoryVersion) { v.Record.Id[0] ^= 1 }))
	add(askReceived, "versions out of order", versionMessage(func(v *wirepb.HistoryVersion) { v.Sequence = 2 }), versionMessage(nil))
	add(askReceived, "a version twice", versionMessage(nil), versionMessage(nil))
	add(askReceived, "a version until then", versionMessage(func(v *wirepb.HistoryVersion) { v.Until = v.Received }))

	state := func(name string, change func(*wirepb.HistoryState)) {
		add(askState, "state: "+name, stateMessage(change), end(ok))
	}
	state("no vault", func(s *wirepb.HistoryState) { s.Vault = nil })
	state("a vault of 17 bytes", func(s *wirepb.HistoryState) { s.Vault = make([]byte, 17) })
	state("too many pins", func(s *wirepb.HistoryState) { s.Pins = MaxPins + 1 })
	state("fewer pins than told", func(s *wirepb.HistoryState) { s.Pins = 1 })
	for name, field := range map[string]func(*wirepb.HistoryState) *uint64{
		"versions": func(s *wirepb.HistoryState) *uint64 { return &s.Versions }, "blocks": func(s *wirepb.HistoryState) *uint64 { return &s.Blocks },
		"bytes": func(s *wirepb.HistoryState) *uint64 { return &s.Bytes }, "quota": func(s *wirepb.HistoryState) *uint64 { return &s.Quota },
		"damaged": func(s *wirepb.HistoryState) *uint64 { return &s.Damaged }, "untold": func(s *wirepb.HistoryState) *uint64 { return &s.Untold },
		"moment": func(s *wirepb.HistoryState) *uint64 { return &s.Moment }, "begins": func(s *wirepb.HistoryState) *uint64 { return &s.Begins },
		"complete": func(s *wirepb.HistoryState) *uint64 { return &s.Complete }, "scrubbed": func(s *wirepb.HistoryState) *uint64 { return &s.Scrubbed },
		"last run": func(s *wirepb.HistoryState) *uint64 { return &s.LastRun }, "next run": func(s *wirepb.HistoryState) *uint64 { return &s.NextRun },
	} {
		state(name+" beyond the bound", func(s *wirepb.HistoryState) { *field(s) = maxNumber + 1 })
		state(name+" where the numbers end", func(s *wirepb.HistoryState) { *field(s) = math.MaxUint64 })
	}
	state("a long policy", func(s *wirepb.HistoryState) { s.Policy = strings.Repeat("p", MaxText+1) })
	state("a schedule of two lines", func(s *wirepb.HistoryState) { s.Schedule = "a\nb" })
	add(askState, "nothing of a state", end(ok))
	add(askState, "two states", stateMessage(nil), stateMessage(nil))
	add(askState, "pins before the state", pinMessage(nil))
	add(askState, "more pins than told", stateMessage(nil), pinMessage(nil))
	add(askState, "pins out of order", stateMessage(func(s *wirepb.HistoryState) { s.Pins = 2 }),
		pinMessage(func(p *wirepb.HistoryPin) { p.Moment++ }), pinMessage(nil))

	pinned := func(name string, change func(*wirepb.HistoryPin)) { add(askPin, "pin: "+name, pinMessage(change)) }
	pinned("no ID", func(p *wirepb.HistoryPin) { p.Id = nil })
	pinned("an ID of 15 bytes", func(p *wirepb.HistoryPin) { p.Id = p.Id[1:] })
	pinned("no moment", func(p *wirepb.HistoryPin) { p.Moment = 0 })
	pinned("a moment beyond all times", func(p *wirepb.HistoryPin) { p.Moment = maxMoment + 1 })
	pinned("a long label", func(p *wirepb.HistoryPin) { p.Label = make([]byte, MaxLabel+1) })
	pinned("a maker with a line break", func(p *wirepb.HistoryPin) { p.By = "a\n" })
	add(askPin, "no pin", end(ok))
	add(askPin, "two pins", pinMessage(nil), pinMessage(nil))

	proven := func(name string, change func(*wirepb.HistoryProof)) {
		add(askProve, "proof: "+name, proofs(proof(nil), proof(change)))
	}
	proven("a sum of 31 bytes", func(p *wirepb.HistoryProof) { p.Sum = p.Sum[1:] })
	proven("an encoding of 9 bits", func(p *wirepb.HistoryProof) { p.Encoding = 256 })
	proven("no bytes", func(p *wirepb.HistoryProof) { p.Size = 0 })
	proven("too many bytes", func(p *wirepb.HistoryProof) { p.Size = maxSealed + 1 })
	proven("4 GiB", func(p *wirepb.HistoryProof) { p.Size = math.MaxUint32 })
	add(askProve, "too many forms", proofs(proof(nil), proof(nil), proof(nil), proof(nil), proof(nil)))
	add(askProve, "fewer proofs than asked", proofs(), end(ok))
	add(askProve, "more proofs than asked", proofs(), proofs(), proofs())

	add(askMend, "no word of mending", end(ok))
	add(askMend, "two words of mending", mended(1), mended(1))
	add(askMend, "more mended than asked", mended(3))
	add(askMend, "4 Gi mended", mended(math.MaxUint32))
	addUnasked(add)
	return out
}

// addUnasked adds messages and ends that belong to other requests.
func addUnasked(add func(k kind, name string, messages ...proto.Message)) {
	messages := map[kind]*wirepb.HistoryAnswer{
		askState: stateMessage(nil), askAsOf: versionMessage(nil), askPin: pinMessage(nil), askProve: proofs(), askMend: mended(1),
	}
	for k := askState; k <= askMend; k++ {
		for of, m := range messages {
			if of != k && (of != askAsOf || k != askVersions && k != askReceived) {
				add(k, fmt.Sprintf("request %d: what answers %d", k, of), m)
			}
		}
		add(k, fmt.Sprintf("request %d: a message of nothing", k), &wirepb.HistoryAnswer{})
		for _, s := range []wirepb.HistoryEnd_Status{0, 5, -1, math.MaxInt32} {
			add(k, fmt.Sprintf("request %d: status %d", k, s), end(s))
		}
		if k != askAsOf && k != askPin {
			add(k, fmt.Sprintf("request %d: a future", k), end(future))
		}
		if k != askPin && k != askMend {
			add(k, fmt.Sprintf("request %d: full", k), end(full))
		}
	}
}

func TestAMalformedAnswerIsAnError(t *testing.T) {
	for name, c := range malformed(t) {
		if err := calls(t, answered(c.answer))[c.kind](); !errors.Is(err, ErrAnswer) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, c := range map[string]struct {
		answer []byte
		want   error
	}{
		"a message that is too long": {binary.AppendUvarint(nil, maxAnswer+1), frame.ErrTooLarge},
		"a claim of 2^63":            {binary.AppendUvarint(nil, 1<<63), frame.ErrTooLarge},
		"what is no message":         {[]byte{2, 0x0f, 0x0f}, frame.ErrMalformed},
		"a length above 64 bits":     {bytes.Repeat([]byte{0xff}, 11), frame.ErrMalformed},
	} {
		for k := askState; k <= askMend; k++ {
			if err := calls(t, answered(c.answer))[k](); !errors.Is(err, c.want) {
				t.Errorf("request %d: %s: %v", k, name, err)
			}
		}
	}
}

// bomb is a message that is far larger when it is decoded: fields nested in each
// other, the innermost repeated.
func bomb(inner []byte, fields ...protowire.Number) []byte {
	b := bytes.Repeat(inner, (maxAnswer-64)/len(inner))
	for _, f := range fields {
		b = protowire.AppendBytes(protowire.AppendTag(nil, f, protowire.BytesType), b)
	}
	return append(binary.AppendUvarint(nil, uint64(len(b))), b...)
}

func TestAMessageThatWouldTakeFarMoreThanItsBytesIsNotDecoded(t *testing.T) {
	for name, answer := range map[string][]byte{
		"proofs of nothing": bomb([]byte{1<<3 | 2, 0}, 5),
		"packed counts":     bomb([]byte{1}, 4, 1, 2),
		"single counts":     bomb([]byte{4 << 3, 1}, 1, 2),
		"unknown fields":    bomb([]byte{15 << 3, 1}),
		"states over all":   bomb([]byte{3<<3 | 2, 0}),
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		err := calls(t, answered(answer))[askAsOf]()
		runtime.ReadMemStats(&after)
		if took := after.TotalAlloc - before.TotalAlloc; !errors.Is(err, ErrAnswer) || took > 40<<20 {
			t.Errorf("%s: %d bytes taken: %v", name, took, err)
		}
	}
}

// TestAMalformedRequestEndsTheStream before anything is asked.
func TestAMalformedRequestEndsTheStream(t *testing.T) {
	good := func(k kind) *wirepb.HistoryRequest {
		r := request{folder: docs, kind: k, moment: at(1), nonce: nonce, ids: ids([]Held{held(1)}), blocks: idsOf(1)}
		return r.toWire()
	}
	with := func(k kind, change func(*wirepb.HistoryRequest)) []byte {
		m := good(k)
		change(m)
		return framed(t, m)
	}
	for name, c := range map[string]struct {
		request []byte
		want    error
	}{
		"no folder":                  {with(askState, func(m *wirepb.HistoryRequest) { m.Folder = nil }), ErrRequest},
		"a folder of 17 bytes":       {with(askMend, func(m *wirepb.HistoryRequest) { m.Folder = make([]byte, 17) }), ErrRequest},
		"nothing is asked":           {with(askState, func(m *wirepb.HistoryRequest) { m.What = nil }), ErrRequest},
		"as of no moment":            {with(askAsOf, func(m *wirepb.HistoryRequest) { m.GetAsOf().Moment = 0 }), ErrRequest},
		"as of after all":            {with(askAsOf, func(m *wirepb.HistoryRequest) { m.GetAsOf().Moment = maxMoment + 1 }), ErrRequest},
		"as of the numbers' end":     {with(askAsOf, func(m *wirepb.HistoryRequest) { m.GetAsOf().Moment = math.MaxUint64 }), ErrRequest},
		"versions of nothing":        {with(askVersions, func(m *wirepb.HistoryRequest) { m.GetVersions().Ids = nil }), ErrRequest},
		"versions of half an ID":     {with(askVersions, func(m *wirepb.HistoryRequest) { m.GetVersions().Ids = make([]byte, 24) }), ErrRequest},
		"versions of too much":       {with(askVersions, func(m *wirepb.HistoryRequest) { m.GetVersions().Ids = make([]byte, 16*(MaxIDs+1)) }), ErrRequest},
		"a pin of no moment":         {with(askPin, func(m *wirepb.HistoryRequest) { m.GetPin().Moment = 0 }), ErrRequest},
		"a pin after all":            {with(askPin, func(m *wirepb.HistoryRequest) { m.GetPin().Moment = maxMoment + 1 }), ErrRequest},
		"a label that is long":       {with(askPin, func(m *wirepb.HistoryRequest) { m.GetPin().Label = make([]byte, MaxLabel+1) }), ErrRequest},
		"no nonce":                   {with(askProve, func(m *wirepb.HistoryRequest) { m.GetProve().Nonce = nil }), ErrRequest},
		"a nonce of 33 bytes":        {with(askProve, func(m *wirepb.HistoryRequest) { m.GetProve().Nonce = make([]byte, 33) }), ErrRequest},
		"a nonce of zeros":           {with(askProve, func(m *wirepb.HistoryRequest) { m.GetProve().Nonce = make([]byte, 32) }), ErrRequest},
		"proofs of nothing":          {with(askProve, func(m *wirepb.HistoryRequest) { m.GetProve().Ids = nil }), ErrRequest},
		"proofs of half a block":     {with(askProve, func(m *wirepb.HistoryRequest) { m.GetProve().Ids = make([]byte, 48) }), ErrRequest},
		"nothing to be mended":       {with(askMend, func(m *wirepb.HistoryRequest) { m.GetMend().Ids = nil }), ErrRequest},
		"half a block to be mended":  {with(askMend, func(m *wirepb.HistoryRequest) { m.GetMend().Ids = make([]byte, 33) }), ErrRequest},
		"too much to be mended":      {with(askMend, func(m *wirepb.HistoryRequest) { m.GetMend().Ids = make([]byte, 32*(MaxIDs+1)) }), ErrRequest},
		"far too much":               {with(askMend, func(m *wirepb.HistoryRequest) { m.GetMend().Ids = make([]byte, 32*2*MaxIDs) }), frame.ErrTooLarge},
		"an answer":                  {framed(t, stateMessage(nil)), ErrRequest},
		"an empty message":           {[]byte{0}, ErrRequest},
		"what is no message":         {[]byte{3, 0xff, 0xff, 0xff}, frame.ErrMalformed},
		"a claim of 4 GiB":           {binary.AppendUvarint(nil, 1<<32), frame.ErrTooLarge},
		"half a request":             {framed(t, good(askVersions))[:30], io.ErrUnexpectedEOF},
		"a request of another field": {append(framed(t, &wirepb.HistoryRequest{Folder: docs[:]})[1:], 0), frame.ErrMalformed},
	} {
		p := &past{}
		d := &duplex{Reader: bytes.NewReader(c.request)}
		err := (&Server{Source: p, Keeping: p}).Handle(t.Context(), asker, d)
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
		if len(p.asked) > 0 || d.written.Len() > 0 {
			t.Errorf("%s: asked for %s, answered with %d bytes", name, p.asked, d.written.Len())
		}
	}
	for k := askState; k <= askMend; k++ {
		p := &past{pin: Pin{At: at(1)}}
		if err := (&Server{Source: p, Keeping: p}).Handle(t.Context(), asker, &duplex{Reader: bytes.NewReader(framed(t, good(k)))}); err != nil {
			t.Errorf("request %d: %v", k, err)
		}
	}
}

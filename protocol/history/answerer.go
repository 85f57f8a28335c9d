package history

import (
	"fmt"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/proto/wirepb"
	"github.com/kithmesh/kith/protocol/frame"
)

// flushEvery is how long messages may gather before they leave. A vault that
// reads its disk fills the buffer so slowly that the asker would take the stream
// for dead.
const flushEvery = time.Second

// answerer sends the answer to one request.
type answerer struct {
	request *request
	asked   *asked
	out     *frame.Writer
	flushed time.Time
	givers  map[entry.DeviceID]uint32
	sent    int // messages
}

func newAnswerer(r *request, out *frame.Writer) *answerer {
	return &answerer{request: r, asked: r.asked(), out: out, flushed: time.Now(), givers: map[entry.DeviceID]uint32{}}
}

func (a *answerer) version(h Held) error {
	if a.request.kind == askReceived {
		h.Until = time.Time{}
	}
	if err := a.asked.admit(&h); err != nil {
		return err
	}
	number, name, err := a.giver(h.From)
	if err != nil {
		return err
	}
	return a.send(&wirepb.HistoryAnswer{What: &wirepb.HistoryAnswer_Version{Version: versionToWire(&h, number, name)}})
}

// giver is the number of a device in this answer, and its name if it has not
// been told yet.
func (a *answerer) giver(d entry.DeviceID) (uint32, entry.DeviceID, error) {
	if d == "" {
		return 0, "", nil
	}
	if n, ok := a.givers[d]; ok {
		return n, "", nil
	}
	if len(a.givers) == maxGivers {
		return 0, "", wrong("more than %d givers", maxGivers)
	}
	n := uint32(len(a.givers) + 1)
	a.givers[d] = n
	return n, d, nil
}

func (a *answerer) state(s State) error {
	s.Pins = slices.SortedStableFunc(slices.Values(s.Pins), func(p, q Pin) int { return p.At.Compare(q.At) })
	if more := len(s.Pins) - MaxPins; more > 0 {
		s.Pins, s.Untold = s.Pins[more:], s.Untold+int64(more)
	}
	s.Policy, s.Schedule = oneLine(s.Policy), oneLine(s.Schedule)
	if err := s.check(); err != nil {
		return err
	}
	if err := a.send(&wirepb.HistoryAnswer{What: &wirepb.HistoryAnswer_State{State: stateToWire(&s)}}); err != nil {
		return err
	}
	for _, p := range s.Pins {
		if err := a.pin(p); err != nil {
			return err
		}
	}
	return nil
}

func (a *answerer) pin(p Pin) error {
	if err := p.check(); err != nil {
		return err
	}
	return a.send(&wirepb.HistoryAnswer{What: &wirepb.HistoryAnswer_Pin{Pin: pinToWire(&p)}})
}

func (a *answerer) proofs(forms []Proven) error {
	if err := checkForms(forms); err != nil {
		return err
	}
	if a.sent == len(a.request.blocks) {
		return wrong("proofs of more than %d blocks", a.sent)
	}
	return a.send(&wirepb.HistoryAnswer{What: &wirepb.HistoryAnswer_Proofs{Proofs: proofsToWire(forms)}})
}

// proven refuses an end before all blocks were answered.
func (a *answerer) proven() error {
	if n := len(a.request.blocks); a.sent != n {
		return wrong("proofs of %d of %d blocks", a.sent, n)
	}
	return nil
}

func (a *answerer) mended(n int) error {
	if n < 0 || n > len(a.request.blocks) {
		return wrong("%d of %d blocks are to be mended", n, len(a.request.blocks))
	}
	return a.send(&wirepb.HistoryAnswer{What: &wirepb.HistoryAnswer_Mended{Mended: &wirepb.HistoryMended{Blocks: uint32(n)}}})
}

func (a *answerer) send(m *wirepb.HistoryAnswer) error {
	if n := proto.Size(m); n > maxAnswer {
		return fmt.Errorf("%w: a version of %d bytes, %d can be told", frame.ErrTooLarge, n, maxAnswer)
	}
	a.sent++
	if err := a.out.Write(m); err != nil {
		return err
	}
	if time.Since(a.flushed) < flushEvery {
		return nil
	}
	a.flushed = time.Now()
	return a.out.Flush()
}

// end ends the answer with what came of it. An error that has no status is
// returned as it is, and nothing more sent.
func (a *answerer) end(err error) error {
	status := statusOf(a.request.kind, err)
	if status == wirepb.HistoryEnd_STATUS_UNSPECIFIED {
		return err
	}
	if err := a.out.Write(&wirepb.HistoryAnswer{What: &wirepb.HistoryAnswer_End{End: &wirepb.HistoryEnd{Status: status}}}); err != nil {
		return err
	}
	return a.out.Flush()
}

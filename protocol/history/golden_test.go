package history

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/proto/wirepb"
	"github.com/kithmesh/kith/protocol/seal"
)

// goldenMessages are one of each kind, with something in every field.
func goldenMessages(t testing.TB) (names []string, messages map[string][]byte) {
	messages = map[string][]byte{}
	add := func(name string, m proto.Message) {
		names = append(names, name)
		messages[name] = framed(t, m)
	}
	for k := askState; k <= askMend; k++ {
		r := request{
			folder: docs, kind: k, moment: at(1), after: 300, label: []byte("sealed"), nonce: nonce,
			ids: []seal.RecordID{{1}, {2, 15: 1}}, blocks: idsOf(3, 4),
		}
		add(fmt.Sprintf("request-%d", k), r.toWire())
	}
	h := held(6)
	h.Until = at(8)
	var out bytes.Buffer
	for _, from := range []uint32{1, 1, 0} {
		giver := ""
		if from > 0 && out.Len() == 0 {
			giver = string(ben)
		}
		out.Write(framed(t, &wirepb.HistoryAnswer{What: &wirepb.HistoryAnswer_Version{Version: versionToWire(&h, from, entry.DeviceID(giver))}}))
	}
	names = append(names, "versions")
	messages["versions"] = out.Bytes()
	add("state", &wirepb.HistoryAnswer{What: &wirepb.HistoryAnswer_State{State: stateToWire(&State{
		Vault: VaultID{1, 15: 2}, Sequence: 1, Moment: at(2), Begins: at(1), Versions: 4, Blocks: 5, Bytes: 6, Quota: 7, Damaged: 8, Full: true,
		Complete: at(9), Scrubbed: at(10), Pins: make([]Pin, 2), Untold: 12, Policy: "policy", Schedule: "schedule", LastRun: at(15), NextRun: at(16),
	})}})
	add("pin", &wirepb.HistoryAnswer{What: &wirepb.HistoryAnswer_Pin{Pin: pinToWire(&Pin{ID: PinID{5, 15: 6}, At: at(3), Label: []byte("sealed"), By: anna})}})
	add("proofs", &wirepb.HistoryAnswer{What: &wirepb.HistoryAnswer_Proofs{Proofs: proofsToWire([]Proven{{nonce, seal.Raw, 99}, {[32]byte{9}, seal.Zstd, 1 << 20}})}})
	add("mended", mended(2))
	add("end", end(ok))
	add("refused", end(refused))
	add("future", end(future))
	add("full", end(full))
	return names, messages
}

// TestMessagesAreWrittenAsTheyAlwaysWere since other devices read them.
func TestMessagesAreWrittenAsTheyAlwaysWere(t *testing.T) {
	names, messages := goldenMessages(t)
	var got strings.Builder
	for _, name := range names {
		fmt.Fprintln(&got, name, hex.EncodeToString(messages[name]))
	}
	want, err := os.ReadFile(filepath.Join("testdata", "messages.txt"))
	if err != nil {
		t.Fatal(err)
	}
	if got.String() != string(want) {
		t.Errorf("the messages are\n%snot\n%s", got.String(), want)
	}
}

// TestGoldenMessagesAreRead as what they were written for.
func TestGoldenMessagesAreRead(t *testing.T) {
	_, m := goldenMessages(t)
	full := append(bytes.Clone(m["versions"]), m["end"]...)
	got, err := collected(func(each func(Held) error) error { return answered(full).AsOf(t.Context(), at(500), each) })
	if err != nil || len(got) != 3 || got[0].From != ben || got[1].From != ben || got[2].From != "" {
		t.Fatalf("got %v: %v", got, err)
	}
	if h := got[1]; h.Sequence != 6 || h.Received != at(6) || h.Until != at(8) || h.Record.ID != record(6, 2).ID {
		t.Errorf("got %v", h)
	}
	pinned, err := answered(append(bytes.Clone(m["pin"]), m["end"]...)).Pin(t.Context(), at(3), []byte("sealed"))
	if err != nil || pinned.ID.String() != "05000000000000000000000000000006" || pinned.At != at(3) || string(pinned.Label) != "sealed" || pinned.By != anna {
		t.Errorf("got %v: %v", pinned, err)
	}
	state := bytes.Join([][]byte{m["state"], m["pin"], m["pin"], m["end"]}, nil)
	s, err := answered(state).State(t.Context())
	if err != nil || s.Vault.String() != "01000000000000000000000000000002" || s.NextRun != at(16) || s.Untold != 12 || len(s.Pins) != 2 || !s.Full {
		t.Errorf("got %v: %v", s, err)
	}
	if zone, _ := s.Moment.Zone(); zone != time.UTC.String() {
		t.Errorf("a moment in %s", zone)
	}
}

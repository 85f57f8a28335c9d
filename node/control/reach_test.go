package control_test

import (
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/kithmesh/kith/node/control"
	"github.com/kithmesh/kith/node/control/controltest"
)

func TestHowDevicesAreReachedCrossesTheSocketWhole(t *testing.T) {
	since := time.Date(2026, 11, 22, 14, 2, 3, 0, time.UTC)
	d := &controltest.Device{
		Now: control.Status{Peers: []control.PeerStatus{
			{Identity: phone, Connected: true, Via: control.ViaRelay, Transport: control.QUIC, Relay: "nas", Since: since, RoundTrip: 38123 * time.Microsecond},
			{Identity: phone, Connected: true, Via: control.ViaDirect, Transport: control.QUIC, Punched: true},
			{Identity: phone, LastSeen: since, Why: control.Problem{Code: "off", Message: "off or asleep", Hint: "kith doctor phone"}},
		}},
		Care: controltest.Care{Reached: []control.Reached{
			{Trial: &control.Trial{Subject: "device phone", What: "10.0.0.9:5484 by tcp", Result: "no answer in 5 s"}},
			{Trial: &control.Trial{Subject: "network", What: "the local network", Result: "2 machines answer", OK: true}},
			{Finding: &control.Finding{Subject: "device phone", Code: "off", Message: "it is off", Hint: "is it up?"}},
		}},
	}
	c := dial(t, serve(t, d))
	peers, err := c.Devices(t.Context())
	expect(t, "Devices", d.Now.Peers, peers, err)
	var told []control.Reached
	err = c.ExamineReach(t.Context(), "phone", func(r control.Reached) error { told = append(told, r); return nil })
	if err != nil || !reflect.DeepEqual(told, d.Care.Reached) {
		t.Errorf("told %+v, %v", told, err)
	}
	expect(t, "the device was asked", []string{"Devices ", "ExamineReach phone"}, d.Asked(), nil)

	enough := errors.New("enough")
	if err := c.ExamineReach(t.Context(), "", func(control.Reached) error { return enough }); !errors.Is(err, enough) {
		t.Errorf("got %v, want what the listener said", err)
	}
	d = &controltest.Device{Errors: map[string]error{"ExamineReach": control.ErrNoDevice}}
	c = dial(t, serve(t, d))
	if err := c.ExamineReach(t.Context(), "x", func(control.Reached) error { return nil }); !errors.Is(err, control.ErrNoDevice) {
		t.Errorf("got %v, want ErrNoDevice", err)
	}
}

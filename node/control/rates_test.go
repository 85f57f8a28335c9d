package control_test

import (
	"errors"
	"fmt"
	"reflect"
	"testing"

	"github.com/kithmesh/kith/node/control"
	"github.com/kithmesh/kith/node/control/controltest"
)

func TestLimitsCrossTheSocketAsTheyAre(t *testing.T) {
	want := control.LimitList{
		Limits: []control.Limit{
			{Up: 500_000, Down: control.NoLimit, Between: "08:00-18:00", Now: true},
			{Device: control.Identity{ID: "id", Name: "phone"}, Down: 1},
		},
		LAN: control.NoLimit, Up: 1, Down: 2, Metered: true, OnMetered: "lan", Battery: 7, Saving: true,
	}
	d := &controltest.Device{Limited: want}
	c, err := control.Dial(t.Context(), serve(t, d))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if got, err := c.Limits(t.Context(), "phone"); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
	r := control.LimitRequest{Device: "phone", Between: "8-9", Up: 1, Down: control.NoLimit, LAN: 3, Clear: true}
	if got, err := c.SetLimits(t.Context(), r); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
	if asked := d.Asked(); !reflect.DeepEqual(asked, []string{"Limits phone", fmt.Sprintf("SetLimits %+v", r)}) {
		t.Errorf("%q", asked)
	}
	if _, err := c.SetLimits(t.Context(), control.LimitRequest{Up: -2}); !errors.Is(err, control.ErrInvalid) {
		t.Error(err)
	}
}

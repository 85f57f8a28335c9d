package rescue

import (
	"testing"

	"github.com/kithmesh/kith/node/recovery/recoverytest"
)

func TestWhatWitnessesTellIsBounded(t *testing.T) {
	f := recoverytest.New(t, recoverytest.Device(t), "docs")
	x := New(recoverytest.Secret(t))
	all := f.Statements()
	if err := x.learn(f.Folder(), all); err != nil || x.heard != len(all[0].Encode()) {
		t.Fatalf("%d bytes, %v", x.heard, err)
	}
	x.heard = maxTold - 2*len(all[0].Encode())
	if err := x.learn(f.Folder(), all); err != nil {
		t.Errorf("below the bound: %v", err)
	}
	x.heard++
	if err := x.learn(f.Folder(), all); err == nil {
		t.Error("above the bound there is no end")
	}
}

package main

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/kithmesh/kith/node/control"
	"github.com/kithmesh/kith/node/control/controltest"
)

// answering is the client of a device that only answers.
func answering(t *testing.T, d *controltest.Device) *control.Client {
	t.Helper()
	dir, err := os.MkdirTemp("", "kith") // a short path, as sockets need
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	socket := filepath.Join(dir, "s")
	s, err := control.Listen(socket, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx, d.Groups()) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	c, err := control.Dial(t.Context(), socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func TestAPersonIsAskedOnceBeforeAnythingIsPublished(t *testing.T) {
	off := control.Discovery{Mode: "off"}
	for name, c := range map[string]struct {
		was       control.Discovery
		answer    string
		json      bool
		on, asked bool
		told      string
	}{
		"yes":           {off, "y\n", false, true, true, "strangers"},
		"no":            {off, "n\n", false, false, true, "strangers"},
		"nothing":       {off, "", false, false, true, "strangers"},
		"a script":      {off, "", true, true, false, "public from now on"},
		"already":       {control.Discovery{Mode: "public"}, "", false, false, false, ""},
		"a private DHT": {control.Discovery{Mode: "private"}, "", false, false, false, ""},
	} {
		d := &controltest.Device{Discovery: c.was}
		var errs bytes.Buffer
		a := &app{in: strings.NewReader(c.answer), err: &errs, inTerminal: true, json: c.json}
		err := a.widen(t.Context(), answering(t, d), "")
		declined := c.asked && !c.on
		if errors.Is(err, errDeclined) != declined || !declined && err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if slices.Contains(d.Asked(), "Widen true") != c.on {
			t.Errorf("%s: the device was asked %q", name, d.Asked())
		}
		if strings.Contains(errs.String(), "[y/N]") != c.asked || !strings.Contains(errs.String(), c.told) || c.told == "" && errs.Len() > 0 {
			t.Errorf("%s: a person reads %q", name, errs.String())
		}
	}
}

package main

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/kithmesh/kith/node/control"
)

func TestEventsOfSeveralFoldersComeNewestFirst(t *testing.T) {
	began := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	folder := func(text string) events { // a minute of receipt each, ? if it is in no history yet, ! is an error
		return func(yield func(control.LogEvent, error) bool) {
			for word := range strings.FieldsSeq(text) {
				if word == "!" {
					yield(control.LogEvent{}, errors.New("broken"))
					return
				}
				e := control.LogEvent{Path: word, At: began}
				minutes := 0
				if n, _ := fmt.Sscanf(word, "%d", &minutes); n == 1 {
					e.Received = began.Add(time.Duration(minutes) * time.Minute)
				}
				if !yield(e, nil) {
					return
				}
			}
		}
	}
	for _, c := range []struct {
		folders []events
		most    int
		want    string
	}{
		{nil, 9, ""},
		{[]events{folder("3 2 1")}, 9, "3 2 1"},
		{[]events{folder("9a 5a 1a"), folder(""), folder("?b 8b 6b 0b")}, 9, "?b 9a 8b 6b 5a 1a 0b"},
		{[]events{folder("9a 5a 1a"), folder("8b 6b 0b")}, 3, "9a 8b 6b"},
		{[]events{folder("9a 5a !"), folder("8b 6b 0b")}, 9, "9a 8b 6b 5a broken"},
	} {
		var got []string
		for e, err := range newestFirst(c.folders) {
			if err != nil {
				e.Path = err.Error()
			}
			got = append(got, e.Path)
			if len(got) == c.most {
				break
			}
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}

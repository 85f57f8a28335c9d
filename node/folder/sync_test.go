package folder_test

import (
	"testing"
)

func TestWhatOneDeviceHasTheOtherGets(t *testing.T) {
	w, a, b := two(t)
	a.write("a.txt", "one")
	a.mkdir("empty")
	a.write("d/e/f", "two")
	a.symlink("link", "d/e")
	b.write("from b", "three")
	w.settle()
	f := w.agree()
	if len(f) != 7 {
		t.Fatal(f)
	}
}

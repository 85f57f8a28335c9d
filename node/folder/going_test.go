package folder_test

import "testing"

// A file is deleted here while a newer version of it arrives: the delete waits
// a moment for more of its kind, and must not wait for ever.
func TestADeleteMeetsAChangeThatArrivesWhileItWaits(t *testing.T) {
	for name, change := range map[string]func(a *device){
		"an edit":     func(a *device) { a.write("f", "two") },
		"a large one": func(a *device) { a.write("f", string(make([]byte, 1<<20))) },
		"a mode":      func(a *device) { a.chmod("f", 0o600) },
		"a move":      func(a *device) { a.rename("f", "g") },
		"a directory": func(a *device) { a.remove("f"); a.mkdir("f/e") },
		"one beside":  func(a *device) { a.write("d/new", "new") },
	} {
		t.Run(name, func(t *testing.T) {
			w, a, b := two(t)
			a.write("f", "one")
			a.mkdir("d")
			w.settle()
			w.cut(a, b)
			change(a)
			a.quiet()
			h := w.byHand(a, b)
			news := h.batch(100)
			b.remove("f")
			b.remove("d")
			h.tell(news)
			b.quiet()
			h.leave()
			w.link(a, b)
			w.settle()
			w.agree()
		})
	}
}

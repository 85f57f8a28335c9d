//go:build linux

package meshtest

import (
	"crypto/sha256"
	"testing"
)

// TestTheBookKnowsWhatIsOwed tells small stories, and asks what a tree without
// the content would be blamed for.
func TestTheBookKnowsWhatIsOwed(t *testing.T) {
	const copied = "a (conflict, moon, 2026-01-02 03.04.05 abcd)"
	s := sum(sha256.Sum256([]byte("story")))
	stories := []struct {
		name   string
		strict bool
		tell   func(b *book, sun, moon *user)
		owed   bool
	}{
		{"what was put is owed", false, func(b *book, sun, _ *user) { b.put(sun, "a", s) }, true},
		{"what did not come to pass is not", false, func(b *book, sun, _ *user) {
			b.put(sun, "a", s)
			b.unput("a", s)
		}, false},
		{"what another has seen and replaced is not", false, func(b *book, sun, moon *user) {
			b.put(sun, "a", s)
			b.drop(moon, "a", s)
		}, false},
		{"what was replaced elsewhere still is", false, func(b *book, sun, moon *user) {
			b.put(sun, "a", s)
			b.drop(moon, "b", s)
		}, true},
		{"what was thrown away as a conflict copy is not", false, func(b *book, sun, moon *user) {
			b.put(sun, "a", s)
			moon.step++
			b.erase(moon, copied, s)
		}, false},
		{"what was renamed is owed at its new name", false, func(b *book, sun, _ *user) {
			b.put(sun, "a", s)
			b.put(sun, "b", s)
			b.erase(sun, "a", s)
		}, true},
		{"what was taken away and put back is owed", false, func(b *book, sun, _ *user) {
			b.put(sun, "a", s)
			b.erase(sun, "a", s)
			b.put(sun, "a", s)
		}, true},
		{"what was put back unseen goes with the delete of another", false, func(b *book, sun, moon *user) {
			b.put(sun, "a", s)
			b.agree()
			b.erase(sun, "a", s)
			b.erase(moon, "a", s)
			b.put(sun, "a", s)
		}, false},
		{"what was put back unseen goes as another replaces it", false, func(b *book, sun, moon *user) {
			b.put(sun, "a", s)
			b.agree()
			b.drop(sun, "a", s)
			b.drop(moon, "a", s)
			b.put(sun, "a", s)
		}, false},
		{"what is put where another has replaced it is owed", false, func(b *book, sun, moon *user) {
			b.put(moon, "a", s)
			b.drop(moon, "a", s)
			b.put(sun, "a", s)
		}, true},
		{"what is put back after all knew of its going is owed", false, func(b *book, sun, moon *user) {
			b.put(sun, "a", s)
			b.erase(moon, "a", s)
			b.agree()
			b.put(sun, "a", s)
		}, true},
		{"a strict book excuses nothing", true, func(b *book, sun, moon *user) {
			b.put(sun, "a", s)
			b.erase(moon, "a", s)
			b.put(sun, "a", s)
		}, true},
	}
	for _, story := range stories {
		t.Run(story.name, func(t *testing.T) {
			m := &mesh{book: newBook(1)}
			m.book.strict = story.strict
			if err := m.journal.open(t.TempDir() + "/journal"); err != nil {
				t.Fatal(err)
			}
			defer m.journal.close()
			story.tell(m.book, &user{m: m, d: &device{name: "sun"}, step: 1}, &user{m: m, d: &device{name: "moon"}, step: 1})
			m.judgeLost(listing{})
			if m.failed() != story.owed {
				t.Errorf("owed: %t", !story.owed)
			}
		})
	}
}

func TestAStrictBookLetsNoContentComeToAPathTwice(t *testing.T) {
	b := newBook(1)
	b.strict = true
	s := sum(sha256.Sum256([]byte("story")))
	sun := &user{d: &device{name: "sun"}}
	b.put(sun, "b", s)
	b.unput("b", s)
	b.put(sun, "a", s)
	b.erase(sun, "a", s)
	if b.mayCome(s, "a") || !b.mayCome(s, "b") || !b.mayCome(s, "c") {
		t.Error("it may come where it was, or not where it was not")
	}
}

package storytest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// history is what two people do to one folder, for as long as it takes, with
// what they write kept in mind as secrets.
type history struct {
	*trio
	rng          *rand.Rand
	secrets      *secrets
	ours, theirs *hand
	acts         int
	moments      []moment
}

// contended is a directory where both write the same files.
const contended = "contended"

// newHistory begins one: all take part, and agree.
func newHistory(r *trio) *history { return newHistoryOf(r, (*device).start) }

// newHistoryOf begins one of devices that are started in some way.
func newHistoryOf(r *trio, start func(*device)) *history {
	r.t.Helper()
	h := &history{trio: r, rng: chance(r.t, "what happens"), secrets: newSecrets(chance(r.t, "secrets"))}
	copyTree(r.t, goSource(r.t), r.laptop.files, size(40, 400))
	oddities(r.t, r.laptop.files)
	write(r.t, r.laptop.at(shared+"/from before"), "nobody touches it")
	for i := range 6 {
		write(r.t, r.laptop.at(fmt.Sprintf("papers %d/%s", i, h.secrets.word("a name"))), "it says "+h.secrets.word("a text"))
	}
	r.begin(start)
	h.moments = append(h.moments, r.settle())
	h.ours, h.theirs = hands(r.t, r.laptop, r.phone, 0)
	return h
}

// work has both do so many things at once, and each a little to what is
// contended.
func (h *history) work(each int, clash bool) {
	h.t.Helper()
	h.ours.most, h.theirs.most = each, each
	var both sync.WaitGroup
	for i, hand := range []*hand{h.ours, h.theirs} {
		both.Go(func() {
			for range each {
				act := hand.act
				switch hand.rng.IntN(10) {
				case 0, 1:
					act = func() error { return plant(hand, h.secrets.word) }
				case 2:
					if clash {
						act = func() error { return clashAt(hand, i) }
					}
				}
				if err := act(); err != nil {
					h.t.Errorf("%s: %v", hand.mark, err)
					return
				}
				let(between(hand.rng, 0, 25*time.Millisecond))
			}
		})
	}
	both.Wait()
	h.acts += 2 * each
	if h.t.Failed() {
		h.t.FailNow()
	}
}

// plant does something with a name or a text that is a secret.
func plant(h *hand, word func(string) string) error {
	to := filepath.Join(h.directory(), "the "+word("a name"))
	what := [...]string{"plant", "plant in", "rename to plant", "link to", "make planted"}[h.rng.IntN(5)]
	h.done = append(h.done, time.Now().Format("15:04:05.000 ")+what+" "+quoted(to))
	old, err := h.file()
	if err != nil {
		what = "plant"
	}
	switch what {
	case "plant in":
		f, err := os.OpenFile(h.at(old), os.O_WRONLY|os.O_APPEND, 0)
		if err != nil {
			return err
		}
		_, err = f.WriteString("\nadded: " + word("a text") + "\n")
		return errors.Join(err, f.Close())
	case "rename to plant":
		return os.Rename(h.at(old), h.at(to))
	case "link to":
		return os.Symlink("../"+word("a target"), h.at(to))
	case "make planted":
		if err := os.Mkdir(h.at(to), 0o755); err != nil {
			return err
		}
		to = filepath.Join(to, word("a name"))
	}
	return os.WriteFile(h.at(to), []byte(strings.Repeat("it says "+word("a text")+"\n", 1+h.rng.IntN(200))), 0o644)
}

// clashAt changes something that the other may change at the same moment.
func clashAt(h *hand, who int) error {
	at := filepath.Join(contended, fmt.Sprint(h.rng.IntN(6)))
	h.done = append(h.done, time.Now().Format("15:04:05.000 ")+"clash at "+quoted(at))
	if err := os.MkdirAll(h.at(contended), 0o755); err != nil {
		return err
	}
	var err error
	switch h.rng.IntN(6) {
	case 0:
		err = os.Remove(h.at(at))
	case 1:
		err = os.Mkdir(h.at(at), 0o755)
	case 2:
		err = os.Symlink(fmt.Sprintf("%d-%d", who, h.rng.Uint32()), h.at(at))
	default:
		err = os.WriteFile(h.at(at), noise(h.rng, 1+h.rng.IntN(3000)), 0o644)
	}
	var hindered *os.PathError
	if errors.As(err, &hindered) || errors.Is(err, syscall.EEXIST) {
		return nil // by what the other has put there
	}
	return err
}

// trouble keeps the devices apart in one way or another until it is ended.
func (h *history) trouble() (ended func()) {
	h.t.Helper()
	again := func(d *device) func() {
		return func() { h.t.Helper(); d.start() }
	}
	switch h.rng.IntN(5) {
	case 0:
		h.phone.stop()
		return again(h.phone)
	case 1:
		h.phone.kill()
		return again(h.phone)
	case 2:
		h.nas.kill()
		return again(h.nas)
	case 3:
		h.laptop.kill()
		return again(h.laptop)
	}
	h.laptop.do(nil, "pause")
	return func() { h.t.Helper(); h.laptop.do(nil, "resume") }
}

// round is some work, often with the devices apart, after which all agree.
func (h *history) round(each int) {
	h.t.Helper()
	if h.rng.IntN(2) == 0 {
		end := h.trouble()
		h.work(max(1, each/2), true)
		end()
		each -= each / 2
	}
	h.work(max(1, each), h.rng.IntN(3) == 0)
	m := h.settle()
	h.moments = append(h.moments, m)
}

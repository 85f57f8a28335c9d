package rendezvous

import (
	"fmt"
	"os"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
)

// With KITH_TEST_COSTS set, this prints what boards cost; it is too slow, and
// too much at the mercy of the machine, to be a test otherwise. The last part
// takes as long as that variable says, such as 60s.
func TestWhatBoardsCost(t *testing.T) {
	idle, err := time.ParseDuration(os.Getenv("KITH_TEST_COSTS"))
	if err != nil {
		t.Skip("KITH_TEST_COSTS is not set to a time")
	}
	for _, n := range []int{2, 5, 20} {
		t.Run(fmt.Sprint(n), func(t *testing.T) { costsOf(t, n, idle) })
	}
}

func costsOf(t *testing.T, n int, idle time.Duration) {
	before, goroutines := heap(), runtime.NumGoroutine()
	first := enact(t, Options{})
	all := []*actor{first}
	for range n - 1 {
		all = append(all, enact(t, Options{Bootstrap: first.Nodes()}))
	}
	for _, a := range all {
		eventually(t, "all are in the DHT", func() bool { return a.Health().Nodes >= min(n-1, 7) })
	}
	others := make([]peer.ID, 50)
	for i := range others {
		_, others[i] = deviceOf(t)
	}
	a, b := all[len(all)-1], all[len(all)/2]
	cost := func(what string, do func(int)) {
		sent, begun := a.Health().Sent, time.Now()
		for i := range others {
			do(i)
		}
		took := time.Since(begun) / time.Duration(len(others))
		t.Logf("%s: %s, %.1f messages", what, took, float64(a.Health().Sent-sent)/float64(len(others)))
	}
	cost("publish", func(i int) {
		if err := a.Publish(within(t), others[i], place(1)); err != nil {
			t.Fatal(err)
		}
	})
	if err := b.Publish(within(t), a.id, place(1)); err != nil {
		t.Fatal(err)
	}
	cost("find", func(int) {
		if _, err := last(t, a, b.id); err != nil {
			t.Fatal(err)
		}
	})
	cost("find nothing", func(i int) { _, _ = last(t, a, others[i]) })
	t.Logf("busy, a board: %d KiB of heap, %d goroutines, %d connections", (heap()-before)>>10/n, (runtime.NumGoroutine()-goroutines)/n, a.Health().Connections)

	for _, a := range all {
		a.Moved() // as after a while
	}
	var from, to syscall.Rusage
	sent := a.Health().Sent
	<-time.After(time.Second)
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &from)
	<-time.After(idle)
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &to)
	spent := func(u syscall.Rusage) time.Duration { return time.Duration(u.Utime.Nano() + u.Stime.Nano()) }
	t.Logf("idle for %s, a board: %d KiB of heap, %d goroutines, %d connections, %d messages, %s of CPU, %.2f switches a second", idle,
		(heap()-before)>>10/n, (runtime.NumGoroutine()-goroutines)/n, a.Health().Connections, a.Health().Sent-sent,
		(spent(to)-spent(from))/time.Duration(n), float64(to.Nvcsw-from.Nvcsw)/idle.Seconds()/float64(n))
}

func heap() int {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc + m.StackInuse)
}

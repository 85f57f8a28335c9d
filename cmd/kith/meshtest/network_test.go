//go:build linux

package meshtest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// network is a namespace for each device and one, the hub, that passes on what
// they send each other, or loses it without a word: the way from any device to
// any other can be cut, also in one direction only. Nothing of it can be seen
// from outside.
type network struct {
	prefix  string
	devices int

	mu   sync.Mutex
	cut  map[way]bool
	slow map[int]bool
}

// way leads from one device to another.
type way struct{ from, to int }

var networks atomic.Int32

// canSlow tells whether ways can be slow: that needs the tc command. It is
// known once cannotPartition has been asked.
var canSlow bool

// cannotPartition says why there can be no partitions here, if so.
var cannotPartition = sync.OnceValue(func() string {
	if os.Geteuid() != 0 {
		return "partitions need network namespaces, and those need root"
	}
	if _, err := exec.LookPath("ip"); err != nil {
		return "partitions need the ip command (iproute2)"
	}
	n, err := newNetwork(context.Background(), 2)
	if err != nil {
		return "network namespaces cannot be made here: " + err.Error()
	}
	defer n.remove()
	if err := n.cutOnly(context.Background(), []way{{0, 1}}); err != nil {
		return "ways cannot be cut here: " + err.Error()
	}
	canSlow = n.slowOnly(context.Background(), []int{0}) == nil
	return ""
})

func newNetwork(ctx context.Context, devices int) (*network, error) {
	n := &network{prefix: fmt.Sprintf("kmesh%dn%d", os.Getpid(), networks.Add(1)), devices: devices, cut: map[way]bool{}, slow: map[int]bool{}}
	n.remove() // what an earlier run that was killed has left under this number
	commands := [][]string{words("netns add %s", n.hub())}
	for i := range devices {
		commands = append(commands,
			words("netns add %s", n.space(i)),
			words("-n %s link set lo up", n.space(i)),
			words("-n %s link add p%d type veth peer name e0 netns %s", n.hub(), i, n.space(i)),
			words("-n %s addr add %s/30 dev p%d", n.hub(), n.door(i), i),
			words("-n %s link set p%d up", n.hub(), i),
			words("-n %s addr add %s/30 dev e0", n.space(i), n.address(i)),
			words("-n %s link set e0 up", n.space(i)),
			words("-n %s route add default via %s", n.space(i), n.door(i)))
	}
	commands = append(commands, append(words("netns exec %s sh -c", n.hub()), "echo 1 > /proc/sys/net/ipv4/ip_forward"))
	for _, c := range commands {
		if err := ip(ctx, c); err != nil {
			n.remove()
			return nil, err
		}
	}
	return n, nil
}

func (n *network) hub() string          { return n.prefix + "h" }
func (n *network) space(i int) string   { return fmt.Sprintf("%sd%d", n.prefix, i) }
func (n *network) door(i int) string    { return fmt.Sprintf("10.231.7.%d", 4*i+1) }
func (n *network) address(i int) string { return fmt.Sprintf("10.231.7.%d", 4*i+2) }

// group lets just those devices hear each other that have the same number;
// those that are given none have the number 0.
func (n *network) group(ctx context.Context, groups []int) error {
	groups = append(slices.Clone(groups), make([]int, n.devices-len(groups))...)
	var cuts []way
	for _, w := range n.ways() {
		if groups[w.from] != groups[w.to] {
			cuts = append(cuts, w)
		}
	}
	return n.cutOnly(ctx, cuts)
}

// ways are all there are.
func (n *network) ways() []way {
	var out []way
	for i := range n.devices {
		for j := range n.devices {
			if i != j {
				out = append(out, way{i, j})
			}
		}
	}
	return out
}

// cutOnly cuts these ways and opens all others.
func (n *network) cutOnly(ctx context.Context, cuts []way) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, w := range n.ways() {
		want := slices.Contains(cuts, w)
		if want == n.cut[w] {
			continue
		}
		do := "del"
		if want {
			do = "add"
		}
		err := ip(ctx, words("-n %s rule %s from %s to %s blackhole pref %d",
			n.hub(), do, n.address(w.from), n.address(w.to), 100+w.from*n.devices+w.to))
		if err != nil {
			return err
		}
		n.cut[w] = want
	}
	return nil
}

// slowOnly lets these devices, and no others, hear only some hundred thousand
// bytes a second.
func (n *network) slowOnly(ctx context.Context, devices []int) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	for i := range n.devices {
		want := slices.Contains(devices, i)
		if want == n.slow[i] {
			continue
		}
		command := words("-n %s qdisc del dev p%d root", n.hub(), i)
		if want {
			command = words("-n %s qdisc add dev p%d root tbf rate 1mbit burst 32kb latency 200ms", n.hub(), i)
		}
		if err := run(ctx, "tc", command); err != nil {
			return err
		}
		n.slow[i] = want
	}
	return nil
}

// remove deletes all, as far as it is there.
func (n *network) remove() {
	for i := range n.devices {
		_ = exec.Command("ip", "netns", "del", n.space(i)).Run()
	}
	_ = exec.Command("ip", "netns", "del", n.hub()).Run()
}

// words divides a command at its spaces.
func words(format string, args ...any) []string { return strings.Fields(fmt.Sprintf(format, args...)) }

func ip(ctx context.Context, command []string) error { return run(ctx, "ip", command) }

func run(ctx context.Context, program string, command []string) error {
	out, err := exec.CommandContext(ctx, program, command...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s %s: %w: %s", program, strings.Join(command, " "), err, out)
	}
	return nil
}

//go:build linux

package meshtest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// network is a namespace for each device and one, the hub, in which as many
// bridges lie as there are devices: those whose ports are on one bridge hear
// each other. Nothing of it can be seen from outside.
type network struct {
	prefix  string
	devices int
}

// cannotPartition says why there can be no partitions here, if so.
func cannotPartition() string {
	if os.Geteuid() != 0 {
		return "partitions need network namespaces, and those need root"
	}
	if _, err := exec.LookPath("ip"); err != nil {
		return "partitions need the ip command (iproute2)"
	}
	name := fmt.Sprintf("kmesh%dt", os.Getpid())
	if err := exec.Command("ip", "netns", "add", name).Run(); err != nil {
		return "network namespaces cannot be made here: " + err.Error()
	}
	_ = exec.Command("ip", "netns", "del", name).Run()
	return ""
}

func newNetwork(ctx context.Context, devices int) (*network, error) {
	n := &network{prefix: fmt.Sprintf("kmesh%d", os.Getpid()), devices: devices}
	n.remove() // what an earlier run that was killed has left under this number
	lines := []string{"netns add " + n.hub()}
	for i := range devices {
		lines = append(lines, fmt.Sprintf("-n %s link add br%d type bridge", n.hub(), i), fmt.Sprintf("-n %s link set br%d up", n.hub(), i))
	}
	for i := range devices {
		ns := n.space(i)
		lines = append(lines,
			"netns add "+ns,
			fmt.Sprintf("-n %s link set lo up", ns),
			fmt.Sprintf("-n %s link add p%d type veth peer name e0 netns %s", n.hub(), i, ns),
			fmt.Sprintf("-n %s link set p%d master br0 up", n.hub(), i),
			fmt.Sprintf("-n %s addr add %s/24 dev e0", ns, n.address(i)),
			fmt.Sprintf("-n %s link set e0 up", ns))
	}
	for _, l := range lines {
		if err := ip(ctx, l); err != nil {
			n.remove()
			return nil, err
		}
	}
	return n, nil
}

func (n *network) hub() string          { return n.prefix + "h" }
func (n *network) space(i int) string   { return fmt.Sprintf("%sd%d", n.prefix, i) }
func (n *network) address(i int) string { return fmt.Sprintf("10.231.7.%d", i+1) }

// group puts each device on the bridge that groups says.
func (n *network) group(ctx context.Context, groups []int) error {
	for i, g := range groups {
		if err := ip(ctx, fmt.Sprintf("-n %s link set p%d master br%d", n.hub(), i, g)); err != nil {
			return err
		}
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

func ip(ctx context.Context, line string) error {
	out, err := exec.CommandContext(ctx, "ip", strings.Fields(line)...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("ip %s: %w: %s", line, err, out)
	}
	return nil
}

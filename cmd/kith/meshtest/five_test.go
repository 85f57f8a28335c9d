//go:build linux

package meshtest

import (
	"flag"
	"slices"
	"testing"
	"time"
)

var (
	flagFor     = flag.Duration("mesh-for", 0, "how long the storm of TestMeshOfFive lasts; 0 is a few seconds, with three devices")
	flagPairing = flag.String("mesh-pairing", "", "how the devices of TestMeshOfFive are paired: all, or a chain or star whose ends meet by the folder's roster; if not given, as the seed has it")
)

// TestMeshOfFive lets five devices, each in a network of its own, be worked on
// by five users at once while the ways between them are cut and opened and the
// devices are killed, frozen and restarted; then all heals. What is there then
// has to be just what it ought to be: see the package's comment.
func TestMeshOfFive(t *testing.T) {
	if testing.Short() {
		t.Skip("starts devices; not in short mode")
	}
	if reason := cannotPartition(); reason != "" {
		t.Skip(reason)
	}
	t.Parallel()
	p := plan{seed: *flagSeed, profile: storm, devices: 5, lasting: *flagFor, pairing: *flagPairing, backup: *flagBackup}
	pairings := []string{pairAll, pairChain, pairStar}
	if p.pairing == "" {
		p.pairing = pairings[p.seed%3]
	}
	if !slices.Contains(pairings, p.pairing) {
		t.Fatalf("no pairing %q; there are %q", p.pairing, pairings)
	}
	if p.lasting == 0 {
		p.devices, p.lasting = 3, 6*time.Second
	}
	if *flagDevices > 0 {
		p.devices = *flagDevices
	}
	settled := runMesh(t, p, build(t))
	t.Logf("settled: %v", settled)
}

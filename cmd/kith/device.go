package main

import (
	"context"

	"github.com/kithmesh/kith/node"
)

// runDevice runs a device until ctx ends. It is a variable so that tests can
// put a device of their own in its place.
var runDevice = func(ctx context.Context, o upOptions) error {
	return node.Run(ctx, node.Options{
		Places: o.Places, Settings: o.Settings, Software: "kith/" + thisBuild().Version, Log: o.Log, Ready: o.Ready,
	})
}

// decryptVault opens a vault with no device running; nil if this program
// cannot.
var decryptVault decrypter

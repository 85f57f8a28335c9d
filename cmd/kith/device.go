package main

import (
	"context"

	"github.com/kithmesh/kith/node"
	"github.com/kithmesh/kith/node/control"
)

// runDevice runs a device until ctx ends. It is a variable so that tests can
// put a device of their own in its place.
var runDevice = func(ctx context.Context, o upOptions) error {
	return node.Run(ctx, node.Options{
		Places: o.Places, Settings: o.Settings, Software: "kith/" + thisBuild().Version, Log: o.Log, Reader: o.Reader, Level: o.Level,
		Ready: o.Ready,
	})
}

// decryptVault opens a vault with no device running.
var decryptVault decrypter = func(
	ctx context.Context, r decryptRequest, progress func(control.RestoreProgress),
) (control.Restored, error) {
	return node.Decrypt(ctx, node.DecryptRequest(r), progress)
}

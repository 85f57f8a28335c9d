// Package control is the local API of a running device, server and client
// together: how the kith command, or any program of the same user, asks a
// device for things.
//
// It speaks Connect over a unix socket that only the device's owner can open;
// the schema is proto/controlpb/control.proto. Callers see neither: [Server]
// serves a [Device] given as plain Go interfaces, and [Client] implements the
// same interfaces on the other side, so that code cannot tell whether it talks
// to a device directly or through a socket.
//
// # Promises
//
//   - An error keeps its meaning across the socket: [errors.Is] with the
//     sentinels of this package holds on the client for what held on the
//     device, and [Describe] gives it a stable code and a hint.
//   - One process at a time serves a socket. A socket left by a process that
//     died is taken over, one that answers never is.
//   - Nobody but the owner of the process, and root, is served.
//   - What a client sends is bounded in size and time before it is looked at.
//
// # Concurrency
//
// Server and Client are safe for use by several goroutines. A server's Run
// returns after the last of its handlers has.
package control

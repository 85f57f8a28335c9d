// Package rendezvous knows where paired devices have gone: it has them leave
// notices for each other on a board that is nobody's, a Kademlia DHT.
//
// A [Board] is this device's node on a DHT, under an identity that is used for
// nothing else and has no connection with that of the device: a host of its
// own, on ports of its own. For each device of a pair there is a slot for each
// day, whose place, signing key and sealing key come of a secret that only the
// two have: X25519 between their device keys, which their IDs hold, so that no
// exchange is needed. A notice is an IPNS record in that slot, which the public
// DHT takes as any other; its value is the device's addresses, sealed and
// padded to 512 bytes.
//
// # Promises
//
//   - Who does not have the private key of one of a pair does not find the
//     pair's notices, cannot read or write them, and cannot tell from the keys
//     of two days that they are of the same pair.
//   - What is found was written by the other of the pair, for this device, on
//     that day, and is no older than what was found before. All else is refused
//     before any of it is used.
//   - No device ID is told to anybody, but by [Board.PublishPlate].
//   - This device dials no address on a stranger's word but public ones, and, in
//     a private DHT, such as are on a network of its own.
//   - What the board costs is bounded, whoever takes part: connections, memory,
//     what it stores for others. With nothing to do it has no connections and
//     sends nothing.
//
// # What others see
//
// The nodes of a DHT see of each that talks to them its IP address, the ID of
// its node, and which keys it asks for or writes, when, and how often. In the
// public DHT those are strangers' nodes anywhere, a few dozen for each notice.
// Who talks to them says no more than that it uses libp2p, but those that store
// a record can tell by its form that it is kith's. The ID of the node is another
// one after each start. In a private DHT they are the boards of devices that have
// been told of it, one's own and those of people one is paired with, and of
// strangers if those come to know an address of one: it does not ask who they
// are. There the ID of the node stays the same, until its file is deleted; so
// they can tell that it is the same node which was at another address before.
//
// From which keys a node writes and asks for, those that store them can
// conclude that the one that writes a key and the one that asks for it belong
// together, and how many devices one has (a key for each, all written by the
// same node). With both IP addresses, that is who talks with whom, as whoever
// sees the connection between the two could tell as well. They do not learn
// which devices these are, what the addresses in the notice are, nor, after the
// keys have changed at midnight UTC, which of the new keys are of the same pair,
// unless the node that writes them has kept its ID or its IP address.
//
// An observer who knows the ID of a device and takes part in the DHT finds
// nothing by it: it is in no key, no record and no provider record, and nodes
// have other IDs. It can confirm nothing by trying either, even if it knows the
// IDs of both of a pair. Nodes can withhold what they store, or flood a private
// DHT; that keeps devices from finding each other there, and nothing else.
//
// A quantum computer that breaks X25519 gets the secret of a pair from the two
// public keys alone, so from the IDs of both, and with it all the notices of
// the pair that it finds, or has kept: addresses, past and present, and the
// right to write others. It gets no further by that: connections between
// devices are made with a post-quantum key exchange, and prove the device keys,
// which would have to be broken at that time. It needs the IDs, which strangers
// do not have.
//
// A plate is found by whoever knows its number or tries it; each try costs some
// 50 ms for each day.
//
// # The clock
//
// Notices are found by the day, and records expire by it. Devices whose clocks
// are more than a day apart do not find each other.
//
// # Lifecycle
//
// [New] binds the listening sockets, and the libraries' host and DHT begin to
// accept there. [Board.Run] does what is to be done in the background. After it
// has returned, [Board.Close] ends the rest. A [Board] is safe for concurrent
// use.
package rendezvous

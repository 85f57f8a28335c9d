// Package meshtest runs two to four real devices, lets people and faults loose
// on them, and judges what becomes of their files.
//
// It holds tests only, and knows kith as a person does: by its command line,
// the JSON that this prints, and the files in its folders. A generator with a
// seed works on a small set of paths, so that devices often meet at one of
// them; meanwhile devices are killed, frozen, restarted and cut off from each
// other. Then all is healed, and after kith wait the judge looks at the trees:
//
//   - I1: they are equal in names, types, bytes, link targets and execute bits;
//   - I2: what nobody has knowingly superseded is on every device, at its path
//     or in a conflict copy;
//   - I3: nothing comes back and no conflict copy appears where only one
//     device was busy;
//   - I4: at any moment, a file that can be seen is something that was written
//     in full;
//   - I5: nothing outside the folders has changed;
//   - I6: all that with kill -9 at any moment.
//
// go test runs a few short meshes. Long ones:
//
//	go test ./cmd/kith/meshtest -timeout 2h -mesh-runs 200 -mesh-ops 40
//	    -mesh-devices 3 -mesh-profile core,kill -mesh-faults kill,freeze -mesh-seed 7
//
// What fails prints the command that replays it. The operations of a seed are
// the same each time; how they fall between the steps of the devices is not.
// With -mesh-keep the directories of a failed run stay. Partitions need root
// and the ip command: each device then lives in a network namespace of its own.
package meshtest

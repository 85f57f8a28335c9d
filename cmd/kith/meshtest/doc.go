// Package meshtest runs two to six real devices, lets people and faults loose
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
//   - I3: nothing comes back, no conflict copy appears and nothing changes
//     where only one device was busy, or none;
//   - I4: at any moment, a file that can be seen is something that was written
//     in full;
//   - I5: nothing outside the folders has changed;
//   - I6: all that with kill -9 at any moment;
//   - I7: with -mesh-backup, one device more keeps a backup, and every tree on
//     which all had agreed comes back from it.
//
// # A mesh of five
//
// [TestMeshOfFive] is the long storm: for as many minutes as are asked for,
// five users work at once, each at a device of its own, while the ways between
// the devices are cut and opened again every few seconds, in groups, chains,
// stars, one direction only; and devices are killed, frozen and restarted.
//
//	go test ./cmd/kith/meshtest -run TestMeshOfFive -mesh-for 10m -mesh-seed 1 -timeout 0
//
// It needs root and the ip command (iproute2), for a network namespace for each
// device; go test runs it for some seconds with three devices, or skips it. By
// seed, all devices are paired with all, or only with their neighbours in a
// chain or with the middle of a star, and the others get to know each other by
// the folder's roster.
//
// Every content is made once and comes to a path at most once, so the book that
// the users keep knows of each what was superseded by whom who saw it: I2 is
// exact, however long the storm. Where several users are busy at one path
// unseen by each other, what may come back is anybody's guess; so I3 is judged
// where it is exact: in relays, directories which one user at a time changes,
// who has seen all that went before; and after the storm, when all agree and
// each path is changed by one user, whatever has happened to it before. In the
// end the judge itself is judged: it has to find damages done by hand to the
// finished trees. TestTheJudgeFindsWhatIsPlanted does only that.
//
// # Short meshes
//
// [TestMesh] runs a few, of different profiles. Many and longer ones:
//
//	go test ./cmd/kith/meshtest -run TestMesh$ -timeout 2h -mesh-runs 200 -mesh-ops 40
//	    -mesh-devices 3 -mesh-profile core,kill -mesh-faults kill,freeze -mesh-seed 7
//
// What fails prints the command that replays it. The operations of a seed are
// the same each time; how they fall between the steps of the devices is not.
// With -mesh-keep the directories of a failed run and its journal stay.
package meshtest

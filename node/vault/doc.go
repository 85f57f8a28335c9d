// Package vault keeps sealed blocks and sealed records over time, for a device
// that can read nothing of them.
//
// One [Vault] is one directory and serves one folder: it has its own quota, its
// own damage and its own lock, and dropping a folder is removing a directory.
// Blocks and records go into append-only packs; an index, which can be rebuilt
// from the packs alone, knows where they are. Every version of every record is
// kept with the moment at which this vault received it, so the folder can be
// had as of any moment, until [Vault.Prune] drops what the policy of package
// retention does not keep. Nothing that comes from another device shortens
// anything: no method that serves one drops or replaces what is whole.
//
// # Promises
//
//   - What Put has returned nil for is durable, and a record only together with
//     all blocks that it names. A crash at any point loses nothing of it.
//   - Bytes that are not those that were put are never given out: each entry is
//     compared with its BLAKE3 sum when it is read.
//   - Moments ascend. Everything that one change of the vault stores has a later
//     one than all that was stored before, and than all pins, however the clock
//     is set.
//   - A block that a held version names is not dropped, nor one that was put or
//     asked for within the grace period; where it is not known which blocks are
//     named, none is dropped.
//   - Moments that the policy keeps, and pins, are the same before and after a
//     prune.
//   - A damaged index is noticed and rebuilt, damaged packs are noticed by
//     [Vault.Scrub], and what they held is named by [Vault.Damaged].
//
// # What a vault cannot know
//
// It cannot tell the true sealed form of a block from another under its ID. A
// device that lies could fill an ID before the true block comes. So a vault
// keeps up to [MaxVariants] different forms of a block, one of each giver, and
// tells who gave them: a holder of the key tries them all ([Vault.Blocks]), and
// notices by [Vault.Prove] that the vault holds none that is true, and gives it.
// Devices that are no longer trusted are named by [Vault.Doubt]. What was given
// first is never replaced by what comes later.
//
// It cannot know that two record IDs are one path: the IDs change with the keys
// of the folder. Of each ID the newest versions are kept; a holder of the keys
// opens all and merges by path.
//
// Nor can it know which of two versions with equal vectors is true: it keeps
// both.
//
// # Beside a tree
//
// The history of a device that has the files is a vault of the same format,
// opened as one that is partial and rolling. Partial: the tree holds what is
// newest, so records may come without blocks, and what is not there is no loss.
// Rolling: it has the room that is left over, so the oldest history goes where
// new would have none ([Vault.MakeRoom]). Only who opens a vault makes it so: one
// that was opened without Rolling drops nothing to make room, whoever gives what.
//
// # Newest
//
// Of the versions of a record that had been received by a moment, those are
// newest then that no other of these has seen, by their vectors alone. Which
// came first says nothing: an old version that comes late, from a device that
// was away, is superseded on arrival. Where devices have changed a path at
// once, several are newest, and all of them are kept for the moments at which
// they were; the one with the larger clock, then author, comes first, as
// everywhere else.
//
// # The directory
//
//	index.db                  the index, a bbolt file
//	index.new                 one that is being rebuilt, or written anew
//	packs/00000001.blocks     packs: their number, hexadecimal, and their class
//	packs/00000002.records
//
// Blocks have packs of their own, so that all records can be read without
// reading past blocks. Numbers are given to packs of both classes in turn and
// not used twice. A pack is appended to until it is full (32 MiB unless told
// otherwise), made durable before the index says what is in it, and then never
// changed. All numbers are little-endian but those in keys of the index, which
// are big-endian. A moment is in microseconds since 1970. A sum is BLAKE3, 32
// bytes.
//
// # Packs
//
// A pack begins with a header of 84 bytes:
//
//	offset bytes
//	     0     8  "kithpack"
//	     8     2  format, 1
//	    10     1  class: 1 blocks, 2 records
//	    11     1  bit 0: made of other packs by compaction
//	    12     4  number of the pack
//	    16    16  folder ID
//	    32    16  ID of the vault, random
//	    48     8  the last sequence number when the pack was begun
//	    56     8  the last moment then
//	    64     8  the moment from which on nothing had been dropped then
//	    72     8  the marker, random, the same in all packs of the vault
//	    80     4  CRC-32C of the 80 bytes before
//
// Then entries follow, without gaps. Each is a head of 104 bytes and its data:
//
//	offset bytes
//	     0     8  the marker
//	     8     1  kind
//	     9     1  zero
//	    10     2  giver: the number of the device that gave it, 0 for none
//	    12     4  epoch of the keys that sealed it, 0 if it is not sealed
//	    16     4  length of the data
//	    20     8  a record's sequence number, else the last that was given
//	    28     8  the moment of receipt, else the last that was given
//	    36    32  name
//	    68    32  sum of the data
//	   100     4  CRC-32C of the 100 bytes before
//
//	kind       name                         data
//	1 block    block ID                     the sealed block
//	2 record   record ID, 16 zeros          the record, see below
//	3 pin      pin ID (16), moment (8),     the sealed label
//	           8 zeros
//	4 drop     zeros                        the moment from which on nothing was
//	                                        dropped (8), then locations of entries
//	                                        that are dead, 8 bytes each: pack
//	                                        number (4), offset in it (4)
//	5 retire   zeros                        numbers of packs (4 each) that this
//	                                        one replaces
//	6 giver    zeros                        the device ID that the head's number
//	                                        of a giver stands for
//
// Blocks lie in packs of class 1 and all else in those of class 2, but givers
// and retirements, which lie in both: a giver is named in each pack before the
// first entry that it gave, and a retirement is the last entry of a pack made
// by compaction, which counts only with it.
//
// The data of a record:
//
//	16  record ID
//	 8  clock
//	 8  author: its replica ID
//	 2  number of counters; of each
//	      8  replica ID
//	      8  count
//	 4  number of blocks; of each
//	     32  block ID
//	      4  sealed size
//	 4  length of what is sealed, and then that
//
// The marker lets a search find the next entry behind a damaged one. No device is
// told it, so none can seal bytes that would pass for an entry there.
//
// Entries are alive until a drop names them or their pack is retired. Of two
// living entries of the same thing (a block ID or record ID and its sum, a pin
// ID) the one in the higher pack, and there at the higher offset, counts.
//
// # The index
//
// A bbolt file with a bucket for each table, in which every row ends with 4
// bytes: the CRC-32C of the table's name, the key and the value before them.
// The row "state" of the table of that name sums up all, the checksums of all
// other rows included, so that half an index never passes for a whole one.
//
//	blocks    block ID -> its forms, 35 bytes each: location (8), length (4),
//	          epoch (4), giver (2), flags (1), the first half of the sum (16)
//	records   record ID, first half of the sum -> sequence number (8), moment
//	          (8), location (8), length (4), epoch (4), giver (2), flags (1),
//	          clock (8), author (8), number of counters (2), the counters
//	sequence  sequence number (8) -> key in records
//	packs     number (4) -> class (1), flags (1: retired, 2: lies in the
//	          store, 4: may lie there), length (4), bytes in dead entries (4)
//	pins      pin ID -> moment (8), location (8), label
//	givers    number (2) -> device ID
//	marks     'b' and block ID, or 'r' and key in records -> when it was marked
//	          to be pruned (8)
//	damaged   kind (1), name of the entry or key in records (32), first half of
//	          the sum (16; zeros for a block that is lost) -> when it was found
//	          (8), giver (2)
//
// Bit 0 of flags says that the bytes in the pack are damaged.
//
// # How changes are made
//
// A change appends its entries to packs, syncs those, and then commits the
// index. What lies behind the lengths that the index knows was never
// acknowledged: opening takes in whole entries of it and cuts off the rest. A
// drop is an entry like any other, so a rebuilt index forgets what the old one
// had forgotten. Compaction copies what is alive in some packs to a new one,
// syncs that, marks the old ones as retired in the index, and only then removes
// them.
//
// # The store
//
// With a [Store], packs that are full can lie there instead ([Vault.Stow]): those
// of blocks leave the directory, those of records are kept in both. What Put has
// acknowledged is durable in the directory first, and in the store later. Of
// what cannot be reached there nothing is noted as damaged, and what comes from
// there is compared with its sum as everything is. Its files:
//
//	00000001.blocks      a pack, as in the directory
//	00000001.heads       the same without what the blocks are: the header, and of
//	                     each entry the head, and the data unless it is a block
//	00000002.records     a pack
//	00000001.inventory   JSON that names the packs which the vault consisted of
//	                     at a moment, and in a last line its BLAKE3 sum; the one
//	                     with the highest number counts
//
// If the directory is lost, opening a vault with the same store and an empty
// directory goes back to the last inventory. If it was set back, the store has
// packs that the index does not know: that is found out before anything else
// goes there, and a rebuild takes them in beside what came after. No number is
// given twice by that: until the two have been compared, packs are numbered from
// some random way further on, and nothing is appended to those of before.
//
// What the store says is believed as little as a disk: what was put is looked
// for before it leaves the directory, what comes back is read through before it
// leaves the store, and what comes damaged is asked for once more. Who reads the store learns what a
// vault knows, the marker included, but no key.
//
// # Concurrency
//
// A Vault is safe for concurrent use. Changes are made one after another; those
// that wait are made together. Reads go on beside them. [Vault.Plan],
// [Vault.Prune], [Vault.Scrub], [Vault.ShrinkIndex] and [Vault.Rebuild] wait for
// each other; a prune holds up changes for no longer than it takes to copy one
// pack. There is no work in the background: who owns the vault calls Prune,
// Scrub and ShrinkIndex when there is time for it.
package vault

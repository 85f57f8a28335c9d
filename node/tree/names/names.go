// Package names knows which names a file system can hold, and which it takes
// for one and the same.
//
// To kith a name is bytes. To many file systems it is text: they forbid
// characters, or take "Report" and "report" for one file. What such a file
// system cannot hold stays away from it, file by file, and people are told
// why; nothing is renamed and nothing is merged. Package tree finds out what
// holds for a folder; this package is pure.
//
// # Promises
//
//   - The zero [Traits] is a file system for which a name is bytes: it refuses
//     no name, and each is one of its own.
//   - [Traits.Key] is a total function: names have the same key or they have
//     not, whatever bytes they are, so that being one name is an equivalence.
//   - Every file system has a Unicode version and exceptions of its own. About
//     rare letters Key therefore rather says that two names are one: those of
//     NTFS and exFAT tell the Kelvin sign from "k", and letters that had no
//     capitals yet when their tables were made. An answer never decides about
//     content: the disk has the last word, and it is to be asked first whether
//     a name is taken there.
//
// # Concurrency
//
// All functions may be called by several goroutines at once.
package names

import "unicode/utf8"

// Traits is what a file system makes of names. The zero Traits holds all names
// and tells all of them apart.
type Traits struct {
	// FoldsCase: names that differ only in case are one. Letters are folded one
	// by one (Unicode's simple case folding: "É" is "é" and "ẞ" is
	// "ß", but "ß" is not "ss", and neither Turkish i is a case of "i"), unless
	// one of the next two fields says otherwise.
	FoldsCase bool
	// LastCased is the last code point whose case is folded. 0: all are. NTFS
	// and exFAT fold to U+FFFF, by 16 bits at a time; FAT from A to Z where
	// Linux mounts it with the option utf8.
	LastCased rune
	// Expands: case is folded in full, that of all code points: "ß" is "ss" and
	// "ﬁ" is "fi". ext4 and tmpfs do so in directories with the attribute
	// casefold.
	Expands bool

	// FoldsForm: names that differ only in Unicode's normalisation form are
	// one: "é" as one character and as "e" with an accent. APFS, HFS+, and
	// directories with the attribute casefold.
	FoldsForm bool
	// Ignores: names that differ only in characters without a look of their
	// own, as those that join or vary emoji, are one. ext4 with casefold.
	Ignores bool

	// Windows: Windows' rules hold, whatever the file system is: no
	// characters that mean something in its paths, no names of devices, no dot
	// or space at the end, well-formed Unicode, 255 UTF-16 code units.
	Windows bool
	// Forbids are characters that no name may hold; Ends, with which none may
	// end. FAT and exFAT forbid what Windows forbids, wherever they are mounted.
	Forbids, Ends string
	// WellFormed: a name must be well-formed UTF-8.
	WellFormed bool
	// MaxRune is the last Unicode code point that a name may hold. 0: any.
	MaxRune rune
	// Decomposes: names are stored in normalisation form D, whatever the form
	// in which they are given, and so only those can be held that are in it:
	// the others would come back as something else. HFS+.
	Decomposes bool
	// Lowers: names are shown in small letters, whatever the letters in which
	// they are given, and so only those can be held that have no others.
	// ntfs-3g with the option ignore_case.
	Lowers bool
	// MaxName is the most bytes that a name may have. 0: as many as a name
	// of kith's may have, 255.
	MaxName int
}

// Folds tells whether two different names can be one at all: if not, every
// name is its own key, and no name clashes.
func (t Traits) Folds() bool { return t.FoldsCase || t.FoldsForm || t.Ignores }

// onlyASCII tells whether case is folded, and from A to Z only.
func (t Traits) onlyASCII() bool {
	return t.FoldsCase && !t.Expands && 0 < t.LastCased && t.LastCased < utf8.RuneSelf
}

// Package storytest tells stories: the real program, as real processes, checked
// from outside.
//
// It holds tests only. They build kith once and drive it as people and scripts
// do: by its command line and the JSON that it prints, by the files on disk,
// and by the network. Nothing of kith is imported, so what is tested is what is
// shipped.
//
// Each story has a short size, for every run of the tests, and the size that
// the product promises:
//
//	go test ./cmd/kith/storytest -full -v -timeout 90m
//
// With -kith they test a program that was built before, with -keep they leave
// what a failed story is about. Choices at random come from a seed that is
// logged; -seed N makes them again. Stories that need a network of their own
// make it out of network namespaces, and skip where that is not possible: it
// takes root and the ip command.
//
// Stories run at the same time, each with devices, directories and networks of
// its own.
package storytest

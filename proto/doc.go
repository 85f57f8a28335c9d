// Package proto holds the schemas of kith: what devices send each other
// (wirepb), what one device keeps on disk (diskpb), and what programs ask of a
// running device (controlpb).
//
// The comments in the .proto files are the specification. No message serves
// two of the three, and the generated types stay within the packages that own
// a protocol or a format.
//
// The generated code lies beside its schema and is committed: building and
// testing kith needs no tool for it. After a change of a schema
//
//	go generate ./proto
//
// checks all of them and writes all code anew. It builds buf, whose version
// is pinned in a module of its own in tools, which takes some minutes the
// first time; the plugins are tools of the main module.
package proto

//go:generate go tool -modfile=tools/go.mod buf lint
//go:generate go tool -modfile=tools/go.mod buf generate

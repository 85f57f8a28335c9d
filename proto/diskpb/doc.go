// Package diskpb is what a device keeps on disk in protobuf form, as generated
// from the .proto files beside it, whose comments are the specification.
//
// Each file belongs to one package, which alone uses the types made from it:
// index.proto to package index. None of the messages crosses a wire. The code
// is committed, so that building needs no protoc. To write it anew, put
// protoc-gen-go, built from the version in go.mod, on the path and run go
// generate here.
package diskpb

//go:generate protoc -I .. --go_out=../.. --go_opt=module=github.com/kithmesh/kith diskpb/index.proto

// Package controlpb is the control API as generated from control.proto, whose
// comments are its specification.
//
// Only package control uses it; everyone else sees the plain types there. The
// code is committed, so that building needs no protoc. To write it anew, put
// protoc-gen-go and protoc-gen-connect-go, built from the versions in go.mod,
// on the path and run go generate here.
package controlpb

//go:generate protoc -I .. --go_out=../.. --go_opt=module=github.com/kithmesh/kith --connect-go_out=../.. --connect-go_opt=module=github.com/kithmesh/kith,package_suffix=,simple=true controlpb/control.proto

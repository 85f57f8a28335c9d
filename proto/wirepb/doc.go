// Package wirepb is what devices say to each other: the generated form of the
// .proto files in this directory, whose comments are the specification of the
// wire.
//
// Packages below protocol own one file each, and keep its types to themselves.
package wirepb

// The record: an entry as it crosses the wire or lies in a vault.
//
// A record says of one version of one path what a device that holds no key
// must know to keep it (the version, the blocks), in the clear, and everything
// else sealed. The sealed part is bound to every clear field, so that nothing
// can be changed, dropped, or taken over from another record.
//
// # Keys
//
// From the 32 bytes of a folder's key of one epoch, by HKDF-SHA256 (RFC 5869)
// with the salt "kith folder key v1", each with 32 bytes of output and with
// its label, a zero byte, the folder ID (16 bytes) and the epoch (4 bytes,
// big-endian) as info:
//
//   label            used for
//   "block content"  AES-256-GCM of blocks
//   "block name"     K1, block IDs
//   "block nonce"    K2, nonces of blocks
//   "record content" AES-256-GCM of records
//   "record name"    K3, record IDs
//   "record clear"   K4, digest of the clear fields of a record
//   "record nonce"   K5, nonces of records
//   "batch content"  AES-256-GCM of batches
//   "batch nonce"    K6, nonces of batches
//   "chunker"        where files are cut (package index/chunk)
//
// H(K, x) is BLAKE3 in its keyed mode; H96 and H128 are its first 12 and 16
// bytes. || joins byte strings. Numbers in what is hashed or authenticated are
// big-endian.
//
// # Blocks
//
// The ID of a block is H(K1, plaintext). A sealed block is
//
//   encoding (1 byte) || nonce (12) || ciphertext || tag (16)
//
// Encoding 1 is the plaintext itself; 2 is one zstd frame (RFC 8878) that
// states its content size, without checksum and dictionary. Others are
// refused. The ciphertext is that of AES-256-GCM over the encoded bytes, with
// associated data
//
//   folder ID (16) || epoch (4) || block ID (32) || encoding (1)
//
// The nonce is H96(K2, block ID || encoding) for encoding 1, where the ID
// stands for the bytes, and H96(K2, block ID || encoding || encoded bytes) for
// encoding 2, where two programs may compress differently. Two sealed blocks
// of a folder and epoch thus have the same nonce only if they are the same.
// A block has 1 byte to 16 MiB of plaintext.
//
// # Sealed part of a record
//
//   nonce (12) || ciphertext || tag (16)
//
// The plaintext is a SealedEntry with its fields in ascending order, fields of
// value zero left out, followed by a byte 0x80 and zeros up to a multiple of
// 32 bytes: the length of a name shows only to within 32 bytes. The associated
// data are 32 bytes, the digest
//
//   C = H(K4, folder ID (16) || epoch (4) || record ID (16) || clock (8) ||
//             author's replica (8) || number of counters (4) ||
//             { replica (8) || count (8) } for each ||
//             number of blocks (4) || { block ID (32) || size (4) } for each)
//
// and the nonce is H96(K5, C || plaintext).
//
// Sealing is a function of the entry and the keys: whoever seals an entry gets
// the same bytes.
//
// # Batches
//
// Between two devices that both hold the key, entries of one epoch may travel
// sealed together. A sealed batch is
//
//   format (1 byte) || nonce (12) || ciphertext || tag (16)
//
// with a format of 1, or of 2 if something is unseen to an entry of it; others
// are refused. The associated data are
//
//   "batch" (5) || format (1) || folder ID (16) || epoch (4)
//
// and the nonce is H96(K6, associated data || plaintext). The plaintext is two
// parts, the columns and the noise, each as
//
//   2 x length + compressed (number) || that many bytes
//
// where compressed is 1 if the bytes are one zstd frame, of the same kind as in
// a block, and 0 if they are the part itself. A part has at most 16 MiB and a
// sealed batch 16 MiB - 64 KiB, with 1 to 4,096 entries, 2^18 counters and what
// blocks have room. A batch is not padded: its length shows on the way how much
// it holds, and how well that compresses.
//
// A number is a varint as in protobuf, of 64 bits; a difference is a number
// that stands for a signed one as in protobuf's sint64. Differences wrap around.
// Fixed numbers are big-endian. The columns hold nothing but the following, in
// this order; "each" runs over the entries in the order of the batch.
//
//   number of entries
//   form, 1 byte, of each: kind as in SealedEntry (bits 0 to 2), seconds not
//     zero (bit 3), nanoseconds not zero (bit 4)
//   mode of each, as a number: XOR with that of the entry of the same kind
//     before; the first of a kind with 0
//   path of each, against the path of the entry before (the first: against an
//     empty one), as three columns of numbers: how many of its first bytes to
//     take over, how many of its last, and how many bytes lie between; and then
//     the bytes between, of all. No byte is taken over twice.
//   replicas: how many (number), and 8 bytes for each
//   author names: how many (number), and length (number) and bytes of each
//   author name of each entry: position among these, from 0 (number)
//   author of each: position among the replicas (number)
//   length of the vector of each (number)
//   replicas of all vectors, one after the other: position (number)
//   counts of all vectors: difference from the same replica's count before in
//     the batch, the first from 0
//   clock of each: difference from the entry before, the first from 0
//   modification times: for each with seconds, these as the difference from the
//     entry before that has any, the first from 0. Seconds are rounded down, so
//     that nanoseconds are 0 to 999,999,999.
//   size of each file (number)
//   number of blocks of each file (number)
//   length of each block but the last of a file, of all files (numbers): the
//     lengths add up to the size
//   target of each symlink: lengths of all (numbers), then bytes of all
//   what each delete removed (number): 0 if that is not known; 1 if its digest
//     is among the noise; else 2 + the difference, between the position of an
//     entry of the batch, from 0, and 1 + the position that was referred to
//     before (at first: and 0). If that entry is a delete, which must be an
//     earlier one, the two removed the same; if not, it has the content that
//     the delete removed, and the digest follows from its blocks or target.
//   in format 2 alone: what is unseen, as in SealedEntry, of each entry: how
//     many counts (number), not more than its vector has; then the counts of
//     all (numbers). The last count of an entry is not zero, and an entry that
//     has any is in the batch.
//
// The noise holds
//
//   nanoseconds, 4 bytes, of each entry that has any
//   digests, 16 bytes each, of what deletes removed
//   block IDs, 32 bytes each, of all files
//
// A reader refuses a batch that cannot be taken apart by these rules, and by
// the bounds on lengths in Record and SealedEntry. An entry that can, and then
// breaks a rule of its own, is refused alone.

// Code generated by protoc-gen-go. DO NOT EDIT.
// versions:
// 	protoc-gen-go v1.36.12
// 	protoc        v3.21.12
// source: wirepb/record.proto

package wirepb

import (
	protoreflect "google.golang.org/protobuf/reflect/protoreflect"
	protoimpl "google.golang.org/protobuf/runtime/protoimpl"
	reflect "reflect"
	sync "sync"
	unsafe "unsafe"
)

const (
	// Verify that this generated code is sufficiently up-to-date.
	_ = protoimpl.EnforceVersion(20 - protoimpl.MinVersion)
	// Verify that runtime/protoimpl is sufficiently up-to-date.
	_ = protoimpl.EnforceVersion(protoimpl.MaxVersion - 20)
)

// Numbers as in index/entry.
type SealedEntry_Kind int32

const (
	SealedEntry_KIND_UNSPECIFIED SealedEntry_Kind = 0
	SealedEntry_KIND_DELETED     SealedEntry_Kind = 1
	SealedEntry_KIND_FILE        SealedEntry_Kind = 2
	SealedEntry_KIND_DIRECTORY   SealedEntry_Kind = 3
	SealedEntry_KIND_SYMLINK     SealedEntry_Kind = 4
)

// Enum value maps for SealedEntry_Kind.
var (
	SealedEntry_Kind_name = map[int32]string{
		0: "KIND_UNSPECIFIED",
		1: "KIND_DELETED",
		2: "KIND_FILE",
		3: "KIND_DIRECTORY",
		4: "KIND_SYMLINK",
	}
	SealedEntry_Kind_value = map[string]int32{
		"KIND_UNSPECIFIED": 0,
		"KIND_DELETED":     1,
		"KIND_FILE":        2,
		"KIND_DIRECTORY":   3,
		"KIND_SYMLINK":     4,
	}
)

func (x SealedEntry_Kind) Enum() *SealedEntry_Kind {
	p := new(SealedEntry_Kind)
	*p = x
	return p
}

func (x SealedEntry_Kind) String() string {
	return protoimpl.X.EnumStringOf(x.Descriptor(), protoreflect.EnumNumber(x))
}

func (SealedEntry_Kind) Descriptor() protoreflect.EnumDescriptor {
	return file_wirepb_record_proto_enumTypes[0].Descriptor()
}

func (SealedEntry_Kind) Type() protoreflect.EnumType {
	return &file_wirepb_record_proto_enumTypes[0]
}

func (x SealedEntry_Kind) Number() protoreflect.EnumNumber {
	return protoreflect.EnumNumber(x)
}

// Deprecated: Use SealedEntry_Kind.Descriptor instead.
func (SealedEntry_Kind) EnumDescriptor() ([]byte, []int) {
	return file_wirepb_record_proto_rawDescGZIP(), []int{2, 0}
}

// Record is one version of one path. A receiver refuses a record that breaks
// any of the bounds below, or that has fields it does not know: nothing would
// protect those.
type Record struct {
	state protoimpl.MessageState `protogen:"open.v1"`
	// 16 bytes, H128(K3, path). It tells the paths of a folder and epoch apart
	// without naming them; 128 bits are enough for that, since it takes the key
	// to look for two paths with one ID, and each record and each row of a vault
	// carries one.
	Id []byte `protobuf:"bytes,1,opt,name=id,proto3" json:"id,omitempty"`
	// Whose keys seal the record and name its blocks. From 1.
	Epoch uint32 `protobuf:"varint,2,opt,name=epoch,proto3" json:"epoch,omitempty"`
	// The version vector: replicas, ascending, and the counter of each. 1 to
	// 1,024 of them, counters from 1 to 2^48.
	Replicas []uint64 `protobuf:"fixed64,3,rep,packed,name=replicas,proto3" json:"replicas,omitempty"`
	Counts   []uint64 `protobuf:"varint,4,rep,packed,name=counts,proto3" json:"counts,omitempty"`
	// Hybrid logical clock, microseconds since 1970, from 1 to 2^61.
	Clock uint64 `protobuf:"varint,5,opt,name=clock,proto3" json:"clock,omitempty"`
	// The replica that made the version, as its position among replicas, from 0.
	Author uint32 `protobuf:"varint,6,opt,name=author,proto3" json:"author,omitempty"`
	// The blocks of a file, in order: 32 bytes each, at most 2^21 of them.
	BlockIds []byte `protobuf:"bytes,7,opt,name=block_ids,json=blockIds,proto3" json:"block_ids,omitempty"`
	// As many as there are blocks: the size of each block sealed with encoding
	// 1, which is its plaintext's plus 29 bytes. The lengths of the plaintext
	// are not repeated in the sealed part: it is bound to these. They add up to
	// 2^43 bytes of plaintext at most.
	SealedSizes []uint32 `protobuf:"varint,8,rep,packed,name=sealed_sizes,json=sealedSizes,proto3" json:"sealed_sizes,omitempty"`
	// The sealed SealedEntry: 60 to 15,484 bytes.
	Sealed        []byte `protobuf:"bytes,9,opt,name=sealed,proto3" json:"sealed,omitempty"`
	unknownFields protoimpl.UnknownFields
	sizeCache     protoimpl.SizeCache
}

func (x *Record) Reset() {
	*x = Record{}
	mi := &file_wirepb_record_proto_msgTypes[0]
	ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
	ms.StoreMessageInfo(mi)
}

func (x *Record) String() string {
	return protoimpl.X.MessageStringOf(x)
}

func (*Record) ProtoMessage() {}

func (x *Record) ProtoReflect() protoreflect.Message {
	mi := &file_wirepb_record_proto_msgTypes[0]
	if x != nil {
		ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
		if ms.LoadMessageInfo() == nil {
			ms.StoreMessageInfo(mi)
		}
		return ms
	}
	return mi.MessageOf(x)
}

// Deprecated: Use Record.ProtoReflect.Descriptor instead.
func (*Record) Descriptor() ([]byte, []int) {
	return file_wirepb_record_proto_rawDescGZIP(), []int{0}
}

func (x *Record) GetId() []byte {
	if x != nil {
		return x.Id
	}
	return nil
}

func (x *Record) GetEpoch() uint32 {
	if x != nil {
		return x.Epoch
	}
	return 0
}

func (x *Record) GetReplicas() []uint64 {
	if x != nil {
		return x.Replicas
	}
	return nil
}

func (x *Record) GetCounts() []uint64 {
	if x != nil {
		return x.Counts
	}
	return nil
}

func (x *Record) GetClock() uint64 {
	if x != nil {
		return x.Clock
	}
	return 0
}

func (x *Record) GetAuthor() uint32 {
	if x != nil {
		return x.Author
	}
	return 0
}

func (x *Record) GetBlockIds() []byte {
	if x != nil {
		return x.BlockIds
	}
	return nil
}

func (x *Record) GetSealedSizes() []uint32 {
	if x != nil {
		return x.SealedSizes
	}
	return nil
}

func (x *Record) GetSealed() []byte {
	if x != nil {
		return x.Sealed
	}
	return nil
}

// Batch is entries sealed together, for a device that holds the key. What is
// said of each entry beside it goes by its position in the batch.
type Batch struct {
	state protoimpl.MessageState `protogen:"open.v1"`
	// Whose keys seal the batch, and name the blocks of all its entries. From 1.
	Epoch uint32 `protobuf:"varint,1,opt,name=epoch,proto3" json:"epoch,omitempty"`
	// The sealed batch: 29 bytes to 16 MiB - 64 KiB.
	Sealed        []byte `protobuf:"bytes,2,opt,name=sealed,proto3" json:"sealed,omitempty"`
	unknownFields protoimpl.UnknownFields
	sizeCache     protoimpl.SizeCache
}

func (x *Batch) Reset() {
	*x = Batch{}
	mi := &file_wirepb_record_proto_msgTypes[1]
	ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
	ms.StoreMessageInfo(mi)
}

func (x *Batch) String() string {
	return protoimpl.X.MessageStringOf(x)
}

func (*Batch) ProtoMessage() {}

func (x *Batch) ProtoReflect() protoreflect.Message {
	mi := &file_wirepb_record_proto_msgTypes[1]
	if x != nil {
		ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
		if ms.LoadMessageInfo() == nil {
			ms.StoreMessageInfo(mi)
		}
		return ms
	}
	return mi.MessageOf(x)
}

// Deprecated: Use Batch.ProtoReflect.Descriptor instead.
func (*Batch) Descriptor() ([]byte, []int) {
	return file_wirepb_record_proto_rawDescGZIP(), []int{1}
}

func (x *Batch) GetEpoch() uint32 {
	if x != nil {
		return x.Epoch
	}
	return 0
}

func (x *Batch) GetSealed() []byte {
	if x != nil {
		return x.Sealed
	}
	return nil
}

// SealedEntry is what a record keeps from a device without the key. A reader
// refuses one that has fields it does not know: to pass on a version without a
// part of it would lose that part.
type SealedEntry struct {
	state protoimpl.MessageState `protogen:"open.v1"`
	// Relative to the folder's root, slash-separated, in no particular encoding;
	// 1 to 4,096 bytes. Its H128(K3, path) is the record's ID.
	Path []byte           `protobuf:"bytes,1,opt,name=path,proto3" json:"path,omitempty"`
	Kind SealedEntry_Kind `protobuf:"varint,2,opt,name=kind,proto3,enum=kith.wire.v1.SealedEntry_Kind" json:"kind,omitempty"`
	// Permission bits, within 0o777.
	Mode uint32 `protobuf:"varint,3,opt,name=mode,proto3" json:"mode,omitempty"`
	// Modification time, nanoseconds since 1970.
	Modified int64 `protobuf:"fixed64,4,opt,name=modified,proto3" json:"modified,omitempty"`
	// Bytes of a file: what the blocks add up to.
	Size uint64 `protobuf:"varint,5,opt,name=size,proto3" json:"size,omitempty"`
	// Of a symlink: 1 to 4,095 bytes.
	Target []byte `protobuf:"bytes,6,opt,name=target,proto3" json:"target,omitempty"`
	// What the device that made the version called itself then; at most 64 bytes.
	AuthorName []byte `protobuf:"bytes,7,opt,name=author_name,json=authorName,proto3" json:"author_name,omitempty"`
	// Of a delete, where known: the digest of what it removed. 16 bytes, not all
	// zero; or absent.
	Gone []byte `protobuf:"bytes,8,opt,name=gone,proto3" json:"gone,omitempty"`
	// Versions that this one has superseded although its author did not hold
	// their content: who holds one of them keeps it as a conflict copy. A vector,
	// as the count of each of the record's replicas in their order, up to the
	// last that is not zero: at most as many as the record has, and none above
	// the record's own. Absent for almost all.
	Unseen        []uint64 `protobuf:"varint,9,rep,packed,name=unseen,proto3" json:"unseen,omitempty"`
	unknownFields protoimpl.UnknownFields
	sizeCache     protoimpl.SizeCache
}

func (x *SealedEntry) Reset() {
	*x = SealedEntry{}
	mi := &file_wirepb_record_proto_msgTypes[2]
	ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
	ms.StoreMessageInfo(mi)
}

func (x *SealedEntry) String() string {
	return protoimpl.X.MessageStringOf(x)
}

func (*SealedEntry) ProtoMessage() {}

func (x *SealedEntry) ProtoReflect() protoreflect.Message {
	mi := &file_wirepb_record_proto_msgTypes[2]
	if x != nil {
		ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
		if ms.LoadMessageInfo() == nil {
			ms.StoreMessageInfo(mi)
		}
		return ms
	}
	return mi.MessageOf(x)
}

// Deprecated: Use SealedEntry.ProtoReflect.Descriptor instead.
func (*SealedEntry) Descriptor() ([]byte, []int) {
	return file_wirepb_record_proto_rawDescGZIP(), []int{2}
}

func (x *SealedEntry) GetPath() []byte {
	if x != nil {
		return x.Path
	}
	return nil
}

func (x *SealedEntry) GetKind() SealedEntry_Kind {
	if x != nil {
		return x.Kind
	}
	return SealedEntry_KIND_UNSPECIFIED
}

func (x *SealedEntry) GetMode() uint32 {
	if x != nil {
		return x.Mode
	}
	return 0
}

func (x *SealedEntry) GetModified() int64 {
	if x != nil {
		return x.Modified
	}
	return 0
}

func (x *SealedEntry) GetSize() uint64 {
	if x != nil {
		return x.Size
	}
	return 0
}

func (x *SealedEntry) GetTarget() []byte {
	if x != nil {
		return x.Target
	}
	return nil
}

func (x *SealedEntry) GetAuthorName() []byte {
	if x != nil {
		return x.AuthorName
	}
	return nil
}

func (x *SealedEntry) GetGone() []byte {
	if x != nil {
		return x.Gone
	}
	return nil
}

func (x *SealedEntry) GetUnseen() []uint64 {
	if x != nil {
		return x.Unseen
	}
	return nil
}

var File_wirepb_record_proto protoreflect.FileDescriptor

const file_wirepb_record_proto_rawDesc = "" +
	"\n" +
	"\x13wirepb/record.proto\x12\fkith.wire.v1\"\xf4\x01\n" +
	"\x06Record\x12\x0e\n" +
	"\x02id\x18\x01 \x01(\fR\x02id\x12\x14\n" +
	"\x05epoch\x18\x02 \x01(\rR\x05epoch\x12\x1e\n" +
	"\breplicas\x18\x03 \x03(\x06B\x02\x10\x01R\breplicas\x12\x1a\n" +
	"\x06counts\x18\x04 \x03(\x04B\x02\x10\x01R\x06counts\x12\x14\n" +
	"\x05clock\x18\x05 \x01(\x04R\x05clock\x12\x16\n" +
	"\x06author\x18\x06 \x01(\rR\x06author\x12\x1b\n" +
	"\tblock_ids\x18\a \x01(\fR\bblockIds\x12%\n" +
	"\fsealed_sizes\x18\b \x03(\rB\x02\x10\x01R\vsealedSizes\x12\x16\n" +
	"\x06sealed\x18\t \x01(\fR\x06sealed\"5\n" +
	"\x05Batch\x12\x14\n" +
	"\x05epoch\x18\x01 \x01(\rR\x05epoch\x12\x16\n" +
	"\x06sealed\x18\x02 \x01(\fR\x06sealed\"\xe7\x02\n" +
	"\vSealedEntry\x12\x12\n" +
	"\x04path\x18\x01 \x01(\fR\x04path\x122\n" +
	"\x04kind\x18\x02 \x01(\x0e2\x1e.kith.wire.v1.SealedEntry.KindR\x04kind\x12\x12\n" +
	"\x04mode\x18\x03 \x01(\rR\x04mode\x12\x1a\n" +
	"\bmodified\x18\x04 \x01(\x10R\bmodified\x12\x12\n" +
	"\x04size\x18\x05 \x01(\x04R\x04size\x12\x16\n" +
	"\x06target\x18\x06 \x01(\fR\x06target\x12\x1f\n" +
	"\vauthor_name\x18\a \x01(\fR\n" +
	"authorName\x12\x12\n" +
	"\x04gone\x18\b \x01(\fR\x04gone\x12\x1a\n" +
	"\x06unseen\x18\t \x03(\x04B\x02\x10\x01R\x06unseen\"c\n" +
	"\x04Kind\x12\x14\n" +
	"\x10KIND_UNSPECIFIED\x10\x00\x12\x10\n" +
	"\fKIND_DELETED\x10\x01\x12\r\n" +
	"\tKIND_FILE\x10\x02\x12\x12\n" +
	"\x0eKIND_DIRECTORY\x10\x03\x12\x10\n" +
	"\fKIND_SYMLINK\x10\x04B.Z,github.com/kithmesh/kith/proto/wirepb;wirepbb\x06proto3"

var (
	file_wirepb_record_proto_rawDescOnce sync.Once
	file_wirepb_record_proto_rawDescData []byte
)

func file_wirepb_record_proto_rawDescGZIP() []byte {
	file_wirepb_record_proto_rawDescOnce.Do(func() {
		file_wirepb_record_proto_rawDescData = protoimpl.X.CompressGZIP(unsafe.Slice(unsafe.StringData(file_wirepb_record_proto_rawDesc), len(file_wirepb_record_proto_rawDesc)))
	})
	return file_wirepb_record_proto_rawDescData
}

var file_wirepb_record_proto_enumTypes = make([]protoimpl.EnumInfo, 1)
var file_wirepb_record_proto_msgTypes = make([]protoimpl.MessageInfo, 3)
var file_wirepb_record_proto_goTypes = []any{
	(SealedEntry_Kind)(0), // 0: kith.wire.v1.SealedEntry.Kind
	(*Record)(nil),        // 1: kith.wire.v1.Record
	(*Batch)(nil),         // 2: kith.wire.v1.Batch
	(*SealedEntry)(nil),   // 3: kith.wire.v1.SealedEntry
}
var file_wirepb_record_proto_depIdxs = []int32{
	0, // 0: kith.wire.v1.SealedEntry.kind:type_name -> kith.wire.v1.SealedEntry.Kind
	1, // [1:1] is the sub-list for method output_type
	1, // [1:1] is the sub-list for method input_type
	1, // [1:1] is the sub-list for extension type_name
	1, // [1:1] is the sub-list for extension extendee
	0, // [0:1] is the sub-list for field type_name
}

func init() { file_wirepb_record_proto_init() }
func file_wirepb_record_proto_init() {
	if File_wirepb_record_proto != nil {
		return
	}
	type x struct{}
	out := protoimpl.TypeBuilder{
		File: protoimpl.DescBuilder{
			GoPackagePath: reflect.TypeOf(x{}).PkgPath(),
			RawDescriptor: unsafe.Slice(unsafe.StringData(file_wirepb_record_proto_rawDesc), len(file_wirepb_record_proto_rawDesc)),
			NumEnums:      1,
			NumMessages:   3,
			NumExtensions: 0,
			NumServices:   0,
		},
		GoTypes:           file_wirepb_record_proto_goTypes,
		DependencyIndexes: file_wirepb_record_proto_depIdxs,
		EnumInfos:         file_wirepb_record_proto_enumTypes,
		MessageInfos:      file_wirepb_record_proto_msgTypes,
	}.Build()
	File_wirepb_record_proto = out.File
	file_wirepb_record_proto_goTypes = nil
	file_wirepb_record_proto_depIdxs = nil
}

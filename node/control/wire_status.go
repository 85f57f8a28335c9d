package control

import (
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/proto/controlpb"
)

func identityToWire(d Identity) *controlpb.Device {
	return &controlpb.Device{Id: text(string(d.ID)), Name: text(d.Name)}
}

func identityFromWire(d *controlpb.Device) Identity {
	return Identity{ID: entry.DeviceID(d.GetId()), Name: d.GetName()}
}

func folderToWire(f Folder) *controlpb.Folder {
	return &controlpb.Folder{Id: f.ID[:], Label: text(f.Label), Path: []byte(f.Path), Role: roleToWire(f.Role)}
}

// What a device answers is trusted to be sound, but not to be whole: a folder
// that a newer device tells of strangely is shown, not a reason to fail.
func folderFromWire(f *controlpb.Folder) Folder {
	out := Folder{Label: f.GetLabel(), Path: string(f.GetPath())}
	copy(out.ID[:], f.GetId())
	out.Role, _ = roleFromWire(f.GetRole())
	return out
}

func problemToWire(p Problem) *controlpb.Problem {
	return &controlpb.Problem{Path: []byte(p.Path), Code: text(p.Code), Message: text(p.Message), Hint: text(p.Hint)}
}

func problemFromWire(p *controlpb.Problem) Problem {
	return Problem{Path: string(p.GetPath()), Code: p.GetCode(), Message: p.GetMessage(), Hint: p.GetHint()}
}

func memberToWire(m MemberStatus) *controlpb.MemberStatus {
	return &controlpb.MemberStatus{
		Device: identityToWire(m.Identity), Role: roleToWire(m.Role), Connected: m.Connected,
		NeedFiles: m.NeedFiles, NeedBytes: m.NeedBytes, LastProvenMs: millis(m.LastProven),
		ProtectedAsOfMs: millis(m.ProtectedAsOf), Schedule: text(m.Schedule), LastDrillMs: millis(m.LastDrill),
	}
}

func memberFromWire(m *controlpb.MemberStatus) MemberStatus {
	out := MemberStatus{
		Identity: identityFromWire(m.GetDevice()), Connected: m.GetConnected(),
		NeedFiles: m.GetNeedFiles(), NeedBytes: m.GetNeedBytes(), LastProven: moment(m.GetLastProvenMs()),
		ProtectedAsOf: moment(m.GetProtectedAsOfMs()), Schedule: m.GetSchedule(), LastDrill: moment(m.GetLastDrillMs()),
	}
	out.Role, _ = roleFromWire(m.GetRole())
	return out
}

func folderStatusToWire(f FolderStatus) *controlpb.FolderStatus {
	return &controlpb.FolderStatus{
		Folder: folderToWire(f.Folder), State: stateToWire(f.State),
		Files: f.Files, Bytes: f.Bytes, NeedFiles: f.NeedFiles, NeedBytes: f.NeedBytes,
		Conflicts: f.Conflicts, Held: f.Held, ProtectedAsOfMs: millis(f.ProtectedAsOf),
		Problems: convert(f.Problems, problemToWire), Members: convert(f.Members, memberToWire),
		LocalEdits: f.LocalEdits, Untaken: f.Untaken, AbsentFiles: f.AbsentFiles, AbsentBytes: f.AbsentBytes,
		Vault: vaultStatusToWire(f.Vault),
	}
}

func folderStatusFromWire(f *controlpb.FolderStatus) FolderStatus {
	return FolderStatus{
		Folder: folderFromWire(f.GetFolder()), State: stateFromWire(f.GetState()),
		Files: f.GetFiles(), Bytes: f.GetBytes(), NeedFiles: f.GetNeedFiles(), NeedBytes: f.GetNeedBytes(),
		Conflicts: f.GetConflicts(), Held: f.GetHeld(), ProtectedAsOf: moment(f.GetProtectedAsOfMs()),
		Problems: convert(f.GetProblems(), problemFromWire), Members: convert(f.GetMembers(), memberFromWire),
		LocalEdits: f.GetLocalEdits(), Untaken: f.GetUntaken(), AbsentFiles: f.GetAbsentFiles(), AbsentBytes: f.GetAbsentBytes(),
		Vault: vaultStatusFromWire(f.GetVault()),
	}
}

func peerToWire(p PeerStatus) *controlpb.PeerStatus {
	return &controlpb.PeerStatus{
		Device: identityToWire(p.Identity), Connected: p.Connected, Paused: p.Paused,
		Via: text(string(p.Via)), Transport: text(string(p.Transport)), Addr: text(p.Addr),
		LastSeenMs: millis(p.LastSeen), SentBytes: p.Sent, ReceivedBytes: p.Received, ThroughFolder: p.Through,
		Relay: text(p.Relay), Punched: p.Punched, SinceMs: millis(p.Since), RoundTripUs: p.RoundTrip.Microseconds(),
		Why: problemToWire(p.Why),
	}
}

func peerFromWire(p *controlpb.PeerStatus) PeerStatus {
	return PeerStatus{
		Identity: identityFromWire(p.GetDevice()), Connected: p.GetConnected(), Paused: p.GetPaused(),
		Via: Via(p.GetVia()), Transport: Transport(p.GetTransport()), Addr: p.GetAddr(),
		LastSeen: moment(p.GetLastSeenMs()), Sent: p.GetSentBytes(), Received: p.GetReceivedBytes(), Through: p.GetThroughFolder(),
		Relay: p.GetRelay(), Punched: p.GetPunched(), Since: moment(p.GetSinceMs()), RoundTrip: time.Duration(p.GetRoundTripUs()) * time.Microsecond,
		Why: problemFromWire(p.GetWhy()),
	}
}

func statusToWire(s Status) *controlpb.StatusResponse {
	return &controlpb.StatusResponse{
		Device: identityToWire(s.Identity), Paused: s.Paused, Listen: convert(s.Listen, text), Folders: convert(s.Folders, folderStatusToWire),
		Peers: convert(s.Peers, peerToWire), Problems: convert(s.Problems, problemToWire),
	}
}

func statusFromWire(s *controlpb.StatusResponse) Status {
	return Status{
		Identity: identityFromWire(s.GetDevice()), Paused: s.GetPaused(), Listen: append([]string{}, s.GetListen()...),
		Folders: convert(s.GetFolders(), folderStatusFromWire),
		Peers:   convert(s.GetPeers(), peerFromWire), Problems: convert(s.GetProblems(), problemFromWire),
	}
}

func progressToWire(p Progress) *controlpb.Progress {
	return &controlpb.Progress{Folders: convert(p.Folders, func(f FolderProgress) *controlpb.FolderProgress {
		return &controlpb.FolderProgress{
			Folder: folderToWire(f.Folder), State: stateToWire(f.State), Reached: f.Reached,
			NeedFiles: f.NeedFiles, NeedBytes: f.NeedBytes,
		}
	})}
}

func progressFromWire(p *controlpb.Progress) Progress {
	return Progress{Folders: convert(p.GetFolders(), func(f *controlpb.FolderProgress) FolderProgress {
		return FolderProgress{
			Folder: folderFromWire(f.GetFolder()), State: stateFromWire(f.GetState()), Reached: f.GetReached(),
			NeedFiles: f.GetNeedFiles(), NeedBytes: f.GetNeedBytes(),
		}
	})}
}

package control

import "github.com/kithmesh/kith/proto/controlpb"

func invitationToWire(i Invitation) *controlpb.ShowCodeEvent {
	return &controlpb.ShowCodeEvent{Event: &controlpb.ShowCodeEvent_Shown{Shown: &controlpb.Invitation{
		Code: text(i.Code), Ticket: text(i.Ticket), ExpiresMs: millis(i.Expires), Anywhere: i.Anywhere, Outside: i.Outside,
	}}}
}

func invitationFromWire(i *controlpb.Invitation) Invitation {
	return Invitation{
		Code: i.GetCode(), Ticket: i.GetTicket(), Expires: moment(i.GetExpiresMs()), Anywhere: i.GetAnywhere(), Outside: i.GetOutside(),
	}
}

func pairedToWire(p Paired) *controlpb.Paired {
	return &controlpb.Paired{Device: identityToWire(p.Identity), Check: convert(p.Check[:], text)}
}

func pairedFromWire(p *controlpb.Paired) Paired {
	out := Paired{Identity: identityFromWire(p.GetDevice())}
	copy(out.Check[:], p.GetCheck())
	return out
}

func shareToWire(s Share) *controlpb.Share {
	return &controlpb.Share{Folder: folderToWire(s.Folder), Device: identityToWire(s.Device), Role: roleToWire(s.Role)}
}

func shareFromWire(s *controlpb.Share) Share {
	out := Share{Folder: folderFromWire(s.GetFolder()), Device: identityFromWire(s.GetDevice())}
	out.Role, _ = roleFromWire(s.GetRole())
	return out
}

func offerToWire(o Offer) *controlpb.Offer {
	return &controlpb.Offer{FolderId: o.Folder[:], Label: text(o.Label), From: identityToWire(o.From), Role: roleToWire(o.Role)}
}

func offerFromWire(o *controlpb.Offer) Offer {
	out := Offer{Label: o.GetLabel(), From: identityFromWire(o.GetFrom())}
	copy(out.Folder[:], o.GetFolderId())
	out.Role, _ = roleFromWire(o.GetRole())
	return out
}

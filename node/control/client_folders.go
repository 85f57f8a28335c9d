package control

import (
	"context"

	"github.com/kithmesh/kith/proto/controlpb"
)

// AddFolder implements [Folders].
func (c *Client) AddFolder(ctx context.Context, r AddRequest) (Folder, error) {
	a, err := ask(ctx, answerTime, c.folders.Add, &controlpb.AddRequest{Path: []byte(r.Path), Label: text(r.Label)})
	if err != nil {
		return Folder{}, err
	}
	return folderFromWire(a.GetFolder()), nil
}

// LeaveFolder implements [Folders].
func (c *Client) LeaveFolder(ctx context.Context, folder string) (Folder, error) {
	a, err := ask(ctx, answerTime, c.folders.Leave, &controlpb.LeaveRequest{Folder: text(folder)})
	if err != nil {
		return Folder{}, err
	}
	return folderFromWire(a.GetFolder()), nil
}

// ScanFolders implements [Folders].
func (c *Client) ScanFolders(ctx context.Context, folder string) ([]FolderStatus, error) {
	a, err := ask(ctx, 0, c.folders.Scan, &controlpb.ScanRequest{Folder: text(folder)})
	if err != nil {
		return nil, err
	}
	return convert(a.GetFolders(), folderStatusFromWire), nil
}

// Share implements [Sharing].
func (c *Client) Share(ctx context.Context, r ShareRequest) (Share, error) {
	req := &controlpb.ShareRequest{Folder: text(r.Folder), Device: text(r.Device), Role: roleToWire(r.Role)}
	a, err := ask(ctx, answerTime, c.sharing.Share, req)
	if err != nil {
		return Share{}, err
	}
	return shareFromWire(a.GetShare()), nil
}

// Unshare implements [Sharing].
func (c *Client) Unshare(ctx context.Context, r UnshareRequest) (Share, error) {
	a, err := ask(ctx, answerTime, c.sharing.Unshare, &controlpb.UnshareRequest{Folder: text(r.Folder), Device: text(r.Device)})
	if err != nil {
		return Share{}, err
	}
	return shareFromWire(a.GetShare()), nil
}

// Offers implements [Sharing].
func (c *Client) Offers(ctx context.Context) ([]Offer, error) {
	a, err := ask(ctx, answerTime, c.sharing.Offers, &controlpb.OffersRequest{})
	if err != nil {
		return nil, err
	}
	return convert(a.GetOffers(), offerFromWire), nil
}

// AcceptOffer implements [Sharing].
func (c *Client) AcceptOffer(ctx context.Context, r AcceptRequest) (Folder, error) {
	req := &controlpb.AcceptRequest{Folder: text(r.Folder), Path: []byte(r.Path), Role: roleToWire(r.Role)}
	a, err := ask(ctx, answerTime, c.sharing.Accept, req)
	if err != nil {
		return Folder{}, err
	}
	return folderFromWire(a.GetFolder()), nil
}

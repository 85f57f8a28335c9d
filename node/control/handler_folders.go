package control

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/kithmesh/kith/proto/controlpb"
)

type (
	folders struct{ device Folders }
	sharing struct{ device Sharing }
)

func (h folders) Add(ctx context.Context, r *controlpb.AddRequest) (*controlpb.AddResponse, error) {
	return bounded(ctx, answerTime, func(ctx context.Context) (*controlpb.AddResponse, error) {
		req, err := addFromWire(r)
		if err != nil {
			return nil, err
		}
		f, err := h.device.AddFolder(ctx, req)
		return &controlpb.AddResponse{Folder: folderToWire(f)}, err
	})
}

func addFromWire(r *controlpb.AddRequest) (AddRequest, error) {
	path, err := checkPath(r.Path)
	if err != nil {
		return AddRequest{}, err
	}
	label := r.Label
	if label == "" {
		label = filepath.Base(path)
	}
	if err := checkName("label", label); err != nil {
		return AddRequest{}, WithHint(err, "give it another label with --name")
	}
	return AddRequest{Path: path, Label: label}, nil
}

func (h folders) Leave(ctx context.Context, r *controlpb.LeaveRequest) (*controlpb.LeaveResponse, error) {
	return bounded(ctx, answerTime, func(ctx context.Context) (*controlpb.LeaveResponse, error) {
		f, err := h.device.LeaveFolder(ctx, r.Folder)
		return &controlpb.LeaveResponse{Folder: folderToWire(f)}, err
	})
}

func (h folders) Scan(ctx context.Context, r *controlpb.ScanRequest) (*controlpb.ScanResponse, error) {
	return bounded(ctx, 0, func(ctx context.Context) (*controlpb.ScanResponse, error) {
		fs, err := h.device.ScanFolders(ctx, r.Folder)
		return &controlpb.ScanResponse{Folders: convert(fs, folderStatusToWire)}, err
	})
}

func (h sharing) Share(ctx context.Context, r *controlpb.ShareRequest) (*controlpb.ShareResponse, error) {
	return bounded(ctx, answerTime, func(ctx context.Context) (*controlpb.ShareResponse, error) {
		role, err := roleFromWire(r.Role)
		if err != nil {
			return nil, err
		}
		s, err := h.device.Share(ctx, ShareRequest{Folder: r.Folder, Device: r.Device, Role: role})
		return &controlpb.ShareResponse{Share: shareToWire(s)}, err
	})
}

func (h sharing) Unshare(ctx context.Context, r *controlpb.UnshareRequest) (*controlpb.UnshareResponse, error) {
	return bounded(ctx, answerTime, func(ctx context.Context) (*controlpb.UnshareResponse, error) {
		s, err := h.device.Unshare(ctx, UnshareRequest{Folder: r.Folder, Device: r.Device})
		return &controlpb.UnshareResponse{Share: shareToWire(s)}, err
	})
}

func (h sharing) Offers(ctx context.Context, _ *controlpb.OffersRequest) (*controlpb.OffersResponse, error) {
	return bounded(ctx, answerTime, func(ctx context.Context) (*controlpb.OffersResponse, error) {
		offers, err := h.device.Offers(ctx)
		return &controlpb.OffersResponse{Offers: convert(offers, offerToWire)}, err
	})
}

func (h sharing) Accept(ctx context.Context, r *controlpb.AcceptRequest) (*controlpb.AcceptResponse, error) {
	return bounded(ctx, answerTime, func(ctx context.Context) (*controlpb.AcceptResponse, error) {
		req, err := acceptFromWire(r)
		if err != nil {
			return nil, fmt.Errorf("accept %q: %w", r.Folder, err)
		}
		f, err := h.device.AcceptOffer(ctx, req)
		return &controlpb.AcceptResponse{Folder: folderToWire(f)}, err
	})
}

func acceptFromWire(r *controlpb.AcceptRequest) (AcceptRequest, error) {
	role, err := roleFromWire(r.Role)
	if err != nil {
		return AcceptRequest{}, err
	}
	req := AcceptRequest{Folder: r.Folder, Role: role}
	if len(r.Path) > 0 {
		req.Path, err = checkPath(r.Path)
	}
	return req, err
}

package main

import (
	"time"

	"github.com/kithmesh/kith/node/control"
)

// The JSON of folders, devices and status. Fields are a contract: they are
// added to, never renamed. Times are RFC 3339 in UTC, null when there is none;
// lists are never null; sizes are bytes.

type statusView struct {
	Device   string             `json:"device"`
	Name     string             `json:"name"`
	Paused   bool               `json:"paused"`
	Listen   []string           `json:"listen"`
	Folders  []folderStatusView `json:"folders"`
	Peers    []peerView         `json:"peers"`
	Problems []problemView      `json:"problems"`
}

type folderView struct {
	ID    string `json:"id"`
	Label string `json:"label"`
	Path  string `json:"path"`
	Role  string `json:"role"`
}

type folderStatusView struct {
	folderView
	State         control.State `json:"state"`
	Files         int64         `json:"files"`
	Bytes         int64         `json:"bytes"`
	NeedFiles     int64         `json:"need_files"`
	NeedBytes     int64         `json:"need_bytes"`
	Conflicts     int64         `json:"conflicts"`
	Held          int64         `json:"held"`
	Problems      []problemView `json:"problems"`
	ProtectedAsOf *time.Time    `json:"protected_as_of"`
	Members       []memberView  `json:"members"`
	LocalEdits    int64         `json:"local_edits"`
	Untaken       int64         `json:"untaken"`
	AbsentFiles   int64         `json:"absent_files"`
	AbsentBytes   int64         `json:"absent_bytes"`
	Vault         *vaultView    `json:"vault"`
}

type vaultView struct {
	Versions int64      `json:"versions"`
	Bytes    int64      `json:"bytes"`
	Quota    int64      `json:"quota"`
	Since    *time.Time `json:"since"`
	Schedule string     `json:"schedule"`
	LastRun  *time.Time `json:"last_run"`
	NextRun  *time.Time `json:"next_run"`
	Scrubbed *time.Time `json:"scrubbed"`
	Damaged  int64      `json:"damaged"`
	Store    *storeView `json:"store,omitempty"`
}

type problemView struct {
	Path    string `json:"path"`
	Code    string `json:"code"`
	Message string `json:"message"`
	Hint    string `json:"hint"`
}

type memberView struct {
	Device        string     `json:"device"`
	Name          string     `json:"name"`
	Role          string     `json:"role"`
	Connected     bool       `json:"connected"`
	NeedFiles     int64      `json:"need_files"`
	NeedBytes     int64      `json:"need_bytes"`
	LastProven    *time.Time `json:"last_proven"`
	ProtectedAsOf *time.Time `json:"protected_as_of"`
	Schedule      string     `json:"schedule"`
	LastDrill     *time.Time `json:"last_drill"`
}

type peerView struct {
	Device    string     `json:"device"`
	Name      string     `json:"name"`
	Connected bool       `json:"connected"`
	Via       string     `json:"via"`
	Transport string     `json:"transport"`
	Addr      string     `json:"addr"`
	LastSeen  *time.Time `json:"last_seen"`
	Paused    bool       `json:"paused"`
	Paired    bool       `json:"paired"`
	Sent      int64      `json:"sent_bytes"`
	Received  int64      `json:"received_bytes"`
	Relay     string     `json:"relay"`
	Punched   bool       `json:"punched"`
	Since     *time.Time `json:"since"`
	RoundTrip *float64   `json:"round_trip_ms"`
	Why       *causeView `json:"why"`
}

func viewTime(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

func views[A, B any](in []A, view func(A) B) []B {
	out := make([]B, 0, len(in))
	for _, a := range in {
		out = append(out, view(a))
	}
	return out
}

func viewStatus(s control.Status) statusView {
	return statusView{
		Device: string(s.ID), Name: s.Name, Paused: s.Paused, Listen: append([]string{}, s.Listen...),
		Folders: views(s.Folders, viewFolderStatus), Peers: views(s.Peers, viewPeer), Problems: views(s.Problems, viewProblem),
	}
}

func viewFolder(f control.Folder) folderView {
	return folderView{ID: f.ID.String(), Label: f.Label, Path: f.Path, Role: f.Role.String()}
}

func viewFolderStatus(f control.FolderStatus) folderStatusView {
	return folderStatusView{
		folderView: viewFolder(f.Folder), State: f.State,
		Files: f.Files, Bytes: f.Bytes, NeedFiles: f.NeedFiles, NeedBytes: f.NeedBytes,
		Conflicts: f.Conflicts, Held: f.Held, Problems: views(f.Problems, viewProblem),
		ProtectedAsOf: viewTime(f.ProtectedAsOf), Members: views(f.Members, viewMember),
		LocalEdits: f.LocalEdits, Untaken: f.Untaken, AbsentFiles: f.AbsentFiles, AbsentBytes: f.AbsentBytes,
		Vault: viewVault(f.Vault),
	}
}

func viewVault(v *control.VaultStatus) *vaultView {
	if v == nil {
		return nil
	}
	return &vaultView{
		Versions: v.Versions, Bytes: v.Bytes, Quota: v.Quota, Since: viewTime(v.Since), Schedule: continuous(v.Schedule),
		LastRun: viewTime(v.LastRun), NextRun: viewTime(v.NextRun), Scrubbed: viewTime(v.Scrubbed), Damaged: v.Damaged,
		Store: viewStore(v.Store),
	}
}

func viewProblem(p control.Problem) problemView {
	return problemView{Path: p.Path, Code: p.Code, Message: p.Message, Hint: p.Hint}
}

func viewMember(m control.MemberStatus) memberView {
	return memberView{
		Device: string(m.ID), Name: m.Name, Role: m.Role.String(), Connected: m.Connected,
		NeedFiles: m.NeedFiles, NeedBytes: m.NeedBytes, LastProven: viewTime(m.LastProven),
		ProtectedAsOf: viewTime(m.ProtectedAsOf), Schedule: m.Schedule, LastDrill: viewTime(m.LastDrill),
	}
}

func viewPeer(p control.PeerStatus) peerView {
	v := peerView{
		Device: string(p.ID), Name: p.Name, Connected: p.Connected, Via: string(p.Via), Transport: string(p.Transport),
		Addr: p.Addr, LastSeen: viewTime(p.LastSeen), Paused: p.Paused, Paired: !p.Through, Sent: p.Sent, Received: p.Received,
		Relay: p.Relay, Punched: p.Punched, Since: viewTime(p.Since),
	}
	if p.RoundTrip > 0 {
		ms := float64(p.RoundTrip.Microseconds()) / 1000
		v.RoundTrip = &ms
	}
	if p.Why.Code != "" {
		v.Why = &causeView{p.Why.Code, p.Why.Message, p.Why.Hint}
	}
	return v
}

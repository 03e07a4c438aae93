package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// A result is a row as -json prints it, and as it is read again from a saved
// run. Without a peer, its figure and the ratio are left out; so is what was
// not measured.
type result struct {
	Name   string   `json:"name"`
	Unit   string   `json:"unit"`
	Ours   float64  `json:"ours"`
	Peer   *float64 `json:"peer,omitempty"`
	Ratio  *float64 `json:"ratio,omitempty"` // ours / peer
	Better string   `json:"better"`          // "higher" or "lower"
	Must   float64  `json:"must"`            // of the ratio; without a peer, of ours
	Aim    float64  `json:"aim"`
	MustBe float64  `json:"must_be,omitempty"` // of ours, beside a ratio
	AimBe  float64  `json:"aim_be,omitempty"`

	P50      float64 `json:"p50_ms,omitempty"` // of a call
	P99      float64 `json:"p99_ms,omitempty"`
	Requests float64 `json:"requests,omitempty"` // per call
	Allocs   float64 `json:"allocs,omitempty"`   // per call

	PeerP50      float64 `json:"peer_p50_ms,omitempty"`
	PeerP99      float64 `json:"peer_p99_ms,omitempty"`
	PeerRequests float64 `json:"peer_requests,omitempty"`
	PeerAllocs   float64 `json:"peer_allocs,omitempty"`

	Rounds  int `json:"rounds"`
	Members int `json:"members"` // of the cluster; 0 where it is not ours
}

// result gives r as it is printed and saved.
func (r row) result(members int) result {
	out := result{
		Name: r.name, Unit: r.unit, Ours: r.ours.value, Better: r.better, Must: r.must, Aim: r.aim, MustBe: r.mustBe, AimBe: r.aimBe,
		P50: milliseconds(r.ours.p50), P99: milliseconds(r.ours.p99), Requests: r.ours.requests, Allocs: r.ours.allocs,
		Rounds: r.rounds, Members: members,
	}
	if r.scenario.peer != nil {
		out.Peer, out.Ratio = &r.peer.value, &r.ratio
		out.PeerP50, out.PeerP99 = milliseconds(r.peer.p50), milliseconds(r.peer.p99)
		out.PeerRequests, out.PeerAllocs = r.peer.requests, r.peer.allocs
	}
	return out
}

// reached tells how far a figure comes.
func (r result) reached() string {
	x := r.Ours
	if r.Ratio != nil {
		x = *r.Ratio
	}
	ok := func(x, goal float64) bool {
		return r.Better == "higher" && x >= goal || r.Better == "lower" && x <= goal
	}
	itself := func(goal float64) bool { return goal == 0 || ok(r.Ours, goal) }
	switch {
	case ok(x, r.Aim) && itself(r.AimBe):
		return "aim"
	case ok(x, r.Must) && itself(r.MustBe):
		return "must"
	}
	return "MISSED"
}

// gain gives how many times as good as the peer this is: above one is better,
// whatever the unit. It is 0 without a peer.
func (r result) gain() float64 {
	switch {
	case r.Ratio == nil || *r.Ratio == 0:
		return 0
	case r.Better == "lower":
		return 1 / *r.Ratio
	}
	return *r.Ratio
}

func printJSON(w io.Writer, rs []result) error {
	if rs == nil {
		rs = []result{}
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(rs)
}

// readRun reads what -json printed.
func readRun(file string) ([]result, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var rs []result
	if err := json.Unmarshal(b, &rs); err != nil {
		return nil, fmt.Errorf("%s is no saved run: %w", file, err)
	}
	if len(rs) == 0 {
		return nil, fmt.Errorf("%s: %w", file, errors.New("the run is empty"))
	}
	for i, r := range rs {
		if r.Name == "" || r.Better != "higher" && r.Better != "lower" {
			return nil, fmt.Errorf("%s is no saved run: object %d has no name, or is better neither higher nor lower", file, i+1)
		}
	}
	return rs, nil
}

// duration gives milliseconds as they are printed.
func duration(ms float64) string {
	d := time.Duration(ms * float64(time.Millisecond))
	switch {
	case d >= 10*time.Millisecond:
		return d.Round(100 * time.Microsecond).String()
	case d >= time.Millisecond:
		return d.Round(10 * time.Microsecond).String()
	}
	return d.Round(time.Microsecond).String()
}

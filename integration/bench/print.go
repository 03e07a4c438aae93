package main

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"
	"time"
)

// jsonRow is a row as -json prints it. Without a peer, its figure and the
// ratio are left out.
type jsonRow struct {
	Name   string   `json:"name"`
	Unit   string   `json:"unit"`
	Ours   float64  `json:"ours"`
	Peer   *float64 `json:"peer,omitempty"`
	Ratio  *float64 `json:"ratio,omitempty"`
	Better string   `json:"better"`
	Must   float64  `json:"must"`
	Aim    float64  `json:"aim"`
	MustBe float64  `json:"must_be,omitempty"`
	AimBe  float64  `json:"aim_be,omitempty"`
}

func printJSON(w io.Writer, rows []row) error {
	out := make([]jsonRow, 0, len(rows))
	for _, r := range rows {
		j := jsonRow{Name: r.name, Unit: r.unit, Ours: r.ours.value, Better: r.better, Must: r.must, Aim: r.aim, MustBe: r.mustBe, AimBe: r.aimBe}
		if r.scenario.peer != nil {
			j.Peer, j.Ratio = &r.peer.value, &r.ratio
		}
		out = append(out, j)
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(out)
}

// reached tells how far a figure comes.
func (r row) reached() string {
	x := r.ratio
	if r.scenario.peer == nil {
		x = r.ours.value
	}
	ok := func(x, goal float64) bool {
		return r.better == "higher" && x >= goal || r.better == "lower" && x <= goal
	}
	itself := func(goal float64) bool { return goal == 0 || ok(r.ours.value, goal) }
	switch {
	case ok(x, r.aim) && itself(r.aimBe):
		return "aim"
	case ok(x, r.must) && itself(r.mustBe):
		return "must"
	}
	return "MISSED"
}

func printTable(w io.Writer, rows []row) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "scenario\tunit\tours\tpeer\tratio\tmust\taim\treached\tp50/p99\tpeer p50/p99\trequests/call\tallocs/call")
	for _, r := range rows {
		peer, ratio, peerTimes := "-", "-", "-"
		if r.scenario.peer != nil {
			peer, ratio, peerTimes = figure(r.peer.value), fmt.Sprintf("%.2fx", r.ratio), latencies(r.peer)
		}
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\t%g\t%g\t%s\t%s\t%s\t%.2f\t%.0f\n", r.name, r.unit, figure(r.ours.value), peer, ratio,
			r.must, r.aim, r.reached(), latencies(r.ours), peerTimes, r.ours.requests, r.ours.allocs)
	}
	return tw.Flush()
}

func figure(v float64) string {
	if v >= 1000 {
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.3g", v)
}

func latencies(s sample) string {
	if s.p50 == 0 {
		return "-"
	}
	return fmt.Sprintf("%v/%v", s.p50.Round(time.Microsecond), s.p99.Round(time.Microsecond))
}

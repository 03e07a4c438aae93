package main

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"text/tabwriter"
)

// columns are those of the table for people.
var columns = []string{"scenario", "unit", "ours", "peer", "ratio", "must", "aim", "reached",
	"p50/p99", "peer p50/p99", "requests/call", "peer", "allocs/call", "peer"}

// cells gives r as the columns say.
func (r result) cells() []string {
	peer, ratio := "-", "-"
	if r.Ratio != nil {
		peer, ratio = figure(*r.Peer), figure(*r.Ratio)+"x"
	}
	return []string{r.Name, r.Unit, figure(r.Ours), peer, ratio, r.goal(r.Must, r.MustBe), r.goal(r.Aim, r.AimBe), r.reached(),
		latencies(r.P50, r.P99), latencies(r.PeerP50, r.PeerP99),
		measured(r.Requests), measured(r.PeerRequests), measured(r.Allocs), measured(r.PeerAllocs)}
}

// goal gives what is to be reached: a ratio, a figure, or both.
func (r result) goal(goal, be float64) string {
	s := figure(goal)
	if r.Ratio != nil {
		s += "x"
	}
	if be != 0 {
		s += ", " + figure(be)
	}
	return s
}

func printTable(w io.Writer, rs []result) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, strings.Join(columns, "\t"))
	for _, r := range rs {
		fmt.Fprintln(tw, strings.Join(r.cells(), "\t"))
	}
	return tw.Flush()
}

// figure gives three digits that matter, and all of those before the point.
func figure(v float64) string {
	switch {
	case v == 0 || math.IsNaN(v) || math.IsInf(v, 0):
		return strconv.FormatFloat(v, 'g', -1, 64)
	case math.Abs(v) >= 100:
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	digits := 2 - int(math.Floor(math.Log10(math.Abs(v))))
	s := strconv.FormatFloat(v, 'f', digits, 64)
	return strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
}

func measured(v float64) string {
	if v == 0 {
		return "-"
	}
	return figure(v)
}

func latencies(p50, p99 float64) string {
	if p50 == 0 {
		return "-"
	}
	return duration(p50) + "/" + duration(p99)
}

package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// order is that of the table in DESIGN.md; what it does not name comes last.
var order = []string{
	"put-128", "get-128", "put-1", "get-1",
	"lock-free-64", "lock-hot-2", "lock-hot-16", "lock-handover", "election-handover",
	"sequence-64", "sequence-procs", "sequence-cached",
	"queue-16", "queue-procs", "queue-flat",
	"watch-10k", "watch-10k-memory", "watch-10k-connections",
	"size", "size-modules",
}

// inOrder gives all scenarios, sorted.
func inOrder() []scenario {
	place := func(s scenario) int {
		if i := slices.Index(order, s.name); i >= 0 {
			return i
		}
		return len(order)
	}
	return slices.SortedStableFunc(slices.Values(scenarios), func(a, b scenario) int { return place(a) - place(b) })
}

// choose gives the scenarios that only names, separated by commas; all of them
// if it is empty.
func choose(only string) ([]scenario, error) {
	all := inOrder()
	if only == "" {
		return all, nil
	}
	var out []scenario
	for name := range strings.SplitSeq(only, ",") {
		name = strings.TrimSpace(name)
		is := func(s scenario) bool { return s.name == name }
		at := slices.IndexFunc(all, is)
		if at < 0 {
			s, ok := withCallers(name)
			if !ok {
				return nil, fmt.Errorf("there is no scenario %q; there are: %s, and put-N and get-N for N callers", name, names(all))
			}
			at, all = len(all), append(all, s)
		}
		if !slices.ContainsFunc(out, is) {
			out = append(out, all[at])
		}
	}
	return out, nil
}

// withCallers gives put-N or get-N, which is no figure to reach, but tells how
// the figures depend on the number of callers.
func withCallers(name string) (scenario, bool) {
	what, number, _ := strings.Cut(name, "-")
	n, err := strconv.Atoi(number)
	if err != nil || n < 2 || n > 10_000 {
		return scenario{}, false
	}
	s := scenario{name: name, unit: what + "s/s", better: "higher", must: 1, aim: 1}
	switch what {
	case "put":
		s.ours, s.peer = ourPuts(n, false), peerPuts(n, false)
	case "get":
		s.ours, s.peer = ourGets(n, false), peerGets(n, false)
	default:
		return scenario{}, false
	}
	return s, true
}

func names(all []scenario) string {
	var out []string
	for _, s := range all {
		out = append(out, s.name)
	}
	return strings.Join(out, ", ")
}

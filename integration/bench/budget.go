package main

import (
	"context"
	"time"
)

// A quick run has many short rounds, and divides its time among the scenarios.
// All scenarios together stay below a minute as long as one round of each does.

const quickly = 48 * time.Second // for all scenarios

var (
	fullPlan  = plan{rounds: 5, round: 2 * time.Second, warm: time.Second}
	quickPlan = plan{rounds: 15, round: 150 * time.Millisecond, warm: 150 * time.Millisecond}
)

// usual is the weight of a scenario that heavy does not name.
const usual = 2

// heavy is how much of a quick run a scenario gets whose rounds or preparations
// take long, in about seconds.
var heavy = map[string]int{
	"lock-handover":         4,
	"election-handover":     4,
	"queue-16":              10,
	"queue-procs":           5,
	"queue-flat":            14,
	"watch-10k":             5,
	"watch-10k-memory":      0, // these come with watch-10k
	"watch-10k-connections": 0,
	"size":                  4,
	"size-modules":          0, // and this with size
}

func (s scenario) weight() int {
	if w, ok := heavy[s.name]; ok {
		return w
	}
	return usual
}

// share gives how long the first of todo may take when left is what is left
// for all of them.
func share(left time.Duration, todo []scenario) time.Duration {
	sum := 0
	for _, s := range todo {
		sum += s.weight()
	}
	if sum == 0 {
		return max(left, 1)
	}
	return max(left*time.Duration(todo[0].weight())/time.Duration(sum), 1)
}

type quickKey struct{}

// asQuick and isQuick tell a scenario that measures itself to be brief.
func asQuick(ctx context.Context) context.Context { return context.WithValue(ctx, quickKey{}, true) }

func isQuick(ctx context.Context) bool { return ctx.Value(quickKey{}) != nil }

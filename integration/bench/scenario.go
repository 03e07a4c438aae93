package main

import (
	"context"
	"time"
)

// A scenario is one figure: what a client does, and how well it must do it.
type scenario struct {
	name   string
	unit   string
	better string  // "higher" or "lower"
	must   float64 // the ratio to reach; without a peer, the figure itself
	aim    float64
	mustBe float64 // beside a ratio: the figure itself to reach; 0 where there is none
	aimBe  float64
	ours   setup
	peer   setup // nil where there is none to compare with
}

// A setup makes a client ready for a scenario.
type setup func(ctx context.Context, endpoints []string) (*side, error)

// A side is one client in a scenario: either calls to be repeated, or a run
// that measures itself.
type side struct {
	workers int
	call    func(ctx context.Context, worker, i int) error
	once    func(ctx context.Context) (sample, error)
	perCall bool // the figure is the time a call takes, not calls per second
	fixed   bool // it is the same in every round
	cold    bool // its calls take so long that warming up tells nothing
	// requests counts the requests sent so far; nil where unknown.
	requests func() int64
	close    func()
}

// A sample is what one round of one side gave.
type sample struct {
	value    float64
	p50, p99 time.Duration
	calls    int     // how many there were; 0 where a run has none to count
	allocs   float64 // per call, of the whole process, which the server is no part of
	requests float64 // per call
}

// A row is a scenario's result: the round of median ratio.
type row struct {
	scenario
	ours, peer sample
	ratio      float64
	rounds     int
}

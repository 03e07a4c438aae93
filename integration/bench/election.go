package main

import (
	"context"
	"time"

	"go.etcd.io/etcd/client/v3/concurrency"

	"github.com/quorate/quorate/election"
	"github.com/quorate/quorate/etcd"
)

func init() {
	scenarios = append(scenarios,
		scenario{name: "election-handover", unit: "ms", better: "lower", must: 0.8, aim: 0.6, ours: ourElections, peer: peerElections},
	)
}

// ourElections measures from one's resignation to the other's term.
func ourElections(ctx context.Context, endpoints []string) (*side, error) {
	c, requests, err := ourClient(endpoints)
	if err != nil {
		return nil, err
	}
	var sessions []*etcd.Session
	var campaign [2]func(context.Context) (func(context.Context) error, error)
	for i := range campaign {
		s, err := etcd.NewSession(ctx, c, etcd.WithTTL(time.Minute))
		if err != nil {
			return nil, err
		}
		sessions = append(sessions, s)
		e := election.New(s, "bench-handover")
		campaign[i] = func(ctx context.Context) (func(context.Context) error, error) {
			t, err := e.Campaign(ctx, []byte("candidate"))
			if err != nil {
				return nil, err
			}
			return t.Resign, nil
		}
	}
	return &side{requests: requests, close: func() { closeAll(c, sessions) },
		once: func(ctx context.Context) (sample, error) { return handover(ctx, handovers, campaign) }}, nil
}

// peerElections does the same with the concurrency package.
func peerElections(_ context.Context, endpoints []string) (*side, error) {
	c, err := peerClient(endpoints)
	if err != nil {
		return nil, err
	}
	var sessions []*concurrency.Session
	var campaign [2]func(context.Context) (func(context.Context) error, error)
	for i := range campaign {
		s, err := concurrency.NewSession(c, concurrency.WithTTL(60))
		if err != nil {
			return nil, err
		}
		sessions = append(sessions, s)
		e := concurrency.NewElection(s, "peer/bench-handover")
		campaign[i] = func(ctx context.Context) (func(context.Context) error, error) {
			return e.Resign, e.Campaign(ctx, "candidate")
		}
	}
	return &side{
		close: func() {
			for _, s := range sessions {
				_ = s.Close()
			}
			_ = c.Close()
		},
		once: func(ctx context.Context) (sample, error) { return handover(ctx, handovers, campaign) }}, nil
}

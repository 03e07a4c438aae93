package main

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func ms(ns ...int) []time.Duration {
	var out []time.Duration
	for _, n := range ns {
		out = append(out, time.Duration(n)*time.Millisecond)
	}
	return out
}

func TestPercentilesAreValuesThatWereMeasured(t *testing.T) {
	hundred := make([]time.Duration, 100)
	for i := range hundred {
		hundred[i] = time.Duration(100-i) * time.Millisecond // to be sorted
	}
	s := sampleOf(hundred)
	require.Equal(t, 50*time.Millisecond, s.p50)
	require.Equal(t, 99*time.Millisecond, s.p99)
	require.Equal(t, 100, s.calls)

	s = sampleOf(ms(7))
	require.Equal(t, 7*time.Millisecond, s.p50)
	require.Equal(t, 7*time.Millisecond, s.p99)
	s = sampleOf(ms(3, 1, 2))
	require.Equal(t, 2*time.Millisecond, s.p50)
	require.Equal(t, 3*time.Millisecond, s.p99)
	s = sampleOf(ms(4, 3, 2, 1))
	require.Equal(t, 2*time.Millisecond, s.p50)
}

// rounds gives rounds of these figures: ours, peer, ours, peer, ...
func roundsOf(figures ...float64) []round {
	var out []round
	for i := 0; i < len(figures); i += 2 {
		out = append(out, round{sample{value: figures[i]}, sample{value: figures[i+1]}})
	}
	return out
}

func nobody(context.Context, []string) (*side, error) { return nil, errors.New("nobody") }

func TestTheRoundOfMedianRatioIsTaken(t *testing.T) {
	// The ratios are 2, 10, 3; the median of ours alone would be another round.
	rs := roundsOf(200, 100, 10, 1, 30, 10)
	s := scenario{better: "higher", peer: nobody}
	require.Equal(t, 30.0, s.median(rs).ours.value)
	require.Equal(t, 3.0, s.median(rs).ratio())
	require.Equal(t, 200.0, rs[0].ours.value, "the rounds stay in their order")

	// Of two, the worse: with higher the lower one, with lower the higher.
	require.Equal(t, 2.0, s.median(rs[:2]).ratio())
	s.better = "lower"
	require.Equal(t, 10.0, s.median(rs[:2]).ratio())

	s = scenario{better: "higher"}
	require.Equal(t, 30.0, s.median(rs).ours.value, "without a peer it is the median figure")
}

// scripted is a side whose rounds give figures and are noted in log.
func scripted(log *[]string, name string, figures ...float64) setup {
	return func(context.Context, []string) (*side, error) {
		return &side{close: func() { *log = append(*log, name+" closed") }, once: func(context.Context) (sample, error) {
			*log = append(*log, name)
			x := sample{value: figures[0]}
			if len(figures) > 1 {
				figures = figures[1:]
			}
			return x, nil
		}}, nil
	}
}

func TestTheSidesAlternateAndEveryOtherRoundBeginsWithThePeer(t *testing.T) {
	var log []string
	s := scenario{name: "x", better: "higher", ours: scripted(&log, "ours", 2, 4, 9), peer: scripted(&log, "peer", 1, 1, 3)}
	r, err := s.measure(t.Context(), nil, plan{rounds: 3})
	require.NoError(t, err)
	require.Equal(t, []string{"ours", "peer", "peer", "ours", "ours", "peer", "peer closed", "ours closed"}, log)
	require.Equal(t, 3.0, r.ratio)
	require.Equal(t, 9.0, r.ours.value)
	require.Equal(t, 3.0, r.peer.value)
	require.Equal(t, 3, r.rounds)
}

func TestNoFurtherRoundBeginsOnceTheShareIsUsedUp(t *testing.T) {
	var log []string
	s := scenario{name: "x", better: "higher", ours: scripted(&log, "ours", 1)}
	r, err := s.measure(t.Context(), nil, plan{rounds: 5, share: 1})
	require.NoError(t, err)
	require.Equal(t, 1, r.rounds)
	r, err = s.measure(t.Context(), nil, plan{rounds: 5, share: time.Hour})
	require.NoError(t, err)
	require.Equal(t, 5, r.rounds)
}

func TestWhatIsFixedIsMeasuredOnce(t *testing.T) {
	s := scenario{better: "lower", ours: func(context.Context, []string) (*side, error) {
		return &side{fixed: true, close: func() {}, once: func(context.Context) (sample, error) { return sample{value: 1}, nil }}, nil
	}}
	r, err := s.measure(t.Context(), nil, plan{rounds: 5})
	require.NoError(t, err)
	require.Equal(t, 1, r.rounds)
}

func TestAnErrorOfEitherSideEndsTheScenarioAndSaysWhose(t *testing.T) {
	var log []string
	broken := func(context.Context, []string) (*side, error) {
		return &side{workers: 2, close: func() {}, call: func(context.Context, int, int) error { return errors.New("broken") }}, nil
	}
	s := scenario{better: "higher", ours: scripted(&log, "ours", 1), peer: broken}
	_, err := s.measure(t.Context(), nil, plan{rounds: 1, round: time.Second})
	require.EqualError(t, err, "peer: broken")
	_, err = s.measure(t.Context(), nil, plan{rounds: 1, round: time.Second, warm: time.Second})
	require.EqualError(t, err, "warm-up: broken")
	s.peer = nobody
	_, err = s.measure(t.Context(), nil, plan{rounds: 1})
	require.EqualError(t, err, "peer: nobody")
	s = scenario{better: "higher", ours: broken}
	_, err = s.measure(t.Context(), nil, plan{rounds: 1, round: time.Second})
	require.EqualError(t, err, "ours: broken")
}

func TestCallsAreCountedWithTheirRequestsAndAllocations(t *testing.T) {
	sent := int64(40) // before
	var kept [][]byte
	sd := &side{workers: 1, requests: func() int64 { return sent }, call: func(context.Context, int, int) error {
		sent += 3
		for range 5 {
			kept = append(kept[:0], make([]byte, 100))
		}
		time.Sleep(time.Millisecond)
		return nil
	}}
	x, err := sd.run(t.Context(), 50*time.Millisecond)
	require.NoError(t, err)
	require.Equal(t, (sent-40)/3, int64(x.calls))
	require.Equal(t, 3.0, x.requests)
	require.GreaterOrEqual(t, x.allocs, 5.0)
	require.Greater(t, x.value, 1.0)
	require.LessOrEqual(t, x.value, 1000.0, "calls a second")
	require.GreaterOrEqual(t, x.p50, time.Millisecond)
	require.LessOrEqual(t, x.p50, x.p99)

	sd.perCall = true
	x, err = sd.run(t.Context(), 50*time.Millisecond)
	require.NoError(t, err)
	require.Equal(t, milliseconds(x.p50), x.value, "the time a call takes")
}

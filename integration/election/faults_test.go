package election

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/election"
	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/integration/cluster"
	"github.com/quorate/quorate/integration/internal/party"
)

// Candidates lead, proclaim, hand over, are deposed and resign, while members are killed,
// paused and cut off. Observers at every member watch. In the end etcd's own
// history is asked: no write under an older token came after one under a newer,
// and every observer has seen every term and every vacancy, in order.
func TestWhileMembersAreKilledPausedAndCutOffThereIsOneLeaderAndObserversMissNothing(t *testing.T) {
	cl := cluster.Start(t, cluster.Options{Members: 3})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var (
		candidates, observers sync.WaitGroup
		terms, handed         atomic.Int64
	)
	observing, stop := context.WithCancel(t.Context())
	defer stop()
	seen, reached := make([][]election.Event, 3), make([]atomic.Int64, 3)
	look := make(chan struct{}, 100)
	for i := range seen {
		c := party.Troubled(t, cl, i)
		observers.Go(func() {
			defer c.Close()
			for observing.Err() == nil {
				for ev, err := range election.Observe(observing, c, name) {
					if err == nil {
						seen[i] = append(seen[i], ev)
						reached[i].Store(ev.Revision)
						if len(seen[i]) == 1 {
							look <- struct{}{}
						}
					} else if observing.Err() == nil {
						t.Errorf("observer %d: %v", i, err)
						look <- struct{}{}
						return
					}
				}
			}
		})
	}
	for range seen {
		<-look // they are there from the beginning
	}
	for i := range 5 {
		c := party.Troubled(t, cl, i%3)
		candidates.Go(func() {
			defer c.Close()
			stand(ctx, c, i, &terms, &handed)
		})
	}
	candidates.Go(func() { party.Trouble(ctx, t, cl) })
	party.Until(t, 14*time.Second, func() bool { return terms.Load() > 20 && handed.Load() > 2 })
	cancel()
	candidates.Wait()
	require.NoError(t, cl.WaitReady(t.Context()))
	c := party.Client(t, cl.Endpoints()...)
	party.InLine(t, c, prefix, 0) // nobody is left when all sessions are closed or have run out

	r, err := c.Put(t.Context(), "end", nil)
	require.NoError(t, err)
	end := r.Header.Revision
	writes := party.Written(t, c)
	require.True(t, slices.IsSorted(writes), "a stale leader's write was let through: %v", writes)
	want := happened(party.History(t, c, etcd.Prefix(prefix), end))
	t.Logf("%d terms, %d handed over, %d writes, %d events", terms.Load(), handed.Load(), len(writes), len(want))
	require.Equal(t, "vacant", strings.Fields(want[len(want)-1])[1])

	// The observers are to come to the end, too.
	for i := range seen {
		require.Eventually(t, func() bool { return reached[i].Load() == revisionOf(want[len(want)-1]) }, 2*time.Minute, 5*time.Millisecond)
	}
	stop()
	observers.Wait()
	for i := range seen {
		from, got := seen[i][0].Revision, []string(nil)
		for _, ev := range seen[i][1:] {
			require.False(t, ev.Present || ev.Kind == election.Gap, "observer %d: nothing was compacted", i)
			got = append(got, fmt.Sprintf("%d %v %s", ev.Revision, ev.Kind, ev.Leader.Value))
		}
		since := slices.IndexFunc(want, func(s string) bool { return revisionOf(s) > from })
		require.GreaterOrEqual(t, since, 0)
		require.Equal(t, want[since:], got, "observer %d", i)
		require.Greater(t, len(got), len(want)*3/4)
	}
}

func revisionOf(s string) int64 {
	n, _ := strconv.ParseInt(strings.Fields(s)[0], 10, 64)
	return n
}

// happened tells, from the history of the line alone, what observers must have
// seen.
func happened(events []etcd.Event) []string {
	type member struct {
		key              string
		created          int64
		heir, value, nth string
	}
	line := map[string]member{}
	var (
		out    []string
		leader member
	)
	for i, ev := range events {
		switch {
		case strings.HasSuffix(ev.KV.Key, "/handover"):
		case ev.Type == etcd.EventDelete:
			delete(line, ev.KV.Key)
		default:
			var note struct {
				Value      []byte
				Proclaimed int
				Heir       json.RawMessage
			}
			_ = json.Unmarshal(ev.KV.Value, &note)
			line[ev.KV.Key] = member{ev.KV.Key, ev.KV.CreateRevision, string(note.Heir), string(note.Value), strconv.Itoa(note.Proclaimed)}
		}
		if i+1 < len(events) && events[i+1].KV.ModRevision == ev.KV.ModRevision {
			continue
		}
		var first member
		for _, m := range line {
			if first.key == "" || cmp.Compare(m.created, first.created) < 0 {
				first = m
			}
		}
		switch {
		case first.key == leader.key && first.created == leader.created && first.heir == leader.heir:
			if first.nth != leader.nth {
				out = append(out, fmt.Sprintf("%d proclaimed %s", ev.KV.ModRevision, first.value))
			}
		case first.key == "":
			out = append(out, fmt.Sprintf("%d vacant ", ev.KV.ModRevision))
		default:
			out = append(out, fmt.Sprintf("%d elected %s", ev.KV.ModRevision, first.value))
		}
		leader = first
	}
	return out
}

// stand stands for election again and again.
func stand(ctx context.Context, c *etcd.Client, who int, terms, handed *atomic.Int64) {
	for ctx.Err() == nil {
		s, err := etcd.NewSession(ctx, c, etcd.WithTTL(party.TTL))
		if err != nil {
			continue
		}
		e := election.New(s, name)
		for n := 0; s.Err() == nil && ctx.Err() == nil; n++ {
			t, err := e.Campaign(ctx, []byte(fmt.Sprintf("%d-%d", who, n)))
			if err != nil {
				continue
			}
			terms.Add(1)
			lead(ctx, c, e, t, handed)
		}
		bye, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		_ = s.Close(bye)
		cancel()
	}
}

// lead is a term.
func lead(ctx context.Context, c *etcd.Client, e *election.Election, t *election.Term, handed *atomic.Int64) {
	work, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	_ = party.Write(work, c, t)
	if rand.IntN(2) == 0 {
		_ = t.Proclaim(work, append(t.Value(), '!'))
		_ = party.Write(work, c, t)
	}
	bye, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	switch rand.IntN(4) {
	case 0, 1:
		if cs, err := e.Candidates(bye); err == nil && len(cs) > 0 {
			if err := t.Transfer(bye, cs[rand.IntN(len(cs))]); err == nil {
				handed.Add(1)
			}
		}
	case 2: // as somebody else would
		if st, err := e.State(bye); err == nil && len(st.Candidates) > 0 {
			if err := election.Depose(bye, c, name, *st.Leader, st.Candidates[rand.IntN(len(st.Candidates))]); err == nil {
				handed.Add(1)
			}
		}
	}
	for errors.Is(t.Resign(bye), context.DeadlineExceeded) && bye.Err() == nil {
		continue
	}
	_ = party.Write(bye, c, t) // which must be refused
}

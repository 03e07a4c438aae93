package election

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/concurrency"
	"go.uber.org/zap"

	"github.com/quorate/quorate/election"
	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/integration/cluster"
	"github.com/quorate/quorate/integration/internal/party"
)

const rawPrefix = "elections/scheduler"

var raw = election.WithPrefix(rawPrefix)

// nativeClient is etcd's own Go client.
func nativeClient(t *testing.T, cl *cluster.Cluster) *clientv3.Client {
	t.Helper()
	c, err := clientv3.New(clientv3.Config{Endpoints: []string{cl.Direct(0)}, DialTimeout: 5 * time.Second, Logger: zap.NewNop()})
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func nativeSession(t *testing.T, c *clientv3.Client) *concurrency.Session {
	t.Helper()
	s, err := concurrency.NewSession(c, concurrency.WithTTL(10))
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// Candidates of both kinds lead in the order in which they came, and observers
// of both kinds see each leader and what it proclaims.
func TestOursAndNativeCandidatesAndObserversAreOneElection(t *testing.T) {
	cl := cluster.Start(t, cluster.Options{})
	c, nc := party.Client(t, cl.Endpoints()...), nativeClient(t, cl)
	ctx := t.Context()
	const n = 6

	ours := make(chan string, 100)
	observing, stop := context.WithCancel(ctx)
	seen := make(chan struct{})
	go func() {
		defer close(seen)
		for ev, err := range election.Observe(observing, c, "scheduler", raw) {
			if err == nil {
				ours <- ev.Kind.String() + " " + string(ev.Leader.Value)
			}
		}
	}()
	defer func() { stop(); <-seen }()
	require.Equal(t, "vacant ", next(t, ours))
	native := make(chan string, 100)
	go func() {
		for r := range concurrency.NewElection(nativeSession(t, nc), rawPrefix).Observe(observing) {
			native <- string(r.Kvs[0].Value)
		}
	}()

	order := make(chan string, n)
	var proclaim, leave [n]chan struct{}
	for i := range n { // in turn, each once the one before stands in the line
		proclaim[i], leave[i] = make(chan struct{}), make(chan struct{})
		value := fmt.Sprint("candidate ", i)
		if i%2 == 0 {
			e := concurrency.NewElection(nativeSession(t, nc), rawPrefix)
			go func() {
				if err := e.Campaign(ctx, value); err != nil {
					value = err.Error()
				}
				order <- value
				<-proclaim[i]
				_ = e.Proclaim(ctx, value+"!")
				<-leave[i]
				_ = e.Resign(ctx)
			}()
		} else {
			e := election.New(party.Session(t, c), "scheduler", raw)
			go func() {
				term, err := e.Campaign(ctx, []byte(value))
				if err != nil {
					order <- err.Error()
					return
				}
				order <- value
				<-proclaim[i]
				_ = term.Proclaim(ctx, []byte(value+"!"))
				<-leave[i]
				_ = term.Resign(ctx)
			}()
		}
		party.InLine(t, c, rawPrefix+"/", int64(i+1))
	}
	for i := range n {
		value := fmt.Sprint("candidate ", i)
		require.Equal(t, value, next(t, order))
		require.Equal(t, "elected "+value, next(t, ours))
		require.Equal(t, value, next(t, native))
		leader, err := concurrency.NewElection(nativeSession(t, nc), rawPrefix).Leader(ctx)
		require.NoError(t, err)
		require.Equal(t, value, string(leader.Kvs[0].Value))
		s, err := election.Look(ctx, c, "scheduler", raw)
		require.NoError(t, err)
		require.Equal(t, value, string(s.Leader.Value))
		require.Len(t, s.Candidates, n-1-i)

		close(proclaim[i])
		require.Equal(t, "proclaimed "+value+"!", next(t, ours))
		require.Equal(t, value+"!", next(t, native))
		select {
		case other := <-order:
			t.Fatalf("%s leads beside %s", other, value)
		default:
		}
		close(leave[i])
	}
	require.Equal(t, "vacant ", next(t, ours))
	party.InLine(t, c, rawPrefix+"/", 0)
}

func next(t *testing.T, c <-chan string) string {
	t.Helper()
	select {
	case s := <-c:
		return s
	case <-time.After(2 * time.Minute):
		t.Fatal("nothing within two minutes")
		return ""
	}
}

func TestALeaderOfEitherKindThatDiesIsFollowedByOneOfTheOther(t *testing.T) {
	cl := cluster.Start(t, cluster.Options{})
	c, nc := party.Client(t, cl.Endpoints()...), nativeClient(t, cl)
	ctx := t.Context()
	s := nativeSession(t, nc)
	native := concurrency.NewElection(s, rawPrefix)
	require.NoError(t, native.Campaign(ctx, "native"))
	mine := party.Session(t, c)
	got := make(chan *election.Term, 1)
	go func() {
		term, err := election.New(mine, "scheduler", raw).Campaign(ctx, []byte("ours"))
		if err == nil {
			got <- term
		}
	}()
	party.InLine(t, c, rawPrefix+"/", 2)
	require.NoError(t, c.Revoke(ctx, etcd.LeaseID(s.Lease())))
	term := <-got
	require.Greater(t, term.Token(), native.Rev())
	require.ErrorIs(t, native.Proclaim(ctx, "stale"), concurrency.ErrElectionNotLeader)

	last := nativeSession(t, nc)
	led := make(chan error, 1)
	go func() { led <- concurrency.NewElection(last, rawPrefix).Campaign(ctx, "native again") }()
	party.InLine(t, c, rawPrefix+"/", 2)
	require.NoError(t, c.Revoke(ctx, mine.Lease()))
	require.NoError(t, <-led)
	<-term.Context().Done()
	require.ErrorIs(t, term.Err(), etcd.ErrSessionRevoked)
	require.ErrorIs(t, term.Proclaim(ctx, []byte("stale")), election.ErrLost)
	require.ErrorIs(t, party.Write(ctx, c, term), party.ErrRefused)
}

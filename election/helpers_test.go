package election_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/election"
	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/etcdtest"
	"github.com/quorate/quorate/internal/linetest"
)

// A world is where a test takes place.
type world struct{ *linetest.World }

func inBubble(t *testing.T, f func(w *world), opts ...etcdtest.Option) {
	t.Helper()
	linetest.InBubble(t, func(w *linetest.World) { f(&world{w}) }, opts...)
}

// inTime is inBubble where requests and replies take up to latency each.
func inTime(t *testing.T, latency time.Duration, f func(w *world), opts ...etcdtest.Option) {
	t.Helper()
	linetest.InTime(t, latency, func(w *linetest.World) { f(&world{w}) }, opts...)
}

// bothWays tests f where requests take no time and where they do.
func bothWays(t *testing.T, f func(w *world), opts ...etcdtest.Option) {
	t.Helper()
	linetest.BothWays(t, func(w *linetest.World) { f(&world{w}) }, opts...)
}

var three = linetest.Three

const name = "scheduler"

// stand makes an election for a session.
func stand(s *etcd.Session, opts ...election.Option) *election.Election {
	return election.New(s, name, opts...)
}

// line gives the keys of the candidates, oldest first.
func (w *world) line() []string { return w.lineBelow(election.Root + name) }

func (w *world) lineBelow(prefix string) []string { return w.Keys(prefix + "/") }

// outcome is that of a campaign.
type outcome = linetest.Outcome[*election.Term]

// start campaigns in a goroutine of its own.
func (w *world) start(ctx context.Context, e *election.Election, value string) <-chan outcome {
	return linetest.Start(w, func() (*election.Term, error) { return e.Campaign(ctx, []byte(value)) })
}

func (w *world) waits(c <-chan outcome) {
	w.Helper()
	linetest.Waits(w, c)
}

// leads waits for a campaign to succeed.
func (w *world) leads(c <-chan outcome) *election.Term {
	w.Helper()
	return linetest.Gets(w, c)
}

func (w *world) fails(c <-chan outcome) error {
	w.Helper()
	return linetest.Fails(w, c)
}

func (w *world) campaign(e *election.Election, value string) *election.Term {
	w.Helper()
	t, err := e.Campaign(w.Context(), []byte(value))
	require.NoError(w, err)
	return t
}

func (w *world) resign(t *election.Term) {
	w.Helper()
	require.NoError(w, t.Resign(w.Context()))
}

// guarded carries out a transaction under the term's guard and reports whether
// it was let through.
func (w *world) guarded(c *etcd.Client, t *election.Term) bool {
	w.Helper()
	return w.Guarded(c, t.Guard())
}

// An audience collects what an observer sees.
type audience struct {
	*world
	events chan election.Event
	err    chan error
	stop   context.CancelFunc
}

// observe observes in a goroutine of its own.
func (w *world) observe(c *etcd.Client, opts ...election.Option) *audience {
	ctx, stop := context.WithCancel(w.Context())
	a := &audience{w, make(chan election.Event, 10_000), make(chan error, 1), stop}
	go func() {
		for ev, err := range election.Observe(ctx, c, name, opts...) {
			if err != nil {
				a.err <- err
				return
			}
			a.events <- ev
		}
		a.err <- nil
	}()
	w.Cleanup(func() { stop(); <-a.err })
	w.Settle()
	return a
}

// next gives the next event.
func (a *audience) next() election.Event {
	a.Helper()
	select {
	case ev := <-a.events:
		return ev
	case err := <-a.err:
		a.err <- err
		a.Fatalf("the observer ended: %v", err)
	case <-time.After(time.Minute):
		a.Fatal("no event within a minute")
	}
	return election.Event{}
}

// sees asserts the next event's kind and, but for a vacancy, its leader's value.
func (a *audience) sees(kind election.EventKind, value string) election.Event {
	a.Helper()
	ev := a.next()
	require.Equal(a, kind, ev.Kind, "%+v", ev)
	require.Equal(a, value, string(ev.Leader.Value))
	return ev
}

// seesNothing asserts that there is no event left.
func (a *audience) seesNothing() {
	a.Helper()
	a.Settle()
	select {
	case ev := <-a.events:
		a.Fatalf("an event too many: %+v", ev)
	default:
	}
}

package election_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/election"
	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/etcdtest"
)

// A world is an in-memory cluster in a bubble, where time is virtual. What is
// left over at the end fails the test: goroutines, connections.
type world struct {
	*testing.T
	srv *etcdtest.Server
}

func inBubble(t *testing.T, f func(w *world), opts ...etcdtest.Option) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{t, etcdtest.Start(t, opts...)}
		f(w)
	})
}

// three members: the second is for the party that is troubled, the first for
// the others, and the third makes a quorum with it.
var three = []etcdtest.Option{etcdtest.WithMembers(3)}

// client makes a client of its own, as another process would have.
func (w *world) client(change ...func(*etcd.Config)) *etcd.Client {
	w.Helper()
	cfg := etcd.Config{Endpoints: w.srv.URLs(), Dial: w.srv.Dial}
	for _, f := range change {
		f(&cfg)
	}
	c, err := etcd.New(cfg)
	require.NoError(w, err)
	w.Cleanup(func() { require.NoError(w, c.Close()) })
	return c
}

// session makes a session with a client of its own.
func (w *world) session(opts ...etcd.SessionOption) *etcd.Session {
	w.Helper()
	return w.sessionOf(w.client(), opts...)
}

func (w *world) sessionOf(c *etcd.Client, opts ...etcd.SessionOption) *etcd.Session {
	w.Helper()
	s, err := etcd.NewSession(w.Context(), c, opts...)
	require.NoError(w, err)
	w.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = s.Close(ctx)
	})
	return s
}

// at makes a session whose client knows one member alone.
func (w *world) at(member int) *etcd.Session {
	w.Helper()
	return w.sessionOf(w.clientAt(member))
}

func (w *world) clientAt(member int) *etcd.Client {
	w.Helper()
	return w.client(func(cfg *etcd.Config) { cfg.Endpoints = w.srv.URLs()[member : member+1] })
}

const name = "scheduler"

// stand makes an election for a session.
func stand(s *etcd.Session, opts ...election.Option) *election.Election {
	return election.New(s, name, opts...)
}

// line gives the keys of the candidates, oldest first.
func (w *world) line() []string { return w.lineBelow(election.Root + name) }

func (w *world) lineBelow(prefix string) []string {
	var keys []string
	kvs := w.srv.KeyValues(prefix + "/")
	for range kvs {
		oldest := -1
		for i, kv := range kvs {
			if kv.CreateRevision != 0 && (oldest < 0 || kv.CreateRevision < kvs[oldest].CreateRevision) {
				oldest = i
			}
		}
		keys = append(keys, kvs[oldest].Key)
		kvs[oldest].CreateRevision = 0
	}
	return keys
}

// outcome is that of a campaign.
type outcome struct {
	t   *election.Term
	err error
}

// start campaigns in a goroutine of its own, and returns once that can't get any
// further by itself.
func (w *world) start(ctx context.Context, e *election.Election, value string) <-chan outcome {
	c := make(chan outcome, 1)
	go func() {
		t, err := e.Campaign(ctx, []byte(value))
		c <- outcome{t, err}
	}()
	synctest.Wait()
	return c
}

// waits asserts that a campaign has not come to an end.
func (w *world) waits(c <-chan outcome) {
	w.Helper()
	synctest.Wait()
	select {
	case o := <-c:
		w.Fatalf("elected or failed instead of waiting: %v", o.err)
	default:
	}
}

// leads waits for a campaign to succeed.
func (w *world) leads(c <-chan outcome) *election.Term {
	w.Helper()
	select {
	case o := <-c:
		require.NoError(w, o.err)
		return o.t
	case <-time.After(time.Minute):
		w.Fatal("not elected within a minute")
		return nil
	}
}

// fails waits for a campaign to fail.
func (w *world) fails(c <-chan outcome) error {
	w.Helper()
	select {
	case o := <-c:
		require.Error(w, o.err)
		require.Nil(w, o.t)
		return o.err
	case <-time.After(time.Minute):
		w.Fatal("no outcome within a minute")
		return nil
	}
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
	r, err := c.Txn(w.Context(), etcd.Txn{If: []etcd.Cmp{t.Guard()}, Then: []etcd.Op{etcd.Put("protected", []byte("x"))}})
	require.NoError(w, err)
	return r.Succeeded
}

// ended waits until the context has ended, and gives the cause.
func (w *world) ended(ctx context.Context) error {
	w.Helper()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(time.Minute):
		w.Fatal("the context has not ended within a minute")
		return nil
	}
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
	synctest.Wait()
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
	synctest.Wait()
	select {
	case ev := <-a.events:
		a.Fatalf("an event too many: %+v", ev)
	default:
	}
}

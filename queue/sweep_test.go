package queue_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/etcdtest"
	"github.com/quorate/quorate/queue"
)

// A mishap befalls one request of a process that enqueues, works and cares: one
// after the other each of those it sends.
type mishap struct {
	name  string
	path  string // of the requests that suffer; empty: transactions
	fault etcdtest.Fault
	// does happens while the request is held up, before it is carried out or
	// (after) before it is answered.
	does  func(*act)
	after bool
	// late lets the request arrive after that, whoever has given it up.
	late bool
	// permits says which errors the process may see.
	permits []error
}

// act is a run in which a mishap happens.
type act struct {
	*world
	s      *etcd.Session
	n      *node
	ctx    context.Context // of the process
	cancel context.CancelFunc
	m      mishap

	ids     map[string]bool // enqueued for sure
	removed []string        // cancelled, perhaps
	settled map[string]bool // acknowledged for sure
}

var broken = []error{
	etcd.ErrSessionRevoked, etcd.ErrSessionExpired, queue.ErrConsumerGone, queue.ErrClaimLost, queue.ErrConsumerClosed, queue.ErrSettled,
}

var mishaps = []mishap{
	{name: "the request is lost", fault: etcdtest.Fault{LoseRequest: true}},
	{name: "the reply is lost", fault: etcdtest.Fault{LoseReply: true}},
	{name: "the reply is later than an attempt lasts", fault: etcdtest.Fault{DelayReply: 7 * time.Second}},
	{name: "the request is late", fault: etcdtest.Fault{Delay: 3 * time.Second}},
	{name: "the request arrives when it has been repeated", does: func(*act) { time.Sleep(20 * time.Second) }, late: true},
	{name: "the answer is garbage after the commit", fault: etcdtest.Fault{Commit: true, Reply: etcdtest.TextReply(502, "text/html", "<html>bad gateway</html>")}},
	{name: "the answer to a read is lost", path: "/v3/kv/range", fault: etcdtest.Fault{LoseReply: true}},
	{name: "a read is later than an attempt lasts", path: "/v3/kv/range", fault: etcdtest.Fault{DelayReply: 7 * time.Second}},
	{name: "a put is lost", path: "/v3/kv/put", fault: etcdtest.Fault{LoseRequest: true}},
	{name: "the context ends before it is carried out", does: func(a *act) { a.cancel() }, permits: []error{context.Canceled}},
	{name: "the context ends before the answer", does: func(a *act) { a.cancel() }, after: true, permits: []error{context.Canceled}},
	{name: "the lease is revoked before it is carried out", does: revoke, permits: broken},
	{name: "the lease is revoked before the answer", does: revoke, after: true, permits: broken},
	{name: "the watches break and the history is compacted", does: func(a *act) {
		a.srv.DropWatches()
		_ = a.srv.Compact(a.srv.Revision())
	}},
	{name: "the member is killed and comes back", does: func(a *act) { a.srv.Kill(1); time.Sleep(2 * time.Second); a.srv.Restart(1) }, after: true},
	{name: "the member is paused beyond the TTL", does: func(a *act) { a.srv.Pause(1); time.Sleep(40 * time.Second); a.srv.Resume(1) }, permits: append(broken, etcd.ErrUnavailable, etcd.ErrUnknownOutcome)},
}

func revoke(a *act) { a.srv.RevokeLease(int64(a.s.Lease())) }

// TestWhateverBefallsAnyTransaction takes one transaction after the other of a
// process that does all there is to do with a queue, and inherits what another
// one died of, and lets every mishap happen to it. What the process is told must be true, and in the end, with
// somebody else's help, every job is done, once acknowledged.
func TestWhateverBefallsAnyTransaction(t *testing.T) {
	for i, m := range mishaps {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			for step := i % stride; ; step += stride {
				hit := false
				ok := t.Run(fmt.Sprint("request ", step), func(t *testing.T) {
					latency := time.Duration((i+step)%2) * usual // for every other one
					inBubbleWith(t, latency, func(w *world) { hit = w.suffer(m, step) }, etcdtest.WithMembers(3))
				})
				if !ok {
					return
				}
				if !hit {
					if least := map[string]int{"": 40, "/v3/kv/range": 10, "/v3/kv/put": 1}[m.path]; step < least {
						t.Fatalf("the process sent only %d of these", step)
					}
					return
				}
			}
		})
	}
}

// bequeath leaves claims behind of a consumer that died, one of which died of
// its job alone before.
func (a *act) bequeath() {
	a.Helper()
	c := a.client(func(cfg *etcd.Config) { cfg.Endpoints = cfg.Endpoints[:1] })
	for i := range 2 {
		n := a.nodeOf(c, a.session(c))
		if i == 0 {
			for _, id := range a.push(n.q, "ack", "with it", "ack") {
				a.ids[id] = true
			}
			n.take(2)
		} else {
			n.take(1)
		}
		n.die()
	}
	_, op, err := queue.New[string](c, name).EnqueueOp("outbox")
	require.NoError(a, err)
	_, err = c.Txn(a.Context(), etcd.Txn{Then: []etcd.Op{op}})
	require.NoError(a, err)
}

// suffer runs a process whose transaction number step suffers m. It reports
// whether there was such a one.
func (w *world) suffer(m mishap, step int) bool {
	ctx, cancel := context.WithCancel(w.Context())
	defer cancel()
	c := w.client(func(cfg *etcd.Config) { cfg.Endpoints = cfg.Endpoints[1:2] })
	a := &act{world: w, s: w.session(c), ctx: ctx, cancel: cancel, m: m, ids: map[string]bool{}, settled: map[string]bool{}}
	a.bequeath()
	f := m.fault
	f.Path, f.Members, f.Skip, f.Times, f.Match = cmp.Or(m.path, txnPath), []int{1}, step, 1, about
	done := make(chan struct{})
	hold := make(chan struct{})
	switch {
	case m.does == nil:
	case m.late:
		f.Late = hold
	case m.after:
		f.HoldReply = hold
	default:
		f.Hold = hold
	}
	in := w.srv.Inject(f)
	watching, stop := context.WithCancel(context.Background())
	go func() {
		defer close(done)
		defer close(hold)
		if in.Await(watching, 1) == nil && m.does != nil {
			m.does(a)
		}
	}()
	a.live(c)
	hit := in.Hits() > 0
	stop()
	<-done
	in.Remove()
	a.finish()
	return hit
}

// try runs a step of the process, and reports whether it went well.
func (a *act) try(err error) bool {
	a.Helper()
	if err == nil {
		return true
	}
	for _, p := range a.m.permits {
		if errors.Is(err, p) {
			return false
		}
	}
	require.NoError(a, err, "not survived")
	return false
}

func (a *act) enqueue(q *queue.Queue[string], v string, opts ...queue.EnqueueOption) string {
	a.Helper()
	id, err := q.Enqueue(a.ctx, v, opts...)
	if a.try(err) {
		a.ids[id] = true
	}
	return id
}

// live does all there is to do with a queue.
func (a *act) live(c *etcd.Client) {
	q := queue.New[string](c, name)
	a.enqueue(q, "ack", queue.Unique("u"))
	many, err := q.EnqueueMany(a.ctx, []string{"with", "nack", "dead", "ack", "return"}, queue.Priority(2))
	if a.try(err) {
		for _, id := range many {
			a.ids[id] = true
		}
	}
	a.enqueue(q, "ack", queue.Delay(time.Second))
	if id := a.enqueue(q, "cancelled", queue.Delay(time.Hour)); id != "" {
		a.removed = append(a.removed, id)
		a.try(q.Cancel(a.ctx, id))
	}
	id, op, err := q.EnqueueOp("outbox")
	require.NoError(a, err)
	if _, err := c.Txn(a.ctx, etcd.Txn{Then: []etcd.Op{op}}); err == nil {
		a.ids[id] = true
	}
	var cerr error
	a.n = &node{w: a.world, c: c, s: a.s, q: q}
	if a.n.Consumer, cerr = q.Consumer(a.s); !a.try(cerr) {
		return
	}
	a.work(a.n, a.ctx, 3*time.Second)
	_, err = q.Redrive(a.ctx)
	a.try(err)
	a.work(a.n, a.ctx, 3*time.Second)
	a.try(a.n.Close(a.ctx))
}

// work deals with jobs as their values say, until none comes for a while.
func (a *act) work(n *node, ctx context.Context, idle time.Duration) {
	a.Helper()
	for {
		patience, cancel := context.WithTimeout(ctx, idle+30*time.Second*b(a.m.does != nil || a.m.fault.DelayReply != 0))
		ds, err := n.Receive(patience, 3)
		cancel()
		if err != nil {
			if !errors.Is(err, context.DeadlineExceeded) {
				a.try(err)
			}
			return
		}
		for _, d := range ds {
			a.deal(ctx, d)
		}
	}
}

func b(v bool) time.Duration {
	if v {
		return 1
	}
	return 0
}

func (a *act) deal(ctx context.Context, d *queue.Delivery[string]) {
	a.Helper()
	require.False(a, a.settled[d.ID], "job %s (%s) is delivered after its acknowledgement", d.ID, d.Value)
	var err error
	switch {
	case d.Value == "with":
		var res *etcd.TxnResult
		res, err = d.AckWith(ctx, etcd.Txn{Then: []etcd.Op{etcd.Put("result/"+d.ID, nil)}})
		if err == nil {
			require.True(a, res.Succeeded)
			a.settled[d.ID] = true
		}
	case d.Attempt > 1:
		if err = d.Ack(ctx); err == nil {
			a.settled[d.ID] = true
		}
	case d.Value == "nack":
		err = d.Nack(ctx, time.Second)
	case d.Value == "dead" && d.LastError == "":
		err = d.Dead(ctx, "hopeless", queue.Because(errors.New("seen")))
	case d.Value == "return" && ctx == a.ctx && !a.settled["returned"]:
		a.settled["returned"] = true
		err = d.Return(ctx)
	default:
		if err = d.Ack(ctx); err == nil {
			a.settled[d.ID] = true
		}
	}
	a.try(err)
}

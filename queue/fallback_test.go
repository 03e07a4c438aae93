package queue_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/etcdtest"
	"github.com/quorate/quorate/queue"
)

// Whose turn it is may be paused. Those that are to be paused here have the
// first member for themselves, and the one that is not the second.

// at makes a consumer in a process of its own that knows one member alone.
func (w *world) at(member int) *node {
	w.Helper()
	c := w.client(func(cfg *etcd.Config) { cfg.Endpoints = w.srv.URLs()[member : member+1] })
	n := w.nodeOf(c, w.session(c))
	w.settle()
	return n
}

// hang holds up for good what is sent to the first member about a key.
func (w *world) hang(key string) {
	w.Helper()
	hung := make(chan struct{})
	w.Cleanup(func() { close(hung) })
	w.srv.Inject(etcdtest.Fault{Members: []int{0}, Hold: hung, Match: func(r *etcdtest.Request) bool { return r.Touches(key) }})
}

func TestClaimsAreTakenOverSoonAlsoWhenThoseInFrontArePaused(t *testing.T) {
	inBubbles(t, func(w *world) {
		q := w.queue()
		var dead []*node
		for range 4 {
			n := w.at(1)
			w.push(q, "x")
			n.takeOne()
			dead = append(dead, n)
		}
		for range 11 {
			w.at(0)
		}
		spare := w.at(1)
		for _, n := range dead {
			w.hang(data + "claim/" + n.ID() + "/00000001")
		}
		for _, n := range dead {
			start := time.Now()
			n.die()
			d := spare.takeOne()
			require.Equal(w, 2, d.Attempt)
			require.Less(w, time.Since(start), 2*time.Second)
			require.NoError(w, d.Ack(w.Context()))
		}
	}, etcdtest.WithMembers(2))
}

func TestDelayedJobsComeSoonAlsoWhenThoseInFrontArePaused(t *testing.T) {
	inBubbles(t, func(w *world) {
		for range 11 {
			w.at(0)
		}
		spare := w.at(1)
		w.hang(data + "ring") // which every batch reads that adds to the log
		for range 4 {
			due := time.Now().Add(3 * time.Second)
			_, err := spare.q.Enqueue(w.Context(), "x", queue.At(due))
			require.NoError(w, err)
			d := spare.takeOne()
			require.Less(w, time.Since(due), 2*time.Second)
			require.NoError(w, d.Ack(w.Context()))
		}
	}, etcdtest.WithMembers(2))
}

func TestOutboxJobsComeSoonAlsoWhenThoseInFrontArePaused(t *testing.T) {
	inBubbles(t, func(w *world) {
		w.at(0)
		w.at(0)
		spare := w.at(1)
		for range 6 {
			id, op, err := spare.q.EnqueueOp("x")
			require.NoError(w, err)
			w.hang(data + "inbox/" + id)
			start := time.Now()
			_, err = spare.c.Txn(w.Context(), etcd.Txn{Then: []etcd.Op{op}})
			require.NoError(w, err)
			d := spare.takeOne()
			require.Equal(w, id, d.ID)
			require.Less(w, time.Since(start), time.Second)
			require.NoError(w, d.Ack(w.Context()))
		}
	}, etcdtest.WithMembers(2))
}

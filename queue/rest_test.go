package queue_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/etcdtest"
	"github.com/quorate/quorate/queue"
)

// atRest checks that for a minute nobody asks for anything about the queue but
// what one consumer looks for every minute for all.
func (w *world) atRest() {
	w.Helper()
	n := w.requests(func() { time.Sleep(time.Minute) })
	require.LessOrEqual(w, n, 2*2, "requests of consumers that have nothing to do")
}

// band has three consumers, each in a process of its own, deal with what comes as
// its value says.
func (w *world) band() (nodes []*node) {
	w.Helper()
	for range 3 {
		c := w.client()
		n := w.nodeOf(c, w.session(c), queue.Prefetch(2))
		nodes = append(nodes, n)
		go func() {
			for {
				ds, err := n.Receive(w.Context(), 2)
				if err != nil {
					return
				}
				for _, d := range ds {
					w.play(d)
				}
			}
		}()
	}
	w.settle()
	return nodes
}

func (w *world) play(d *queue.Delivery[string]) {
	var err error
	switch {
	case d.Value == "slow":
		if sleepFor(d.Context(), 20*time.Second) != nil {
			return
		}
	case d.Attempt > 1 || d.LastError != "":
	case d.Value == "nack":
		err = d.Nack(w.Context(), 3*time.Second)
	case d.Value == "dead":
		err = d.Dead(w.Context(), "x", queue.Because(errors.New("x")))
	case d.Value == "with":
		_, err = d.AckWith(w.Context(), etcd.Txn{Then: []etcd.Op{etcd.Put("result/"+d.ID, nil)}})
	}
	if err == nil {
		err = d.Ack(w.Context())
	}
	if err != nil && !errors.Is(err, queue.ErrSettled) && !errors.Is(err, queue.ErrClaimLost) {
		w.Error(err)
	}
}

// Whatever consumers have been through, and however long requests take: when all
// is done, they sleep.
func TestConsumersThatHaveNothingToDoAskForNothing(t *testing.T) {
	for name, story := range map[string]func(w *world, q *queue.Queue[string], nodes []*node){
		"jobs of all sorts": func(w *world, q *queue.Queue[string], _ []*node) {
			w.push(q, append(numbered(100), "nack", "dead", "with", "nack", "dead", "with")...)
			for _, opt := range []queue.EnqueueOption{queue.Priority(3), queue.Unique("u"), queue.TTL(time.Hour)} {
				_, err := q.Enqueue(w.Context(), "x", opt)
				require.NoError(w, err)
			}
			time.Sleep(10 * time.Second)
			_, err := q.Redrive(w.Context())
			require.NoError(w, err)
		},
		"one delayed job": func(w *world, q *queue.Queue[string], _ []*node) {
			_, err := q.Enqueue(w.Context(), "x", queue.Delay(time.Second))
			require.NoError(w, err)
		},
		"delayed jobs, of which some are not due yet": func(w *world, q *queue.Queue[string], _ []*node) {
			for i := range 40 {
				_, err := q.Enqueue(w.Context(), "x", queue.Delay(time.Duration(i)*10*time.Millisecond))
				require.NoError(w, err)
			}
			_, err := q.Enqueue(w.Context(), "x", queue.Delay(24*time.Hour))
			require.NoError(w, err)
		},
		"jobs of others' transactions": func(w *world, q *queue.Queue[string], _ []*node) {
			for range 20 {
				_, op, err := q.EnqueueOp("x", queue.Delay(time.Second))
				require.NoError(w, err)
				_, err = q.Client().Txn(w.Context(), etcd.Txn{Then: []etcd.Op{op}})
				require.NoError(w, err)
			}
		},
		"cancelled and purged jobs": func(w *world, q *queue.Queue[string], _ []*node) {
			require.NoError(w, q.Pause(w.Context(), "x"))
			ids := w.push(q, numbered(20)...)
			for _, id := range ids[:10] {
				require.NoError(w, q.Cancel(w.Context(), id))
			}
			require.NoError(w, q.Resume(w.Context()))
			w.push(q, numbered(20)...)
			_, err := q.Purge(w.Context(), queue.Ready)
			require.NoError(w, err)
		},
		"a pause that goes on": func(w *world, q *queue.Queue[string], _ []*node) {
			require.NoError(w, q.Pause(w.Context(), "x"))
			w.push(q, numbered(20)...)
			_, err := q.Enqueue(w.Context(), "x", queue.Delay(time.Second))
			require.NoError(w, err)
		},
		"a death": func(w *world, q *queue.Queue[string], nodes []*node) {
			w.push(q, "slow", "slow", "slow", "x")
			w.settle()
			nodes[0].die()
		},
		"a shutdown": func(w *world, q *queue.Queue[string], nodes []*node) {
			w.push(q, numbered(50)...)
			require.NoError(w, nodes[0].Close(w.Context()))
		},
		"broken watches": func(w *world, q *queue.Queue[string], _ []*node) {
			w.push(q, numbered(20)...)
			w.srv.DropWatches()
			require.NoError(w, w.srv.Compact(w.srv.Revision()))
			w.push(q, numbered(20)...)
		},
		"lost replies": func(w *world, q *queue.Queue[string], _ []*node) {
			in := w.srv.Inject(etcdtest.Fault{Path: txnPath, Skip: 2, Times: 20, LoseReply: true, Match: about})
			defer in.Remove()
			w.push(q, append(numbered(20), "nack", "dead")...)
			_, err := q.Enqueue(w.Context(), "x", queue.Delay(time.Second))
			require.NoError(w, err)
			time.Sleep(time.Minute)
		},
		"a full etcd": func(w *world, q *queue.Queue[string], _ []*node) {
			w.push(q, numbered(20)...)
			w.srv.SetNoSpace(true)
			time.Sleep(10 * time.Second)
			w.srv.SetNoSpace(false)
		},
		"what cannot be read": func(w *world, q *queue.Queue[string], nodes []*node) {
			for _, key := range []string{"claim/nobody/00000001", "c/free/0-0000000000000000-x", "c/due", "c/soon", "inbox/x"} {
				w.srv.Put(data+key, []byte("?"))
			}
			w.push(q, "x")
			nodes[0].die()
		},
	} {
		for _, latency := range []time.Duration{usual, long} { // now and then a request is fast
			t.Run(name+", "+pace(latency), func(t *testing.T) {
				inBubbleWith(t, latency, func(w *world) {
					q, nodes := w.queue(), w.band()
					story(w, q, nodes)
					time.Sleep(time.Minute)
					w.atRest()
				})
			})
		}
	}
}

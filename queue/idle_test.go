package queue_test

import (
	"encoding/base64"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcdtest"
	"github.com/quorate/quorate/queue"
)

// crowd makes consumers that wait, each in a process of its own, and gives what
// they receive.
func (w *world) crowd(n int) (<-chan *queue.Delivery[string], []*node) {
	w.Helper()
	got := make(chan *queue.Delivery[string], 1000)
	var nodes []*node
	for range n {
		c := w.client()
		nodes = append(nodes, w.nodeOf(c, w.session(c)))
	}
	w.settle()
	for _, n := range nodes {
		go func() {
			for {
				ds, err := n.Receive(w.Context(), 1)
				if err != nil {
					return
				}
				for _, d := range ds {
					got <- d
				}
			}
		}()
	}
	time.Sleep(time.Minute)
	w.settle()
	return got, nodes
}

// requests counts the requests of all sorts about the queue that f causes.
func (w *world) requests(f func()) int {
	in := w.srv.Inject(etcdtest.Fault{Match: about})
	defer in.Remove()
	f()
	return in.Hits()
}

// about matches requests about the queue, but for the counts of one key by which
// a client sees every two seconds whether the member that it watches on is alive.
func about(r *etcdtest.Request) bool {
	alive := r.Body["count_only"] == true && r.Body["range_end"] == nil
	return !alive && names(r.Body)
}

// names reports whether part of a request is about a key of the queue.
func names(part any) bool {
	switch v := part.(type) {
	case map[string]any:
		for _, of := range v {
			if names(of) {
				return true
			}
		}
	case []any:
		return slices.ContainsFunc(v, names)
	case string:
		key, err := base64.StdEncoding.DecodeString(v)
		return err == nil && strings.HasPrefix(string(key), data)
	}
	return false
}

func TestOneJobAtAHundredIdleConsumersCostsAHandfulOfRequests(t *testing.T) {
	inBubble(t, func(w *world) {
		got, nodes := w.crowd(100 / stride)
		q := nodes[0].q
		w.push(q, "warm up")
		require.NoError(w, (<-got).Ack(w.Context()))
		time.Sleep(time.Minute)
		n := w.requests(func() {
			w.push(q, "x")
			require.NoError(w, (<-got).Ack(w.Context()))
			time.Sleep(10 * time.Second)
		})
		require.GreaterOrEqual(w, n, 3)
		require.LessOrEqual(w, n, 5, "an enqueue, a claim, an ack")

		n = w.requests(func() {
			_, err := q.Enqueue(w.Context(), "x", queue.Delay(30*time.Second))
			require.NoError(w, err)
			require.NoError(w, (<-got).Ack(w.Context()))
			time.Sleep(10 * time.Second)
		})
		require.LessOrEqual(w, n, 12, "at a due time neither")
	})
}

func TestOneDeathAmongAHundredConsumersCostsAHandfulOfRequests(t *testing.T) {
	inBubble(t, func(w *world) {
		got, nodes := w.crowd(100 / stride)
		q := nodes[0].q
		w.push(q, "x")
		d := <-got
		looks := w.srv.Inject(etcdtest.Fault{Path: "/v3/kv/range", Match: func(r *etcdtest.Request) bool {
			return r.Touches(data + "claim/" + d.Consumer + "/00000001")
		}})
		requests := func() int {
			r := w.srv.Requests()
			return r["/v3/kv/txn"] + r["/v3/kv/put"] + looks.Hits()
		}
		before := requests()
		for _, n := range nodes {
			if n.ID() == d.Consumer {
				n.die()
			}
		}
		again := <-got
		require.Equal(w, 2, again.Attempt)
		require.NoError(w, again.Ack(w.Context()))
		time.Sleep(10 * time.Second)
		require.LessOrEqual(w, requests()-before, 15)
		before = requests()
		for _, n := range nodes {
			if n.Err() == nil {
				require.NoError(w, n.Close(w.Context()))
				break
			}
		}
		time.Sleep(10 * time.Second)
		require.LessOrEqual(w, requests()-before, 5, "a graceful end")
	})
}

// To promote is some requests, one after the other. The others are not to come
// while one is at it, however long these take.
func TestWhereRequestsTakeLongNotAllComeForWhatIsDue(t *testing.T) {
	inBubbleWith(t, long, func(w *world) {
		got, nodes := w.crowd(50)
		q := nodes[0].q
		w.push(q, "warm up")
		require.NoError(w, (<-got).Ack(w.Context()))
		time.Sleep(time.Minute)
		n := w.requests(func() {
			for range 4 {
				_, err := q.Enqueue(w.Context(), "x", queue.Delay(3*time.Second))
				require.NoError(w, err)
				require.NoError(w, (<-got).Ack(w.Context()))
				time.Sleep(5 * time.Second)
			}
		})
		require.LessOrEqual(w, n, 4*50)
	})
}

func TestAJobIsTakenSoonAlsoWhenThoseInFrontArePaused(t *testing.T) {
	inBubble(t, func(w *world) {
		got, nodes := w.crowd(20)
		hung := make(chan struct{})
		defer close(hung)
		// The claims of all but the last hang.
		w.srv.Inject(etcdtest.Fault{Path: "/v3/kv/txn", Hold: hung, Match: func(r *etcdtest.Request) bool {
			for _, n := range nodes[:19] {
				if r.Puts(data + "claim/" + n.ID() + "/00000001") {
					return true
				}
			}
			return false
		}})
		w.push(w.queue(), "x")
		start := time.Now()
		d := <-got
		require.Equal(w, nodes[19].ID(), d.Consumer)
		require.Less(w, time.Since(start), 100*time.Millisecond)
		require.NoError(w, d.Ack(w.Context()))
	})
}

func TestAJobIsOnItsWayForThreeRoundTrips(t *testing.T) {
	const trip = 10 * time.Millisecond
	inBubble(t, func(w *world) {
		got, nodes := w.crowd(2)
		w.push(nodes[0].q, "warm up")
		require.NoError(w, (<-got).Ack(w.Context()))
		time.Sleep(time.Second)
		w.srv.Inject(etcdtest.Fault{Path: "/v3/kv/txn", Delay: trip / 2, DelayReply: trip / 2})
		q := nodes[0].q
		for range 20 {
			start := time.Now()
			w.push(q, "x")
			d := <-got
			require.LessOrEqual(w, time.Since(start), 4*trip)
			require.NoError(w, d.Ack(w.Context()))
		}
	})
}

func TestCallsThatMeetShareCommits(t *testing.T) {
	inBubble(t, func(w *world) {
		q, n := w.queue(), w.node(queue.Prefetch(1000))
		w.push(q, "warm up")
		require.NoError(w, n.takeOne().Ack(w.Context()))
		w.srv.Inject(etcdtest.Fault{Path: "/v3/kv/txn", Delay: time.Millisecond})
		const many = 1000
		txns := w.txns(func() {
			errs := make(chan error, many)
			for range many {
				go func() {
					_, err := q.Enqueue(w.Context(), "x")
					errs <- err
				}()
			}
			for range many {
				require.NoError(w, <-errs)
			}
			ds := n.take(many)
			for _, d := range ds {
				go func() { errs <- d.Ack(w.Context()) }()
			}
			for range many {
				require.NoError(w, <-errs)
			}
		})
		require.LessOrEqual(w, txns, 30)
		time.Sleep(time.Second) // the record goes with the last ack, or a moment after
		w.empty()
	})
}

func TestABatchCostsThreeTransactionsHoweverLongItIs(t *testing.T) {
	inBubble(t, func(w *world) {
		q, n := w.queue(), w.node()
		w.push(q, "warm up")
		require.NoError(w, n.takeOne().Ack(w.Context()))
		w.settle()
		txns := w.txns(func() {
			w.push(q, numbered(500)...)
			ds, err := n.Receive(w.Context(), 500)
			require.NoError(w, err)
			require.Len(w, ds, 500)
			require.NoError(w, n.Ack(w.Context(), ds...))
			w.settle()
		})
		require.Equal(w, 3, txns)
		w.empty()
	})
}

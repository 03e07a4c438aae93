package queue_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/etcdtest"
	"github.com/quorate/quorate/queue"
)

// samePage has reads of a range that starts with prefix answered with the same key
// again and again, and with the word that there is more.
func (w *world) samePage(c *etcd.Client, prefix, key string) *etcdtest.Injected {
	w.Helper()
	st, err := c.Get(w.Context(), etcd.Key("x"))
	require.NoError(w, err)
	b64 := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	return w.srv.Inject(etcdtest.Fault{
		Path:  "/v3/kv/range",
		Match: func(r *etcdtest.Request) bool { return strings.HasPrefix(r.Key(), prefix) },
		Reply: etcdtest.TextReply(200, "application/json", fmt.Sprintf(
			`{"header":{"cluster_id":"%d","member_id":"%d","revision":"%d","raft_term":"2"},"kvs":[{"key":%q,"value":%q,"create_revision":"2","mod_revision":"2","version":"1"}],"more":true,"count":"9"}`,
			st.Header.ClusterID, st.Header.MemberID, w.srv.Revision(), b64(key), b64("{\"id\":\"0-0-x\",\"at\":1}\nx"))),
	})
}

func TestAServerThatRepeatsAPageIsAskedNoMoreThanAFewTimes(t *testing.T) {
	for what, one := range map[string]struct {
		prefix, key string
		call        func(ctx context.Context, q *queue.Queue[string]) error
	}{
		"claims": {"claim/", "claim/x/00000001", func(ctx context.Context, q *queue.Queue[string]) error { _, err := q.Stats(ctx); return err }},
		"purging": {"jobs/", "jobs/0/0000000000000000", func(ctx context.Context, q *queue.Queue[string]) error {
			_, err := q.Purge(ctx, queue.Ready)
			return err
		}},
		"listing": {"jobs/", "jobs/0/0000000000000001", func(ctx context.Context, q *queue.Queue[string]) (last error) {
			for _, last = range q.List(ctx, queue.Ready) {
			}
			return last
		}},
		"searching": {"jobs/", "jobs/0/0000000000000001", func(ctx context.Context, q *queue.Queue[string]) error { _, err := q.Get(ctx, "t-1-x"); return err }},
	} {
		t.Run(what, func(t *testing.T) {
			inBubble(t, func(w *world) {
				q := w.queue()
				w.push(q, "a", "b", "c")
				in := w.samePage(q.Client(), data+one.prefix, data+one.key)
				require.ErrorIs(w, one.call(w.Context(), q), etcd.ErrBadReply)
				require.LessOrEqual(w, in.Hits(), 10)
				in.Remove()
			})
		})
	}
}

func TestAServerThatRepeatsWhatIsDueIsNotAskedWithoutRest(t *testing.T) {
	inBubble(t, func(w *world) {
		q := w.queue()
		_, err := q.Enqueue(w.Context(), "x", queue.Delay(time.Minute))
		require.NoError(w, err)
		n := w.node()
		in := w.samePage(q.Client(), data+"later/", data+"later/0000000000000001-t-1-x")
		time.Sleep(2 * time.Minute)
		require.LessOrEqual(w, in.Hits(), 100)
		in.Remove()
		w.ackAll(n.within(time.Minute, 1))
	})
}

// contradict has transactions that match refused, with an answer that shows these
// keys as they are, an empty name for one that is not there.
func (w *world) contradict(c *etcd.Client, match func(*etcdtest.Request) bool, keys ...string) *etcdtest.Injected {
	w.Helper()
	st, err := c.Get(w.Context(), etcd.Key("x"))
	require.NoError(w, err)
	b64 := func(b []byte) string { return base64.StdEncoding.EncodeToString(b) }
	var responses []string
	for _, key := range keys {
		kvs := ""
		if kv, there := w.srv.Get(key); there {
			kvs = fmt.Sprintf(`{"key":%q,"value":%q,"create_revision":"%d","mod_revision":"%d","version":"%d","lease":"%d"}`,
				b64([]byte(key)), b64(kv.Value), kv.CreateRevision, kv.ModRevision, kv.Version, kv.Lease)
		}
		responses = append(responses, fmt.Sprintf(`{"response_range":{"kvs":[%s]}}`, kvs))
	}
	return w.srv.Inject(etcdtest.Fault{Path: txnPath, Match: match, Reply: etcdtest.TextReply(200, "application/json", fmt.Sprintf(
		`{"header":{"cluster_id":"%d","member_id":"%d","revision":"%d","raft_term":"2"},"responses":[%s]}`,
		st.Header.ClusterID, st.Header.MemberID, w.srv.Revision(), strings.Join(responses, ",")))})
}

// A refusal that shows that all that was compared is as it was.
func TestAServerThatContradictsItselfIsNotAskedWithoutRest(t *testing.T) {
	const head, tail = data + "c/head", data + "c/tail"
	t.Run("a claim", func(t *testing.T) {
		inBubble(t, func(w *world) {
			n := w.node()
			w.push(n.q, "a")
			me := data + "c/consumer/" + n.ID()
			in := w.contradict(n.c, func(r *etcdtest.Request) bool { return r.Puts(head) }, head, tail, me, data+"c/paused", data+"claim/none")
			n.none(time.Minute)
			require.LessOrEqual(w, in.Hits(), 200)
			in.Remove()
			w.ackAll(n.within(time.Minute, 1))
		})
	})
	t.Run("a cancellation", func(t *testing.T) {
		inBubble(t, func(w *world) {
			q := w.queue()
			id := w.push(q, "a")[0]
			job := data + "jobs/0/0000000000000000"
			removes := func(r *etcdtest.Request) bool { return len(r.Body) > 2 && r.Touches(job) && r.Touches(head) }
			in := w.contradict(q.Client(), removes, job, head)
			require.ErrorIs(w, q.Cancel(w.Context(), id), etcd.ErrBadReply)
			require.Equal(w, 1, in.Hits())
		})
	})
	t.Run("a purge", func(t *testing.T) {
		inBubble(t, func(w *world) {
			q := w.queue()
			w.push(q, "a")
			in := w.contradict(q.Client(), func(r *etcdtest.Request) bool { return r.Puts(head) }, head, tail, data+"purge/none")
			_, err := q.Purge(w.Context(), queue.Ready)
			require.ErrorIs(w, err, etcd.ErrBadReply)
			require.Equal(w, 1, in.Hits())
		})
	})
	t.Run("a hand-back", func(t *testing.T) {
		inBubble(t, func(w *world) {
			n := w.node()
			w.push(n.q, "a", "b")
			d := n.take(2)[0]
			record := data + "claim/" + n.ID() + "/00000001"
			in := w.contradict(n.c, func(r *etcdtest.Request) bool { return r.Puts(record) }, record)
			require.Error(w, d.Return(w.Context()))
			require.Equal(w, 1, in.Hits())
		})
	})
}

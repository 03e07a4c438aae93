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

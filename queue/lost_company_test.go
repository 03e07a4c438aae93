package queue_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/etcdtest"
	"github.com/quorate/quorate/queue"
)

// Two settlements travel in one request, and the one who carries it out does so under
// its delivery's own context. The request is lost, and before it is repeated the
// other's claim is taken away. Carrying out the first ends that context, and what
// became of the other is found out nevertheless.
func TestWhoSettlesUnderADeliverysContextDoesNotLeaveOthersInDoubt(t *testing.T) {
	for how, settle := range map[string]func(context.Context, *queue.Delivery[string]) error{
		"ack":  func(ctx context.Context, d *queue.Delivery[string]) error { return d.Ack(ctx) },
		"nack": func(ctx context.Context, d *queue.Delivery[string]) error { return d.Nack(ctx, time.Hour) },
	} {
		t.Run(how, func(t *testing.T) {
			inBubble(t, func(w *world) {
				n := w.node()
				var ds []*queue.Delivery[string]
				for _, v := range []string{"before", "driver", "other"} {
					w.push(n.q, v)
					ds = append(ds, n.takeOne())
				}
				at := func(pos string) func(*etcdtest.Request) bool {
					return func(r *etcdtest.Request) bool { return r.Touches(data + "jobs/0/000000000000000" + pos) }
				}
				got := make([]chan error, 3)
				begin := func(i int, ctx context.Context) {
					got[i] = make(chan error, 1)
					go func() { got[i] <- settle(ctx, ds[i]) }()
					w.settle()
				}
				first, second := make(chan struct{}), make(chan struct{})
				in := w.srv.Inject(etcdtest.Fault{Path: txnPath, Times: 1, Match: at("0"), Hold: first})
				begin(0, w.Context())
				require.NoError(w, in.Await(w.Context(), 1))
				in = w.srv.Inject(etcdtest.Fault{Path: txnPath, Times: 1, Match: at("2"), Hold: second, LoseRequest: true})
				begin(1, ds[1].Context())
				begin(2, w.Context())
				close(first)
				require.NoError(w, <-got[0])
				require.NoError(w, in.Await(w.Context(), 1))
				records := w.srv.Keys(data + "claim/")
				w.srv.Delete(records[len(records)-1])
				w.settle()
				close(second)
				require.NoError(w, <-got[1])
				err := <-got[2]
				require.ErrorIs(w, err, queue.ErrClaimLost)
				require.NotErrorIs(w, err, etcd.ErrUnknownOutcome)
				require.NotErrorIs(w, err, context.Canceled)
			})
		})
	}
}

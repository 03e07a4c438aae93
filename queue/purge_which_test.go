package queue_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/queue"
)

// three puts three jobs into a state, ten minutes apart, and gives their ids.
func (w *world) three(q *queue.Queue[string], state queue.State) (ids []string) {
	w.Helper()
	var n *node
	if state == queue.Dead {
		n = w.node()
	}
	for range 3 {
		opts := []queue.EnqueueOption{queue.Priority(1)}
		if state == queue.Delayed {
			opts = append(opts, queue.Delay(time.Hour))
		}
		id, err := q.Enqueue(w.Context(), "x", opts...)
		require.NoError(w, err)
		if state == queue.Dead {
			require.NoError(w, n.takeOne().Dead(w.Context(), "no use"))
		}
		ids = append(ids, id)
		time.Sleep(10 * time.Minute)
	}
	if n != nil {
		require.NoError(w, n.Close(w.Context()))
	}
	return ids
}

func TestJobsArePurgedByIdByAgeOrAllInEveryState(t *testing.T) {
	for _, state := range []queue.State{queue.Ready, queue.Delayed, queue.Dead} {
		t.Run(state.String(), func(t *testing.T) {
			inBubbles(t, func(w *world) {
				q := w.queue()
				ids := w.three(q, state)
				left := func() (out []string) {
					for _, j := range w.list(q, state) {
						out = append(out, j.ID)
					}
					return out
				}
				purge := func(want int, which ...queue.Selection) {
					w.Helper()
					n, err := q.Purge(w.Context(), state, which...)
					require.NoError(w, err)
					require.Equal(w, want, n)
				}
				purge(0, queue.ByID("t-1-unknown"))
				purge(0, queue.OlderThan(time.Hour))
				require.Equal(w, ids, left())
				purge(1, queue.ByID(ids[1]))
				require.Equal(w, []string{ids[0], ids[2]}, left())
				purge(1, queue.OlderThan(15*time.Minute))
				require.Equal(w, ids[2:], left())
				n, err := q.Purge(w.Context(), state) // of those that are ready it counts places
				require.NoError(w, err)
				require.Positive(w, n)
				require.Empty(w, left())
				purge(0)
				w.empty()
			})
		})
	}
}

func TestDeadLettersAreRedrivenByIdByAgeOrAll(t *testing.T) {
	inBubbles(t, func(w *world) {
		q := w.queue()
		ids := w.three(q, queue.Dead)
		redrive := func(which ...queue.Selection) (got []string) {
			w.Helper()
			n, err := q.Redrive(w.Context(), which...)
			require.NoError(w, err)
			worker := w.node()
			for _, d := range worker.take(n) {
				got = append(got, d.ID)
				require.NoError(w, d.Ack(w.Context()))
			}
			require.NoError(w, worker.Close(w.Context()))
			return got
		}
		require.Empty(w, redrive(queue.OlderThan(time.Hour)))
		require.Equal(w, ids[1:2], redrive(queue.ByID(ids[1])))
		require.Equal(w, ids[:1], redrive(queue.OlderThan(15*time.Minute)))
		require.Equal(w, ids[2:], redrive())
		w.empty()
	})
}

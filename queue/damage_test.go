package queue_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcdtest"
	"github.com/quorate/quorate/queue"
)

func TestAMissingOrShrunkCursorIsAnErrorThatNamesTheKey(t *testing.T) {
	old := ""
	for what, damage := range map[string]func(w *world) (key string){
		"the tail is missing":    func(w *world) string { w.srv.Delete(data + "c/tail"); return "c/tail" },
		"the head is missing":    func(w *world) string { w.srv.Delete(data + "c/head"); return "c/head" },
		"the own key is missing": func(w *world) string { w.srv.Delete("quorate/queue/n/" + name); return "n/" + name },
		"the tail is garbage":    func(w *world) string { w.srv.Put(data+"c/tail", []byte("?")); return "c/tail" },
		"the tail went back":     func(w *world) string { w.srv.Put(data+"c/tail", []byte(old)); return "c/" },
		"another epoch": func(w *world) string {
			kv, _ := w.srv.Get(data + "c/tail")
			w.srv.Put(data+"c/tail", []byte(strings.Replace(string(kv.Value), `"epoch":"`, `"epoch":"0`, 1)))
			return "c/tail"
		},
	} {
		t.Run(what, func(t *testing.T) {
			inBubble(t, func(w *world) {
				q, n := w.queue(), w.node()
				w.push(q, "first")
				kv, _ := w.srv.Get(data + "c/tail")
				old = string(kv.Value)
				w.push(q, "second")
				w.ackAll(n.take(2))
				key := damage(w)
				w.settle()
				before := w.srv.Keys(data + "jobs/")
				if what != "the own key is missing" {
					_, err := n.Receive(w.Context(), 1)
					require.ErrorIs(w, err, queue.ErrDamaged)
					require.ErrorContains(w, err, key)
				}
				_, err := w.queue().Enqueue(w.Context(), "x") // another process
				require.ErrorIs(w, err, queue.ErrDamaged)
				require.ErrorContains(w, err, key)
				require.Equal(w, before, w.srv.Keys(data+"jobs/"), "nothing is written")
			})
		})
	}
}

func TestWhatIsNoJobBecomesADeadLetterWithAllItsBytes(t *testing.T) {
	inBubble(t, func(w *world) {
		q := w.queue()
		w.push(q, "a", "b")
		w.srv.Put(data+"jobs/0/0000000000000000", []byte("someone else's"))
		w.srv.Put(data+"inbox/strange", []byte("bytes"))
		w.srv.Put(data+"later/0000000000000001-strange", []byte("more"))
		w.srv.Put(data+"c/soon", []byte(`{"due":1}`))
		n := w.node()
		d := n.takeOne()
		require.Equal(w, "b", d.Value)
		require.NoError(w, d.Ack(w.Context()))
		time.Sleep(time.Minute)
		dead := w.list(q, queue.Dead)
		var payloads []string
		for _, j := range dead {
			require.Equal(w, "unreadable", j.DiedBy)
			payloads = append(payloads, string(j.Payload))
		}
		require.Equal(w, []string{"bytes", "more", "someone else's"}, sorted(payloads))
		purged, err := q.Purge(w.Context(), queue.Dead)
		require.NoError(w, err)
		require.Equal(w, 3, purged)
		w.empty()
	})
}

func TestAValueThatCannotBeDecodedBecomesADeadLetter(t *testing.T) {
	inBubble(t, func(w *world) {
		c := w.client()
		_, err := queue.New[[]byte](c, name).Enqueue(w.Context(), []byte("{no json"))
		require.NoError(w, err)
		w.push(w.queue(), "fine")
		n := w.node()
		require.Equal(w, "fine", n.takeOne().Value)
		w.settle()
		dead := w.list(n.q, queue.Dead)
		require.Len(w, dead, 1)
		require.Equal(w, "unreadable", dead[0].DiedBy)
		require.Equal(w, "{no json", string(dead[0].Payload))
	})
}

func TestRecordsThatCannotBeReadAreLeftAloneAndNamed(t *testing.T) {
	inBubble(t, func(w *world) {
		q := w.queue()
		w.push(q, "a")
		w.srv.Put(data+"claim/nobody/00000001", []byte("?"))
		w.srv.Put(data+"c/free/0-0000000000000000-x", []byte("??"))
		w.srv.Put(data+"c/consumer/zzz", []byte("???"))
		n := w.node()
		require.NoError(w, n.takeOne().Ack(w.Context()))
		looks := w.srv.Inject(etcdtest.Fault{Match: func(r *etcdtest.Request) bool {
			return r.Touches(data+"claim/nobody/00000001") || r.Touches(data+"c/free/0-0000000000000000-x")
		}})
		time.Sleep(10 * time.Minute)
		require.LessOrEqual(w, looks.Hits(), 3, "it does not spin")
		require.Len(w, w.keys(), 2)
		var problems int
		for _, err := range q.List(w.Context(), queue.Ready) {
			require.ErrorIs(w, err, queue.ErrDamaged)
			problems++
		}
		require.Equal(w, 2, problems)
		require.EqualValues(w, 0, w.stats(q).Ready)
	})
}

func TestAKeyAmongTheDelayedThatTellsNoTimeDoesNotHideTheOthers(t *testing.T) {
	inBubbles(t, func(w *world) {
		q := w.queue()
		_, err := q.Enqueue(w.Context(), "x", queue.Delay(time.Minute))
		require.NoError(w, err)
		w.srv.Put(data+"later/0-somebody-elses", []byte("?"))
		start := time.Now()
		require.NoError(w, w.node().takeOne().Ack(w.Context()))
		require.InDelta(w, time.Minute, time.Since(start), float64(time.Second))
		kv, there := w.srv.Get(data + "later/0-somebody-elses")
		require.True(w, there)
		require.Equal(w, "?", string(kv.Value))
	})
}

// After a change of the codec perhaps: the consumer's other tasks do not wait for
// a commit each.
func TestManyValuesThatCannotBeDecodedBecomeDeadLettersTogether(t *testing.T) {
	inBubbles(t, func(w *world) {
		c := w.client()
		bad := make([][]byte, 500)
		for i := range bad {
			bad[i] = []byte("{no json")
		}
		_, err := queue.New[[]byte](c, name).EnqueueMany(w.Context(), bad)
		require.NoError(w, err)
		w.push(w.queue(), "fine")
		n := w.node()
		require.Less(w, w.requests(func() {
			ds, err := n.Receive(w.Context(), 600)
			require.NoError(w, err)
			w.ackAll(ds)
			time.Sleep(time.Minute)
		}), 60)
		require.EqualValues(w, 500, w.stats(n.q).Dead)
		w.audit()
	})
}

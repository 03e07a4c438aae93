package queue_test

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/queue"
)

// delaying writes due times of jobs that others delay, one every millisecond, as
// busy workers do whose jobs fail, until stop is called.
func (w *world) delaying(in time.Duration) (stop func()) {
	ctx, cancel := context.WithCancel(w.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for sleepFor(ctx, time.Millisecond) == nil {
			due := time.Now().Add(in).UnixMilli()
			w.srv.Put(data+"c/soon", fmt.Appendf(nil, `{"due":%d}`, due))
		}
	}()
	return func() {
		cancel()
		<-done
	}
}

// Where others delay jobs all the time, there is always a due time that was
// written while the search was under way. It must end nevertheless, and tell all
// when to look again.
func TestTheSearchForWhatIsDueEndsThoughOthersDelayJobsAllTheTime(t *testing.T) {
	inBubbleWith(t, usual, func(w *world) {
		q, n := w.queue(), w.node()
		stop := w.delaying(time.Hour)
		requests := w.requests(func() {
			for range 3 {
				_, err := q.Enqueue(w.Context(), "x", queue.Delay(time.Second))
				require.NoError(w, err)
				require.NoError(w, n.takeOne().Ack(w.Context()))
				time.Sleep(10 * time.Second)
			}
		})
		stop()
		require.LessOrEqual(w, requests, 3*15)
		time.Sleep(2 * time.Hour) // what the due times speak of is not there
		w.empty()
	})
}

// A clock that is set back between the look at what is due and the batch makes a due
// job one that is not. Put where it stands it would spoil the batch, in which the
// jobs of others are as well.
func TestAJobThatWasFoundToBeDueIsPromotedWhateverTheClockSaysThen(t *testing.T) {
	inBubbles(t, func(w *world) {
		q, n := w.queue(), w.node()
		_, err := q.Enqueue(w.Context(), "x", queue.Delay(time.Second))
		require.NoError(w, err)
		for _, key := range w.srv.Keys(data + "later/") { // as if it had been due in an hour by the clock before
			kv, _ := w.srv.Get(key)
			due := strconv.FormatInt(time.Now().Add(time.Hour).UnixMilli(), 10)
			w.srv.Put(key, regexp.MustCompile(`"due":\d+`).ReplaceAll(kv.Value, []byte(`"due":`+due)))
		}
		_, err = q.Enqueue(w.Context(), "y", queue.Delay(2*time.Second))
		require.NoError(w, err)
		start := time.Now()
		ds := n.take(2)
		require.Less(w, time.Since(start), 5*time.Second)
		require.Equal(w, []string{"x", "y"}, values(ds))
		w.ackAll(ds)
		w.empty()
	})
}

package sequence_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/etcdtest"
	"github.com/quorate/quorate/sequence"
)

// A commit for two callers loses a race, and the next one its reply: others come,
// and the history is compacted, so it can't be told whether numbers were taken. The
// one who sends gives up, and the other goes on; when it fails it has to say so.
func TestThatNumbersMayHaveBeenTakenIsSaidAlsoByWhoTakesOver(t *testing.T) {
	inBubble(t, func(w *world) {
		other := w.open("x")
		s := sequence.New(w.client(func(cfg *etcd.Config) { cfg.Endpoints = w.srv.URLs()[1:2] }), "x")
		w.next(s)
		hold := make(chan struct{})
		first := w.srv.Inject(etcdtest.Fault{Members: []int{1}, Match: taking("x"), Hold: hold, Times: 1})
		blocker := start(w, func() (int64, error) { return s.Next(w.Context()) })
		ctx, cancel := context.WithCancel(w.Context())
		sender := start(w, func() (int64, error) { return s.Next(ctx) })
		heir := start(w, func() (int64, error) { return s.Next(w.Context()) })
		race := make(chan struct{})
		lost := w.srv.Inject(etcdtest.Fault{Members: []int{1}, Match: taking("x"), Skip: 1, Times: 1, DelayReply: time.Second, LoseReply: true})
		w.srv.Inject(etcdtest.Fault{Members: []int{1}, Match: taking("x"), Times: 1, Hold: race})
		require.Equal(w, 1, first.Hits())
		close(hold)
		require.NoError(w, (<-blocker).err)
		w.settle()
		w.next(other)
		close(race)
		require.NoError(w, lost.Await(w.Context(), 1))
		w.next(other)
		w.next(other)
		require.NoError(w, w.srv.Compact(w.srv.Revision()))
		look := w.srv.Inject(etcdtest.Fault{Members: []int{1}, Path: "/v3/kv/range", Times: 1, Hold: make(chan struct{})})
		require.NoError(w, look.Await(w.Context(), 1))
		w.srv.Delete("quorate/seq/x")
		cancel()
		for _, c := range []<-chan result[int64]{sender, heir} {
			require.ErrorIs(w, (<-c).err, etcd.ErrUnknownOutcome)
		}
	}, three...)
}

// A sequence is brought back, the reply is lost, and others take numbers before that
// is found out: it is not set again.
func TestADeletedSequenceIsBroughtBackOnceAlsoIfTheReplyIsLost(t *testing.T) {
	inBubble(t, func(w *world) {
		s, other := w.open("x"), w.open("x")
		w.next(other)
		w.srv.Delete("quorate/seq/x")
		// The first is to create it if it never was there.
		in := w.srv.Inject(etcdtest.Fault{Match: taking("x"), Skip: 1, Times: 1, DelayReply: time.Second, LoseReply: true})
		set := start(w, func() (int64, error) { return 0, s.Set(w.Context(), 100, sequence.Force()) })
		require.Equal(w, 1, in.Hits())
		require.EqualValues(w, 101, w.next(other))
		require.EqualValues(w, 102, w.next(other))
		require.NoError(w, (<-set).err)
		require.EqualValues(w, 103, w.next(s))
	})
}

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

// The first attempt of an AckWith gets no answer, and its repetition says that
// the caller's own If does not hold. From then on the first must not arrive.
func TestAnAckWithThatWasToldThatItsIfDoesNotHoldIsNotCarriedOutLate(t *testing.T) {
	inBubble(t, func(w *world) {
		q, n := w.queue(), w.node()
		w.push(q, "x", "y")
		ds := n.take(2)
		late := make(chan struct{})
		in := w.srv.Inject(etcdtest.Fault{Path: txnPath, Times: 1, Late: late, Match: func(r *etcdtest.Request) bool { return r.Puts("result") }})
		t := etcd.Txn{
			If:   []etcd.Cmp{etcd.Exists(etcd.Key("order"))},
			Then: []etcd.Op{etcd.Put("result", nil)},
			Else: []etcd.Op{etcd.Get(etcd.Key("order"))},
		}
		guard := ds[0].Guard()
		res, err := ds[0].AckWith(w.Context(), t)
		require.NoError(w, err)
		require.False(w, res.Succeeded)
		require.Len(w, res.Results, 1)
		require.Equal(w, 1, in.Hits())

		w.srv.Put("order", nil) // only now the condition holds
		close(late)
		w.settle()
		_, there := w.srv.Get("result")
		require.False(w, there)

		// The claim goes on as it was.
		held, err := q.Client().Txn(w.Context(), etcd.Txn{If: []etcd.Cmp{guard, ds[0].Guard()}})
		require.NoError(w, err)
		require.True(w, held.Succeeded)
		require.NoError(w, ds[1].Return(w.Context()), "the record is as it was written last")
		require.Equal(w, "y", n.takeOne().Value)
		res, err = ds[0].AckWith(w.Context(), t)
		require.NoError(w, err)
		require.True(w, res.Succeeded)
		w.audit()
	})
}

func TestAnAckWithThatCannotBeFencedOffIsOfUnknownOutcome(t *testing.T) {
	inBubble(t, func(w *world) {
		q, n := w.queue(), w.node()
		w.push(q, "x")
		w.srv.Put("order", nil)
		d := n.takeOne()
		w.srv.SetNoSpace(true)
		late := make(chan struct{})
		w.srv.Inject(etcdtest.Fault{Path: txnPath, Times: 1, Late: late, Match: func(r *etcdtest.Request) bool { return r.Touches("order") }})
		t := etcd.Txn{If: []etcd.Cmp{etcd.IfValue(etcd.Key("order"), etcd.Equal, []byte("paid"))}, Then: []etcd.Op{etcd.Delete(etcd.Key("order"))}}
		_, err := d.AckWith(w.Context(), t)
		require.ErrorIs(w, err, etcd.ErrUnknownOutcome)
		require.ErrorIs(w, err, queue.ErrFull)
		require.ErrorIs(w, d.Nack(w.Context(), 0), queue.ErrSettled, "it may still be acknowledged")
		w.srv.SetNoSpace(false)
		res, err := d.AckWith(w.Context(), t)
		require.NoError(w, err, "called again it finds out")
		require.False(w, res.Succeeded)
		w.srv.Put("order", []byte("paid"))
		close(late)
		w.settle()
		_, there := w.srv.Get("order")
		require.True(w, there)
		require.NoError(w, d.Nack(w.Context(), 0))
		w.audit()
	})
}

func TestAnAckWithGoesOnWhereItsNeighbourWasGivenBackMeanwhile(t *testing.T) {
	inBubble(t, func(w *world) {
		q, n := w.queue(), w.node()
		w.push(q, "x", "y")
		ds := n.take(2)
		hold := make(chan struct{})
		in := w.srv.Inject(etcdtest.Fault{Path: txnPath, Times: 1, Hold: hold, Match: func(r *etcdtest.Request) bool { return r.Puts("result") }})
		got := make(chan error)
		go func() {
			_, err := ds[0].AckWith(w.Context(), etcd.Txn{Then: []etcd.Op{etcd.Put("result", nil)}})
			got <- err
		}()
		require.NoError(w, in.Await(w.Context(), 1))
		require.NoError(w, ds[1].Return(w.Context()))
		close(hold)
		require.NoError(w, <-got)
		require.Equal(w, "y", n.takeOne().Value)
		w.audit()
	})
}

// Two calls of one process may find the same dead letters and be carried out
// in one commit.
func TestTwoRedrivesOfOneProcessDoNotDoubleAJob(t *testing.T) {
	inBubble(t, func(w *world) {
		q, n := w.queue(), w.node()
		w.push(q, "x", "y")
		for _, d := range n.take(2) {
			require.NoError(w, d.Dead(w.Context(), "x"))
		}
		hold := make(chan struct{})
		in := w.srv.Inject(etcdtest.Fault{Path: txnPath, Times: 1, HoldReply: hold, Match: enqueues})
		pushed := make(chan error, 1)
		go func() {
			_, err := q.Enqueue(w.Context(), "z")
			pushed <- err
		}()
		require.NoError(w, in.Await(w.Context(), 1))
		counts := make(chan int, 2)
		for range 2 {
			go func() {
				n, err := q.Redrive(w.Context())
				if err != nil {
					panic(err)
				}
				counts <- n
			}()
		}
		w.settle() // both have read, and wait for the next commit
		close(hold)
		require.NoError(w, <-pushed)
		require.Equal(w, 2, <-counts+<-counts)
		require.EqualValues(w, 3, w.stats(q).Ready)
		w.audit()
	})
}

// A job is given back, and that arrives between the listing of the dead
// consumer's records and their take-over: what is left of the record must not be
// forgotten.
func TestARecordThatChangesWhileItIsTakenOverIsTakenOverNevertheless(t *testing.T) {
	inBubble(t, func(w *world) {
		q, a, b := w.queue(), w.node(), w.node()
		w.push(q, "x", "y")
		ds := a.take(2)
		record := data + "claim/" + a.ID() + "/00000001"
		late := make(chan struct{})
		in := w.srv.Inject(etcdtest.Fault{Path: txnPath, Times: 1, Late: late, Match: func(r *etcdtest.Request) bool { return r.Puts(record) }})
		ctx, cancel := context.WithCancel(w.Context())
		defer cancel()
		got := make(chan error, 1)
		go func() { got <- ds[0].Return(ctx) }()
		require.NoError(w, in.Await(w.Context(), 1))
		hold := make(chan struct{})
		taking := w.srv.Inject(etcdtest.Fault{Path: txnPath, Times: 1, Hold: hold, Match: func(r *etcdtest.Request) bool {
			return r.Touches(record) && !r.Puts(record)
		}})
		cancel()
		require.ErrorIs(w, <-got, etcd.ErrUnknownOutcome)
		a.die()
		require.NoError(w, taking.Await(w.Context(), 1))
		close(late)
		w.settle()
		close(hold)
		for range 2 {
			require.NoError(w, b.takeOne().Ack(w.Context()))
		}
		w.audit()
		w.empty()
	})
}

// A claim is given up for its age whose record is not as its consumer knows it,
// because the reply to a Return was lost.
func TestAClaimThatIsTooOldIsGivenUpAlsoAfterAReturnOfUnknownOutcome(t *testing.T) {
	inBubble(t, func(w *world) {
		q, a := w.queue(), w.node(queue.MaxClaimAge(time.Minute))
		w.push(q, "x", "y")
		ds := a.take(2)
		hold := make(chan struct{})
		in := w.srv.Inject(etcdtest.Fault{Path: txnPath, Times: 1, HoldReply: hold})
		ctx, cancel := context.WithCancel(w.Context())
		got := make(chan error, 1)
		go func() { got <- ds[0].Return(ctx) }()
		require.NoError(w, in.Await(w.Context(), 1))
		w.settle()
		cancel()
		require.ErrorIs(w, <-got, etcd.ErrUnknownOutcome)
		close(hold)
		b := w.node()
		require.Equal(w, "x", b.takeOne().Value)
		require.Equal(w, "y", b.takeOne().Value)
		require.ErrorIs(w, ds[1].Err(), queue.ErrClaimAge)
		w.audit()
	})
}

// "No space" may be answered to what was applied. The one who would look that up
// gives up, and another drives on: he must not send it all again.
func TestABatchThatWasAppliedThoughEtcdWasFullIsNotSentAgainByTheNextDriver(t *testing.T) {
	inBubble(t, func(w *world) {
		q := w.queue()
		w.push(q, "warm up")
		gate := make(chan struct{})
		first := w.srv.Inject(etcdtest.Fault{Path: txnPath, Times: 1, HoldReply: gate, Match: enqueues})
		done := make(chan error, 3)
		enqueue := func(ctx context.Context, v string) {
			_, err := q.Enqueue(ctx, v)
			done <- err
		}
		go enqueue(w.Context(), "before") // holds the others up, so that they travel together
		require.NoError(w, first.Await(w.Context(), 1))
		ctx, cancel := context.WithCancel(w.Context())
		defer cancel()
		go enqueue(ctx, "a")
		w.settle()
		go enqueue(w.Context(), "b")
		w.settle()
		full := w.srv.Inject(etcdtest.Fault{Path: txnPath, Times: 1, Match: enqueues, Commit: true,
			Refuse: &etcdtest.Error{Code: etcdtest.ResourceExhausted, Message: "etcdserver: mvcc: database space exceeded"}})
		lookup := make(chan struct{})
		look := w.srv.Inject(etcdtest.Fault{Path: "/v3/kv/range", Times: 1, Hold: lookup, Match: func(r *etcdtest.Request) bool { return r.Touches(data + "c/tail") }})
		close(gate)
		require.NoError(w, <-done)
		require.NoError(w, full.Await(w.Context(), 1))
		require.NoError(w, look.Await(w.Context(), 1))
		cancel()
		errs := []error{<-done, <-done}
		close(lookup)
		for _, err := range errs {
			if err != nil {
				require.ErrorIs(w, err, context.Canceled)
			}
		}
		require.Len(w, w.list(q, queue.Ready), 4, "each once")
		w.audit()
	})
}

func TestAPauseThatArrivesLateDoesNotPauseAgainWhatWasResumed(t *testing.T) {
	inBubble(t, func(w *world) {
		q := w.queue()
		w.push(q, "x")
		late := make(chan struct{})
		in := w.srv.Inject(etcdtest.Fault{Path: txnPath, Times: 1, Late: late, Match: func(r *etcdtest.Request) bool { return r.Puts(data + "c/paused") }})
		require.NoError(w, q.Pause(w.Context(), "maintenance"))
		require.Equal(w, 1, in.Hits())
		require.NoError(w, q.Resume(w.Context()))
		close(late)
		w.settle()
		require.False(w, w.stats(q).Paused)
	})
}

func TestAResumeThatArrivesLateDoesNotResumeWhatWasPausedAgain(t *testing.T) {
	inBubble(t, func(w *world) {
		q := w.queue()
		w.push(q, "x")
		require.NoError(w, q.Pause(w.Context(), "maintenance"))
		late := make(chan struct{})
		in := w.srv.Inject(etcdtest.Fault{Path: txnPath, Times: 1, Late: late, Match: func(r *etcdtest.Request) bool { return r.Touches(data+"c/paused") && r.Body["success"] != nil }})
		require.NoError(w, q.Resume(w.Context()))
		require.Equal(w, 1, in.Hits())
		require.NoError(w, q.Pause(w.Context(), "again"))
		close(late)
		w.settle()
		require.True(w, w.stats(q).Paused)
	})
}

// Two acks travel together, and the one whose caller drives is given up: the
// other goes on by itself, although nobody else comes.
func TestAFlightWhoseDriverGivesUpIsCarriedOnByTheOtherInIt(t *testing.T) {
	inBubble(t, func(w *world) {
		q, n := w.queue(), w.node()
		w.push(q, "x", "y", "z")
		ds := n.take(3)
		gate, hold := make(chan struct{}), make(chan struct{})
		first := w.srv.Inject(etcdtest.Fault{Path: txnPath, Times: 1, HoldReply: gate})
		got := make(chan error, 3)
		ack := func(ctx context.Context, d *queue.Delivery[string]) {
			err := d.Ack(ctx)
			got <- err
		}
		go ack(w.Context(), ds[0])
		require.NoError(w, first.Await(w.Context(), 1))
		ctx, cancel := context.WithCancel(w.Context())
		defer cancel()
		go ack(ctx, ds[1])
		w.settle()
		go ack(w.Context(), ds[2])
		w.settle()
		second := w.srv.Inject(etcdtest.Fault{Path: txnPath, Times: 1, HoldReply: hold})
		close(gate)
		require.NoError(w, <-got)
		require.NoError(w, second.Await(w.Context(), 1))
		cancel()
		require.ErrorIs(w, <-got, context.Canceled)
		require.NoError(w, <-got)
		close(hold)
		w.audit()
	})
}

// A definite refusal speaks for its own attempt, and not for the one before.
func TestASettlementStaysInDoubtWhenItsRepetitionIsRefused(t *testing.T) {
	for name, settle := range map[string]func(*queue.Delivery[string], context.Context) error{
		"ack":    (*queue.Delivery[string]).Ack,
		"return": (*queue.Delivery[string]).Return,
	} {
		t.Run(name, func(t *testing.T) { staysInDoubt(t, settle) })
	}
}

func staysInDoubt(t *testing.T, settle func(*queue.Delivery[string], context.Context) error) {
	inBubble(t, func(w *world) {
		q, n := w.queue(), w.node()
		w.push(q, "x", "y")
		ds := n.take(2)
		d := ds[0]
		hold := make(chan struct{})
		in := w.srv.Inject(etcdtest.Fault{Path: txnPath, Times: 1, HoldReply: hold})
		ctx, cancel := context.WithCancel(w.Context())
		got := make(chan error, 1)
		go func() { got <- settle(d, ctx) }()
		require.NoError(w, in.Await(w.Context(), 1))
		w.settle()
		cancel()
		require.ErrorIs(w, <-got, etcd.ErrUnknownOutcome)
		close(hold)
		w.srv.Inject(etcdtest.Fault{Path: txnPath, Times: 1, Refuse: &etcdtest.Error{Code: etcdtest.PermissionDenied, Message: "etcdserver: permission denied"}})
		err := settle(d, w.Context())
		require.ErrorIs(w, err, etcd.ErrPermissionDenied)
		require.ErrorIs(w, err, etcd.ErrUnknownOutcome, "it was applied in fact")
		require.NoError(w, settle(d, w.Context()))
		w.audit()
	})
}

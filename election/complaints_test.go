package election_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/election"
	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/etcdtest"
)

// What users of other elections suffer from, as they told the projects' trackers.
// Each of these is a test here or beside:
//
//	an expired campaigner believes that it has won, or waits for ever (etcd-io/etcd#11051, #11007, #19597, #16221):
//	  TestEveryLossWhileWaitingEndsTheCampaignWithItsCause
//	a live lease is revoked (etcd-io/etcd#15247), a loss gives no sign (#6127) or no reason (#8181):
//	  TestEveryLossOfATermEndsItsContextWithItsCauseAndTheGuardRefuses
//	a timeout of the creation ends what was created (cilium#12619): TestTheTimeoutOfACampaignDoesNotEndTheTermLater
//	observers hear of no vacancy, or of the wrong leader (etcd-io/etcd#18163, trillian#1387):
//	  TestALeaderThatDiesIsFollowedByAVacancy, TestAnObserverMissesNothingWhileItsConnectionsBreak and below
//	a committed enqueue without an answer is an orphan: TestWhateverBefallsAnyRequestOfAParty
//	the lease is released while the leader's function still runs (client-go): TestRunLetsGoOnlyWhenItsFunctionHasReturned
//	the end of a leadership that never began is told (client-go#1187): TestTheStopCallbackComesOnlyAfterAStart
//	nobody stands again after a loss (client-go#1155): TestRunCampaignsAgainAfterEveryLoss
//	two lead (curator#1137): TestALeaderThatWasPausedBeyondItsTTLIsNoPhantom and below
//	a cancellation hides behind another error (redsync#164): TestACampaignThatIsGivenUpLeavesTheLineAndSaysWhoWasInFront

// etcd-io/etcd#21128, #9715: a failed campaign leaves its key behind.
func TestACampaignThatFailsStaysInNoLine(t *testing.T) {
	for name, fault := range map[string]etcdtest.Fault{
		"the context ends while the enqueue is under way": {Path: "/v3/kv/txn", Times: 1, DelayReply: time.Minute},
		"the wait can't be watched":                       {Path: "/v3/watch", LoseRequest: true},
		"the line can't be read again":                    {Path: "/v3/kv/range", LoseRequest: true},
	} {
		for _, raw := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, raw %v", name, raw), func(t *testing.T) {
				inBubble(t, func(w *world) {
					opts, below := []election.Option(nil), election.Root+"scheduler"
					if raw {
						opts, below = append(opts, election.WithPrefix("raw")), "raw"
					}
					front := w.campaign(stand(w.At(0), opts...), "front")
					s := w.At(1)
					fault.Members = []int{1}
					in := w.Srv.Inject(fault)
					ctx, cancel := context.WithTimeout(w.Context(), 3*time.Second)
					defer cancel()
					_, err := stand(s, opts...).Campaign(ctx, []byte("it"))
					require.ErrorIs(w, err, context.DeadlineExceeded)
					require.Positive(w, in.Hits())
					time.Sleep(2 * s.TTL())
					require.Len(w, w.lineBelow(below), 1)
					w.resign(front)
					require.Empty(w, w.lineBelow(below))
				}, three...)
			})
		}
	}
}

// curator#1137, etcd-io/etcd#11456, #11457: who was paused leads on as if nothing
// had happened.
func TestALeaderThatWasPausedIsToldOfItsExpiryBeforeAnyTimerHasFired(t *testing.T) {
	inBubble(t, func(w *world) {
		s, other := w.Oversleeper(), w.At(0)
		term := w.campaign(stand(s), "a")
		w.Oversleep(s)
		next := w.campaign(stand(other), "b") // the server has long let go of it
		require.NoError(w, term.Context().Err(), "nothing has been noticed")
		require.ErrorIs(w, term.Err(), etcd.ErrSessionExpired)
		require.ErrorIs(w, term.Err(), election.ErrLost)
		require.ErrorIs(w, term.Proclaim(w.Context(), nil), election.ErrLost)
		require.False(w, w.guarded(other.Client(), term))
		require.ErrorIs(w, term.Resign(w.Context()), election.ErrLost)
		require.True(w, w.guarded(other.Client(), next))
		w.resign(next)
	}, three...)
}

// etcd-io/etcd#18163: others come and go, and are taken for the leader.
func TestAnObserverNeverTakesAnotherForTheLeader(t *testing.T) {
	for name, broken := range map[string]func(*world){
		"undisturbed":            func(*world) {},
		"its connections break":  func(w *world) { w.Srv.DropWatches() },
		"its history is trimmed": func(w *world) { w.Srv.DropWatches(); _ = w.Srv.Compact(w.Srv.Revision()) },
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(w *world) {
				a := w.campaign(stand(w.Session()), "a")
				obs := w.observe(w.Client())
				obs.sees(election.Elected, "a")
				for range 5 {
					ctx, cancel := context.WithCancel(w.Context())
					b, d := w.start(ctx, stand(w.Session()), "b"), w.start(ctx, stand(w.Session()), "d")
					broken(w)
					require.NoError(w, a.Proclaim(w.Context(), []byte("a")))
					cancel()
					_, _ = w.fails(b), w.fails(d)
					time.Sleep(time.Second)
				}
				w.resign(a)
				for {
					ev := obs.next()
					if ev.Kind == election.Vacant {
						break
					}
					if ev.Kind != election.Gap {
						require.Equal(w, "a", string(ev.Leader.Value))
						require.Equal(w, a.Token(), ev.Leader.Created)
					}
				}
				obs.seesNothing()
			})
		})
	}
}

// A resignation is one commit and one event for the next in line.
func TestALeaderThatResignsIsFollowedAtOnce(t *testing.T) {
	inBubble(t, func(w *world) {
		held := w.campaign(stand(w.Session()), "first")
		var waiting []<-chan outcome
		for range 4 {
			waiting = append(waiting, w.start(w.Context(), stand(w.Session()), "next"))
		}
		at := time.Now()
		for _, c := range waiting {
			before := w.Srv.Requests()
			w.resign(held)
			held = w.leads(c)
			w.Settle()
			after := w.Srv.Requests()
			require.Equal(w, at, time.Now())
			require.Equal(w, before["/v3/kv/txn"]+1, after["/v3/kv/txn"])
			require.Equal(w, before["/v3/kv/range"], after["/v3/kv/range"])
		}
		w.resign(held)
	})
}

// client-go#1155, and the other extreme: standing again without a pause.
func TestRunPausesLongerFromFailureToFailure(t *testing.T) {
	inBubble(t, func(w *world) {
		e := stand(w.Session())
		w.Srv.SetNoSpace(true)
		ctx, cancel := context.WithTimeout(w.Context(), time.Minute)
		defer cancel()
		var at []time.Time
		err := e.Run(ctx, nil, func(context.Context, *election.Term) error { return errors.New("it leads") },
			election.OnRetry(func(err error) {
				require.ErrorIs(w, err, etcd.ErrNoSpace)
				at = append(at, time.Now())
			}))
		require.ErrorIs(w, err, context.DeadlineExceeded)
		require.Greater(w, len(at), 30, "it gave up")
		require.Less(w, len(at), 200, "it hammers")
		require.Less(w, at[1].Sub(at[0]), 100*time.Millisecond)
		require.Greater(w, at[len(at)-1].Sub(at[len(at)-2]), 300*time.Millisecond)
	})
}

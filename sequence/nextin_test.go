package sequence_test

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/etcdtest"
	"github.com/quorate/quorate/sequence"
)

// invoice is a transaction that writes an invoice of a number for an order that
// has none.
func invoice(order string) func(n int64) etcd.Txn {
	return func(n int64) etcd.Txn {
		return etcd.Txn{
			If:   []etcd.Cmp{etcd.Missing(etcd.Key("order/" + order))},
			Then: []etcd.Op{put("order/"+order, fmt.Sprint(n)), put("invoice/"+fmt.Sprint(n), order), etcd.Get(etcd.Key("order/" + order))},
			Else: []etcd.Op{etcd.Get(etcd.Key("order/" + order))},
		}
	}
}

func TestANumberIsTakenTogetherWithTheCallersTransaction(t *testing.T) {
	bothWays(t, func(w *world) {
		s := w.open("invoices", sequence.WithStart(100))
		n, res, err := s.NextIn(w.Context(), invoice("a"))
		require.NoError(w, err)
		require.EqualValues(w, 100, n)
		require.True(w, res.Succeeded)
		require.Len(w, res.Results, 3)
		require.NotNil(w, res.Results[0].Put)
		kv, _ := res.Results[2].Get.First()
		require.Equal(w, "100", string(kv.Value))
		require.Equal(w, res.Header.Revision, kv.ModRevision)
		counter, _ := w.srv.Get("quorate/seq/invoices")
		require.Equal(w, res.Header.Revision, counter.ModRevision, "one commit")
	})
}

func TestNoNumberIsTakenWhereTheCallersConditionDoesNotHold(t *testing.T) {
	bothWays(t, func(w *world) {
		s := w.open("invoices")
		_, _, err := s.NextIn(w.Context(), invoice("a"))
		require.NoError(w, err)
		for range 2 {
			n, res, err := s.NextIn(w.Context(), invoice("a"))
			require.NoError(w, err)
			require.Zero(w, n)
			require.False(w, res.Succeeded)
			require.Len(w, res.Results, 1)
			kv, _ := res.Results[0].Get.First()
			require.Equal(w, "1", string(kv.Value), "the caller's Else")
		}
		require.EqualValues(w, 1, w.current(s))
		n, res, err := s.NextIn(w.Context(), func(n int64) etcd.Txn {
			return etcd.Txn{If: []etcd.Cmp{etcd.Missing(etcd.Key("order/a"))}}
		})
		require.NoError(w, err)
		require.Zero(w, n)
		require.False(w, res.Succeeded)
		require.Empty(w, res.Results)
		require.EqualValues(w, 2, w.next(s), "without an Else")
		n, _, err = s.NextIn(w.Context(), invoice("b"))
		require.NoError(w, err)
		require.EqualValues(w, 3, n)
	})
}

func TestContentionIsToldApartFromTheCallersConditionAndNeverCarriesOutElse(t *testing.T) {
	bothWays(t, func(w *world) {
		s, other := w.open("invoices"), w.open("invoices")
		w.next(s)
		for i := range 10 {
			w.next(other) // s does not know
			var asked []int64
			n, res, err := s.NextIn(w.Context(), func(n int64) etcd.Txn {
				asked = append(asked, n)
				return etcd.Txn{
					Then: []etcd.Op{put("done", fmt.Sprint(n))},
					Else: []etcd.Op{put("never", "x")},
				}
			})
			require.NoError(w, err)
			require.True(w, res.Succeeded)
			require.EqualValues(w, 2*i+3, n)
			require.Equal(w, []int64{n - 1, n}, asked)
		}
		_, there := w.srv.Get("never")
		require.False(w, there)
	})
}

func TestALostReplyOfTheCallersTransactionIsResolved(t *testing.T) {
	for _, fails := range []bool{false, true} {
		for _, moved := range []bool{false, true} {
			t.Run(fmt.Sprintf("condition fails %v, others come between %v", fails, moved), func(t *testing.T) {
				bothWays(t, func(w *world) {
					s, other := w.open("invoices"), w.open("invoices")
					w.next(s)
					if fails {
						w.srv.Put("order/a", []byte("taken"))
					}
					f := etcdtest.Fault{Match: taking("invoices"), Times: 1, LoseReply: true}
					if moved {
						f.DelayReply = 2 * time.Second
					}
					w.srv.Inject(f)
					call := start(w, func() (*etcd.TxnResult, error) {
						n, res, err := s.NextIn(w.Context(), invoice("a"))
						if err == nil && !fails {
							require.EqualValues(w, 2, n)
						}
						return res, err
					})
					if moved {
						w.next(other)
						w.next(other)
					}
					r := <-call
					require.NoError(w, r.err)
					require.Equal(w, !fails, r.v.Succeeded)
					require.Empty(w, r.v.Results, "they were lost")
					kv, there := w.srv.Get("invoice/2")
					require.Equal(w, !fails, there)
					if there {
						require.Equal(w, kv.ModRevision, r.v.Header.Revision)
					}
				})
			})
		}
	}
}

func TestWhatCannotBeFoundOutIsAnUnknownOutcome(t *testing.T) {
	bothWays(t, func(w *world) {
		s, other := w.open("invoices"), w.open("invoices")
		w.next(s)
		w.srv.Inject(etcdtest.Fault{Match: taking("invoices"), Times: 1, DelayReply: 2 * time.Second, LoseReply: true})
		call := start(w, func() (int64, error) {
			n, _, err := s.NextIn(w.Context(), invoice("a"))
			return n, err
		})
		w.next(other)
		w.next(other)
		require.NoError(w, w.srv.Compact(w.srv.Revision()))
		r := <-call
		require.ErrorIs(w, r.err, etcd.ErrUnknownOutcome)
		require.ErrorContains(w, r.err, "compacted")
		require.EqualValues(w, 5, w.next(s))
	})
}

func TestNextInAndCombiningCallersTakeTurns(t *testing.T) {
	for _, latency := range []time.Duration{time.Millisecond, 5 * time.Millisecond, 50 * time.Millisecond} {
		inTime(t, latency, func(w *world) {
			s := w.open("x")
			w.next(s)
			ctx, cancel := context.WithTimeout(w.Context(), 1000*latency)
			defer cancel()
			var wg sync.WaitGroup
			var takes, ins [4]int
			before := w.srv.Revision()
			for i := range 4 {
				wg.Go(func() {
					for ctx.Err() == nil {
						if _, err := s.Next(w.Context()); err == nil {
							takes[i]++
						}
					}
				})
				wg.Go(func() {
					for ctx.Err() == nil {
						if _, _, err := s.NextIn(w.Context(), func(int64) etcd.Txn { return etcd.Txn{} }); err == nil {
							ins[i]++
						}
					}
				})
			}
			wg.Wait()
			// Every other commit is a NextIn, and every other takes for all.
			commits := int(w.srv.Revision() - before)
			require.InDelta(w, 1000, commits, 100)
			for i := range 4 {
				require.InDelta(w, commits/8, ins[i], 5)
				require.InDelta(w, commits/2, takes[i], 20)
			}
		})
	}
}

func TestTheCallersPanicIsItsOwnAndTheTurnGoesOn(t *testing.T) {
	bothWays(t, func(w *world) {
		s := w.open("x")
		w.next(s)
		require.PanicsWithValue(w, "mine", func() {
			_, _, _ = s.NextIn(w.Context(), func(int64) etcd.Txn { panic("mine") })
		})
		require.EqualValues(w, 2, w.next(s))
	})
}

func TestACallersTransactionThatEtcdRefusesTakesNoNumber(t *testing.T) {
	bothWays(t, func(w *world) {
		s := w.open("x")
		w.next(s)
		_, _, err := s.NextIn(w.Context(), func(int64) etcd.Txn {
			return etcd.Txn{Then: []etcd.Op{put("a", "1"), put("a", "2")}}
		})
		require.ErrorIs(w, err, etcd.ErrDuplicateKey)
		_, _, err = s.NextIn(w.Context(), func(int64) etcd.Txn {
			return etcd.Txn{Then: []etcd.Op{put("quorate/seq/x", "1")}}
		})
		require.ErrorIs(w, err, etcd.ErrDuplicateKey)
		var many []etcd.Op
		for i := range 120 {
			many = append(many, put("k"+strconv.Itoa(i), ""))
		}
		n, _, err := s.NextIn(w.Context(), func(int64) etcd.Txn { return etcd.Txn{Then: many} })
		require.NoError(w, err)
		require.EqualValues(w, 2, n)
	})
}

// A process that combines many callers must not keep another out.
func TestASingleNextInGetsInBetweenProcessesThatAreSaturated(t *testing.T) {
	bothWays(t, func(w *world) {
		w.next(w.open("x"))
		w.srv.Inject(etcdtest.Fault{Match: taking("x"), Delay: 500 * time.Microsecond, DelayReply: 500 * time.Microsecond})
		ctx, cancel := context.WithCancel(w.Context())
		var wg sync.WaitGroup
		counts := make([]atomic.Int64, 3)
		for p := range counts {
			s := w.open("x")
			for range 8 {
				wg.Go(func() {
					for ctx.Err() == nil {
						if _, err := s.Next(w.Context()); err == nil && ctx.Err() == nil {
							counts[p].Add(1)
						}
					}
				})
			}
		}
		time.Sleep(100 * time.Millisecond)
		s := w.open("x")
		worst, start := time.Duration(0), time.Now()
		for range 12 {
			begin := time.Now()
			_, _, err := s.NextIn(w.Context(), func(int64) etcd.Txn { return etcd.Txn{} })
			require.NoError(w, err)
			worst = max(worst, time.Since(begin))
			time.Sleep(10 * time.Millisecond)
		}
		time.Sleep(time.Until(start.Add(4 * time.Second))) // how long the twelve took is chance
		cancel()
		wg.Wait()
		w.settle()
		w.Logf("worst %v", worst)
		require.Less(w, worst, 2*time.Second)
		var all int64
		for p := range counts {
			all += counts[p].Load()
		}
		for p := range counts {
			require.Greater(w, counts[p].Load(), all/16, "a third would be its share")
		}
	})
}

func TestALateAttemptDoesNotTakeANumberAfterItsCallerWasToldThatNoneWas(t *testing.T) {
	for _, withElse := range []bool{false, true} {
		bothWays(t, func(w *world) {
			s, c := w.open("invoices"), w.client()
			require.EqualValues(w, 1, w.next(s))
			release := make(chan struct{})
			late := w.srv.Inject(etcdtest.Fault{Late: release, Times: 1, Match: taking("invoices")})
			n, res, err := s.NextIn(w.Context(), func(n int64) etcd.Txn {
				t := etcd.Txn{If: []etcd.Cmp{etcd.Exists(etcd.Key("order"))}, Then: []etcd.Op{put("invoice", "1")}}
				if withElse {
					t.Else = []etcd.Op{put("refused", "1")}
				}
				return t
			})
			require.NoError(w, err)
			require.False(w, res.Succeeded)
			require.Zero(w, n)
			require.Equal(w, 1, late.Hits())

			// Only now the condition holds, and the first attempt arrives.
			_, err = c.Put(w.Context(), "order", nil)
			require.NoError(w, err)
			close(release)
			w.settle()
			_, there := w.srv.Get("invoice")
			require.False(w, there)
			require.EqualValues(w, 2, w.next(s))
		}, three...)
	}
}

func TestATransactionMayHave120EntriesOfEachKind(t *testing.T) {
	bothWays(t, func(w *world) {
		s := w.open("invoices")
		wide := func(entries int) func(n int64) etcd.Txn {
			return func(int64) (t etcd.Txn) {
				for i := range entries {
					key := fmt.Sprintf("k/%03d", i)
					t.If = append(t.If, etcd.Missing(etcd.Key(key)))
					t.Then = append(t.Then, etcd.Put(key, nil))
					t.Else = append(t.Else, etcd.Get(etcd.Key(key)))
				}
				return t
			}
		}
		n, res, err := s.NextIn(w.Context(), wide(120))
		require.NoError(w, err)
		require.EqualValues(w, 1, n)
		require.Len(w, res.Results, 120)
		_, res, err = s.NextIn(w.Context(), wide(120))
		require.NoError(w, err)
		require.False(w, res.Succeeded)
		require.Len(w, res.Results, 120)
		_, _, err = s.NextIn(w.Context(), wide(128))
		require.ErrorIs(w, err, etcd.ErrTooManyOps)
		require.EqualValues(w, 1, w.current(s), "nothing of it was carried out")
	})
}

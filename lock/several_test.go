package lock_test

import (
	"context"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/etcdtest"
	"github.com/quorate/quorate/lock"
)

// several are parts that are acquired together.
type several []lock.Part

func (s several) Acquire(ctx context.Context) (*lock.Handle, error) {
	return lock.AcquireAll(ctx, s...)
}

func TestSeveralLocksAreHeldUnderOneHandleWithOneGuard(t *testing.T) {
	bothWays(t, func(w *world) {
		s, other := w.Session(), w.Session()
		m, rw, sem := lock.New(s, "deploy"), lock.NewRW(s, "catalog"), lock.NewSemaphore(s, "licences", 3)
		h := w.acquire(several{m, rw.Reader(), sem.Weight(2)})
		_, err := lock.New(other, "deploy").TryAcquire(w.Context())
		require.ErrorIs(w, err, lock.ErrHeld)
		r, err := lock.NewRW(other, "catalog").TryAcquireRead(w.Context())
		require.NoError(w, err)
		p, err := lock.NewSemaphore(other, "licences", 3).TryAcquire(w.Context(), 1)
		require.NoError(w, err)
		require.True(w, w.guarded(s, h))

		// The loss of one is the loss of all.
		w.Srv.Delete(w.line("catalog")[0])
		require.ErrorIs(w, w.ended(h), lock.ErrDeleted)
		require.False(w, w.guarded(s, h))
		require.ErrorIs(w, h.Release(w.Context()), lock.ErrLost)
		require.Empty(w, w.line("deploy"))
		w.release(r)
		w.release(p)
		require.Empty(w, w.contenders("licences"))
	})
}

func TestThoseWhoAskForTheSameLocksInDifferentOrderDoNotBlockEachOther(t *testing.T) {
	bothWays(t, func(w *world) {
		parts := func(names ...string) (ps several) {
			s := w.Session()
			for _, n := range names {
				ps = append(ps, lock.New(s, n))
			}
			return ps
		}
		a := w.acquire(parts("one", "two", "three"))
		b := w.start(w.Context(), parts("three", "two"))
		c := w.start(w.Context(), parts("two", "one"))
		d := w.start(w.Context(), parts("one", "three"))
		w.release(a)
		hb := w.gets(b)
		w.waits(c) // two is b's
		w.waits(d)
		w.release(hb)
		hc := w.gets(c)
		w.waits(d)
		w.release(hc)
		w.release(w.gets(d))
		for _, n := range []string{"one", "two", "three"} {
			require.Empty(w, w.line(n))
		}
	})
}

func TestAWaitForSeveralThatIsCancelledLeavesAllLines(t *testing.T) {
	bothWays(t, func(w *world) {
		s := w.Session()
		h := w.acquire(lock.New(w.Session(), "two"))
		ctx, cancel := context.WithCancel(w.Context())
		c := w.start(ctx, several{lock.New(s, "one"), lock.New(s, "two"), lock.New(s, "three")})
		require.Len(w, w.line("one"), 1)
		cancel()
		err := w.fails(c)
		require.ErrorIs(w, err, context.Canceled)
		var le *lock.Error
		require.ErrorAs(w, err, &le)
		require.Equal(w, h.Token(), le.By[0].Token)
		require.Empty(w, w.line("one"))
		require.Empty(w, w.line("three"))
		require.Len(w, w.line("two"), 1)
		w.release(h)
	})
}

func TestATryForSeveralTakesAllOrNone(t *testing.T) {
	bothWays(t, func(w *world) {
		s := w.Session()
		sem := lock.NewSemaphore(s, "licences", 3)
		parts := []lock.Part{lock.New(s, "one"), lock.NewRW(s, "two").Reader(), sem.Weight(2)}
		reader := w.acquire(reads{lock.NewRW(w.Session(), "two")})
		h, err := lock.TryAcquireAll(w.Context(), parts...)
		require.NoError(w, err)
		w.release(h)
		p := w.acquire(permits{lock.NewSemaphore(w.Session(), "licences", 3), 2})
		_, err = lock.TryAcquireAll(w.Context(), parts...)
		require.ErrorIs(w, err, lock.ErrHeld)
		require.Empty(w, w.line("one"))
		require.Len(w, w.line("two"), 1)
		w.release(p)
		w.release(reader)
	})
}

func TestSeveralThatDoNotGoTogetherAreAClearError(t *testing.T) {
	bothWays(t, func(w *world) {
		s := w.Session()
		var many []lock.Part
		for i := range 61 {
			many = append(many, lock.New(s, "m"+string(rune('a'+i%26))+string(rune('a'+i/26))))
		}
		for want, parts := range map[string][]lock.Part{
			"nothing to acquire": nil,
			"twice":              {lock.New(s, "one"), lock.New(s, "one")},
			"is asked for twice": {lock.New(s, "one"), lock.NewRW(s, "one").Reader()},
			"different sessions": {lock.New(s, "one"), lock.New(w.Session(), "two")},
			"a part is nil":      {lock.New(s, "one"), nil},
			"the name is empty":  {lock.New(s, "one"), lock.New(s, "")},
			"61 at once":         many,
		} {
			_, err := lock.AcquireAll(w.Context(), parts...)
			require.ErrorContains(w, err, want)
		}
	})
}

func TestSixtyOfEachKindAreHadAtOnce(t *testing.T) {
	for name, part := range map[string]func(s *etcd.Session, name string) lock.Part{
		"mutexes": func(s *etcd.Session, name string) lock.Part { return lock.New(s, name) },
		"readers": func(s *etcd.Session, name string) lock.Part { return lock.NewRW(s, name).Reader() },
		"permits": func(s *etcd.Session, name string) lock.Part { return lock.NewSemaphore(s, name, 3).Weight(2) },
		"mutexes with a quarantine": func(s *etcd.Session, name string) lock.Part {
			return lock.New(s, name, lock.WithQuarantine(time.Minute))
		},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(w *world) {
				s := w.Session()
				var parts []lock.Part
				for i := range 60 {
					parts = append(parts, part(s, strconv.Itoa(i)))
				}
				for range 2 {
					for _, acquire := range []func(context.Context, ...lock.Part) (*lock.Handle, error){lock.TryAcquireAll, lock.AcquireAll} {
						h, err := acquire(w.Context(), parts...)
						require.NoError(w, err)
						require.True(w, w.guarded(s, h))
						w.release(h)
					}
				}
			})
		})
	}
}

func TestSeveralSurviveALostReply(t *testing.T) {
	for step := range 10 {
		bothWays(t, func(w *world) {
			other, s := w.apart()
			front := w.acquire(lock.New(other, "one"))
			w.Srv.Inject(etcdtest.Fault{Members: []int{1}, Skip: step, Times: 1, LoseReply: true})
			c := w.start(w.Context(), several{lock.New(s, "one"), lock.New(s, "two")})
			w.release(front)
			h := w.gets(c)
			require.True(w, w.guardedBy(other, h.Guard()))
			w.release(h)
			w.release(w.acquire(several{lock.New(other, "two"), lock.New(other, "one")}))
			require.Empty(w, w.line("one"))
			require.Empty(w, w.line("two"))
		}, three...)
	}
}

// Who waits for another of its locks must not keep those from getting in who stand
// behind it for permits and whom there is room for: whoever holds that other lock
// may be one of them.
func TestWhoWaitsForSeveralLetsThoseBehindItInAsSoonAsThereIsRoom(t *testing.T) {
	bothWays(t, func(w *world) {
		sem := func(n int64) permits { return permits{lock.NewSemaphore(w.Session(), "licences", 5), n} }
		deploy := w.acquire(lock.New(w.Session(), "deploy"))
		four := w.acquire(sem(4))
		pool := w.acquire(permits{lock.NewSemaphore(w.Session(), "pool", 1), 1})
		s := w.Session()
		all := w.start(w.Context(), several{
			lock.New(s, "deploy"), lock.NewSemaphore(s, "pool", 1).Weight(1), lock.NewSemaphore(s, "licences", 5).Weight(2)})
		one := w.start(w.Context(), sem(1))
		w.waits(one)
		w.release(four)
		w.release(w.gets(one))
		w.waits(all)
		w.release(pool)
		w.waits(all)
		w.release(deploy)
		h := w.gets(all)
		require.True(w, w.guardedBy(s, h.Guard()))
		w.release(h)
		require.Empty(w, w.contenders("licences"))
	})
}

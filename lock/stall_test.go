package lock_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/internal/linetest"
	"github.com/quorate/quorate/lock"
)

// Parties come, give up, release, downgrade, are broken and change the limit, many
// at a time, while watches break and replies are lost. Whenever all is quiet,
// everybody must be in who can be by the line as it then stands.
func TestWhoeverCanGetInIsInWhenAllIsQuiet(t *testing.T) {
	seeds := uint64(8)
	if linetest.UnderRace {
		seeds = 2
	}
	for name, mk := range map[string]func(c *throng, s *etcd.Session) contender{
		"mutexes":                   func(_ *throng, s *etcd.Session) contender { return aMutex(s) },
		"mutexes with a quarantine": func(_ *throng, s *etcd.Session) contender { return aQuarantined(s) },
		"readers and writers": func(c *throng, s *etcd.Session) contender {
			if c.rnd.IntN(2) == 0 {
				return aWriter(s)
			}
			return aReader(s)
		},
		"permits": func(c *throng, s *etcd.Session) contender {
			return permits{lock.NewSemaphore(s, "licences", c.limit), 1 + c.rnd.Int64N(3)}
		},
		"several": func(c *throng, s *etcd.Session) contender {
			sem, rw := lock.NewSemaphore(s, "licences", c.limit), lock.NewRW(s, "catalog")
			return []contender{
				several{rw.Reader(), sem.Weight(1)}, several{sem.Weight(2), lock.New(s, "deploy")},
				permits{sem, 1}, several{rw.Writer(), lock.New(s, "deploy")},
			}[c.rnd.IntN(4)]
		},
	} {
		for seed := range seeds {
			t.Run(fmt.Sprintf("%s, seed %d", name, seed), func(t *testing.T) {
				inTime(t, linetest.LatencyOf(seed), func(w *world) {
					c := &throng{world: w, rnd: rand.New(rand.NewPCG(seed, 3)), mk: mk, limit: capacity}
					c.sessions = []*etcd.Session{w.At(0), w.At(1), w.At(2)}
					for range 12 {
						c.stir(seed%2 == 1)
						c.check()
					}
					c.leave()
				}, three...)
			})
		}
	}
}

// places are the names of the locks that a throng asks for.
var places = []string{"deploy", "catalog", "licences", "careful"}

type throng struct {
	*world
	rnd      *rand.Rand
	mk       func(*throng, *etcd.Session) contender
	limit    int64
	sessions []*etcd.Session
	waiting  []waiter
	held     []*lock.Handle
}

// A waiter waits until it is in, or gives up.
type waiter struct {
	got    <-chan acquired
	giveUp context.CancelFunc
}

// stir has a number of things happen, one soon after the other.
func (c *throng) stir(trouble bool) {
	for range 1 + c.rnd.IntN(8) {
		ctx, cancel := context.WithCancel(c.Context())
		m := c.mk(c, c.sessions[c.rnd.IntN(3)])
		c.waiting = append(c.waiting, waiter{linetest.Start(rush{c.world}, func() (*lock.Handle, error) { return m.Acquire(ctx) }), cancel})
		time.Sleep(time.Duration(c.rnd.IntN(2)*c.rnd.IntN(20)) * time.Millisecond)
	}
	if trouble {
		defer c.Mishap(c.rnd)()
	}
	for _, p := range c.waiting {
		if c.rnd.IntN(6) == 0 {
			p.giveUp()
		}
	}
	held := c.held
	c.held = nil
	for _, h := range held {
		switch c.rnd.IntN(6) {
		case 0, 1, 2:
			go func() { _ = h.Release(c.Context()) }()
			continue
		case 3:
			if down, err := h.Downgrade(c.Context()); err == nil {
				h = down
			}
		case 4:
			for _, name := range places {
				_, _ = lock.Break(c.Context(), c.sessions[0].Client(), name, h.Token(), "stuck")
			}
		}
		c.held = append(c.held, h)
	}
	if st := c.look("licences"); st.Limit != 0 {
		c.limit = 3 + c.rnd.Int64N(4)
		_, err := lock.NewSemaphore(c.sessions[0], "licences", st.Limit).Resize(c.Context(), c.limit)
		require.NoError(c, err)
	}
	time.Sleep(100 * time.Millisecond)
	c.Srv.ResumeWatches()
	time.Sleep(20 * time.Second)
}

// A rush does not wait until somebody can't get any further by himself.
type rush struct{ *world }

func (rush) Settle() {}

func (c *throng) look(name string) *lock.State {
	c.Helper()
	st, err := lock.Look(c.Context(), c.sessions[0].Client(), name)
	require.NoError(c, err)
	return st
}

// check asserts that everybody is in who is so by all of its lines.
func (c *throng) check() {
	var waiting []waiter
	for _, p := range c.waiting {
		select {
		case o := <-p.got:
			if o.Err == nil {
				c.held = append(c.held, o.Got)
			} else if !errors.Is(o.Err, context.Canceled) {
				require.ErrorIs(c, o.Err, lock.ErrMismatch) // the limit was another, or is now too small
			}
		default:
			waiting = append(waiting, p)
		}
	}
	c.waiting = waiting
	in := make(map[int64]bool)
	for _, h := range c.held {
		in[h.Token()] = true
	}
	could, lines := make(map[int64]int), make(map[int64]int)
	for _, name := range places {
		st := c.look(name)
		require.False(c, name == "careful" && len(st.Waiters) > 0 && len(st.Holders) == 0, "the quarantine is over, and nobody holds")
		for _, m := range st.Holders {
			could[m.Token]++
		}
		for _, m := range append(st.Holders, st.Waiters...) {
			lines[m.Token]++
		}
	}
	for token, n := range could {
		require.True(c, in[token] || n < lines[token], "token %d waits although nobody is in its way", token)
	}
}

// leave has everybody leave, and asserts that nothing is left.
func (c *throng) leave() {
	for _, p := range c.waiting {
		p.giveUp()
	}
	for _, h := range c.held {
		_ = h.Release(c.Context())
	}
	for _, p := range c.waiting {
		if o := <-p.got; o.Err == nil {
			_ = o.Got.Release(c.Context())
		}
	}
	time.Sleep(30 * time.Second)
	for _, name := range places {
		require.Empty(c, c.standing(kind{locks: []string{name}}))
	}
}

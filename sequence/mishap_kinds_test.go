package sequence_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/sequence"
)

// befall has each mishap befall one request after the other of what live does
// with the sequence of a process of its own.
func befall(t *testing.T, least int, live func(w *world, s, other *sequence.Sequence, between bool)) {
	for _, m := range mishaps {
		for _, between := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, others between %v", m.name, between), func(t *testing.T) {
				for step := 0; ; step++ {
					hit := false
					inBubble(t, func(w *world) {
						urls := w.srv.URLs()
						s := sequence.New(w.client(func(c *etcd.Config) { c.Endpoints = urls[1:2] }), "x")
						other := sequence.New(w.client(func(c *etcd.Config) { c.Endpoints = urls[:1] }), "x")
						f := m.fault
						f.Members, f.Skip, f.Times = []int{1}, step, 1
						apply := make(chan struct{})
						if f.Late != nil {
							f.Late = apply
							time.AfterFunc(40*time.Second, func() { close(apply) })
						}
						in := w.srv.Inject(f)
						live(w, s, other, between)
						hit = in.Hits() > 0
						time.Sleep(2 * time.Hour) // whatever is late
					}, three...)
					if !hit {
						require.Greater(t, step, least, "requests")
						break
					}
				}
			})
		}
	}
}

// Whatever befalls a request of a Cached, its numbers are nobody else's, in order,
// and those that nobody got are given back where no outcome is unknown.
func TestWhateverBefallsAnyRequestOfACached(t *testing.T) {
	befall(t, 5, func(w *world, s, other *sequence.Sequence, between bool) {
		last, lost := int64(0), false
		note := func(n int64) {
			require.Greater(w, n, last)
			last = n
		}
		for _, many := range []int{3, 7} {
			c := s.Cached(5)
			for range many {
				ctx, cancel := context.WithTimeout(w.Context(), time.Minute)
				n, err := c.Next(ctx)
				cancel()
				if lost = lost || err != nil; err == nil {
					note(n)
				}
			}
			if between {
				note(w.next(other)) // what is still held is lost
			}
			ctx, cancel := context.WithTimeout(w.Context(), time.Minute)
			lost = c.Close(ctx) != nil || lost
			cancel()
			if between {
				note(w.next(other))
			}
		}
		before := last
		note(w.next(other))
		if !between && !lost {
			require.Equal(w, before+1, last, "the rest was given back")
		}
		time.Sleep(time.Hour)
		note(w.next(other))
	})
}

// Whatever befalls a request of Set, a success has set it, and an error that is
// not of unknown outcome has changed nothing.
func TestWhateverBefallsAnyRequestOfASet(t *testing.T) {
	befall(t, 3, func(w *world, s, other *sequence.Sequence, between bool) {
		w.next(other)
		for i := range int64(4) {
			if between {
				w.next(other)
			}
			was, to := w.current(other), 100*(i+1)
			ctx, cancel := context.WithTimeout(w.Context(), time.Minute)
			err := s.Set(ctx, to)
			cancel()
			now := w.current(other)
			switch {
			case err == nil:
				require.Equal(w, to, now)
			case errors.Is(err, etcd.ErrUnknownOutcome):
				require.Contains(w, []int64{was, to}, now)
			default:
				require.Equal(w, was, now, err)
			}
			time.Sleep(time.Minute)
		}
		last := w.next(other)
		time.Sleep(time.Hour)
		require.Greater(w, w.next(other), last)
	})
}

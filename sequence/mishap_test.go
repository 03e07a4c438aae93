package sequence_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/etcdtest"
	"github.com/quorate/quorate/sequence"
)

// late stands for a request that is carried out after later calls were answered.
var late = make(chan struct{})

var mishaps = []struct {
	name  string
	fault etcdtest.Fault
}{
	{"the request is carried out after others", etcdtest.Fault{Late: late}},
	{"the request is lost", etcdtest.Fault{LoseRequest: true}},
	{"the reply is lost", etcdtest.Fault{LoseReply: true}},
	{"the reply is cut short", etcdtest.Fault{CutReply: 20}},
	{"the reply is later than an attempt lasts", etcdtest.Fault{DelayReply: 8 * time.Second}},
	{"the request is late", etcdtest.Fault{Delay: 3 * time.Second}},
	{"the request is later than an attempt lasts", etcdtest.Fault{Delay: 8 * time.Second}},
	{"the answer is garbage", etcdtest.Fault{Reply: etcdtest.TextReply(200, "application/json", `{"header":`)}},
	{"the answer is garbage after the commit", etcdtest.Fault{Commit: true, Reply: etcdtest.TextReply(502, "text/html", "<html>bad gateway</html>")}},
	{"the member is full", etcdtest.Fault{Refuse: &etcdtest.Error{Code: 8, Message: "etcdserver: mvcc: database space exceeded"}}},
	{"the member is full, and has committed", etcdtest.Fault{Commit: true, Refuse: &etcdtest.Error{Code: 8, Message: "etcdserver: mvcc: database space exceeded"}}},
	{"the caller gives up", etcdtest.Fault{Delay: time.Hour}},
	{"the caller gives up after the commit", etcdtest.Fault{DelayReply: time.Hour}},
}

// Whatever befalls any request, numbers are unique and in order, an error that
// is not of unknown outcome took none, and a success took exactly one.
func TestWhateverBefallsAnyRequest(t *testing.T) {
	for _, m := range mishaps {
		for _, between := range []bool{false, true} {
			for _, kind := range []string{"next", "in"} {
				t.Run(fmt.Sprintf("%s, others between %v, %s", m.name, between, kind), func(t *testing.T) {
					for step := 0; ; step++ {
						hit := false
						inBubble(t, func(w *world) { hit = w.suffer(m.fault, step, between, kind == "in") }, three...)
						if !hit {
							require.Greater(t, step, 3, "requests")
							break
						}
					}
				})
			}
		}
	}
}

func (w *world) suffer(f etcdtest.Fault, step int, between, in bool) bool {
	urls := w.srv.URLs()
	s := sequence.New(w.client(func(c *etcd.Config) { c.Endpoints = urls[1:2] }), "x")
	other := sequence.New(w.client(func(c *etcd.Config) { c.Endpoints = urls[:1] }), "x")
	f.Members, f.Skip, f.Times = []int{1}, step, 1
	apply := make(chan struct{})
	if f.Late != nil {
		f.Late = apply
	}
	fault := w.srv.Inject(f)

	var got []int64
	last, unknown := int64(0), 0
	note := func(n int64) {
		require.Greater(w, n, last)
		last = n
		got = append(got, n)
	}
	for i := range 4 {
		if i == 3 {
			close(apply)
		}
		if between {
			note(w.next(other))
		}
		ctx, cancel := context.WithTimeout(w.Context(), time.Minute)
		var err error
		var n int64
		if in {
			n, _, err = s.NextIn(ctx, func(n int64) etcd.Txn {
				return etcd.Txn{Then: []etcd.Op{put("call/"+strconv.Itoa(i), strconv.FormatInt(n, 10))}, Else: []etcd.Op{put("never", "")}}
			})
		} else {
			n, err = s.Next(ctx)
		}
		cancel()
		kv, there := w.srv.Get("call/" + strconv.Itoa(i))
		switch {
		case err == nil:
			note(n)
			require.True(w, !in || string(kv.Value) == strconv.FormatInt(n, 10))
		case errors.Is(err, etcd.ErrUnknownOutcome):
			unknown++
		default:
			require.False(w, there, err)
		}
	}
	if between {
		note(w.next(other))
	}
	fault.Remove()
	time.Sleep(2 * time.Hour) // whatever is late
	note(w.next(s))
	require.LessOrEqual(w, unknown, 1)
	require.GreaterOrEqual(w, int(last), len(got))
	require.LessOrEqual(w, int(last), len(got)+unknown, "a number is missing although no outcome was unknown")
	require.True(w, slices.IsSorted(got))
	_, there := w.srv.Get("never")
	require.False(w, there)
	return fault.Hits() > 0
}

func TestAFullServerTakesNoNumberAndSaysSo(t *testing.T) {
	inBubble(t, func(w *world) {
		s := w.open("x")
		require.EqualValues(w, 1, w.next(s))
		full := &etcdtest.Error{Code: 8, Message: "etcdserver: mvcc: database space exceeded"}
		w.srv.Inject(etcdtest.Fault{Refuse: full, Times: 1, Match: taking("x")})
		_, err := s.Next(w.Context())
		require.ErrorIs(w, err, etcd.ErrNoSpace)
		require.NotErrorIs(w, err, etcd.ErrUnknownOutcome)
		require.EqualValues(w, 2, w.next(s))

		w.srv.Inject(etcdtest.Fault{Refuse: full, Commit: true, Times: 1, Match: taking("x")})
		require.EqualValues(w, 3, w.next(s), "applied although it said so")
		require.EqualValues(w, 4, w.next(s))
	})
}

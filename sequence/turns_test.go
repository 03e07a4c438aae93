package sequence_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/etcdtest"
	"github.com/quorate/quorate/sequence"
)

// Where callers who want numbers come at different times, some of them wait
// whenever a commit is done. A NextIn of the same process has its turn all the
// same, and so have they beside many of these.
func TestNeitherNextInNorCallersWhoCombineAreStarvedByTheOther(t *testing.T) {
	const commit = 10 * time.Millisecond
	nextIn := func(ctx context.Context, s *sequence.Sequence) error {
		_, _, err := s.NextIn(ctx, func(int64) etcd.Txn { return etcd.Txn{} })
		return err
	}
	next := func(ctx context.Context, s *sequence.Sequence) error {
		_, err := s.Next(ctx)
		return err
	}
	for name, kind := range map[string]struct {
		many, single func(context.Context, *sequence.Sequence) error
	}{
		"a NextIn": {next, nextIn},
		"a Next":   {nextIn, next},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(w *world) {
				s := w.open("x")
				w.next(s)
				w.srv.Inject(etcdtest.Fault{Match: taking("x"), DelayReply: commit})
				ctx, cancel := context.WithCancel(w.Context())
				defer cancel()
				var busy sync.WaitGroup
				for i := range 4 { // each comes while the commit of another is under way
					busy.Go(func() {
						time.Sleep(time.Duration(i) * commit / 4)
						for ctx.Err() == nil {
							require.NoError(w, kind.many(w.Context(), s))
							time.Sleep(commit / 2)
						}
					})
				}
				time.Sleep(20 * commit)
				for range 5 {
					soon, cancel := context.WithTimeout(w.Context(), 4*commit)
					err := kind.single(soon, s)
					cancel()
					require.NoError(w, err)
					time.Sleep(commit / 3)
				}
				cancel()
				busy.Wait()
			})
		})
	}
}

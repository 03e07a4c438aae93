package election_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/election"
)

// The lease of the session that Run has made is over: there is nothing left to be
// told to a server that hangs.
func TestRunWithALostSessionDoesNotWaitLongForAServerThatHangs(t *testing.T) {
	bothWays(t, func(w *world) {
		ctx, cancel := context.WithCancel(w.Context())
		defer cancel()
		s := w.Session()
		led, done := make(chan *election.Term, 10), make(chan error, 1)
		go func() {
			done <- stand(s).Run(ctx, nil, func(ctx context.Context, t *election.Term) error {
				led <- t
				<-ctx.Done()
				return nil
			})
		}()
		<-led
		w.Srv.RevokeLease(int64(s.Lease()))
		again := <-led
		w.Srv.Pause(0)
		w.Ended(again.Context())
		time.Sleep(time.Second)
		cancel()
		began := time.Now()
		require.ErrorIs(w, <-done, context.Canceled)
		require.Less(w, time.Since(began), 2*time.Second)
		w.Srv.Resume(0)
	})
}

package etcd

import (
	"context"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcdtest"
)

// stuckHandler is a log that takes nothing more, as a pipe that nobody reads.
type stuckHandler struct {
	slog.Handler
	level slog.Level
	until chan struct{}
}

func (h stuckHandler) Enabled(_ context.Context, l slog.Level) bool { return l >= h.level }
func (h stuckHandler) Handle(context.Context, slog.Record) error    { <-h.until; return nil }

func TestALogThatIsStuckKeepsNoSessionAlive(t *testing.T) {
	for _, level := range []slog.Level{slog.LevelDebug, slog.LevelWarn} {
		t.Run(level.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv := etcdtest.Start(t)
				stuck := stuckHandler{slog.DiscardHandler, level, make(chan struct{})}
				c := newTestClient(t, srv, func(cfg *Config) { cfg.Logger = slog.New(stuck) })
				s := newTestSession(t, c)
				defer close(stuck.until)
				srv.Inject(etcdtest.Fault{Path: keepAlivePath, Refuse: &etcdtest.Error{Code: etcdtest.Unavailable, Message: "no"}})
				deadline := s.Deadline()
				select {
				case <-s.Done():
				case <-time.After(time.Minute):
					t.Error("the context has not ended")
				}
				require.False(t, time.Now().After(deadline))
				asked := make(chan error, 1)
				go func() { asked <- s.Err() }()
				select {
				case err := <-asked:
					require.ErrorIs(t, err, ErrSessionExpired)
				case <-time.After(time.Minute):
					t.Error("Err does not answer")
				}
			})
		})
	}
}

//go:build unix

package main

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcdtest"
)

// Its lease is over: there is nothing left to be told to a server that hangs.
func TestWhoseCommandHasEndedAfterALossDoesNotWaitForAServerThatHangs(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		lockArgs("hanging --json --ttl 3s", helperCommand("read")...),
		electArgs("hanging --json --once --ttl 3s", helperCommand("read")...),
	} {
		t.Run(args[0], func(t *testing.T) {
			t.Parallel()
			srv := etcdtest.Start(t)
			url, err := srv.Listen()
			require.NoError(t, err)
			q := command(t, append([]string{"--endpoints", url, "--command-timeout", "1m"}, args...)...).begin()
			q.expect("ready")
			srv.Pause(0)
			waitUntil(t, func() bool { return strings.Contains(q.stderr.String(), `"lost"`) })
			began := time.Now()
			require.Equal(t, 76, q.code(), q.stderr)
			require.Less(t, time.Since(began), 4*time.Second) // 5 s was how long it waited
			srv.Resume(0)
		})
	}
}

// The lock is released, the leadership resigned, and the session closed, in 5 s
// together.
func TestWhoseCommandHasEndedByItselfWaitsOnceForAServerThatHangs(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		lockArgs("hanging --ttl 5m", helperCommand("read")...),
		electArgs("hanging --ttl 5m", helperCommand("read")...),
	} {
		t.Run(args[0], func(t *testing.T) {
			t.Parallel()
			srv := etcdtest.Start(t)
			url, err := srv.Listen()
			require.NoError(t, err)
			q := command(t, append([]string{"--endpoints", url, "--command-timeout", "1m"}, args...)...).begin()
			q.expect("ready")
			srv.Pause(0)
			q.stdin.Close()
			began := time.Now()
			require.Equal(t, 0, q.code(), q.stderr)
			require.Less(t, time.Since(began), 9*time.Second) // twice 5 s is how long it waited
			srv.Resume(0)
		})
	}
}

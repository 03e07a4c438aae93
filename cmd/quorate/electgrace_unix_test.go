//go:build unix

package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// A command that is deaf to SIGTERM is killed with all of its group when its grace
// is over, and only then the other leads.
func TestACommandThatWillNotEndIsKilledBeforeTheLeadershipIsHandedOver(t *testing.T) {
	t.Parallel()
	w := newWitness(t)
	c := client(t)
	first := command(t, electArgs("deaf --once --ttl 60s --grace 500ms", helperCommand("tree", w.address())...)...).begin()
	w.await(2)
	second := command(t, electArgs("deaf", helperCommand("read")...)...).begin()
	waitUntil(t, func() bool { return len(standing(t, c, "deaf")) == 2 })
	free := watchFor(t, c, standing(t, c, "deaf")[1]) // its own key goes when it is handed the leader's
	q := command(t, "elect", "transfer", "deaf")
	require.Equal(t, 0, q.run(), q.stderr)
	w.goneBefore(free)
	second.expect("ready")
	require.Equal(t, 76, first.code())
	require.Contains(t, first.stderr.String(), "was handed over")
	second.stdin.Close()
	require.Equal(t, 0, second.code())
}

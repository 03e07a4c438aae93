package ledger

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// turn writes what a process does that makes two transfers.
func turn(t *testing.T, dir string, token int64, pid int) {
	t.Helper()
	require.NoError(t, Note(dir, Entry{What: Enter, Token: token, PID: pid}))
	for range 2 {
		require.NoError(t, Transfer(dir, nil))
	}
	require.NoError(t, Note(dir, Entry{What: Leave, Token: token, PID: pid, Transfers: 2}))
}

func TestTurnsOneAfterTheOtherPassTheCheck(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, Create(dir))
	turn(t, dir, 3, 100)
	require.NoError(t, Note(dir, Entry{What: Enter, Token: 5, PID: 101}))
	require.NoError(t, Transfer(dir, nil))
	require.NoError(t, Note(dir, Entry{What: Stuck, Token: 5, PID: 101, Transfers: 1}))
	require.NoError(t, Note(dir, Entry{What: Gone, Token: 5, PID: 101, Transfers: 1}))
	turn(t, dir, 9, 102)
	f, err := Check(dir)
	require.NoError(t, err)
	require.Equal(t, 5, f.Made)
	require.Equal(t, 5, f.Kept)
	require.Equal(t, 1, f.Killed)
	require.Len(t, f.Turns, 3)
}

func TestTheCheckFindsAnOverlap(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, Create(dir))
	require.NoError(t, Note(dir, Entry{What: Enter, Token: 1, PID: 100}))
	turn(t, dir, 2, 101)
	require.NoError(t, Note(dir, Entry{What: Leave, Token: 1, PID: 100}))
	_, err := Check(dir)
	require.ErrorContains(t, err, "process 101 entered while 100 was inside")
	require.ErrorContains(t, err, "process 100 was no longer inside when it ended")
}

func TestTheCheckFindsALostTransfer(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, Create(dir))
	require.NoError(t, Note(dir, Entry{What: Enter, Token: 1, PID: 100}))
	// Another one comes in between reading and writing.
	require.NoError(t, Transfer(dir, func() error { return Transfer(dir, nil) }))
	require.NoError(t, Note(dir, Entry{What: Leave, Token: 1, PID: 100, Transfers: 2}))
	_, err := Check(dir)
	require.ErrorContains(t, err, "1 of 2 transfers are lost")
}

func TestTheCheckFindsTokensThatDoNotGrowAndOneWhoStays(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, Create(dir))
	turn(t, dir, 4, 100)
	turn(t, dir, 4, 101)
	require.NoError(t, Note(dir, Entry{What: Enter, Token: 7, PID: 102}))
	_, err := Check(dir)
	require.ErrorContains(t, err, "token 4 of process 101 came after token 4")
	require.ErrorContains(t, err, "process 102 never left")
}

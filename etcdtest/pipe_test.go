package etcdtest

import (
	"bytes"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestAPipeBuffersAndThenMakesTheWriterWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newPipe(addr("a"), addr("b"), 0, 0)
		want := bytes.Repeat([]byte("0123456789"), pipeBuffer/4)
		done := make(chan error, 1)
		go func() {
			_, err := a.Write(want)
			a.Close()
			done <- err
		}()
		synctest.Wait()
		select {
		case <-done:
			t.Fatal("a write larger than the buffer did not wait")
		default:
		}
		got, err := io.ReadAll(b)
		require.NoError(t, err)
		require.True(t, bytes.Equal(want, got))
		require.NoError(t, <-done)
	})
}

func TestPipeDeadlinesEndCallsUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newPipe(addr("a"), addr("b"), 0, 0)
		start := time.Now()
		require.NoError(t, a.SetDeadline(start.Add(time.Hour)))
		time.AfterFunc(time.Minute, func() { a.SetDeadline(start.Add(2 * time.Minute)) })
		_, err := a.Read(make([]byte, 1))
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		require.Equal(t, 2*time.Minute, time.Since(start))
		var ne net.Error
		require.ErrorAs(t, err, &ne)
		require.True(t, ne.Timeout())
		_, err = a.Write([]byte("x"))
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)

		require.NoError(t, a.SetDeadline(time.Time{}))
		_, err = a.Write([]byte("x"))
		require.NoError(t, err)
		n, err := b.Read(make([]byte, 10))
		require.Equal(t, 1, n)
		require.NoError(t, err)
	})
}

func TestAClosedPipeIsReadToItsEndAndAResetOneIsNot(t *testing.T) {
	a, b := newPipe(addr("a"), addr("b"), 0, 0)
	_, err := a.Write([]byte("last words"))
	require.NoError(t, err)
	require.NoError(t, a.Close())
	got, err := io.ReadAll(b)
	require.NoError(t, err)
	require.Equal(t, "last words", string(got))
	_, err = a.Read(make([]byte, 1))
	require.ErrorIs(t, err, net.ErrClosed)
	_, err = b.Write([]byte("x"))
	require.Error(t, err)

	a, b = newPipe(addr("a"), addr("b"), 0, 0)
	_, err = a.Write([]byte("lost words"))
	require.NoError(t, err)
	a.reset()
	_, err = b.Read(make([]byte, 1))
	require.ErrorIs(t, err, syscall.ECONNRESET)
	_, err = a.Write([]byte("x"))
	require.ErrorIs(t, err, syscall.ECONNRESET)
}

func TestADeadlineInThePastEndsAReadUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, _ := newPipe(addr("a"), addr("b"), 0, 0)
		done := make(chan error, 1)
		go func() {
			_, err := a.Read(make([]byte, 1))
			done <- err
		}()
		synctest.Wait()
		require.NoError(t, a.SetReadDeadline(time.Unix(1, 0)))
		require.ErrorIs(t, <-done, os.ErrDeadlineExceeded)
	})
}

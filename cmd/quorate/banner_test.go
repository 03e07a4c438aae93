package main

import (
	"bufio"
	"net"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// greeter is a server of another protocol: it speaks first, and waits.
func greeter(t *testing.T, banner string) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer c.Close()
				_, _ = c.Write([]byte(banner))
				_, _ = bufio.NewReader(c).ReadString(0) // until the client goes
			})
		}
	})
	t.Cleanup(func() { ln.Close(); wg.Wait() })
	return "http://" + ln.Addr().String()
}

func TestAnEndpointWhereAnotherProtocolIsSpokenIsNamed(t *testing.T) {
	t.Parallel()
	url := greeter(t, "SSH-2.0-OpenSSH_9.6\r\n")
	for _, args := range [][]string{{"status"}, {"seq", "next", "x"}, {"lock", "ls"},
		append([]string{"lock", "x", "--timeout", "2s", "--"}, helperCommand("exit", "0")...)} {
		q := command(t, append([]string{"--endpoints", url}, args...)...)
		require.Equal(t, 1, q.run(), "%q: %s", args, q.stderr)
		require.Contains(t, q.stderr.String(), "quorate: what answers at "+url+
			` is no etcd: it answered, but not in HTTP: the server speaks SSH: "SSH-2.0-OpenSSH_9.6"`, args)
	}
}

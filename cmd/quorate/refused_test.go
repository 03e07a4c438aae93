package main

import (
	"net"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcdtest"
)

func TestAnEtcdThatWantsAUserOrRefusesOneSaysSoInTheWordsOfTheFlags(t *testing.T) {
	t.Parallel()
	const canary = "canary-5ecret"
	srv := etcdtest.Start(t, etcdtest.WithAuth("root-password"))
	url, err := srv.Listen()
	require.NoError(t, err)
	for _, c := range []struct {
		user, says string
	}{
		{"", "asks for a user: --user name:password, or ETCDCTL_USER"},
		{"root:" + canary, `refuses user "root": wrong name or password`},
		{"ann:" + canary, `refuses user "ann": wrong name or password`},
	} {
		for _, args := range [][]string{{"status"}, {"seq", "next", "x"}, append([]string{"lock", "x", "--"}, helperCommand("exit", "0")...)} {
			q := command(t, append([]string{"--endpoints", url, "--user", c.user}, args...)...)
			require.Equal(t, 77, q.run(), "%q: %s", args, q.stderr)
			require.Equal(t, "quorate: the etcd at "+url+" "+c.says+"\n", q.stderr.String())
		}
	}
	q := command(t, "--endpoints", url, "--user", "root", "--password", "root-password", "seq", "next", "x")
	require.Equal(t, 0, q.run(), q.stderr)
}

func TestAnEtcdWithATLSThatIsNotTrustedIsNotSaidToBeMissing(t *testing.T) {
	t.Parallel()
	srv := etcdtest.Start(t, etcdtest.WithTLS(nil))
	url, err := srv.Listen()
	require.NoError(t, err)
	q := command(t, "--endpoints", url, "status")
	require.Equal(t, 69, q.run())
	require.Contains(t, q.stderr.String(), "quorate: no connection with "+url+" (x509: ")
	require.Contains(t, q.stderr.String(), "; see --cacert, --cert and --key\n")
}

func TestAConnectionThatIsClosedWithoutAWordMayHaveTheWrongScheme(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Read(make([]byte, 1<<16)) // what is left unread would reset the connection
			conn.Close()
		}
	}()
	t.Cleanup(func() {
		ln.Close()
		<-done
	})
	q := command(t, "--endpoints", "http://"+ln.Addr().String(), "status")
	require.Equal(t, 69, q.run())
	require.Contains(t, q.stderr.String(), "(the connection was closed without an answer; perhaps it has to be https, or http)")
}

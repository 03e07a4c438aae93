package main

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcdtest"
)

func TestTheExamplePrintsThis(t *testing.T) {
	server := etcdtest.Start(t)
	url, err := server.Listen()
	require.NoError(t, err)
	for range 2 { // it can be run again
		var out bytes.Buffer
		require.NoError(t, run(t.Context(), &out, url))
		require.Equal(t, `attempt 2 books
attempt 1 is too late: true
the account has 110
`, out.String())
	}
}

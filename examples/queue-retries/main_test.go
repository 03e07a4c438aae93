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
		require.Equal(t, `sent to ann, attempt 1
sent to bob, attempt 2
dead letter to nobody after 3 attempts: unknown address
1 put back
sent to nobody, attempt 1
`, out.String())
	}
}

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
		require.Equal(t, `order 17 placed: true
order 18 placed: true
order 17 placed: false
told of order 17: placed
told of order 18: placed
`, out.String())
	}
}

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
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), &out, url))
	require.Equal(t, `examples/lock-several/transfers/ada = 100
examples/lock-several/transfers/grace = 100
`, out.String())
}

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
	require.Equal(t, `two readers share it
a writer has to wait: true
beside a writer nobody reads: true
downgraded, others read as well; the writer's handle has ended: true
`, out.String())
}

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
	require.Equal(t, `write v1: carried out: true
write v2: carried out: true
write v3: carried out: false
lost, because: we need it
in etcd: v2
`, out.String())
}

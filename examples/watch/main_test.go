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
	require.Equal(t, `lamps: examples/watch/lamp/hall created with off
door: examples/watch/door created with open
lamps: examples/watch/lamp/hall changed from off to on
lamps: examples/watch/lamp/hall deleted
`, out.String())
}

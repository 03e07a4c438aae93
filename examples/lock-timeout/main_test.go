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
	require.Equal(t, `try: held by somebody else: true
acquire: timed out: true
acquire: the holder runs job "nightly"
in line after that: 0
acquired, with a greater token: true
`, out.String())
}

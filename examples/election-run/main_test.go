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
	require.Equal(t, `leading, with a greater token: true
written under the guard: true
lost because the lease was revoked: true
written after the loss: false
leading, with a greater token: true
written under the guard: true
terms: 2
`, out.String())
}

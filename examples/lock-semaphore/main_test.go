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
	require.Equal(t, `all 3 are taken: true
  2 held
  1 held
somebody who believes in 10 is told so: true
of 4 there is one more
`, out.String())
}

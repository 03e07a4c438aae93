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
	require.Equal(t, `apple is red, version 1
apple was red
in the range: examples/kv/fruit/apple
in the range: examples/kv/fruit/banana
4 fruits, of them examples/kv/fruit/date and examples/kv/fruit/cherry are last
all values together have 21 bytes
4 fruits deleted
1 key left
`, out.String())
}

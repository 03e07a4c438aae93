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
	require.Equal(t, `shoes: invoice 1
hat: invoice 2
shoes: billed already, as 000001; no number is taken
scarf: invoice 3
invoice/000001 = shoes
invoice/000002 = hat
invoice/000003 = scarf
`, out.String())
}

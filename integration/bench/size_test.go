package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAProgramThatTakesOneLockLinksFourModules(t *testing.T) {
	side, err := programSize("quorate", modules)(t.Context(), nil)
	require.NoError(t, err)
	x, err := side.run(t.Context(), 0)
	require.NoError(t, err)
	require.Equal(t, 4.0, x.value)

	side, err = programSize("nothing", modules)(t.Context(), nil)
	require.NoError(t, err)
	_, err = side.run(t.Context(), 0)
	require.ErrorContains(t, err, "build github.com/quorate/quorate/integration/bench/size/nothing")
}

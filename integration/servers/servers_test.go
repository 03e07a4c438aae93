package servers

import (
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestThereIsAServerOfEveryReleaseLine(t *testing.T) {
	for _, line := range Lines {
		binary, err := Binary(t.Context(), line)
		require.NoError(t, err)
		out, err := exec.CommandContext(t.Context(), binary, "--version").CombinedOutput()
		require.NoError(t, err, "%s", out)
		require.Contains(t, string(out), "etcd Version: "+line+".")
		again, err := Binary(t.Context(), line)
		require.NoError(t, err)
		require.Equal(t, binary, again)
	}
	_, err := Binary(t.Context(), "2.3")
	require.ErrorContains(t, err, "etcd server 2.3: there are [3.4 3.5 3.6 3.7]")
}

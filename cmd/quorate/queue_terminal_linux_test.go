package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// shown reads what a terminal shows until it is this.
func shown(t *testing.T, screen *lines, last string) (all string) {
	t.Helper()
	for {
		select {
		case line, ok := <-screen.ch:
			require.True(t, ok, "output ended before %q", last)
			if all += line + "\n"; strings.Contains(line, last) {
				return all
			}
		case <-time.After(bound):
			t.Fatalf("not shown: %q, but %q", last, all)
		}
	}
}

func TestQueueCommandsShowOnATerminalHowFarTheyAre(t *testing.T) {
	master, slave := openPTY(t)
	screen := readLines(master)
	p := command(t, "queue", "push", "seen", "--lines")
	p.Stdin, p.Stderr = strings.NewReader(strings.Repeat("job\n", 1000)), slave
	require.NoError(t, p.Start())
	require.Equal(t, 0, p.code())
	fmt.Fprintln(slave, "pushed")
	require.Contains(t, shown(t, screen, "pushed"), "jobs pushed")

	push(t, "worked", "one", "two", "three")
	w := command(t, workArgs("worked --drain", helperCommand("exit", "0")...)...)
	w.Stderr = slave
	require.NoError(t, w.Start())
	require.Equal(t, 0, w.code())
	require.Contains(t, shown(t, screen, "3 jobs done, 0 to be tried again, 0 dead letters, 0 handed back"), "worked: 1 done, 0 failed")
}

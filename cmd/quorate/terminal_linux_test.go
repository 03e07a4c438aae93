package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func init() { helpers["shell"] = jobShell }

// openPTY makes a terminal: what is written to master is typed, and what the
// terminal shows is read from it.
func openPTY(t *testing.T) (master, slave *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	require.NoError(t, err)
	t.Cleanup(func() { master.Close() })
	require.NoError(t, unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0))
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	require.NoError(t, err)
	slave, err = os.OpenFile("/dev/pts/"+strconv.Itoa(n), os.O_RDWR|unix.O_NOCTTY, 0)
	require.NoError(t, err)
	t.Cleanup(func() { slave.Close() })
	return master, slave
}

// await reads lines until one is this.
func await(t *testing.T, l *lines, line string) {
	t.Helper()
	for {
		select {
		case got, ok := <-l.ch:
			require.True(t, ok, "output ended before %q", line)
			if got == line {
				return
			}
		case <-time.After(bound):
			t.Fatalf("no line %q", line)
		}
	}
}

func TestAnInteractiveCommandHasTheTerminalAndItsKeys(t *testing.T) {
	t.Parallel()
	master, slave := openPTY(t)
	q := command(t, lockArgs("terminal", helperCommand("read")...)...)
	q.Stdin, q.Stdout, q.Stderr = slave, slave, slave
	q.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	require.NoError(t, q.Start())
	screen := readLines(master)
	await(t, screen, "ready")
	owner, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPGRP)
	require.NoError(t, err)
	require.NotEqual(t, q.Process.Pid, owner, "the command's group has the terminal")
	fmt.Fprint(master, "hello\n")
	await(t, screen, "read hello")
	fmt.Fprint(master, "\x03") // Ctrl-C
	require.Equal(t, 128+int(syscall.SIGINT), q.code())
	require.Empty(t, contenders(t, client(t), "terminal"))
}

// As a member of a pipeline: others may need the terminal.
func TestACommandWhoseOutputIsNoTerminalGetsTheTerminalWhenItReads(t *testing.T) {
	t.Parallel()
	master, slave := openPTY(t)
	r, w, err := os.Pipe()
	require.NoError(t, err)
	defer r.Close()
	q := command(t, lockArgs("pipeline", helperCommand("read")...)...)
	q.Stdin, q.Stdout = slave, w
	q.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	require.NoError(t, q.Start())
	w.Close()
	out := readLines(r)
	await(t, out, "ready")
	fmt.Fprint(master, "hello\n")
	await(t, out, "read hello")
	fmt.Fprint(master, "quit\n")
	require.Equal(t, 0, q.code(), q.stderr)
}

// shell is a run of quorate by a shell with job control.
type shell struct {
	*quorate
	master *os.File
	screen *lines
}

func startShell(t *testing.T, args ...string) *shell {
	t.Helper()
	master, slave := openPTY(t)
	q := command(t)
	q.Args = append([]string{q.Args[0], asHelper, "shell", q.Args[0], asQuorate}, args...)
	q.ExtraFiles = []*os.File{slave}
	q.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true, Ctty: 3}
	q.begin()
	return &shell{q, master, readLines(master)}
}

func TestCtrlZStopsTheJobAndTheShellContinuesIt(t *testing.T) {
	t.Parallel()
	s := startShell(t, lockArgs("job-control --ttl 60s", helperCommand("read")...)...)
	await(t, s.screen, "ready")
	fmt.Fprint(s.master, "\x1a")
	s.expect("stopped")
	require.Len(t, contenders(t, client(t), "job-control"), 1)
	fmt.Fprintln(s.stdin, "fg")
	fmt.Fprint(s.master, "hello\n")
	await(t, s.screen, "read hello")
	fmt.Fprint(s.master, "quit\n")
	s.expect("exit 0")
}

// It reads in the moment before it is given the terminal, and that it was stopped
// for it is told after: the user has stopped nothing, and nobody would wake it.
func TestACommandThatWasStoppedForTheTerminalWhichItHasByNowGoesOn(t *testing.T) {
	t.Parallel()
	s := startShell(t, lockArgs("late-news", helperCommand("read")...)...)
	await(t, s.screen, "ready")
	group, err := unix.IoctlGetInt(int(s.master.Fd()), unix.TIOCGPGRP)
	require.NoError(t, err)
	require.NoError(t, syscall.Kill(-group, syscall.SIGTTIN))
	fmt.Fprint(s.master, "hello\n")
	await(t, s.screen, "read hello")
	fmt.Fprint(s.master, "quit\n")
	s.expect("exit 0")
}

// It reads already, and so does not ask for the terminal.
func TestACommandHasTheTerminalAgainWhenOnlyQuorateWasStopped(t *testing.T) {
	t.Parallel()
	c := client(t)
	s := startShell(t, lockArgs("stopped-alone --ttl 60s", helperCommand("read")...)...)
	await(t, s.screen, "ready")
	owner := func() int {
		pgrp, err := unix.IoctlGetInt(int(s.master.Fd()), unix.TIOCGPGRP)
		require.NoError(t, err)
		return pgrp
	}
	group := owner()
	var note struct{ PID int }
	require.NoError(t, json.Unmarshal(holderOf(t, c, "stopped-alone").Value, &note))
	require.NoError(t, syscall.Kill(note.PID, syscall.SIGSTOP))
	s.expect("stopped")
	fmt.Fprintln(s.stdin, "fg")
	waitUntil(t, func() bool { return owner() == group })
	fmt.Fprint(s.master, "quit\n")
	s.expect("exit 0")
}

func TestAJobStoppedForTooLongHasLostItsLockAndIsKilled(t *testing.T) {
	t.Parallel()
	c := client(t)
	w := newWitness(t)
	s := startShell(t, lockArgs("stopped-job --ttl 10s", helperCommand("stubborn", w.address())...)...)
	w.await(1)
	free := watchFor(t, c, holderOf(t, c, "stopped-job"))
	fmt.Fprint(s.master, "\x1a")
	s.expect("stopped")
	// A stopped process gives no signs of life, so its end is what must come first.
	w.gone()
	require.True(t, w.seen[0].end.Before(free.await()), "it outlived the lock")
	fmt.Fprintln(s.stdin, "fg")
	s.expect("exit 76")
}

// jobShell does what a shell does for one job in the foreground of the terminal
// at descriptor 3: it says when the job is stopped, continues it on "fg", and
// says how it ended.
func jobShell(args []string) int {
	signal.Ignore(syscall.SIGTTOU) // it takes the terminal back from the background
	tty := os.NewFile(3, "tty")
	give := func(pgrp int) { // reads tty, which the collector closes when nobody does
		if err := unix.IoctlSetPointerInt(int(tty.Fd()), unix.TIOCSPGRP, pgrp); err != nil {
			fmt.Println("the terminal cannot be given:", err)
		}
	}
	job := exec.Command(args[0], args[1:]...)
	job.Stdin, job.Stdout, job.Stderr = tty, tty, tty
	job.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Foreground: true, Ctty: 3}
	if err := job.Start(); err != nil {
		fmt.Println(err)
		return 1
	}
	pid := job.Process.Pid
	commands := bufio.NewScanner(os.Stdin)
	for {
		var ws syscall.WaitStatus
		if _, err := syscall.Wait4(pid, &ws, syscall.WUNTRACED, nil); err == syscall.EINTR {
			continue
		}
		if !ws.Stopped() {
			fmt.Println("exit", ws.ExitStatus())
			return 0
		}
		give(syscall.Getpgrp())
		fmt.Println("stopped")
		for commands.Scan() && !strings.HasPrefix(commands.Text(), "fg") {
		}
		give(pid)
		_ = syscall.Kill(-pid, syscall.SIGCONT)
	}
}

//go:build unix

package child

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// GuardArg is the argument with which this program is a guard: main calls
// GuardMain where it is the only one.
const GuardArg = "__guard"

// What the two say to each other, a line each.
const (
	wordDeadline = "deadline" // + time: kill the group when the clock shows it
	wordLeave    = "leave"    // + group: go to that group, so that only what is left is in ours
	wordLead     = "lead"     // lead a group again, with no deadline
	wordDone     = "done"     // nothing is left to guard
	wordReady    = "ready"
	wordLeft     = "left"
)

// guardLook is how often a guard with a deadline looks at the clock at least:
// timers stand still while the machine is suspended, the clock does not.
const guardLook = time.Second

// deaf are the signals that a guard does not hear: they are meant for the
// command whose group it leads.
var deaf = []os.Signal{
	syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM, syscall.SIGUSR1, syscall.SIGUSR2,
	syscall.SIGALRM, syscall.SIGVTALRM, syscall.SIGPROF, syscall.SIGPIPE, syscall.SIGWINCH, syscall.SIGIO,
	syscall.SIGTSTP, syscall.SIGTTIN, syscall.SIGTTOU, syscall.SIGXCPU, syscall.SIGXFSZ,
}

// GuardMain is the guard's whole life: it leads the group it was started in,
// does what it is told on standard input and kills the group when that ends.
// It returns the exit code.
func GuardMain() int {
	signal.Ignore(deaf...)
	group := os.Getpid()
	if syscall.Getpgrp() != group {
		fmt.Fprintln(os.Stderr, "quorate: "+GuardArg+" is for quorate's own use")
		return 2
	}
	fmt.Println(wordReady)
	lines := make(chan string)
	go func() {
		in := bufio.NewScanner(os.Stdin)
		for in.Scan() {
			lines <- in.Text()
		}
		close(lines)
	}()
	kill := func() int {
		_ = syscall.Kill(-group, syscall.SIGKILL)
		return 1 // only where it had left the group
	}
	var deadline time.Duration // zero: none
	look := time.NewTimer(time.Hour)
	for {
		if deadline != 0 {
			left := deadline - clock()
			if left <= 0 {
				return kill()
			}
			look.Reset(min(left, guardLook))
		}
		select {
		case <-look.C:
		case line, ok := <-lines:
			word, arg, _ := strings.Cut(line, " ")
			n, _ := strconv.ParseInt(arg, 10, 64)
			switch {
			case !ok:
				return kill()
			case deadline != 0 && clock() >= deadline:
				return kill() // it came too late to move the deadline
			case word == wordDeadline:
				deadline = time.Duration(n)
			case word == wordLeave:
				if err := syscall.Setpgid(0, int(n)); err != nil {
					return kill()
				}
				fmt.Println(wordLeft)
			case word == wordLead:
				if err := syscall.Setpgid(0, 0); err != nil {
					return 1
				}
				deadline = 0
				fmt.Println(wordReady)
			case word == wordDone:
				return 0
			}
		}
	}
}

// A Guard is the process that leads a command's group.
type Guard struct {
	pid   int // and the group's number
	tell  *os.File
	hear  *bufio.Reader
	heard *os.File
	ended bool // reaped
	left  bool // no longer in the group
	ready bool // it has said so
}

// NewGuard starts a guard and does not wait for it to be ready, so it costs
// little to have one before it is needed. Close ends it.
func NewGuard() (*Guard, error) {
	g, err := newGuard()
	if err != nil {
		return nil, fmt.Errorf("start the guard process: %w", err)
	}
	return g, nil
}

func newGuard() (*Guard, error) {
	exe, err := self()
	if err != nil {
		return nil, err
	}
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		return nil, err
	}
	defer null.Close()
	listen, tell, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer listen.Close()
	heard, answer, err := os.Pipe()
	if err != nil {
		tell.Close()
		return nil, err
	}
	defer answer.Close()
	p, err := os.StartProcess(exe, []string{"quorate", GuardArg}, &os.ProcAttr{
		Env:   guardEnv(),
		Files: []*os.File{listen, answer, null},
		Sys:   &syscall.SysProcAttr{Setpgid: true},
	})
	if err != nil {
		tell.Close()
		heard.Close()
		return nil, err
	}
	g := &Guard{pid: p.Pid, tell: tell, heard: heard, hear: bufio.NewReader(heard)}
	_ = p.Release() // reaped by wait4, together with the group
	return g, nil
}

// guardEnv is all that a guard finds in its environment: what is meant for Go's
// runtime in every program. Nothing else of ours concerns it.
func guardEnv() []string {
	env := []string{"GOMAXPROCS=1"}
	for _, name := range []string{"GODEBUG", "GORACE"} {
		if v, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+v)
		}
	}
	return env
}

// Renew makes the guard ready for another Run. After an error it is of no more
// use, and Close is to be called as ever.
func (g *Guard) Renew() error {
	if g.tell == nil || g.ended || !g.left {
		return errors.New("the guard process has ended")
	}
	g.left = false
	err := g.say(wordLead)
	if err == nil {
		err = g.expect(wordReady)
	}
	g.ready = err == nil
	return err
}

// Close ends the guard, and with it what is left of its group.
func (g *Guard) Close() error {
	if g.tell == nil {
		return nil
	}
	if g.left {
		_ = g.say(wordDone)
	}
	g.tell.Close()
	g.heard.Close()
	g.tell = nil
	for !g.ended {
		pid, err := syscall.Wait4(g.pid, nil, 0, nil)
		g.ended = pid == g.pid || err != nil && err != syscall.EINTR
	}
	return nil
}

// say writes a line to the guard. A guard that does not listen for that long
// is stopped, together with its group, and is told the next time.
func (g *Guard) say(word string) error {
	_ = g.tell.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
	_, err := io.WriteString(g.tell, word+"\n")
	return err
}

// expect reads the guard's answer.
func (g *Guard) expect(word string) error {
	line, err := g.hear.ReadString('\n')
	switch {
	case err == io.EOF:
		return errors.New("the guard process has ended")
	case err != nil:
		return fmt.Errorf("the guard process: %w", err)
	case strings.TrimSpace(line) != word:
		return fmt.Errorf("the guard process says %q instead of %q", line, word)
	}
	return nil
}

package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/quorate/quorate/cmd/quorate/internal/ledger"
)

// What the processes of the demonstration say on standard output.
const (
	stuckWord = "stuck" // + token, process, transfers
	idleReady = "idle"
)

// demoWork is the life of one process: some transfers, noted in the journal.
func demoWork(dir string, stuck bool) error {
	token, _ := strconv.ParseInt(os.Getenv(tokenVar), 10, 64) // 0 without a lock
	e := ledger.Entry{What: ledger.Enter, Token: token, PID: os.Getpid()}
	if err := ledger.Note(dir, e); err != nil {
		return err
	}
	for e.Transfers < demoTransfers {
		var midway func() error
		if stuck && e.Transfers == demoTransfers/2 {
			midway = func() error { return stayStuck(dir, e) }
		}
		if err := ledger.Transfer(dir, midway); err != nil {
			return err
		}
		e.Transfers++
	}
	e.What = ledger.Leave
	return ledger.Note(dir, e)
}

// stayStuck starts a child and waits to be killed.
func stayStuck(dir string, e ledger.Entry) error {
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	idle := exec.Command(exe, "demo", "idle")
	idle.Stdout = os.Stdout // held open until it, too, has ended
	if err := idle.Start(); err != nil {
		return err
	}
	e.What = ledger.Stuck
	if err := ledger.Note(dir, e); err != nil {
		return err
	}
	fmt.Println(stuckWord, e.Token, e.PID, e.Transfers)
	select {}
}

// demoRun starts processes and looks after them.
type demoRun struct {
	exe string
	env []string
	say func(format string, args ...any)
}

// without has all processes work at once, without a lock. What the check finds
// is the point, so its verdict is left out.
func (r *demoRun) without(ctx context.Context, dir string) (ledger.Finding, error) {
	if err := newLedger(dir); err != nil {
		return ledger.Finding{}, err
	}
	g, ctx := errgroup.WithContext(ctx)
	for range demoProcesses {
		g.Go(func() error { return r.process(r.command(ctx, dir, false, false)) })
	}
	if err := g.Wait(); err != nil {
		return ledger.Finding{}, err
	}
	found, _ := ledger.Check(dir)
	return found, nil
}

// under has each process run under the lock, and kills the quorate of one of
// them. problem is what the check finds wrong.
func (r *demoRun) under(ctx context.Context, dir string) (found ledger.Finding, problem, err error) {
	if err := newLedger(dir); err != nil {
		return found, nil, err
	}
	g, ctx := errgroup.WithContext(ctx)
	stuck := make(chan struct{})
	for i := range demoProcesses {
		g.Go(func() error {
			switch {
			case i == demoProcesses/2:
				return r.kill(r.command(ctx, dir, true, true), dir, stuck)
			case i > demoProcesses/2: // these come after the one that is killed
				select {
				case <-stuck:
				case <-ctx.Done():
					return ctx.Err()
				}
			}
			return r.process(r.command(ctx, dir, true, false))
		})
	}
	if err := g.Wait(); err != nil {
		return found, nil, err
	}
	found, problem = ledger.Check(dir)
	if len(found.Turns) != demoProcesses || found.Killed != 1 {
		problem = errors.Join(problem, fmt.Errorf("%d turns and %d killed, instead of %d and 1", len(found.Turns), found.Killed, demoProcesses))
	} else if found.Turns[demoProcesses-1].What == ledger.Gone {
		problem = errors.Join(problem, errors.New("nobody came after the one that was killed"))
	}
	for _, t := range found.Turns {
		how := ""
		if t.What == ledger.Gone {
			how = ", then its quorate was killed; it and its child ended, too"
		}
		r.say("  token %4d  process %6d  %2d transfers%s", t.Token, t.PID, t.Transfers, how)
	}
	return found, problem, nil
}

func newLedger(dir string) error {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	return ledger.Create(dir)
}

// command makes one process, which works in dir.
func (r *demoRun) command(ctx context.Context, dir string, locked, stuck bool) *exec.Cmd {
	args := []string{"demo", "work", dir}
	if stuck {
		args = append(args, "--stuck")
	}
	if locked {
		args = append([]string{"lock", demoLock, "--ttl", demoTTL, "--timeout", "1m", "--", r.exe}, args...)
	}
	cmd := exec.CommandContext(ctx, r.exe, args...)
	cmd.Env = r.env
	return cmd
}

// process runs cmd to its end.
func (r *demoRun) process(cmd *exec.Cmd) error {
	var stderr strings.Builder
	cmd.Stderr = &stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("a process of the demonstration: %w: %s", err, oneLine(stderr.String()))
	}
	return nil
}

// killBound is how long what a killed quorate had started may take to end.
const killBound = 2 * time.Second

// kill starts cmd, kills it when its work is stuck, which it makes known by
// closing stuck, and notes when nothing of it is left: nobody holds its standard
// output any more.
func (r *demoRun) kill(cmd *exec.Cmd, dir string, stuck chan<- struct{}) error {
	out, in, err := os.Pipe()
	if err != nil {
		return err
	}
	defer out.Close()
	cmd.Stdout = in
	err = cmd.Start()
	in.Close()
	if err != nil {
		return err
	}
	var e ledger.Entry
	lines := bufio.NewScanner(out)
	for said := 0; said < 2 && lines.Scan(); said++ { // it, and its child
		if rest, ok := strings.CutPrefix(lines.Text(), stuckWord+" "); ok {
			if _, err := fmt.Sscan(rest, &e.Token, &e.PID, &e.Transfers); err != nil {
				return err
			}
		}
	}
	close(stuck)
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	if e.PID == 0 {
		return errors.New("the process that is to be killed did not begin")
	}
	_ = out.SetReadDeadline(time.Now().Add(killBound))
	for lines.Scan() {
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("what the killed quorate had started still runs %v later: %w", killBound, err)
	}
	e.What = ledger.Gone
	return ledger.Note(dir, e)
}

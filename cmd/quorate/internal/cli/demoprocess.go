package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"sync"
)

// A demoProcess is a worker process of the demonstration, as whoever started it
// sees it.
type demoProcess struct {
	name   string
	cmd    *exec.Cmd
	stdin  io.Closer
	stderr strings.Builder
	stuck  chan struct{} // closed when it says so
	leads  chan struct{} // closed when it leads for the first time
	ended  chan struct{} // closed when it has ended

	mu         sync.Mutex
	killed     bool
	err        error // how it ended
	deliveries []demoEvent
	terms      []int64
}

// startDemo starts a worker process.
func startDemo(ctx context.Context, exe string, env []string, name string, args ...string) (*demoProcess, error) {
	p := &demoProcess{name: name, stuck: make(chan struct{}), leads: make(chan struct{}), ended: make(chan struct{})}
	p.cmd = exec.CommandContext(ctx, exe, append([]string{"demo", "worker", name}, args...)...)
	p.cmd.Env, p.cmd.Stderr = env, &p.stderr
	stdin, err := p.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	p.stdin = stdin
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() { // waited for by wait
		defer close(p.ended)
		p.listen(stdout)
		err := p.cmd.Wait()
		p.mu.Lock()
		defer p.mu.Unlock()
		if err != nil && !p.killed {
			p.err = fmt.Errorf("%s: %w: %s", name, err, oneLine(p.stderr.String()))
		}
	}()
	return p, nil
}

// listen takes in what it says until it has ended.
func (p *demoProcess) listen(r io.Reader) {
	for lines := bufio.NewScanner(r); lines.Scan(); {
		var e demoEvent
		if json.Unmarshal(lines.Bytes(), &e) != nil {
			continue // killed in the middle of a line
		}
		p.mu.Lock()
		switch e.Event {
		case "job":
			p.deliveries = append(p.deliveries, e)
		case "leads":
			if p.terms = append(p.terms, e.Term); len(p.terms) == 1 {
				close(p.leads)
			}
		case "stuck":
			close(p.stuck)
		}
		p.mu.Unlock()
	}
}

// kill ends it without a word.
func (p *demoProcess) kill() {
	p.mu.Lock()
	p.killed = true
	p.mu.Unlock()
	_ = p.cmd.Process.Kill()
	<-p.ended
}

// stop asks it to end, and waits for that.
func (p *demoProcess) stop() error {
	p.stdin.Close()
	<-p.ended
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}

// await waits for one of its words.
func (p *demoProcess) await(ctx context.Context, word <-chan struct{}) error {
	select {
	case <-word:
		return nil
	case <-p.ended:
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.err != nil {
			return p.err
		}
		return fmt.Errorf("%s has ended", p.name)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

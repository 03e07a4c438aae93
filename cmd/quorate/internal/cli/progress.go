package cli

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/term"
)

// A progress is a line at the bottom of a terminal that tells how far something
// is. Where standard error is no terminal, or the output is for machines, it
// shows nothing.
type progress struct {
	w io.Writer // nil: shows nothing

	mu    sync.Mutex
	line  string // as it stands there
	shown time.Time
}

// progressEvery is how often the line changes.
const progressEvery = 100 * time.Millisecond

const eraseLine = "\r\x1b[K"

// progress makes the progress line of a command.
func (a *app) progress() *progress {
	if a.flags.json || !term.IsTerminal(int(os.Stderr.Fd())) {
		return &progress{}
	}
	return &progress{w: a.errOut}
}

// on reports whether the line is seen by anybody.
func (p *progress) on() bool { return p.w != nil }

// show changes the line, unless it was just changed.
func (p *progress) show(format string, args ...any) {
	if p.w == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if time.Since(p.shown) < progressEvery {
		return
	}
	p.shown, p.line = time.Now(), fmt.Sprintf(format, args...)
	fmt.Fprint(p.w, eraseLine+p.line)
}

// close takes the line away.
func (p *progress) close() {
	if p.w == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.line != "" {
		fmt.Fprint(p.w, eraseLine)
		p.line = ""
	}
}

// through gives a writer to w whose output passes above the line. It is for what
// may go to the same terminal.
func (p *progress) through(w io.Writer) io.Writer { return &above{p, w} }

type above struct {
	p *progress
	w io.Writer
}

// Write takes the line away, writes, and shows it again if b ends with a line.
func (a *above) Write(b []byte) (int, error) {
	a.p.mu.Lock()
	defer a.p.mu.Unlock()
	if a.p.w == nil || a.p.line == "" {
		return a.w.Write(b)
	}
	fmt.Fprint(a.p.w, eraseLine)
	n, err := a.w.Write(b)
	if len(b) > 0 && b[len(b)-1] == '\n' {
		fmt.Fprint(a.p.w, a.p.line)
	} else {
		a.p.line = ""
	}
	return n, err
}

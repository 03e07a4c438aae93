package child

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"slices"
	"sync"
)

// Signals are the signals that arrived and that nobody has dealt with yet.
type Signals struct {
	ch   chan os.Signal
	pipe chan os.Signal
}

// Stop ends the catching.
func (s *Signals) Stop() {
	signal.Stop(s.ch)
	if s.pipe != nil {
		signal.Stop(s.pipe)
	}
}

func (s *Signals) channel() <-chan os.Signal {
	if s == nil {
		return nil
	}
	return s.ch
}

// Interrupted is the cause of a context that a signal ended.
type Interrupted struct{ Signal os.Signal }

// Error names the signal.
func (i *Interrupted) Error() string { return Name(i.Signal) }

// Context gives a context that ends, with an Interrupted as its cause, when a
// signal asks to end. Other signals are dropped meanwhile. stop returns when
// signals are no longer looked at here; it does not end the context.
func (s *Signals) Context(parent context.Context) (ctx context.Context, stop func()) {
	ctx, cancel := context.WithCancelCause(parent)
	quit := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case sig := <-s.ch:
				if slices.Contains(ending, sig) {
					cancel(&Interrupted{sig})
					return
				}
			case <-quit:
				return
			}
		}
	})
	return ctx, sync.OnceFunc(func() {
		close(quit)
		wg.Wait()
	})
}

// InterruptedBy gives the signal that is behind err, or nil.
func InterruptedBy(err error) os.Signal {
	var i *Interrupted
	if errors.As(err, &i) {
		return i.Signal
	}
	return nil
}

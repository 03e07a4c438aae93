package embedded

import (
	"errors"
	"strings"
	"testing"

	"go.uber.org/zap"
)

func TestAFatalEntryEndsTheGoroutineNotTheProcess(t *testing.T) {
	cause := errors.New("disk is gone")
	for name, log := range map[string]func(*zap.Logger){
		"fatal": func(l *zap.Logger) { l.Fatal("failed to save", zap.String("path", "x"), zap.Error(cause)) },
		"panic": func(l *zap.Logger) { l.Panic("failed to save", zap.Error(cause)) },
	} {
		heard := make(chan error, 1)
		ended := make(chan bool, 1)
		logger := newLogger(nil, "m1", func(err error) { heard <- err })
		go func() {
			survived := false
			defer func() { ended <- survived }()
			log(logger)
			survived = true
		}()
		if <-ended {
			t.Errorf("%s: the goroutine went on", name)
		}
		if err := <-heard; !errors.Is(err, cause) || !strings.Contains(err.Error(), "failed to save") {
			t.Errorf("%s: heard %v", name, err)
		}
	}
}

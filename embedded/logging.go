package embedded

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"google.golang.org/grpc/grpclog"
)

// gRPC prints to standard error unless told otherwise, and it can only be told
// before it is used.
func init() {
	if os.Getenv("GRPC_GO_LOG_SEVERITY_LEVEL") == "" {
		grpclog.SetLoggerV2(grpclog.NewLoggerV2(io.Discard, io.Discard, io.Discard))
	}
}

// newLogger returns the logger of one member. etcd ends the process through its
// logger when it cannot go on; here fatal hears of it and only the goroutine
// that met the trouble ends.
func newLogger(to *slog.Logger, member string, fatal func(error)) *zap.Logger {
	core := zapcore.NewNopCore()
	if to != nil {
		core = &slogCore{handler: to.Handler().WithAttrs([]slog.Attr{slog.String("member", member)})}
	}
	hook := fatalHook(fatal)
	return zap.New(core, zap.WithFatalHook(hook), zap.WithPanicHook(hook))
}

type fatalHook func(error)

// OnWrite reports the entry and ends the goroutine.
func (h fatalHook) OnWrite(entry *zapcore.CheckedEntry, fields []zapcore.Field) {
	err := fmt.Errorf("etcd cannot go on: %s", entry.Message)
	for _, f := range fields {
		if cause, ok := f.Interface.(error); ok && f.Type == zapcore.ErrorType {
			err = fmt.Errorf("etcd cannot go on: %s: %w", entry.Message, cause)
			break
		}
	}
	h(err)
	runtime.Goexit()
}

// slogCore hands zap's entries to a slog handler.
type slogCore struct {
	handler slog.Handler
}

func (c *slogCore) Enabled(level zapcore.Level) bool {
	return c.handler.Enabled(context.Background(), slogLevel(level))
}

func (c *slogCore) With(fields []zapcore.Field) zapcore.Core {
	return &slogCore{handler: c.handler.WithAttrs(attrs(fields))}
}

func (c *slogCore) Check(entry zapcore.Entry, checked *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if c.Enabled(entry.Level) {
		return checked.AddCore(entry, c)
	}
	return checked
}

func (c *slogCore) Write(entry zapcore.Entry, fields []zapcore.Field) error {
	record := slog.NewRecord(entry.Time, slogLevel(entry.Level), entry.Message, entry.Caller.PC)
	record.AddAttrs(attrs(fields)...)
	return c.handler.Handle(context.Background(), record)
}

func (c *slogCore) Sync() error { return nil }

func slogLevel(level zapcore.Level) slog.Level {
	switch {
	case level <= zapcore.DebugLevel:
		return slog.LevelDebug
	case level == zapcore.InfoLevel:
		return slog.LevelInfo
	case level == zapcore.WarnLevel:
		return slog.LevelWarn
	default:
		return slog.LevelError
	}
}

func attrs(fields []zapcore.Field) []slog.Attr {
	out := make([]slog.Attr, 0, len(fields))
	for _, f := range fields {
		enc := zapcore.NewMapObjectEncoder()
		f.AddTo(enc)
		for k, v := range enc.Fields {
			out = append(out, slog.Any(k, v))
		}
	}
	return out
}

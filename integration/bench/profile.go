package main

import (
	"context"
	"os"
	"runtime/pprof"
)

func startProfile(file string) (stop func(), err error) {
	f, err := os.Create(file)
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		f.Close()
		return nil, err
	}
	return func() {
		pprof.StopCPUProfile()
		f.Close()
	}, nil
}

// serveProfiled is the server, under a profile where one is asked for.
func serveProfiled(ctx context.Context, o options) error {
	if o.profile != "" {
		stop, err := startProfile(o.profile)
		if err != nil {
			return err
		}
		defer stop()
	}
	return serve(ctx, o.members)
}

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"

	"github.com/quorate/quorate/embedded"
)

// The server runs in a process of its own, as it does where it is used: a
// client in the same process would share its heap and scheduler.

// serve runs an embedded etcd, says where it is, and stops when its standard
// input ends, which it does when the bench ends, however that comes.
func serve(ctx context.Context, members int) error {
	cluster, err := embedded.Start(ctx, embedded.Config{Members: members})
	if err != nil {
		return err
	}
	if err := json.NewEncoder(os.Stdout).Encode(cluster.Endpoints()); err != nil {
		return err
	}
	_, _ = io.Copy(io.Discard, os.Stdin)
	stop, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return cluster.Stop(stop)
}

// startServer starts this program again as a server.
func startServer(ctx context.Context, members int, profile string) (endpoints []string, stop func() error, err error) {
	self, err := os.Executable()
	if err != nil {
		return nil, nil, err
	}
	args := []string{"-serve", "-members", fmt.Sprint(members)}
	if profile != "" {
		args = append(args, "-cpuprofile", profile+".server")
	}
	cmd := exec.CommandContext(ctx, self, args...)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, nil, err
	}
	stop = func() error {
		in.Close()
		return cmd.Wait()
	}
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &endpoints)
	}
	if err != nil {
		_ = stop()
		return nil, nil, fmt.Errorf("the server did not start: %w", err)
	}
	return endpoints, stop, nil
}

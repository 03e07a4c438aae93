// Package servers builds real etcd servers of several release lines. Each is a
// tiny module of its own, outside the workspace, because one build cannot hold
// two versions of etcd.
package servers

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
)

// Lines are the release lines there is a server of.
var Lines = []string{"3.4", "3.5", "3.6", "3.7"}

// Newest is the line that tests use where the version does not matter.
const Newest = "3.7"

var building sync.Mutex

// Binary returns the path of the server of a release line, and builds it where
// the user's cache directory does not hold it yet, which takes a minute.
func Binary(ctx context.Context, line string) (string, error) {
	if !slices.Contains(Lines, line) {
		return "", fmt.Errorf("etcd server %s: there are %v", line, Lines)
	}
	_, here, _, ok := runtime.Caller(0)
	if !ok {
		return "", fmt.Errorf("etcd server %s: %w", line, errors.New("its source cannot be found"))
	}
	module := filepath.Join(filepath.Dir(here), "v"+line)
	binary, err := cached(line, module)
	if err != nil {
		return "", fmt.Errorf("etcd server %s: %w", line, err)
	}
	building.Lock()
	defer building.Unlock()
	if _, err := os.Stat(binary); err == nil {
		return binary, nil
	}
	if err := build(ctx, module, binary); err != nil {
		return "", fmt.Errorf("etcd server %s: %w", line, err)
	}
	return binary, nil
}

// cached names the binary after all that decides its contents.
func cached(line, module string) (string, error) {
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	h := sha256.New()
	fmt.Fprintln(h, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	for _, name := range []string{"go.mod", "go.sum", "main.go"} {
		b, err := os.ReadFile(filepath.Join(module, name))
		if err != nil {
			return "", err
		}
		h.Write(b)
	}
	name := "etcd-" + line + "-" + hex.EncodeToString(h.Sum(nil)[:8])
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	return filepath.Join(dir, "quorate-test", name), nil
}

// build writes the binary beside its name and then renames it, so that another
// process never runs half of it.
func build(ctx context.Context, module, binary string) error {
	if err := os.MkdirAll(filepath.Dir(binary), 0o755); err != nil {
		return err
	}
	tmp, err := os.MkdirTemp(filepath.Dir(binary), "build-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	out := filepath.Join(tmp, filepath.Base(binary))
	cmd := exec.CommandContext(ctx, "go", "build", "-ldflags=-s -w", "-o", out, ".")
	cmd.Dir = module
	cmd.Env = append(os.Environ(), "GOWORK=off")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("go build in %s: %w\n%s", module, err, stderr.Bytes())
	}
	return os.Rename(out, binary)
}

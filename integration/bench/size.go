package main

import (
	"context"
	"debug/buildinfo"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

func init() {
	scenarios = append(scenarios,
		scenario{name: "size", unit: "MB", better: "lower", must: 0.55, aim: 0.5, ours: programSize("quorate", megabytes), peer: programSize("native", megabytes)},
		scenario{name: "size-modules", unit: "modules", better: "lower", must: 4, aim: 4, ours: programSize("quorate", modules)},
	)
}

// programSize builds a program that takes one lock, and looks at it.
func programSize(name string, figure func(file string) (float64, error)) setup {
	return func(context.Context, []string) (*side, error) {
		return &side{fixed: true, close: func() {}, once: func(ctx context.Context) (sample, error) {
			dir, err := os.MkdirTemp("", "bench-size-")
			if err != nil {
				return sample{}, err
			}
			defer os.RemoveAll(dir)
			file := filepath.Join(dir, name)
			const at = "github.com/quorate/quorate/integration/bench/size/"
			build := exec.CommandContext(ctx, "go", "build", "-o", file, at+name)
			if out, err := build.CombinedOutput(); err != nil {
				return sample{}, fmt.Errorf("build %s (inside a clone of the repository): %w: %s", at+name, err, strings.TrimSpace(string(out)))
			}
			v, err := figure(file)
			return sample{value: v}, err
		}}, nil
	}
}

func megabytes(file string) (float64, error) {
	fi, err := os.Stat(file)
	if err != nil {
		return 0, err
	}
	return float64(fi.Size()) / 1e6, nil
}

// modules counts what the program links beside itself.
func modules(file string) (float64, error) {
	info, err := buildinfo.ReadFile(file)
	if err != nil {
		return 0, err
	}
	return float64(len(info.Deps)), nil
}

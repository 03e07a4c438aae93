// Package census is the work of "quorate demo": every file below a directory is
// hashed by some process, each result has a number, and a report is kept by
// several processes in one file without any protection of its own. What came of
// it can be checked against a direct computation.
package census

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// List gives the regular files below dir, by their paths from there, in order.
// Hidden directories are left out. It stops at most files, which more tells.
func List(dir string, most int) (files []string, more bool, err error) {
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		hidden := strings.HasPrefix(d.Name(), ".") && path != dir
		switch {
		case d.IsDir() && hidden:
			return fs.SkipDir
		case !d.Type().IsRegular():
			return nil
		case len(files) == most:
			more = true
			return fs.SkipAll
		}
		rel, err := filepath.Rel(dir, path)
		files = append(files, filepath.ToSlash(rel))
		return err
	})
	return files, more, err
}

// Sum gives the SHA-256 of a file that List gave, and its size.
func Sum(dir, file string) (sum string, size int64, err error) {
	f, err := os.Open(filepath.Join(dir, filepath.FromSlash(file)))
	if err != nil {
		return "", 0, err
	}
	defer f.Close()
	h := sha256.New()
	if size, err = io.Copy(h, f); err != nil {
		return "", 0, err
	}
	return hex.EncodeToString(h.Sum(nil)), size, nil
}

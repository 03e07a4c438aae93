package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// What the snippets of the docs take for granted.
const (
	snippetHead = `package snippets

import (
	"context"
	"fmt"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/quorate/quorate/election"
	"github.com/quorate/quorate/embedded"
	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/etcdtest"
	"github.com/quorate/quorate/lock"
	"github.com/quorate/quorate/queue"
	"github.com/quorate/quorate/sequence"
)

var (
	_ context.Context
	_ = fmt.Sprint
	_ = os.Getenv
	_ testing.TB
	_ = synctest.Test
	_ time.Duration
	_ election.Term
	_ embedded.Config
	_ etcd.Config
	_ etcdtest.Fault
	_ lock.Handle
	_ queue.Job
	_ sequence.Info
)

type Order struct{}
`
	snippetFunc = `
func snippet(ctx context.Context, client *etcd.Client, session *etcd.Session, h *lock.Handle, candidate election.Candidate,
	version, value, doc, receipt, invoice []byte, order string) (err error) {
	{
%s
	}
	return nil
}
`
)

var (
	goSnippet = regexp.MustCompile("(?s)```go\n(.*?)```")
	left      = regexp.MustCompile(`(?m)\.\.\.$|\{ \.\.\. \}`) // "..." stands for what the reader writes
	// The compiler may say of a snippet what it may not of a program: that a
	// variable is declared twice, or not used.
	forgiven = regexp.MustCompile(`declared and not used|no new variables on left side|^#|too many errors`)
)

// The docs are outside of this module, so go test does not notice that they have
// changed: -count=1 has them looked at again.
func TestTheGoOfTheDocsCompiles(t *testing.T) {
	t.Parallel()
	root, err := filepath.Abs("../..")
	require.NoError(t, err)
	docs, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	require.NoError(t, err)
	snippets := 0
	overlay := map[string]string{}
	var packages []string
	dir := t.TempDir()
	for _, doc := range append(docs, filepath.Join(root, "README.md")) {
		text, err := os.ReadFile(doc)
		require.NoError(t, err)
		for _, m := range goSnippet.FindAllStringSubmatch(string(text), -1) {
			code := left.ReplaceAllStringFunc(m[1], func(s string) string { return strings.Replace(s, "...", "panic(0)", 1) })
			if !strings.HasPrefix(code, "func ") {
				code = fmt.Sprintf(snippetFunc, code)
			}
			// The files are nowhere but in the compiler's eyes.
			name := fmt.Sprintf("%s-%d", strings.TrimSuffix(filepath.Base(doc), ".md"), snippets)
			real := filepath.Join(dir, name+".go")
			require.NoError(t, os.WriteFile(real, []byte(snippetHead+code), 0o600))
			overlay[filepath.Join(root, "cmd", "quorate", "internal", "snippets", name, "snippet.go")] = real
			packages = append(packages, "./internal/snippets/"+name)
			snippets++
		}
	}
	require.GreaterOrEqual(t, snippets, 14)
	list, err := json.Marshal(map[string]any{"Replace": overlay})
	require.NoError(t, err)
	file := filepath.Join(dir, "overlay.json")
	require.NoError(t, os.WriteFile(file, list, 0o600))
	build := exec.Command(goTool(t), append([]string{"build", "-gcflags=-e", "-overlay", file}, packages...)...)
	build.Dir = filepath.Join(root, "cmd", "quorate")
	build.Env = append(os.Environ(), "GOFLAGS=-buildvcs=false")
	said, _ := build.CombinedOutput() // what is not forgiven is looked for below
	compiled := false
	for line := range strings.Lines(string(said)) {
		compiled = compiled || strings.Contains(line, "declared and not used")
		if !forgiven.MatchString(line) {
			t.Errorf("a snippet does not compile: %s", line)
		}
	}
	require.True(t, compiled, "the compiler has seen them: %s", said)
}

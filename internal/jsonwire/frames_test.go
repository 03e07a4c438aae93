package jsonwire

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// dribble is a source that gives one more byte at each read than before.
type dribble struct {
	data []byte
	n    int
}

func (d *dribble) Read(p []byte) (int, error) {
	if len(d.data) == 0 {
		return 0, io.EOF
	}
	d.n++
	n := copy(p, d.data[:min(d.n, len(d.data))])
	d.data = d.data[n:]
	return n, nil
}

func frames(src string, limit int) ([]string, error) {
	fr := NewFrames(&dribble{data: []byte(src)}, limit)
	var out []string
	for {
		doc, err := fr.Next()
		if err != nil {
			_, again := fr.Next()
			if !errors.Is(again, err) {
				return out, errors.New("the error does not repeat")
			}
			return out, err
		}
		out = append(out, string(doc))
	}
}

func TestFramesAreCutByTheJSONAndNotByLineEnds(t *testing.T) {
	got, err := frames(" {\"a\":\n1}\n{\"b\":\"}\\\"{\"}{\"error\":{\"c\":[{}]}}", 100)
	require.Equal(t, io.EOF, err)
	require.Equal(t, []string{"{\"a\":\n1}", `{"b":"}\"{"}`, `{"error":{"c":[{}]}}`}, got)
}

func TestAStreamThatEndsWithinADocumentIsAnError(t *testing.T) {
	got, err := frames(`{"a":1}{"b":"`, 100)
	require.Equal(t, io.ErrUnexpectedEOF, err)
	require.Len(t, got, 1)
}

func TestADocumentOfTheLimitPassesAndALongerOneDoesNot(t *testing.T) {
	doc := `{"a":"` + strings.Repeat("x", 20000) + `"}`
	got, err := frames(doc+"\n"+doc, len(doc))
	require.Equal(t, io.EOF, err)
	require.Equal(t, []string{doc, doc}, got)

	_, err = frames(doc, len(doc)-1)
	require.ErrorIs(t, err, ErrTooLarge)
}

func TestAStreamOfSomethingElseThanObjectsIsRefused(t *testing.T) {
	for _, src := range []string{"<html>", `"a"`, "[]", "\x00"} {
		_, err := frames(src, 100)
		var syntax *SyntaxError
		require.ErrorAs(t, err, &syntax, "%q", src)
	}
}

func TestAStuckSourceIsNotReadForEver(t *testing.T) {
	fr := NewFrames(stuck{}, 100)
	_, err := fr.Next()
	require.ErrorIs(t, err, io.ErrNoProgress)
}

type stuck struct{}

func (stuck) Read([]byte) (int, error) { return 0, nil }

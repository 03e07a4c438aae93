package queue

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// envelope is a job as it stands under a key: a line of JSON and the payload.
type envelope struct {
	ID          string            `json:"id"`
	At          int64             `json:"at"`
	Priority    int               `json:"p,omitempty"`
	Due         int64             `json:"due,omitempty"`
	Expires     int64             `json:"exp,omitempty"`
	Attempts    int               `json:"n,omitempty"`
	Unique      string            `json:"u,omitempty"` // escaped
	UniqueUntil int64             `json:"uu,omitempty"`
	Headers     map[string]string `json:"h,omitempty"`
	LastError   string            `json:"err,omitempty"`
	Reason      string            `json:"why,omitempty"`
	Died        int64             `json:"died,omitempty"`
	DiedBy      string            `json:"by,omitempty"`

	payload []byte
}

// maxNote bounds reasons and errors that are kept with a job.
const maxNote = 2048

func clip(s string) string {
	if len(s) > maxNote {
		s = s[:maxNote]
	}
	return strings.ToValidUTF8(s, "\ufffd")
}

// encode gives the bytes of the envelope. What it writes by hand needs no
// escape: ids and escaped unique keys hold neither quotes nor backslashes.
func (e *envelope) encode() []byte {
	b := make([]byte, 0, 96+len(e.payload))
	b = append(b, `{"id":"`...)
	b = append(b, e.ID...)
	b = append(b, `","at":`...)
	b = strconv.AppendInt(b, e.At, 10)
	num := func(name string, n int64) {
		if n != 0 {
			b = append(append(append(b, `,"`...), name...), `":`...)
			b = strconv.AppendInt(b, n, 10)
		}
	}
	num("p", int64(e.Priority))
	num("due", e.Due)
	num("exp", e.Expires)
	num("n", int64(e.Attempts))
	if e.Unique != "" {
		b = append(append(append(b, `,"u":"`...), e.Unique...), '"')
		num("uu", e.UniqueUntil)
	}
	text := func(name string, v any) {
		s, err := json.Marshal(v)
		if err == nil { // strings and maps of strings always marshal
			b = append(append(append(b, `,"`...), name...), `":`...)
			b = append(b, s...)
		}
	}
	if len(e.Headers) > 0 {
		text("h", e.Headers)
	}
	if e.LastError != "" {
		text("err", e.LastError)
	}
	if e.Reason != "" {
		text("why", e.Reason)
	}
	num("died", e.Died)
	if e.DiedBy != "" {
		text("by", e.DiedBy)
	}
	b = append(b, "}\n"...)
	return append(b, e.payload...)
}

// decodeEnvelope reads a job. The payload is part of b.
func decodeEnvelope(b []byte) (*envelope, error) {
	head, payload, found := bytes.Cut(b, []byte{'\n'})
	if !found {
		return nil, errors.New("the value is no job: it has no line that describes it")
	}
	e := &envelope{}
	if err := json.Unmarshal(head, e); err != nil {
		return nil, fmt.Errorf("the value is no job: %w", err)
	}
	if !validID(e.ID) || e.Priority < 0 || e.Priority > MaxPriority || e.Attempts < 0 ||
		e.At < 0 || e.Due < 0 || e.Expires < 0 || e.UniqueUntil < 0 || e.Died < 0 {
		return nil, errors.New("the value is no job: a field is out of range")
	}
	e.payload = payload
	return e, nil
}

func millis(t time.Time) int64 { return t.UnixMilli() }

func timeAt(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}

func checkHeaders(h map[string]string) error {
	for k, v := range h {
		if !utf8.ValidString(k) || !utf8.ValidString(v) {
			return fmt.Errorf("header %.64q is not valid UTF-8", k)
		}
	}
	return nil
}

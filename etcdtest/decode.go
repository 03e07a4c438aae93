package etcdtest

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// decoder turns JSON values into fields the way the gateway does: unknown
// fields are dropped, null is unset, int64 comes as a string or a number, an
// enum as a name or a number. It keeps the first error and counts the bytes of
// the message that the gateway would send on.
type decoder struct {
	old  bool // the stricter rules of 3.5
	size int
	err  *Error
}

func (d *decoder) fail(kind, field string, v any) {
	if d.err != nil {
		return
	}
	raw, _ := json.Marshal(v)
	d.err = &Error{Code: InvalidArgument,
		Message: fmt.Sprintf("proto: (line 1:1): invalid value for %s field %s: %.64s", kind, field, raw)}
}

func (d *decoder) object(field string, v any) map[string]any {
	d.size += 3
	o, ok := v.(map[string]any)
	if !ok && v != nil {
		d.fail("message", field, v)
	}
	return o
}

func (d *decoder) list(field string, v any) []any {
	l, ok := v.([]any)
	if !ok && v != nil {
		d.fail("repeated", field, v)
	}
	return l
}

func (d *decoder) text(field string, v any) string {
	s, ok := v.(string)
	if !ok && v != nil {
		d.fail("string", field, v)
	}
	d.size += len(s) + 2
	return s
}

// secret is a text that no error repeats.
func (d *decoder) secret(field string, v any) string {
	if _, ok := v.(string); !ok && v != nil {
		v = nil
		d.fail("string", field, v)
	}
	return d.text(field, v)
}

func (d *decoder) texts(field string, v any) []string {
	var out []string
	for _, e := range d.list(field, v) {
		out = append(out, d.text(field, e))
	}
	return out
}

func (d *decoder) bytes(field string, v any) []byte {
	if v == nil {
		return nil
	}
	s, ok := v.(string)
	if !ok {
		d.fail("bytes", field, v)
		return nil
	}
	enc := base64.StdEncoding
	if !d.old {
		// From 3.6 on the gateway also takes the URL alphabet and no padding.
		if strings.ContainsAny(s, "-_") {
			enc = base64.URLEncoding
		}
		if len(s)%4 != 0 {
			enc = enc.WithPadding(base64.NoPadding)
		}
	}
	b, err := enc.DecodeString(s)
	if err != nil {
		d.fail("bytes", field, v)
	}
	d.size += len(b) + 4
	return b
}

func (d *decoder) key(field string, v any) string { return string(d.bytes(field, v)) }

func (d *decoder) int64(field string, v any) int64 {
	n, ok := parseInt(v)
	if !ok {
		d.fail("int64", field, v)
	}
	d.size += 10
	return n
}

func (d *decoder) uint64(field string, v any) uint64 {
	if s := numberText(v); s != "" {
		if n, err := strconv.ParseUint(s, 10, 64); err == nil {
			d.size += 10
			return n
		}
	}
	if v != nil {
		d.fail("uint64", field, v)
	}
	return 0
}

func (d *decoder) boolean(field string, v any) bool {
	b, ok := v.(bool)
	if !ok && v != nil {
		d.fail("bool", field, v)
	}
	d.size += 2
	return b
}

// enum returns the number of an enum value. A name that is not known is
// dropped like an unknown field; 3.5 refuses it.
func (d *decoder) enum(field string, v any, names []string) int {
	d.size += 2
	if s, ok := v.(string); ok {
		for i, name := range names {
			if name == s {
				return i
			}
		}
		if d.old {
			d.fail("enum", field, v)
		}
		return 0
	}
	n, ok := parseInt(v)
	if !ok || n != int64(int32(n)) {
		d.fail("enum", field, v)
		return 0
	}
	return int(n)
}

func numberText(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case json.Number:
		return string(v)
	}
	return ""
}

func parseInt(v any) (int64, bool) {
	if v == nil {
		return 0, true
	}
	s := numberText(v)
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return n, true
	}
	// 1e3 and 5.0 are integers too.
	if f, err := strconv.ParseFloat(s, 64); err == nil && f == math.Trunc(f) && math.Abs(f) < 1<<53 {
		return int64(f), true
	}
	return 0, false
}

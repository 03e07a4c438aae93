package etcdtest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// parser reads the JSON messages of one body, one after the other.
type parser struct {
	dec *json.Decoder
}

func newParser(r io.Reader) *parser { return &parser{json.NewDecoder(r)} }

// next returns the next message: an object whose numbers are json.Number. It
// returns io.EOF at the end.
func (p *parser) next() (map[string]any, error) {
	var raw json.RawMessage
	if err := p.dec.Decode(&raw); err != nil {
		return nil, err
	}
	dec := json.NewDecoder(strings.NewReader(string(raw)))
	dec.UseNumber()
	v, err := tree(dec, 0)
	if err != nil {
		return nil, err
	}
	o, ok := v.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("proto: syntax error (line 1:1): unexpected token %s", firstToken(raw))
	}
	return o, nil
}

// firstToken is what an error shows of a message that is no object.
func firstToken(raw []byte) string {
	if raw[0] == '[' || raw[0] == '"' {
		return string(raw[:1])
	}
	return fmt.Sprintf("%.16s", raw)
}

// maxDepth is how deep messages may nest, as in the protobuf library.
const maxDepth = 10000

// tree reads one value. Unlike json.Unmarshal it refuses a field given twice,
// which the gateway refuses too.
func tree(dec *json.Decoder, depth int) (any, error) {
	if depth > maxDepth {
		return nil, errors.New("proto: exceeded max recursion depth")
	}
	tok, err := dec.Token()
	if err != nil {
		return nil, err
	}
	switch tok {
	case json.Delim('{'):
		o := make(map[string]any, 4)
		for dec.More() {
			k, err := dec.Token()
			if err != nil {
				return nil, err
			}
			name, _ := k.(string)
			if _, twice := o[name]; twice {
				return nil, fmt.Errorf("proto: (line 1:1): duplicate field %q", name)
			}
			if o[name], err = tree(dec, depth+1); err != nil {
				return nil, err
			}
		}
		_, err = dec.Token()
		return o, err
	case json.Delim('['):
		l := []any{}
		for dec.More() {
			v, err := tree(dec, depth+1)
			if err != nil {
				return nil, err
			}
			if v == nil {
				return nil, errors.New("proto: syntax error (line 1:1): unexpected token null")
			}
			l = append(l, v)
		}
		_, err = dec.Token()
		return l, err
	}
	return tok, nil
}

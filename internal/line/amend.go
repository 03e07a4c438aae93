package line

import (
	"encoding/json"
	"maps"
	"strings"
)

// amended gives the value of a contender's key with some fields set anew, or left
// out where they are nil. All others are as they stand there, those as well that
// only another version knows. What stands there is a Note.
func (m Member) amended(anew map[string]any) []byte {
	var fields map[string]json.RawMessage
	_ = json.Unmarshal(m.raw, &fields) // member has done so
	maps.DeleteFunc(fields, func(name string, _ json.RawMessage) bool {
		for changed := range anew {
			if strings.EqualFold(name, changed) { // as it was read
				return true
			}
		}
		return false
	})
	if fields == nil {
		fields = make(map[string]json.RawMessage)
	}
	for name, value := range anew {
		if value == nil {
			continue
		}
		b, err := json.Marshal(value)
		if err == nil { // only a year beyond 9999 is an error
			fields[name] = b
		}
	}
	b, _ := json.Marshal(fields) // of what was JSON
	return b
}

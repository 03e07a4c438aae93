package cli

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/pflag"
)

// flagProblem says what is wrong with a flag, without the names of the functions
// that found it.
func flagProblem(err error) string {
	var bad *pflag.InvalidValueError
	if !errors.As(err, &bad) {
		return err.Error()
	}
	return fmt.Sprintf("--%s: %s", bad.GetFlag().Name, notA(bad.GetFlag().Value.Type(), bad.GetValue()))
}

// notA says that a value is not what a flag of that type takes.
func notA(kind, value string) string {
	switch kind {
	case "duration":
		return fmt.Sprintf("%.100q is no duration like 90s or 5m", value)
	case "int", "int64":
		return fmt.Sprintf("%.100q is no whole number, or too large", value)
	case "intSlice":
		return fmt.Sprintf("%.100q is no list of whole numbers like 65,78", value)
	case "bool":
		return fmt.Sprintf("%.100q is neither true nor false", value)
	case pairsType:
		return fmt.Sprintf("%.100q is no name=value", value)
	}
	return fmt.Sprintf("%.100q is no %s", value, kind)
}

const pairsType = "name=value"

// pairs is a flag of the form name=value that may be given several times. What
// stands behind the first "=" is the value, whatever it holds.
type pairs map[string]string

var errNoPair = errors.New("no name=value")

// Set adds a pair.
func (p *pairs) Set(s string) error {
	name, value, ok := strings.Cut(s, "=")
	if !ok || name == "" {
		return errNoPair
	}
	if *p == nil {
		*p = pairs{}
	}
	(*p)[name] = value
	return nil
}

// Type is the word for the flag's values in help texts.
func (p *pairs) Type() string { return pairsType }

// String shows the pairs that there are.
func (p *pairs) String() string {
	var all []string
	for name, value := range *p {
		all = append(all, name+"="+value)
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}
